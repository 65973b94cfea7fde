"""What a run's numbers say in plain words: facts, and what each would be if D could tell nothing; no verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from zerosum.losses.equilibrium import equilibrium, gives_probabilities
from zerosum.reporting.charts import figure, in_log2
from zerosum.reporting.history import Column, History
from zerosum.reporting.words import words

LOGGED = 50


def tail(column: Column, count: int = LOGGED) -> float:
    """The mean of the last `count` values that are known; NaN where none is."""
    values = column[-count:]
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else math.nan


def sentences(history: History, recipe: Mapping[str, Any]) -> dict[str, list[str]]:
    """For D and for G, what their losses, accuracies and gradients were at the end."""
    rest = equilibrium(recipe)
    loss = {player: _loss(history, player, rest.get(player)) for player in ("D", "G")}
    norm = {player: _gradient(history, player) for player in ("D", "G")}
    return {
        "D": [*loss["D"], *_thinks(history), *norm["D"]],
        "G": [*loss["G"], *_fools(history, gives_probabilities(recipe)), *norm["G"], *_score(history)],
    }


def duration(seconds: float) -> str:
    """A time as a watch shows it: 0:07, 12:40, 3:05:09."""
    whole = int(seconds) if math.isfinite(seconds) and seconds > 0 else 0
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def _loss(history: History, player: str, rest: float | None) -> list[str]:
    column = history.loss(player)
    value = math.nan if column is None else tail(column)
    if math.isnan(value):
        return []
    shown = figure(value)
    if rest is None:
        return [words("said.loss", player=player, value=shown)]
    away = abs(value - rest) / abs(rest)
    place = "close" if away < 0.1 else "below" if value < rest else "above"
    return [words(f"said.rest.{place}", player=player, value=shown, rest=in_log2(rest))]


def _thinks(history: History) -> list[str]:
    real, fake = tail(history.acc_real), tail(history.acc_fake)
    if math.isnan(real) or math.isnan(fake):
        return []
    both = (real + fake) / 2
    kind = ".all" if min(real, fake) > 0.95 else ".none" if abs(both - 0.5) < 0.05 else ""
    return [words(f"said.accuracy{kind}", real=f"{real:.0%}", fake=f"{fake:.0%}")]


def _fools(history: History, chances: bool) -> list[str]:
    before, after = tail(history.d_fake_before), tail(history.d_fake_after)
    real = tail(history.d_real)
    if math.isnan(before) or not chances:  # not known, or no probability
        return []
    told = words("said.fake", before=figure(before))
    if not math.isnan(real):
        told = words("said.fake.real", before=figure(before), real=figure(real))
    return [told] if math.isnan(after) else [told, words("said.after", after=figure(after))]


def _gradient(history: History, player: str) -> list[str]:
    column = history.grad_norm.get(player)
    value = math.nan if column is None else tail(column)
    if math.isnan(value):
        return []
    return [words("said.gradient", value=figure(value)) if value else words("said.gradient.none")]


def _score(history: History) -> list[str]:
    last = float(history.score[-1]) if len(history.score) > 1 else math.nan
    if history.best is None or math.isnan(last):
        return []
    step, value = history.best
    told = {"name": history.score_name, "value": figure(value), "step": f"{step:,}"}
    if step == history.score_step[-1]:
        return [words("said.best.last", **told)]
    return [words("said.best", last=figure(last), **told)]
