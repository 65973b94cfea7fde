"""The charts of a run as data: lines, levels and marks, before anything draws them as PNG or SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from zerosum.losses.equilibrium import LOG2, equilibrium, gives_probabilities, is_adversarial
from zerosum.reporting.history import Column, History
from zerosum.reporting.words import words

Role = Literal["D", "G", "real", "fake", "other"]


@dataclass(frozen=True, kw_only=True)
class Line:
    """One curve. `role` gives its colour, the same player the same colour in every chart."""

    label: str
    x: Column
    y: Column
    role: Role = "other"
    dashed: bool = False


@dataclass(frozen=True, kw_only=True)
class Level:
    """A horizontal line that means something."""

    value: float
    label: str


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A point worth a label."""

    x: float
    y: float
    label: str


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry of a legend: the swatch, as the thing looks in the chart, and what it is."""

    kind: Literal["line", "level", "mark", "note"]
    label: str
    role: Role = "other"
    dashed: bool = False


@dataclass(frozen=True, kw_only=True)
class Chart:
    """What one chart shows; `span` fixes its y-range where the quantity has one."""

    key: str
    title: str
    lines: tuple[Line, ...]
    levels: tuple[Level, ...] = ()
    marks: tuple[Mark, ...] = ()
    span: tuple[float, float] | None = None
    log: bool = False
    percent: bool = False
    smooth: bool = True
    x_label: str = field(default_factory=lambda: words("step"))


def charts(history: History, recipe: Mapping[str, Any]) -> dict[str, Chart]:
    """The charts that the history has numbers for, by key; `recipe` is run.json's, perhaps empty."""
    made = [
        _losses(history, recipe),
        _outputs(history, recipe),
        _accuracy(history),
        _score(history),
        _penalties(history),
        _gradients(history),
        _speed(history),
    ]
    return {chart.key: chart for chart in made if chart.lines}


def in_log2(value: float) -> str:
    """A loss as a multiple of log 2, with its value: "2 log 2 ≈ 1.39"."""
    times = value / LOG2
    factor = "" if math.isclose(abs(times), 1, rel_tol=1e-6) else f"{abs(times):.3g} "
    return f"{'−' if times < 0 else ''}{factor}log 2 ≈ {figure(value)}"


def smoothed(y: Column, window: int) -> Column:
    """The centred moving average over `window` values, weighted as a triangle; NaN counts as absent."""
    half = window // 2
    return _boxed(_boxed(y, half), half) if half > 1 else y


def _boxed(y: Column, width: int) -> Column:
    """The mean of the values around each, summed anew each time: one huge peak spoils no more than its window."""
    known = np.isfinite(y)
    box = np.ones(width)
    inside = slice((width + 1) // 2 - 1, (width + 1) // 2 - 1 + len(y))
    sums = np.convolve(np.where(known, y, 0.0), box)[inside]
    counts = np.convolve(known.astype(np.float64), box)[inside]
    return np.where(known, sums / np.maximum(counts, 1), np.nan)


def window(count: int) -> int:
    """How wide the moving average of a line of `count` points is; 1 leaves it as it is."""
    return max(4, count // 25) if count >= 40 else 1


def limits(chart: Chart) -> tuple[float, float]:
    """The y-range: all the values, but for rare peaks that would flatten everything else."""
    if chart.span is not None:
        return chart.span
    pieces = [line.y[np.isfinite(line.y) & ((line.y > 0) | (not chart.log))] for line in chart.lines]
    y = np.concatenate(pieces) if pieces else np.zeros(0)
    if not len(y):
        return (0.1, 1.0) if chart.log else (0.0, 1.0)
    low, high = float(y.min()), float(y.max())
    if chart.log:
        return low / 1.2, high * 1.2
    if len(y) > 50:
        q01, q99 = np.quantile(y, [0.005, 0.995])
        high = min(high, q99 + 0.6 * (q99 - q01))
        low = max(low, q01 - 0.6 * (q99 - q01))
    for level in chart.levels:
        low, high = min(low, level.value), max(high, level.value)
    if 0 < low < 0.6 * high:
        low = 0.0
    pad = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
    return low if low == 0 else low - pad, high + pad


def legend(chart: Chart) -> list[Entry]:
    """What stands above a chart, so that no text runs into a curve; a line alone is named by the title."""
    lines = [Entry(kind="line", label=line.label, role=line.role, dashed=line.dashed) for line in chart.lines]
    entries = lines if len(lines) > 1 else []
    entries += [Entry(kind="level", label=level.label) for level in chart.levels]
    entries += [Entry(kind="mark", label=mark.label) for mark in chart.marks]
    low, high = limits(chart)
    if any(((line.y < low) | (line.y > high)).any() for line in chart.lines):
        entries.append(Entry(kind="note", label=words("chart.clipped")))
    return entries


def describe(chart: Chart) -> str:
    """The chart in a sentence or two, for who does not see it."""
    parts = []
    for line in chart.lines:
        y = line.y[np.isfinite(line.y)]
        if len(y):
            values = {"last": y[-1], "low": y.min(), "high": y.max()}
            shown = {key: figure(float(value), percent=chart.percent) for key, value in values.items()}
            parts.append(words("chart.line", label=line.label, **shown))
    x = np.concatenate([line.x for line in chart.lines])
    count = max(len(line.x) for line in chart.lines)
    return words("chart.alt", title=chart.title, count=count, step=f"{int(x.max()):,}", lines="; ".join(parts))


def figure(value: float, *, percent: bool = False) -> str:
    """A number as people write it: three figures, thousands apart, the minus sign a real one."""
    if percent:
        return f"{100 * value:.0f}%"
    if value == 0:
        return "0"
    size = abs(value)
    text = f"{value:,.0f}" if size >= 100 else f"{value:.1e}" if size < 1e-3 else f"{value:.3g}"
    return text.replace("-", "−") if text.startswith("-") else text


def thousands(value: float) -> str:
    """A step or an image count on an axis: 500, 20k, 1.5M."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size * 10 or (abs(value) >= size and value % (size / 10) == 0):
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def ticks(low: float, high: float, *, log: bool = False, count: int = 5) -> list[float]:
    """Round numbers inside a range: 1, 2 or 5 times a power of ten; powers of ten for a logarithm."""
    if log:
        first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
        powers = [10.0**exponent for exponent in range(first, last + 1)]
        return powers[:: max(1, len(powers) // count)] if len(powers) >= 2 else [low * 1.2, high / 1.2]
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    start = math.ceil(low / step - 1e-9)
    return [index * step + 0.0 for index in range(start, math.floor(high / step + 1e-9) + 1)]


def _role(name: str) -> Role:
    player = name.partition("/")[0]
    return "D" if player.startswith("D") else "G" if player.startswith("G") else "other"


def _known(lines: Sequence[Line]) -> tuple[Line, ...]:
    return tuple(line for line in lines if np.isfinite(line.y).any())


def _adversarial(name: str) -> bool:
    return is_adversarial(name.partition("/")[2])


def _losses(history: History, recipe: Mapping[str, Any]) -> Chart:
    names = [name for name in history.losses if _adversarial(name)] or list(history.losses)
    lines = [Line(label=_loss_label(name), x=history.step, y=history.losses[name], role=_role(name)) for name in names]
    rest = equilibrium(recipe)
    if rest and "D/real" in names:  # its two parts, each an update of its own
        rest["D"] /= 2
    if any(name.partition("/")[2].startswith("adv_") for name in names):  # of one judge each
        rest = {player: value / 2 for player, value in rest.items()}
    values = dict.fromkeys(round(value, 9) for value in rest.values())
    levels = tuple(Level(value=value, label=in_log2(value)) for value in values)
    return Chart(key="losses", title=words("loss.title"), lines=_known(lines), levels=levels)


def _loss_label(name: str) -> str:
    player, _, term = name.partition("/")
    known = {"D": "loss.D", "G": "loss.G", "D/real": "loss.D.real", "D/fake": "loss.D.fake"}
    key = known.get(player if term in ("", "adv") else name)
    return words(key) if key else name


def _penalties(history: History) -> Chart:
    adversarial = [name for name in history.losses if _adversarial(name)]
    names = [name for name in history.losses if name not in adversarial] if adversarial else []
    lines = [
        Line(label=name, x=history.step, y=history.losses[name], role=_role(name), dashed=index > 0)
        for index, name in enumerate(names)
    ]
    return Chart(key="penalties", title=words("penalty.title"), lines=_known(lines))


def _outputs(history: History, recipe: Mapping[str, Any]) -> Chart:
    """Probabilities where the loss is cross-entropy; else D's plain outputs, which have no bounds."""
    x = history.step
    lines = [
        Line(label=words("output.real"), x=x, y=history.d_real, role="real"),
        Line(label=words("output.before"), x=x, y=history.d_fake_before, role="fake", dashed=True),
        Line(label=words("output.after"), x=x, y=history.d_fake_after, role="fake"),
        Line(label=words("output.held"), x=history.held_step, y=history.held_real, role="other"),
    ]
    chances = gives_probabilities(recipe)
    return Chart(
        key="outputs",
        title=words("output.title"),
        lines=_known(lines),
        levels=(Level(value=0.5, label=words("output.level")),) if chances else (),
        span=(0.0, 1.0) if chances else None,
    )


def _accuracy(history: History) -> Chart:
    lines = [
        Line(label=words("accuracy.real"), x=history.step, y=history.acc_real, role="real"),
        Line(label=words("accuracy.fake"), x=history.step, y=history.acc_fake, role="fake"),
    ]
    level = Level(value=0.5, label=words("accuracy.level"))
    return Chart(
        key="accuracy",
        title=words("accuracy.title"),
        lines=_known(lines),
        levels=(level,),
        span=(0.0, 1.0),
        percent=True,
    )


def _gradients(history: History) -> Chart:
    lines = [Line(label=name, x=history.step, y=y, role=_role(name)) for name, y in history.grad_norm.items()]
    known = _known(lines)
    y = np.concatenate([line.y[np.isfinite(line.y) & (line.y > 0)] for line in known]) if known else np.zeros(0)
    log = bool(len(y)) and float(np.quantile(y, 0.98)) > 50 * float(np.quantile(y, 0.02))
    return Chart(key="gradients", title=words("gradient.title"), lines=known, log=log)


def _speed(history: History) -> Chart:
    line = Line(label=words("speed.title"), x=history.step, y=history.images_per_second)
    return Chart(key="speed", title=words("speed.title"), lines=_known([line]))


def _score(history: History) -> Chart:
    title = words("score.title", name=history.score_name)
    line = Line(label=str(history.score_name), x=history.score_step, y=history.score, role="G")
    marks = (_best(*history.best),) if history.best else ()
    return Chart(key="score", title=title, lines=_known([line]), marks=marks, smooth=False)


def _best(step: int, value: float) -> Mark:
    return Mark(x=step, y=value, label=words("score.mark", value=figure(value), step=f"{step:,}"))
