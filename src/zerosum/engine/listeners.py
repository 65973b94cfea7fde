"""What keeps a run's events: `events.jsonl`, one JSON object a line, and TensorBoard's scalars and images."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from zerosum.engine.events import Event, GridEvent, ScoreEvent, StepEvent
from zerosum.eventlog import parse_event, read_events
from zerosum.types import PathLike

__all__ = ["EventLog", "TensorBoardLog", "read_events"]


class EventLog:
    """Appends every event to a file, one strict JSON object a line, written before the call returns.

    Opened again, it first cuts off a torn last line. `OSError` where the folder cannot be written or the disk
    is full.
    """

    def __init__(self, path: PathLike) -> None:
        self.path = Path(path)
        self._file = self.path.open("ab", buffering=0)
        self._cut_torn_line()

    def __call__(self, event: Event, /) -> None:
        line = json.dumps(event, allow_nan=False).encode() + b"\n"
        while line:
            line = line[self._file.write(line) :]

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        self._file.close()

    def truncate_after(self, step: int) -> None:
        """Forget what a resume from `step` will tell again: every event past it, and every end.

        The file is replaced as a whole, so that a crash leaves the old one or the new one.
        """
        lines = self.path.read_bytes().splitlines(keepends=True)
        kept = [line for line in lines if _belongs(parse_event(line), step)]
        if len(kept) == len(lines):
            return
        beside = self.path.with_name(self.path.name + ".new")
        with beside.open("wb") as file:
            file.writelines(kept)
            file.flush()
            os.fsync(file.fileno())
        self._file.close()
        os.replace(beside, self.path)
        self._file = self.path.open("ab", buffering=0)

    def _cut_torn_line(self) -> None:
        with self.path.open("rb") as file:
            end = keep = file.seek(0, os.SEEK_END)
            while keep > 0:
                start = max(0, keep - 65536)
                file.seek(start)
                newline = file.read(keep - start).rfind(b"\n")
                if newline >= 0:
                    keep = start + newline + 1
                    break
                keep = start
        if keep < end:
            os.truncate(self.path, keep)


def _belongs(fields: Mapping[str, Any] | None, step: int) -> bool:
    if fields is None or fields["event"] == "end":
        return False
    at = fields.get("step", 0)
    # A stage is announced after the checkpoint of the step that it follows, so it will be told again.
    return isinstance(at, int) and (at < step if fields["event"] == "stage" else at <= step)


class TensorBoardLog:
    """Writes scalars and grids for TensorBoard into `folder`, which lies in the run folder.

    A resume gives `purge_step`, the first step that will come again: TensorBoard forgets what it had from
    there on. Everything is written before the call returns; torch's own writer leaves that to a thread, whose
    traceback is all that a user would see of a full disk. `OSError` where the folder cannot be written.
    """

    def __init__(self, folder: PathLike, purge_step: int | None = None) -> None:
        from tensorboard.compat.proto import event_pb2, summary_pb2
        from tensorboard.summary.writer.record_writer import RecordWriter

        self._event, self._session, self._summary = event_pb2.Event, event_pb2.SessionLog, summary_pb2.Summary
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        seconds, rest = divmod(time.time_ns(), 10**9)  # TensorBoard reads the files in the order of their names
        self._file = (self.folder / f"events.out.tfevents.{seconds:010d}.{rest:09d}.{os.getpid()}").open("wb")
        self._records = RecordWriter(self._file)
        self._write(file_version="brain.Event:2")
        if purge_step is not None:
            self._write(step=purge_step, session_log=self._session(status=self._session.START))
        self._file.flush()

    def __call__(self, event: Event, /) -> None:
        if event["event"] == "step":
            self._add(event["step"], _scalars(event))
        elif event["event"] == "score":
            self._add(event["step"], _scores(event))
        elif event["event"] == "held_out":
            self._add(event["step"], _named("held-out", event, "d_real d_fake acc_real acc_fake dis_acc gan_acc"))
        elif event["event"] == "exam":
            self._add(event["step"], _named("exam", event, "spread nearest coverage reach gap label_gap"))
            self._add(event["step"], ((f"exam/{name}", value) for name, value in event["probes"].items()))
        elif event["event"] == "grid":
            self._grid(event)
        self._file.flush()

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        self._file.close()

    def _write(self, **fields: Any) -> None:
        self._records.write(self._event(wall_time=time.time(), **fields).SerializeToString())

    def _add(self, step: int, scalars: Iterable[tuple[str, Any]]) -> None:
        """Scalars of one step; what is no number is left out."""
        numbers = [(tag, number) for tag, number in scalars if isinstance(number, int | float)]
        values = [self._summary.Value(tag=tag, simple_value=number) for tag, number in numbers]
        self._write(step=step, summary=self._summary(value=values))

    def _grid(self, event: GridEvent) -> None:
        from PIL import Image

        path = self.folder.parent / event["path"]
        if path.is_file():
            with Image.open(path) as image:
                width, height, channels = *image.size, len(image.getbands())
            picture = self._summary.Image(
                height=height, width=width, colorspace=channels, encoded_image_string=path.read_bytes()
            )
            value = self._summary.Value(tag="samples", image=picture)
            self._write(step=event["step"], summary=self._summary(value=[value]))


def _named(group: str, event: Event, names: str) -> Iterator[tuple[str, Any]]:
    return ((f"{group}/{name}", dict(event)[name]) for name in names.split())


def _scores(event: ScoreEvent) -> Iterator[tuple[str, float | None]]:
    yield f"score/{event['name']}", event["value"]
    for key, value in event["levels"].items():
        yield f"score/{event['name']}/{key}", value


def _scalars(event: StepEvent) -> Iterator[tuple[str, float]]:
    """The tags under which TensorBoard groups a step's numbers; what is None is left out."""
    groups = {"losses": event["losses"], "grad_norm": event["grad_norm"], "lr": event["lr"]}
    named = {f"{group}/{key}": value for group, terms in groups.items() for key, value in terms.items()}
    named |= {
        "output/D(x)": event["d_real"],
        "output/D(G(z)) before": event["d_fake_before"],
        "output/D(G(z)) after": event["d_fake_after"],
        "accuracy/real": event["acc_real"],
        "accuracy/fake": event["acc_fake"],
        "logits/margin": event["margin"],
        "logits/separation": event["separation"],
        "speed/images_per_second": event["images_per_second"],
    }
    return ((tag, value) for tag, value in named.items() if value is not None)
