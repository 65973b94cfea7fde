"""What the watch says: a verdict with its evidence, since when, how surely, and what to try; in no language yet."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

Name = Literal[
    "too early",
    "learning",
    "balanced",
    "D winning",
    "G winning",
    "mode collapse",
    "oscillating",
    "not learning",
    "memorising",
    "identity collapse",
    "steganographic",
    "condition ignored",
    "diverged",
]
ALARMS: tuple[Name, ...] = (
    "diverged",
    "mode collapse",
    "identity collapse",
    "D winning",
    "G winning",
    "memorising",
    "condition ignored",
    "steganographic",
    "oscillating",
    "not learning",
)


@dataclass(frozen=True)
class Evidence:
    """A sentence of the catalogue, `key`, with the numbers that go into it."""

    key: str
    values: dict[str, float | str]


@dataclass(frozen=True)
class Advice:
    """A sentence of the catalogue, and the command that does what it says; `RUN` in it stands for the run."""

    key: str
    command: str | None = None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """At `step`: `name`, in force since the step `since`, with `sure` from 0 to 1."""

    name: Name
    step: int
    since: int
    sure: float
    evidence: tuple[Evidence, ...]
    advice: tuple[Advice, ...]

    @property
    def alarms(self) -> bool:
        """Whether something is wrong."""
        return self.name in ALARMS

    def event(self, run: str) -> dict[str, Any]:
        """As a verdict event; `run` is how the run is named in commands."""
        return {
            "event": "verdict",
            "step": self.step,
            "verdict": self.name,
            "since": self.since,
            "sure": self.sure,
            "evidence": [{"key": found.key, "values": dict(found.values)} for found in self.evidence],
            "advice": [
                {
                    "key": tried.key,
                    "command": tried.command and re.sub(r"(?<!\S)RUN(?!\S)", lambda _: run, tried.command),
                }
                for tried in self.advice
            ],
        }
