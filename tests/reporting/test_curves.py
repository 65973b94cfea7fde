"""The PNGs that a tutorial's reader looks for are there, and show the curves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageColor

from zerosum.reporting.charts import charts
from zerosum.reporting.curves import COLOURS, SOFT, inline, picture, write_curves
from zerosum.reporting.history import History
from zerosum.reporting.report import read_run

from .conftest import usual_events

MakeRun = Callable[..., Path]


def pixels_of(path: Path, colour: str) -> np.ndarray:
    """(N, 2) rows and columns of the pixels that have nearly this colour."""
    shown = np.asarray(Image.open(path).convert("RGB")).astype(int)
    return np.argwhere(np.abs(shown - ImageColor.getrgb(colour)).max(axis=2) < 12)


def test_losses_and_accuracy_are_drawn_in_their_colours(make_run: MakeRun) -> None:
    folder = make_run()
    written = write_curves(folder, read_run(folder)["recipe"])
    assert [path.name for path in written] == ["losses.png", "accuracy.png"]
    assert Image.open(written[0]).size == (1200, 645)
    assert Image.open(written[1]).size == (1200, 1290)
    d, g = pixels_of(written[0], COLOURS["D"]), pixels_of(written[0], COLOURS["G"])
    curve_d, curve_g = d[d[:, 0] > 110], g[g[:, 0] > 110]  # below the legend
    assert len(curve_d) > 1000
    assert len(curve_g) > 1000
    # G's loss falls and D's rises: the first quarter of G's curve lies above the last one.
    for curve, sign in ((curve_g, 1), (curve_d, -1)):
        early, late = curve[curve[:, 1] < 400, 0].mean(), curve[curve[:, 1] > 900, 0].mean()
        assert sign * (late - early) > 20
    assert len(pixels_of(written[1], COLOURS["real"])) > 1000
    assert len(pixels_of(written[1], COLOURS["fake"])) > 1000


def test_log_2_is_drawn_where_the_loss_is_cross_entropy_and_only_there(make_run: MakeRun) -> None:
    folder = make_run()
    recipe = read_run(folder)["recipe"]

    def longest_row(recipe: dict) -> int:
        write_curves(folder, recipe)
        rows = pixels_of(folder / "losses.png", SOFT)
        inside = rows[(rows[:, 0] > 110) & (rows[:, 0] < 520), 0]
        return int(np.bincount(inside).max()) if len(inside) else 0

    assert longest_row(recipe) > 200
    assert longest_row({**recipe, "game": {**recipe["game"], "loss": "wasserstein"}}) < 50


def test_no_legend_runs_into_its_title_or_out_of_the_picture(make_run: MakeRun) -> None:
    held = {
        "samples": 100,
        "d_real": 0.6,
        "d_fake": 0.4,
        "acc_real": 0.7,
        "acc_fake": 0.6,
        "dis_acc": 0.6,
        "gan_acc": 0.4,
    }
    folder = make_run(events=[*usual_events(), {"event": "held_out", "step": 1000, **held}])
    made = picture(list(charts(History.read(folder), read_run(folder)["recipe"]).values()))
    made.canvas.draw()
    entries = {}
    for axes in made.axes:
        title = axes._left_title.get_window_extent()
        shown = axes.get_legend()
        if shown is not None:
            entries[axes.get_title(loc="left")] = len(shown.get_texts())
            box = shown.get_window_extent()
            assert axes.bbox.y1 <= box.y0 + 3 * made.dpi / 72
            assert box.y1 <= title.y0
            assert made.bbox.x0 <= box.x0 <= box.x1 <= made.bbox.x1
            assert axes.bbox.width > 0.8 * made.bbox.width  # a legend that is too wide squeezes the curves
    assert entries["What D says"] == 5


def test_a_run_without_numbers_gets_no_pictures(tmp_path: Path) -> None:
    assert write_curves(tmp_path, {}) == []
    assert list(tmp_path.iterdir()) == []


def test_every_chart_can_be_drawn_both_ways(make_run: MakeRun) -> None:
    history = History.read(make_run())
    made = charts(history, {})
    assert [chart.key for chart, _ in inline(history, {})] == list(made)
    canvas = picture(list(made.values())).canvas
    canvas.draw()
    assert np.asarray(canvas.buffer_rgba()).std() > 5  # type: ignore[attr-defined]
