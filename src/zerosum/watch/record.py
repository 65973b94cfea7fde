"""What the watch remembers of a run: its logged steps, scores and exams as columns, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from zerosum.eventlog import number
from zerosum.losses.equilibrium import is_adversarial

Column = npt.NDArray[np.float64]

KEPT = 1_000  # rows of a table: beyond that every second one of its older half is forgotten
SEEN = ("d_real", "d_fake_before", "d_fake_after", "acc_real", "acc_fake", "margin", "separation")
PROBES = ("change", "arrived", "apart", "cycle", "fragile", "asked", "condition")
EXAM = ("spread", "nearest", "coverage", "reach", "gap", "label_gap")


class Table:
    """Rows of numbers under fixed names, with the step and the images of each; what is unknown is NaN."""

    def __init__(self) -> None:
        self._rows: list[dict[str, float]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: Mapping[str, float]) -> None:
        """A row later than all others; an older or equal step is told again after a resume, and dropped."""
        if self._rows and row["step"] <= self._rows[-1]["step"]:
            return
        self._rows.append(dict(row))
        if len(self._rows) > KEPT:
            self._rows[: KEPT // 2] = self._rows[: KEPT // 2 : 2]

    def column(self, name: str) -> Column:
        """(rows,), NaN where a row has no such number."""
        return np.array([row.get(name, math.nan) for row in self._rows], dtype=np.float64)


class Record:
    """Takes events in order; `steps`, `scores` and `exams` are what the signals are read from."""

    def __init__(self) -> None:
        self.steps, self.scores, self.exams = Table(), Table(), Table()
        self.score_name: str | None = None
        self.ended: str | None = None  # how the last session ended; None while it goes on
        self.message: str | None = None

    def take(self, event: Mapping[str, Any]) -> None:
        """Remember what an event tells; a field of the wrong type counts as absent."""
        kind = event.get("event")
        if kind == "start":
            self.ended = self.message = None
        elif kind == "step":
            self.steps.add({**_fields(event, ("step", "images", "seconds", *SEEN)), **_nested(event)})
        elif kind == "exam":
            probes = {f"probe.{name}": value for name, value in _numbers(event.get("probes")).items()}
            self.exams.add({**_fields(event, ("step", "images", *EXAM)), **probes})
        elif kind == "score" and event.get("name") != "g-loss":  # a loss says nothing about quality
            self._score(event)
        elif kind == "end":
            self.ended, self.message = str(event.get("reason")), event.get("message")

    def _score(self, event: Mapping[str, Any]) -> None:
        if event.get("name") != self.score_name:
            self.score_name, self.scores = str(event.get("name")), Table()
        row = {"step": number(event.get("step")), "images": self.images, "value": number(event.get("value"))}
        self.scores.add({**row, **_numbers(event.get("levels"))})

    @property
    def images(self) -> float:
        """Seen up to the last logged step."""
        return self._latest("images")

    @property
    def seconds(self) -> float:
        """Of training, up to the last logged step."""
        return self._latest("seconds")

    @property
    def step(self) -> int:
        """Of the last logged step, score or exam."""
        last = [table.column("step")[-1] for table in (self.steps, self.scores, self.exams) if len(table)]
        return int(max(last, default=0))

    def _latest(self, name: str) -> float:
        column = self.steps.column(name)[-1:]
        return float(column[0]) if len(column) else 0.0


def _fields(event: Mapping[str, Any], names: Iterable[str]) -> dict[str, float]:
    return {name: number(event.get(name)) for name in names}


def _numbers(fields: Any) -> dict[str, float]:
    return {str(name): number(value) for name, value in fields.items()} if isinstance(fields, Mapping) else {}


def _nested(event: Mapping[str, Any]) -> dict[str, float]:
    """`loss.D`, the sum of a player's adversarial terms; `plays.D`, which is 1 where it has any; `grad.D`; `lr.D`."""
    found: dict[str, float] = {}
    for name, value in _numbers(event.get("losses")).items():
        player, _, term = name.partition("/")
        found[f"plays.{player}"] = 1.0
        if is_adversarial(term):
            found[f"loss.{player}"] = found.get(f"loss.{player}", 0.0) + value
    for group, key in (("grad", "grad_norm"), ("lr", "lr")):
        found |= {f"{group}.{player}": value for player, value in _numbers(event.get(key)).items()}
    return found
