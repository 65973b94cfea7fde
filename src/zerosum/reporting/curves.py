"""A run's curves as pictures: `losses.png` and `accuracy.png` in its folder, every chart as inline SVG for a page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zerosum.reporting.charts import (
    Chart,
    Entry,
    Line,
    charts,
    figure,
    legend,
    limits,
    smoothed,
    thousands,
    ticks,
    window,
)
from zerosum.reporting.history import History
from zerosum.reporting.svg import svg
from zerosum.types import PathLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {"D": "#2563eb", "G": "#d9480f", "real": "#0f766e", "fake": "#9333ea", "other": "#475569"}
INK, SOFT, RULE = "#1c1f26", "#667085", "#e4e7ec"

LEVEL: dict[str, Any] = {"color": SOFT, "linewidth": 1.1, "linestyle": (0, (4, 3)), "zorder": 1}
MARK: dict[str, Any] = {
    "marker": "o",
    "markersize": 9,
    "markerfacecolor": "none",
    "markeredgecolor": INK,
    "markeredgewidth": 1.5,
    "linestyle": "none",
    "zorder": 6,
}

ACROSS = 3  # entries in a row of a legend: with four, long labels run out of the picture
ROW = 14  # points: how high such a row is

PICTURES = {"losses.png": ("losses",), "accuracy.png": ("accuracy", "outputs")}


def write_curves(run_folder: PathLike, recipe: Mapping[str, Any]) -> list[Path]:
    """Write `losses.png` and `accuracy.png` into the run folder, those that there are numbers for.

    `recipe` is run.json's, perhaps empty: it says where the losses' equilibrium lies.
    """
    made = charts(History.read(run_folder), recipe)
    written = []
    for name, keys in PICTURES.items():
        shown = [made[key] for key in keys if key in made]
        if shown:
            path = Path(run_folder) / name
            partial = path.with_name(f".{name}")  # a reader never meets half a picture
            picture(shown).savefig(partial, format="png")
            partial.replace(path)
            written.append(path)
    return written


def inline(history: History, recipe: Mapping[str, Any]) -> list[tuple[Chart, str]]:
    """Every chart that the history has numbers for, with its SVG."""
    return [(chart, svg(chart)) for chart in charts(history, recipe).values()]


def picture(shown: Sequence[Chart]) -> Figure:
    """The charts below each other, 1200 pixels wide, on white."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.2, h_pad=0.2)
    made = Figure(figsize=(8, 4.3 * len(shown)), dpi=150, layout=layout, facecolor="white")
    FigureCanvasAgg(made)
    for row, chart in enumerate(shown):
        draw(made.add_subplot(len(shown), 1, row + 1), chart)
    return made


def draw(axes: Axes, chart: Chart) -> None:
    """One chart on matplotlib axes, as the report shows it: thin as logged, thick the moving average."""
    low, high = limits(chart)
    if chart.log:
        axes.set_yscale("log")
    entries = legend(chart)
    _frame(axes, chart, low, high, above=12 + ROW * max(1, math.ceil(len(entries) / ACROSS)))
    for line in chart.lines:
        _curve(axes, chart, line)
    for level in chart.levels:
        axes.axhline(level.value, **LEVEL)
    for mark in chart.marks:
        axes.plot([mark.x], [mark.y], **MARK)
    _legend(axes, entries)


def _frame(axes: Axes, chart: Chart, low: float, high: float, above: int) -> None:
    """The axes and their title, `above` points over them."""
    right = max((float(line.x[-1]) for line in chart.lines if len(line.x)), default=1.0)
    axes.set_xlim(0, max(right, 1.0))
    axes.set_ylim(low, high)
    across, up = ticks(0, max(right, 1.0), count=8), ticks(low, high, log=chart.log)
    axes.set_xticks(across, [thousands(value) for value in across])
    axes.set_yticks(up, [figure(value, percent=chart.percent) for value in up])
    axes.minorticks_off()
    axes.grid(axis="y", color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=9.5, labelcolor=SOFT)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(SOFT)
    axes.set_xlabel(chart.x_label, color=SOFT, fontsize=9.5)
    axes.set_title(chart.title, loc="left", color=INK, fontsize=12.5, fontweight="bold", pad=above)


def _curve(axes: Axes, chart: Chart, line: Line) -> None:
    colour = COLOURS[line.role]
    wide = window(len(line.y)) if chart.smooth else 1
    if wide > 1:
        axes.plot(line.x, line.y, color=colour, linewidth=0.6, alpha=0.3, zorder=2)
    marker = "o" if np.isfinite(line.y).sum() == 1 or not chart.smooth else None
    y = smoothed(line.y, wide)
    axes.plot(line.x, y, color=colour, linewidth=1.8, linestyle=_style(line.dashed), marker=marker, markersize=3)


def _legend(axes: Axes, entries: Sequence[Entry]) -> None:
    """Above the plot and below the title, where no curve can run into it."""
    from matplotlib.lines import Line2D

    handles = []
    for entry in entries:
        handle = Line2D([], [], color=COLOURS[entry.role], linewidth=2.2, linestyle=_style(entry.dashed))
        if entry.kind != "line":
            handle.set(**{"level": LEVEL, "mark": MARK, "note": {"linestyle": "none"}}[entry.kind])
        handle.set_label(entry.label)
        handles.append(handle)
    if handles:
        axes.legend(
            handles=handles,
            loc="lower left",
            bbox_to_anchor=(-0.01, 0.995),
            borderaxespad=0.3,
            ncols=min(len(handles), ACROSS),
            frameon=False,
            fontsize=9.5,
            labelcolor=INK,
            handlelength=1.8,
        )


def _style(dashed: bool) -> str | tuple[float, tuple[float, ...]]:
    return (0, (5, 2)) if dashed else "-"
