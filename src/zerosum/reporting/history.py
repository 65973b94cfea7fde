"""A run's events as columns for plotting, in bounded memory however long the run was."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

import numpy as np
import numpy.typing as npt

from zerosum.eventlog import number, read_events
from zerosum.types import PathLike

Column = npt.NDArray[np.float64]
T = TypeVar("T")

POINTS = 5000


class Thinned(Generic[T]):
    """At most `limit` of the items it was given, evenly spaced, the first and the last among them."""

    def __init__(self, limit: int = POINTS) -> None:
        self.limit = max(limit, 2)
        self.seen = 0
        self._stride = 1
        self._kept: list[T] = []
        self._last: T | None = None

    def append(self, item: T) -> None:
        """Add an item; at the limit every second one is forgotten, and as many of those to come."""
        if self.seen % self._stride == 0:
            self._kept.append(item)
            if len(self._kept) >= self.limit:
                self._kept = self._kept[::2]
                self._stride *= 2
        self._last = item
        self.seen += 1

    def __iter__(self) -> Iterator[T]:
        yield from self._kept
        if self._last is not None and self._last is not self._kept[-1]:
            yield self._last


@dataclass(frozen=True, kw_only=True)
class History:
    """What happened in a run. Columns are float64 (N,), NaN where a step had no such number."""

    step: Column
    images: Column
    seconds: Column
    images_per_second: Column
    losses: dict[str, Column]
    grad_norm: dict[str, Column]
    lr: dict[str, Column]
    d_real: Column
    d_fake_before: Column
    d_fake_after: Column
    acc_real: Column
    acc_fake: Column

    score_name: str | None  # the score that the run was judged by: the last one's name
    score_step: Column  # (M,)
    score_images: Column  # (M,), NaN where no step event came before
    score: Column  # (M,), lower is better
    best: tuple[int, float] | None  # the step and the value of the lowest score

    held_step: Column  # (K,)
    held_real: Column  # (K,), mean D(x) over held-out samples
    held_fake: Column  # (K,), mean D(G(z)) beside them

    grids: tuple[dict[str, Any], ...]
    checkpoints: tuple[dict[str, Any], ...]  # the latest under each path
    stages: tuple[dict[str, Any], ...]
    warnings: tuple[dict[str, Any], ...]
    verdict: dict[str, Any] | None
    start: dict[str, Any] | None  # the latest one
    end: dict[str, Any] | None  # None: still going, or cut off

    @classmethod
    def read(cls, run_folder: PathLike, points: int = POINTS) -> Self:
        """The history in a run folder's `events.jsonl`; empty columns where there is none.

        `points` bounds how many steps, scores and grids are kept; a field of the wrong type counts as absent.
        """
        reader = _Reader(points)
        for event in read_events(Path(run_folder) / "events.jsonl"):
            reader.take(event)
        return cls(**reader.columns())

    def at(self, step: float, column: Column) -> float:
        """The column's value at the last logged step that is not after `step`; NaN before the first."""
        index = int(np.searchsorted(self.step, step, side="right")) - 1
        return float(column[index]) if index >= 0 else math.nan

    def loss(self, player: str) -> Column | None:
        """A player's adversarial loss, its real and its fake part together; None where it is not logged."""
        for name in (f"{player}/adv", player):
            if name in self.losses:
                return self.losses[name]
        parts = [self.losses[name] for name in (f"{player}/real", f"{player}/fake") if name in self.losses]
        if len(parts) == 2:
            return parts[0] + parts[1]
        judges = [column for name, column in self.losses.items() if name.startswith(f"{player}/adv_")]
        return sum(judges[1:], judges[0]) if judges else None


def step_of(event: Mapping[str, Any]) -> int:
    """The event's step, 0 where it has none that makes sense."""
    step = event.get("step")
    return step if isinstance(step, int) and not isinstance(step, bool) and 0 <= step < 2**53 else 0


class _Reader:
    def __init__(self, points: int) -> None:
        self.points = points
        self.steps: Thinned[dict[str, Any]] = Thinned(points)
        self.scores: Thinned[dict[str, Any]] = Thinned(points)
        self.grids: Thinned[dict[str, Any]] = Thinned(points)
        self.held_out: Thinned[dict[str, Any]] = Thinned(points)
        self.stages: Thinned[dict[str, Any]] = Thinned(1000)
        self.warnings: Thinned[dict[str, Any]] = Thinned(100)
        self.checkpoints: dict[str, dict[str, Any]] = {}
        self.best: dict[str, tuple[int, float]] = {}
        self.images = math.nan
        self.last_step = -1
        self.latest: dict[str, dict[str, Any]] = {}

    def take(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "step" and step_of(event) > self.last_step:
            self.last_step = step_of(event)
            self.images = number(event.get("images"))
            self.steps.append(event)
        elif kind == "score" and isinstance(event.get("name"), str):
            self._score(event)
        elif kind == "checkpoint" and isinstance(event.get("path"), str):
            self.checkpoints[event["path"]] = event
        elif kind == "grid" and isinstance(event.get("path"), str):
            self.grids.append(event)
        elif kind == "held_out":
            self.held_out.append(event)
        elif kind == "stage":
            self.stages.append(event)
        elif kind == "warning" and isinstance(event.get("message"), str):
            self.warnings.append(event)
        elif kind in ("start", "end", "verdict"):
            self.latest[kind] = event
            if kind == "start":
                self.latest.pop("end", None)

    def _score(self, event: dict[str, Any]) -> None:
        name, value = event["name"], number(event.get("value"))
        self.scores.append({"name": name, "step": step_of(event), "value": value, "images": self.images})
        if value < self.best.get(name, (0, math.inf))[1]:
            self.best[name] = (step_of(event), value)

    def columns(self) -> dict[str, Any]:
        rows = list(self.steps)
        scores = list(self.scores)
        name = scores[-1]["name"] if scores else None
        scores = [score for score in scores if score["name"] == name]
        return {
            **{key: _column(row.get(key) for row in rows) for key in _PLAIN},
            **{key: _columns([row.get(key) for row in rows]) for key in ("losses", "grad_norm", "lr")},
            "score_name": name,
            "score_step": _column(score["step"] for score in scores),
            "score_images": _column(score["images"] for score in scores),
            "score": _column(score["value"] for score in scores),
            "best": self.best.get(name) if name is not None else None,
            "held_step": _column(step_of(event) for event in self.held_out),
            "held_real": _column(event.get("d_real") for event in self.held_out),
            "held_fake": _column(event.get("d_fake") for event in self.held_out),
            "grids": tuple(self.grids),
            "checkpoints": tuple(self.checkpoints.values()),
            "stages": tuple(self.stages),
            "warnings": tuple(self.warnings),
            **{key: self.latest.get(key) for key in ("verdict", "start", "end")},
        }


_PLAIN = (
    *("step", "images", "seconds", "images_per_second"),
    *("d_real", "d_fake_before", "d_fake_after", "acc_real", "acc_fake"),
)


def _column(values: Iterator[Any]) -> Column:
    return np.array([number(value) for value in values], dtype=np.float64)


def _columns(rows: list[Any]) -> dict[str, Column]:
    tables = [row if isinstance(row, Mapping) else {} for row in rows]
    names = dict.fromkeys(name for table in tables for name in table)
    return {name: _column(table.get(name) for table in tables) for name in names}
