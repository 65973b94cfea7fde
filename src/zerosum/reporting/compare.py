"""Several runs beside each other: a table of what they reached, and one picture of their samples and curves."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from zerosum.errors import UserError, writing
from zerosum.losses.equilibrium import LOG2, equilibrium
from zerosum.reporting.charts import smoothed, thousands, ticks, window
from zerosum.reporting.facts import tail
from zerosum.reporting.history import Column, History
from zerosum.reporting.pictures import grid_files
from zerosum.reporting.report import part, read_run
from zerosum.reporting.words import words
from zerosum.spec import Recipe, differences

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.gridspec import GridSpec

COLOURS = ("#2459d6", "#c2410c", "#0f766e", "#8b2fd6", "#a16207", "#be185d", "#4b5563", "#4d7c0f")
INK, SOFT, RULE = "#1c1f26", "#667085", "#e4e7ec"
ACROSS = 4  # grids in a row
SUFFIXES = (".png", ".jpg", ".webp", ".svg", ".pdf")

Draw = Callable[[Path], Image.Image]


@dataclass(frozen=True, kw_only=True)
class _Run:
    path: Path
    info: dict[str, Any]
    history: History

    @property
    def name(self) -> str:
        return str(self.info.get("name") or self.path.resolve().name)


def compare(runs: Sequence[Path], out: Path | None = None, draw: Draw | None = None) -> list[dict[str, Any]]:
    """A row for each run; and into `out` a picture of their samples side by side above their curves.

    `draw` gives a run's samples, from the same z for each of them; without it the latest grids are shown.
    A row holds run, recipe, images, minutes, images_per_second (the median), loss_d and loss_g (means of the
    last 50 logged steps), score, best, best_step, and the settings that differ from the first run's. What is
    not known is None. `UserError` for a folder that is not there, or an `out` that is no picture or can't be written.
    """
    if out is not None and out.suffix.lower() not in SUFFIXES:
        raise UserError(f"can't write a picture as {out.name!r}; expected a name that ends in {', '.join(SUFFIXES)}")
    for path in runs:
        if not path.is_dir():
            raise UserError(f"no run folder {str(path)!r}; expected one that `zerosum train` made")
    found = [_Run(path=path, info=read_run(path), history=History.read(path)) for path in runs]
    if out is not None:
        made = _picture(found, draw or _latest)
        with writing(out):
            if not out.parent.exists():
                out.parent.mkdir(parents=True, exist_ok=True)
            made.savefig(out)
    return [_row(run, found[0]) for run in found]


def _row(run: _Run, first: _Run) -> dict[str, Any]:
    history = run.history
    losses = {player: history.loss(player) for player in ("D", "G")}
    speed = history.images_per_second[np.isfinite(history.images_per_second)]
    return {
        "run": run.name,
        "recipe": part(run.info, "recipe").get("name"),
        "images": int(history.images[-1]) if _known(history.images) else None,
        "minutes": float(history.seconds[-1]) / 60 if _known(history.seconds) else None,
        "images_per_second": float(np.median(speed)) if len(speed) else None,
        "loss_d": _mean(losses["D"]),
        "loss_g": _mean(losses["G"]),
        "score": history.score_name,
        "best": history.best[1] if history.best else None,
        "best_step": history.best[0] if history.best else None,
        "changes": _changes(first, run),
    }


def _known(column: Column) -> bool:
    return len(column) > 0 and math.isfinite(column[-1])


def _mean(column: Column | None) -> float | None:
    value = math.nan if column is None else tail(column)
    return None if math.isnan(value) else value


def _changes(first: _Run, run: _Run) -> dict[str, Any]:
    """The settings that differ from the first run's; empty where a recipe can't be read."""
    try:
        old, new = (Recipe.from_dict(part(each.info, "recipe")) for each in (first, run))
    except UserError:
        return {}
    return differences(old, new)


def _latest(path: Path) -> Image.Image:
    grids = grid_files(path, History.read(path))
    if not grids:
        return Image.new("L", (224, 224), 235)
    with Image.open(grids[-1][1]) as image:
        return image.convert("RGB")


def _picture(runs: Sequence[_Run], draw: Draw) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    rows = math.ceil(len(runs) / ACROSS)
    across = min(len(runs), ACROSS)
    wide = max(3.4 * across, 9.0)
    side = wide / across
    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12)
    made = Figure(figsize=(wide, rows * (side + 0.35) + 4.2), dpi=130, layout=layout, facecolor="white")
    FigureCanvasAgg(made)
    cells = made.add_gridspec(rows + 1, 2 * across, height_ratios=[*[side + 0.35] * rows, 4.2])
    for index, run in enumerate(runs):
        row, column = divmod(index, across)
        axes = made.add_subplot(cells[row, 2 * column : 2 * column + 2])
        _samples(axes, draw(run.path), run.name, COLOURS[index % len(COLOURS)])
    _curves(made, cells, runs, rows, across)
    return made


def _samples(axes: Axes, image: Image.Image, name: str, colour: str) -> None:
    axes.imshow(np.asarray(image.convert("RGB")), interpolation="nearest" if image.width < 700 else "antialiased")
    axes.set_axis_off()
    shown = name if len(name) <= 34 else f"{name[:16]}…{name[-17:]}"
    axes.set_title(shown, loc="left", fontsize=11, fontweight="bold", color=colour)


def _curves(made: Figure, cells: GridSpec, runs: Sequence[_Run], row: int, across: int) -> None:
    losses = made.add_subplot(cells[row, :across])
    scores = made.add_subplot(cells[row, across:])
    for index, run in enumerate(runs):
        colour, history = COLOURS[index % len(COLOURS)], run.history
        for player, style in (("G", "-"), ("D", (0, (4, 2)))):
            y = history.loss(player)
            if y is not None and len(y):
                smooth = smoothed(y, window(len(y)))
                losses.plot(history.images, smooth, color=colour, linewidth=1.6, linestyle=style)
        if len(history.score):
            scores.plot(history.score_images, history.score, color=colour, linewidth=1.6, marker="o", markersize=3)
    if any(abs(value - LOG2) < 1e-9 for run in runs for value in equilibrium(part(run.info, "recipe")).values()):
        losses.axhline(LOG2, color=SOFT, linewidth=1.1, linestyle=(0, (1, 2)), label="log 2")
    _frame(losses, words("compare.losses"))
    _frame(scores, words("score.title", name=next((run.history.score_name for run in runs), None) or "–"))


def _frame(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold", color=INK)
    axes.set_xlim(left=0)
    axes.set_xlabel(words("images"), color=SOFT, fontsize=9.5)
    across = ticks(*axes.get_xlim())
    axes.set_xticks(across, [thousands(value) for value in across])
    axes.grid(axis="y", color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=9.5, labelcolor=SOFT)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(SOFT)
