"""A chart as inline SVG whose colours are the page's own CSS variables, so that it follows light and dark."""

from __future__ import annotations

import math
from collections.abc import Callable
from html import escape

import numpy as np

from zerosum.reporting.charts import Chart, Line, describe, figure, limits, smoothed, thousands, ticks, window
from zerosum.reporting.history import Column

WIDTH, HEIGHT = 480, 258
LEFT, RIGHT, TOP, BOTTOM = 46, 8, 10, 42
BUCKETS = 240

Scale = Callable[[Column], Column]


def svg(chart: Chart) -> str:
    """One chart, 480 by 258 units, to be scaled to the width it is given."""
    low, high = limits(chart)
    x_low, x_high = _x_range(chart)
    across = _linear(x_low, x_high, LEFT, WIDTH - RIGHT)
    up = _vertical(chart, low, high)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(describe(chart))}">',
        *_grid(chart, (low, high), up),
        *_x_axis(chart, (x_low, x_high), across),
        *_levels(chart, up),
        *(piece for line in chart.lines for piece in _line(chart, line, across, up)),
        *_marks(chart, across, up),
        "</svg>",
    ]
    return "".join(parts)


def _x_range(chart: Chart) -> tuple[float, float]:
    x = np.concatenate([line.x for line in chart.lines])
    low, high = (0.0, float(x.max())) if len(x) else (0.0, 1.0)
    return low, high if high > low else low + 1


def _linear(low: float, high: float, start: float, stop: float) -> Scale:
    return lambda values: start + (np.asarray(values) - low) / (high - low) * (stop - start)


def _vertical(chart: Chart, low: float, high: float) -> Scale:
    """Values to heights; what lies beyond the range goes to just outside the plot's edge."""
    bottom, top = float(HEIGHT - BOTTOM), float(TOP)
    inner = _linear(math.log10(low), math.log10(high), bottom, top) if chart.log else _linear(low, high, bottom, top)

    def scale(values: Column) -> Column:
        values = np.asarray(values, dtype=np.float64)
        if chart.log:
            values = np.log10(np.where(values > 0, values, np.nan))
        return np.clip(inner(values), top - 1, bottom + 1)

    return scale


def _grid(chart: Chart, span: tuple[float, float], up: Scale) -> list[str]:
    parts = []
    for value in ticks(*span, log=chart.log):
        y = float(up(np.array([value]))[0])
        parts.append(f'<path class="rule" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        label = escape(figure(value, percent=chart.percent))
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{label}</text>')
    return parts


def _x_axis(chart: Chart, span: tuple[float, float], across: Scale) -> list[str]:
    y = HEIGHT - BOTTOM
    parts = [f'<path class="axis" d="M{LEFT} {y}H{WIDTH - RIGHT}"/>']
    values = ticks(*span, count=5)
    for value in values:
        x = float(across(np.array([value]))[0])
        anchor = "end" if x > WIDTH - 24 else "middle"
        parts.append(f'<text x="{x:.1f}" y="{y + 18}" text-anchor="{anchor}">{escape(thousands(value))}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(
        f'<text x="{middle}" y="{HEIGHT - 5}" text-anchor="middle" class="soft">{escape(chart.x_label)}</text>'
    )
    return parts


def _levels(chart: Chart, up: Scale) -> list[str]:
    heights = (float(up(np.array([level.value]))[0]) for level in chart.levels)
    return [f'<path class="level" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>' for y in heights]


def _line(chart: Chart, line: Line, across: Scale, up: Scale) -> list[str]:
    dashed = " dashed" if line.dashed else ""
    parts = []
    mean = line.y
    if chart.smooth and window(len(line.y)) > 1:
        mean = smoothed(line.y, window(len(line.y)))
        x, low, high = _envelope(line.x, line.y)
        area = np.concatenate([np.stack([across(x), up(high)], 1), np.stack([across(x), up(low)], 1)[::-1]])
        if len(x) > 1:
            parts.append(f'<path class="band {line.role}" d="{_path(area)}Z"/>')
    x, y = _thin(line.x, mean)
    points = np.stack([across(x), up(y)], 1)
    if len(points) == 1 or not chart.smooth:
        parts += [f'<circle class="dot {line.role}" cx="{a:.1f}" cy="{b:.1f}" r="2.5"/>' for a, b in points if b == b]
    parts.append(f'<path class="line {line.role}{dashed}" d="{_path(points)}"/>')
    return parts


def _envelope(x: Column, y: Column) -> tuple[Column, Column, Column]:
    """The middle, the lowest and the highest value of at most 240 stretches, each of four values or more."""
    known = np.isfinite(y)
    x, y = x[known], y[known]
    if not len(x):
        return x, y, y
    count = max(1, min(len(x) // 4, BUCKETS))
    starts = np.linspace(0, len(x), count, endpoint=False).astype(np.int64)
    widths = np.diff(np.append(starts, len(x)))
    return np.add.reduceat(x, starts) / widths, np.minimum.reduceat(y, starts), np.maximum.reduceat(y, starts)


def _thin(x: Column, y: Column) -> tuple[Column, Column]:
    keep = np.unique(np.linspace(0, max(len(x) - 1, 0), min(len(x), 2 * BUCKETS)).astype(np.int64))
    return x[keep], y[keep]


def _path(points: Column) -> str:
    """Line segments through the points, broken where one is NaN."""
    parts, pen = [], "M"
    for x, y in points:
        if y == y:
            parts.append(f"{pen}{x:.1f} {y:.1f}")
            pen = "L"
        else:
            pen = "M"
    return "".join(parts)


def _marks(chart: Chart, across: Scale, up: Scale) -> list[str]:
    x, y = across(np.array([mark.x for mark in chart.marks])), up(np.array([mark.y for mark in chart.marks]))
    return [f'<circle class="mark" cx="{a:.1f}" cy="{b:.1f}" r="6"/>' for a, b in zip(x, y, strict=True)]
