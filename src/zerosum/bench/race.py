"""Races between processes: they take turns, so that whatever else the machine does meets all of them alike."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from zerosum.errors import ZerosumError

WARM = 1.0  # seconds, twice, before a contestant is measured
GUESTS = ("keras",)  # who is left out where it can't run


@dataclass(kw_only=True)
class Result:
    """What a contestant did in each round, in images (or billions of operations) a second."""

    kind: str
    about: str
    batch: float
    rates: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.rates)

    @property
    def spread(self) -> tuple[float, float]:
        """The slowest and the fastest round."""
        return min(self.rates), max(self.rates)


def environment(threads: int) -> dict[str, str]:
    """For a process that is to take so many threads."""
    return os.environ | {"OMP_NUM_THREADS": str(threads)}


class Runner:
    """A contestant in its own process, waiting for its turn."""

    def __init__(self, kind: str, command: Sequence[str], threads: int) -> None:
        """command: what answers as `zerosum.bench.contestants` does."""
        self.process = subprocess.Popen(
            command, env=environment(threads), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        batch, _, about = self._line().partition(" ")
        self.result = Result(kind=kind, about=about, batch=float(batch))
        self.steps = 1

    def leave(self) -> None:
        self.process.kill()
        self.process.wait()

    def run(self, steps: int) -> float:
        """Take that many steps; their seconds."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended, which its silence tells
            self.process.stdin.write(f"{steps}\n")
            self.process.stdin.flush()
        return float(self._line())

    def warm_up(self, seconds: float) -> None:
        """Steps that are not counted, for two seconds or more, and how many of them fill a turn of so many seconds.

        On a GPU rounds are captured meanwhile, whose first hundreds are slower.
        """
        self.run(1)
        few = max(1, round(min(seconds, WARM) / (self.run(2) / 2)))
        self.run(few)
        self.steps = max(1, round(seconds * few / self.run(few)))

    def turn(self) -> None:
        self.result.rates.append(self.steps * self.result.batch / self.run(self.steps))

    def _line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise ZerosumError(f"the process that measures ended by itself, with {self.process.wait()}")
        return line.strip()


def race(
    kinds: Sequence[str], recipe: str, *, rounds: int, seconds: float, device: str = "cpu", threads: int = 1
) -> dict[str, Result]:
    """Each kind's result after so many rounds; in each, everybody has a turn of about that many seconds."""
    common = ["--recipe", recipe, "--device", device, "--threads", str(threads)]
    commands = {kind: [sys.executable, "-m", "zerosum.bench.contestants", kind, *common] for kind in kinds}
    return race_of(commands, rounds=rounds, seconds=seconds, threads=threads)


def race_of(
    commands: Mapping[str, Sequence[str]], *, rounds: int, seconds: float, threads: int = 1
) -> dict[str, Result]:
    """The same between any programs that answer as the contestants do."""
    runners: list[Runner] = []
    try:
        for kind, command in commands.items():
            try:
                runners.append(Runner(kind, command, threads))
            except ZerosumError:
                if kind not in GUESTS:
                    raise
        running = [runner for runner in runners if takes_part(runner, lambda one: one.warm_up(seconds))]
        for number in range(rounds):
            first = number % len(running)  # nobody always follows the same one
            gone = [one for one in running[first:] + running[:first] if not takes_part(one, Runner.turn)]
            running = [runner for runner in running if runner not in gone]
    finally:
        for runner in runners:
            runner.leave()
    return {runner.result.kind: runner.result for runner in running}


def takes_part(runner: Runner, act: Callable[[Runner], None]) -> bool:
    """Whether it did it; a guest may fail, and is then left out of the race."""
    try:
        act(runner)
    except ZerosumError:
        if runner.result.kind not in GUESTS:
            raise
        return False
    return True
