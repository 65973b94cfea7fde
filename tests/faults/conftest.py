"""What the fault tests share: commands as real processes, and the comparison of two runs, bit by bit."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from zerosum.engine import checkpoint
from zerosum.eventlog import read_events

Faults = list[tuple[str, dict[str, Any]]]
TIMES = ("seconds", "images_per_second")


@dataclass
class Process:
    """A command that runs, or has run."""

    nursery: Nursery
    pid: int
    out_path: Path
    err_path: Path
    code: int | None = None

    def wait(self) -> Process:
        """Until it ends; `code` is then its exit code, or -9 where it was killed."""
        if self.code is None:
            self.code = self.nursery.ask({"do": "wait", "pid": self.pid})
        return self

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    @property
    def out(self) -> str:
        return self.out_path.read_text()

    @property
    def err(self) -> str:
        return self.err_path.read_text()

    @property
    def line(self) -> str:
        """The one line on standard error; fails where there are more, or a traceback."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert "should not happen" not in lines[0]
        return lines[0]


@dataclass
class Nursery:
    """Starts `zerosum` commands as children of one warm process; see nursery.py."""

    folder: Path
    server: subprocess.Popen[str]
    processes: list[Process] = field(default_factory=list)

    def ask(self, request: dict[str, Any]) -> int:
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        print(json.dumps(request), file=self.server.stdin, flush=True)
        return int(json.loads(self.server.stdout.readline()))

    def start(
        self,
        *argv: object,
        faults: Faults | None = None,
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
    ) -> Process:
        stem = self.folder / f"{len(self.processes):04d}"
        out, err = stem.with_suffix(".out"), stem.with_suffix(".err")
        request = {
            "do": "start",
            "argv": [str(argument) for argument in argv],
            "faults": [("no_report", {}), *(faults or [])],
            "cwd": str(cwd or self.folder),
            "env": env or {},
            "out": str(out),
            "err": str(err),
        }
        process = Process(self, self.ask(request), out, err)
        self.processes.append(process)
        return process

    def run(self, *argv: object, faults: Faults | None = None, cwd: Path | None = None) -> Process:
        return self.start(*argv, faults=faults, cwd=cwd).wait()

    def close(self) -> None:
        for process in self.processes:
            if process.code is None:
                process.signal(signal.SIGKILL)
        assert self.server.stdin is not None
        self.server.stdin.close()
        self.server.wait(timeout=30)


@pytest.fixture(scope="session")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    if not hasattr(os, "fork"):
        pytest.skip("these processes are forked, which this system can't")
    server = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("nursery.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "agg"},
    )
    assert server.stdout is not None
    assert server.stdout.readline(), "the nursery did not start"
    nursery = Nursery(tmp_path_factory.mktemp("nursery"), server)
    yield nursery
    nursery.close()


@pytest.fixture(scope="session")
def wait_for() -> Callable[[Path], None]:
    """Wait until a file is there."""

    def wait(path: Path, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not path.exists():
            assert time.monotonic() < end, f"{path} did not come"
            time.sleep(0.001)

    return wait


def differences(one: Any, other: Any, where: str = "") -> list[str]:
    """The paths at which two trees of tensors and plain values are not the same bits."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted({*one, *other})
        missing = object()
        return [
            path
            for key in keys
            for path in differences(one.get(key, missing), other.get(key, missing), f"{where}/{key}")
        ]
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        alike = one.dtype == other.dtype and one.shape == other.shape
        alike = alike and one.contiguous().numpy().tobytes() == other.contiguous().numpy().tobytes()
        return [] if alike else [where]
    return [] if type(one) is type(other) and one == other else [f"{where}: {one!r} is not {other!r}"]


def compare_states(one: Path, other: Path, *, branch: bool = False) -> list[str]:
    """What differs between two checkpoints, apart from the time that they took; `branch`: and from the recipe."""
    states = [checkpoint.read(path) for path in (one, other)]
    for state in states:
        del state["counters"]["seconds"]
        if branch:
            del state["about"]["recipe"]
    return differences(*states, where=one.name)


def said(run: Path) -> dict[tuple[str, int], dict[str, Any]]:
    """Steps, exams and scores (`score/fid`) of a run without what depends on the time."""
    found = {}
    for event in read_events(run / "events.jsonl"):
        if event["event"] in ("step", "exam", "score"):
            kind = f"score/{event['name']}" if event["event"] == "score" else event["event"]
            found[kind, event["step"]] = {key: event[key] for key in event if key not in TIMES}
    return found


def compare_runs(
    one: Path, other: Path, *, checkpoints: tuple[str, ...] = ("last",), branch: bool = False
) -> list[str]:
    """What differs between two runs: checkpoints, every number that both logged, and every grid that both drew."""
    found = []
    for name in checkpoints:
        found += compare_states(*(run / "checkpoints" / name for run in (one, other)), branch=branch)
    first, second = said(one), said(other)
    common = [key for key in first if key in second]
    if not common:
        found.append("no event in common")
    for key in common:
        found += differences(first[key], second[key], "/".join(map(str, key)))
    for picture in (one / "samples").glob("[0-9]*.png"):
        twin = other / "samples" / picture.name
        if twin.exists() and twin.read_bytes() != picture.read_bytes():
            found.append(f"samples/{picture.name}")
    return found


def fingerprint(folder: Path) -> dict[str, str]:
    """Every file below a folder with its SHA-256."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="session")
def compare() -> Callable[..., list[str]]:
    return compare_runs


@pytest.fixture(scope="session")
def numbers() -> Callable[[Path], dict[tuple[str, int], dict[str, Any]]]:
    return said


@pytest.fixture(scope="session")
def contents() -> Callable[[Path], dict[str, str]]:
    return fingerprint
