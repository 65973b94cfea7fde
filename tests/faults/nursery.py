"""A warm process that forks `zerosum` commands: real processes, without the seconds that importing torch takes.

It reads one JSON request a line and answers each with one line. A child runs the command line with the faults that
the request asks for, which are the functions below.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.pyplot  # noqa: F401  (what a command imports late is imported here, once)
import tensorboard.summary.writer.record_writer  # noqa: F401
import torch

import zerosum.cli.commands.resume
import zerosum.cli.commands.sample
import zerosum.cli.commands.train
import zerosum.cli.commands.translate
import zerosum.cli.outcome
import zerosum.cli.progress  # noqa: F401
from zerosum import api
from zerosum.api import starting
from zerosum.cli import main
from zerosum.engine import checkpoint, clock
from zerosum.engine.loop import Loop
from zerosum.engine.run import RunFolder
from zerosum.engine.training import Training

torch.set_num_threads(1)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for what it starts in the background
assert api

FAULTS: dict[str, Callable[..., None]] = {}


def fault(function: Callable[..., None]) -> Callable[..., None]:
    FAULTS[function.__name__] = function
    return function


def before_step(step: int, act: Callable[[], None], run: int = 1) -> None:
    """Call `act` when the n-th run of this process is about to compute that step."""
    take_step, count = Training.take_step, iter(range(1, 1000))

    def take(self: Training, *, observe: bool) -> Any:
        if self.step + 1 == step and next(count) == run:
            act()
        return take_step(self, observe=observe)

    Training.take_step = take  # type: ignore[method-assign]


@fault
def no_report() -> None:
    """Leave the pictures out that come when training has ended."""
    starting._finish = lambda folder, bus: None


@fault
def log_every(steps: int) -> None:
    clock.LOG_STEPS = steps


@fault
def send(number: int, step: int, times: int = 1, run: int = 1) -> None:
    """The process gets a signal while it computes that step."""

    def act() -> None:
        for _ in range(times):
            os.kill(os.getpid(), number)

    before_step(step, act, run)


@fault
def touch(path: str, step: int) -> None:
    """Say that the step begins."""
    before_step(step, Path(path).touch)


@fault
def pause(path: str, step: int) -> None:
    """Say that the step begins, and wait there until the file is taken away."""

    def act() -> None:
        Path(path).touch()
        while Path(path).exists():
            time.sleep(0.005)

    before_step(step, act)


@fault
def pause_before_folder(path: str, run: int) -> None:
    """Wait before the folder of the n-th run of this process is made."""
    make, count = starting.new_folder, iter(range(1, 1000))

    def wait(*args: Any) -> RunFolder:
        if next(count) == run:
            Path(path).touch()
            while Path(path).exists():
                time.sleep(0.005)
        return make(*args)

    starting.new_folder = wait


@fault
def pause_after_training(path: str) -> None:
    """Say that training has ended, and wait where the report is written."""

    def wait(folder: RunFolder, bus: Any) -> None:
        Path(path).touch()
        time.sleep(600)

    starting._finish = wait


@fault
def never_end() -> None:
    """Hold the process when its training is over, so that whoever wants to kill it is not too late."""
    Loop._end = lambda self, reason, message: time.sleep(600)  # type: ignore[method-assign, misc, assignment]


@fault
def lose_weights(step: int, *, after: bool = False) -> None:
    """A weight of D becomes NaN before that step, or after it."""
    take_step = Training.take_step

    def take(self: Training, *, observe: bool) -> Any:
        seen = take_step(self, observe=observe) if after else None
        if self.step + 1 - after == step:
            with torch.no_grad():
                next(self.game.networks["D"].parameters()).fill_(float("nan"))
        return seen if after else take_step(self, observe=observe)

    Training.take_step = take  # type: ignore[method-assign]


@fault
def small_files(limit: int, step: int) -> None:
    """From that step on no file may grow beyond `limit` bytes."""
    before_step(step, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY)))


@fault
def kill_before_saving_info(call: int) -> None:
    """Die before run.json is written for the n-th time."""
    save, count = RunFolder.save_info, iter(range(1, 1000))

    def dying(self: RunFolder, **changes: Any) -> None:
        if next(count) == call:
            os.kill(os.getpid(), signal.SIGKILL)
        save(self, **changes)

    RunFolder.save_info = dying  # type: ignore[method-assign]


@fault
def kill_before_saying(event: str) -> None:
    """Die before the run says its end, or whatever else."""
    say = Loop._emit

    def dying(self: Loop, saying: Any) -> None:
        if saying["event"] == event:
            os.kill(os.getpid(), signal.SIGKILL)
        say(self, saying)

    Loop._emit = dying  # type: ignore[method-assign]


class Torn:
    """A file that is written in two halves, so that a process can die between them."""

    def __init__(self, file: Any, operation: Callable[[str], None]) -> None:
        self.file, self.operation = file, operation

    def __enter__(self) -> Torn:
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def write(self, data: bytes) -> None:
        self.operation("write the first half")
        self.file.write(data[: len(data) // 2])
        self.file.flush()
        self.operation("write the second half")
        self.file.write(data[len(data) // 2 :])


@fault
def watch_saves(log: str | None = None, save: int = 0, kill: int = 0, signals: tuple[int, ...] = (9,)) -> None:
    """Number the file operations inside each write of a checkpoint: list them in `log`; get signals before one."""
    saves, number, inside = 0, 0, False
    write, opened = checkpoint.write, Path.open

    def operation(name: str) -> None:
        nonlocal number
        if not inside:
            return
        number += 1
        if log:
            with open(log, "a") as file:
                print(json.dumps([saves, number, name]), file=file)
        if (saves, number) == (save, kill):
            for sent in signals:
                os.kill(os.getpid(), sent)

    def hook(name: str) -> None:
        real = getattr(os, name)

        def hooked(*args: Any, **keywords: Any) -> Any:
            operation(name)
            return real(*args, **keywords)

        setattr(os, name, hooked)

    def open_torn(self: Path, mode: str = "r", *args: Any, **keywords: Any) -> Any:
        operation("open")
        file = opened(self, mode, *args, **keywords)
        return Torn(file, operation) if inside and "w" in mode else file

    def write_watched(folder: Path, *args: Any, **keywords: Any) -> None:
        nonlocal saves, number, inside
        saves, number, inside = saves + 1, 0, True
        try:
            write(folder, *args, **keywords)
            operation(f"return from {folder.name}")
        finally:
            inside = False

    for name in ("mkdir", "rename", "replace", "fsync", "unlink", "rmdir"):
        hook(name)
    Path.open = open_torn  # type: ignore[method-assign, assignment]
    checkpoint.write = write_watched  # type: ignore[assignment]


def child(request: dict[str, Any]) -> None:
    """Become the command that was asked for; does not return."""
    code = 70
    try:
        os.chdir(request["cwd"])
        os.environ.update(request["env"])
        for descriptor, name in ((0, os.devnull), (1, request["out"]), (2, request["err"])):
            flags = os.O_RDONLY if descriptor == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND
            os.dup2(os.open(name, flags), descriptor)
        for name, arguments in request["faults"]:
            FAULTS[name](**arguments)
        code = main(request["argv"])
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def serve() -> None:
    children: set[int] = set()
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "start":
            pid = os.fork()
            if pid == 0:
                child(request)
            children.add(pid)
            answer = pid
        else:
            _, status = os.waitpid(request["pid"], 0)
            children.discard(request["pid"])
            answer = os.waitstatus_to_exitcode(status)
        print(json.dumps(answer), flush=True)
    for pid in children:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    os._exit(0)  # taking torch down in good order takes seconds


if __name__ == "__main__":
    assert errno.EFBIG  # what `small_files` leads to
    print(json.dumps(sorted(FAULTS)), flush=True)
    serve()
