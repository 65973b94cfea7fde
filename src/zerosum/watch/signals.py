"""The numbers that a verdict rests on, read from a record: levels of now, levels of then, and the score's way."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from zerosum.losses.equilibrium import equilibrium
from zerosum.watch.record import PROBES, Column, Record, Table

WINDOW_SHARE, WINDOW_LEAST, WINDOW_MOST = 0.25, 8, 200  # logged steps that count as now
EARLY_ROWS = 10  # logged steps that count as the beginning, the very first left out
EXAMS = 3  # that count as now
RISE = 0.1  # of the spread between the exams before and those of now: variety is on its way
RECENT = 6  # scores that count as recent, at least
PLAYERS = ("D", "G")


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How the score (lower is better) went; NaN where there were too few."""

    name: str | None
    count: int
    first: float  # of the run
    last: float  # mean of the last two
    best: float
    since_best: float  # share of the run's images that came after the best score, 0 to 1
    after_best: int  # scores that came after it
    swing: float  # of the recent scores: the sum of what they got worse by, over half their moves and their median

    @property
    def gained(self) -> float:
        """How much of the first score is gone, 0 to 1; NaN where unknown."""
        return 1 - self.last / self.first if self.first > 0 else math.nan

    @property
    def lost(self) -> float:
        """How many times the best score the last two are; 1 where the last one is the best."""
        if not self.after_best:
            return 1.0
        return self.last / self.best if self.best > 0 else math.nan


@dataclass(frozen=True, kw_only=True)
class Signals:
    """All of it at one moment. NaN: not known."""

    step: int
    images: float
    seconds: float  # of training
    window: int  # steps from the first logged step of "now" to the last
    rows: int  # logged steps so far
    acc_real: float
    acc_fake: float
    separation: float
    loss: dict[str, float]
    rest: dict[str, float]  # the losses where D can tell nothing; empty for losses that have no such value
    critic: bool  # D's zero means nothing: there is no accuracy, only how far the sides lie apart
    labels: bool  # the run is one with classes
    gradient: dict[str, float]
    gradient_then: dict[str, float]
    silent: tuple[str, ...]  # players that got no update in the window
    exams: int
    spread: float  # the median of the last exams, or the last one's where that is more
    spread_best: float  # of all exams
    spread_rising: bool
    nearest: float  # likewise
    coverage: float
    reach: float
    gap: float
    label_gap: float
    label_gap_best: float  # the most, either way, that lasted for some exams
    label_gap_most: float  # the most of a single one
    probe: dict[str, float]  # what games and tasks are asked besides, by name
    progress: Progress
    ended: str | None


def read(record: Record, recipe: Mapping[str, Any]) -> Signals:
    """The signals of a record as it stands, of a run of this recipe (as run.json has it, perhaps empty)."""
    steps, exams = record.steps, record.exams
    now = slice(-_window(len(steps)), None)
    separation = steps.column("separation")[now]
    spread = exams.column("spread")
    at = steps.column("step")[now]
    return Signals(
        step=record.step,
        images=record.images,
        seconds=record.seconds,
        window=int(at[-1] - at[0]) if len(at) else 0,
        rows=len(steps),
        acc_real=median(steps.column("acc_real")[now]),
        acc_fake=median(steps.column("acc_fake")[now]),
        separation=median(separation),
        loss={player: median(steps.column(f"loss.{player}")[now]) for player in PLAYERS},
        rest=equilibrium(recipe),
        critic=(recipe.get("game") or {}).get("loss") == "wasserstein",
        labels=bool(np.isfinite(exams.column("label_gap")).any()),
        gradient={player: median(steps.column(f"grad.{player}")[now]) for player in PLAYERS},
        gradient_then={player: median(steps.column(f"grad.{player}")[1 : 1 + EARLY_ROWS]) for player in PLAYERS},
        silent=tuple(player for player in PLAYERS if _is_silent(steps, player, now)),
        exams=len(exams),
        spread=_at_best(spread),
        spread_best=_most(spread),
        nearest=_at_best(exams.column("nearest")),
        spread_rising=len(spread) > EXAMS and median(spread[-2:]) > RISE + median(spread[-EXAMS - 1 : -2]),
        **{name: median(exams.column(name)[-EXAMS:]) for name in ("coverage", "reach", "gap", "label_gap")},
        label_gap_best=_most_lasting(np.abs(exams.column("label_gap"))),
        label_gap_most=_most(np.abs(exams.column("label_gap"))),
        probe={name: median(exams.column(f"probe.{name}")[-EXAMS:]) for name in PROBES},
        progress=progress(record),
        ended=record.ended,
    )


def _window(rows: int) -> int:
    return max(1, min(rows, WINDOW_MOST, max(WINDOW_LEAST, round(WINDOW_SHARE * rows))))


def median(column: Column) -> float:
    """Of the values that are known; NaN where none is."""
    known = column[np.isfinite(column)]
    return float(np.median(known)) if len(known) else math.nan


def _at_best(column: Column) -> float:
    """Of exams: their median or the last, whichever is more; a collapse that is over is none."""
    return max(median(column[-EXAMS:]), median(column[-1:])) if len(column) else math.nan


def _most(column: Column) -> float:
    known = column[np.isfinite(column)]
    return float(known.max()) if len(known) else math.nan


def _most_lasting(column: Column) -> float:
    """The largest median of as many exams in a row as count as now: a single one is noisy."""
    known = column[np.isfinite(column)]
    if len(known) < EXAMS:
        return math.nan
    return float(np.median(np.lib.stride_tricks.sliding_window_view(known, EXAMS), axis=1).max())


def _is_silent(steps: Table, player: str, now: slice) -> bool:
    """Whether a player has turns and its weights stay as they are: no gradient was taken, or its rate is 0.

    One that a stage leaves out, as D in a pretraining or both beside an encoder that learns, is not beaten; nor is
    anybody where all rates have been led to 0.
    """
    if all(_at_rest(steps.column(f"lr.{name}")[now]) for name in PLAYERS):
        return False
    rates, gradients = steps.column(f"lr.{player}")[now], steps.column(f"grad.{player}")[now]
    known = np.isfinite(rates).any() and np.isfinite(steps.column(f"plays.{player}")[now]).any()
    return bool(known and (not np.isfinite(gradients).any() or _at_rest(rates)))


def _at_rest(rates: Column) -> bool:
    """Whether a rate is known, and 0 throughout."""
    known = rates[np.isfinite(rates)]
    return bool(len(known) and (known == 0).all())


def progress(record: Record) -> Progress:
    """How the score went."""
    value, images = record.scores.column("value"), record.scores.column("images")
    value, images = value[np.isfinite(value)], images[np.isfinite(value)]
    if not len(value):
        nothing = math.nan
        unknown = {"first": nothing, "last": nothing, "best": nothing, "since_best": nothing, "swing": nothing}
        return Progress(name=None, count=0, after_best=0, **unknown)
    recent = value[-max(RECENT, len(value) // 2) :]
    best = int(value.argmin())
    seen = max(record.images, float(images[-1]), 1.0)
    return Progress(
        name=record.score_name,
        count=len(value),
        first=float(value[0]),
        last=float(value[-2:].mean()),
        best=float(value[best]),
        since_best=float(1 - images[best] / seen),
        after_best=len(value) - 1 - best,
        swing=float(2 * np.maximum(np.diff(recent), 0).mean() / np.median(recent)) if len(recent) > 1 else 0.0,
    )
