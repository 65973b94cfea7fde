"""What keeps a run's events: `events.jsonl`, one JSON object a line, and TensorBoard's scalars and images."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zerosum.engine.events import Event, GridEvent, ScoreEvent, StepEvent
from zerosum.eventlog import parse_event, read_events
from zerosum.types import PathLike

__all__ = ["EventLog", "TensorBoardLog", "read_events"]

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


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
    return isinstance(at, int) and at <= step


class TensorBoardLog:
    """Writes scalars and grids for TensorBoard into `folder`, which lies in the run folder.

    A resume gives `purge_step`, the first step that will come again: TensorBoard forgets what it had from
    there on.
    """

    def __init__(self, folder: PathLike, purge_step: int | None = None) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.folder = Path(folder)
        self._writer: SummaryWriter = SummaryWriter(str(self.folder), purge_step=purge_step, flush_secs=10)

    def __call__(self, event: Event, /) -> None:
        if event["event"] == "step":
            for tag, value in _scalars(event):
                self._writer.add_scalar(tag, value, event["step"])
        elif event["event"] == "score":
            self._score(event)
        elif event["event"] == "held_out":
            for name in ("d_real", "d_fake", "acc_real", "acc_fake", "dis_acc", "gan_acc"):
                number = dict(event)[name]
                if isinstance(number, float):
                    self._writer.add_scalar(f"held-out/{name}", number, event["step"])
        elif event["event"] == "grid":
            self._grid(event)

    def close(self) -> None:
        """Write what is left and close the file."""
        self._writer.close()

    def _score(self, event: ScoreEvent) -> None:
        named = {event["name"]: event["value"], **{f"{event['name']}/{key}": v for key, v in event["levels"].items()}}
        for name, value in named.items():
            if value is not None:
                self._writer.add_scalar(f"score/{name}", value, event["step"])

    def _grid(self, event: GridEvent) -> None:
        import numpy as np
        from PIL import Image

        path = self.folder.parent / event["path"]
        if path.is_file():
            with Image.open(path) as image:
                pixels = np.asarray(image.convert("RGB"))
            self._writer.add_image("samples", pixels, event["step"], dataformats="HWC")


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
        "speed/images_per_second": event["images_per_second"],
    }
    return ((tag, value) for tag, value in named.items() if value is not None)
