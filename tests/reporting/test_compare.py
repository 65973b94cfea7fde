"""A comparison has each run's own numbers, the settings that differ, and a picture of what it was given."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zerosum.errors import UserError
from zerosum.reporting.compare import COLOURS, SUFFIXES, compare

from .conftest import RECIPE, about, step_event, usual_events

MakeRun = Callable[..., Path]


@pytest.fixture
def runs(make_run: MakeRun) -> list[Path]:
    other = RECIPE.override({"G.lr": 1e-3, "d_scale": 1.0})
    second = make_run("second", events=usual_events(500), info=about("second", recipe=other.to_dict()))
    return [make_run("first"), second, make_run("third", events=[step_event(1)], info=None)]


def test_a_row_holds_what_the_run_reached(runs: list[Path]) -> None:
    first, second, third = compare(runs)
    assert first["run"] == "first"
    assert first["recipe"] == "small"
    assert (first["images"], first["minutes"], first["images_per_second"]) == (64_000, 100 / 60, 640)
    assert (first["score"], first["best"], first["best_step"]) == ("swd", 0.1, 700)
    assert first["loss_g"] == pytest.approx(0.693 + 2 * np.exp(-np.arange(510, 1001, 10) / 150).mean())
    assert first["changes"] == {}
    assert second["images"] == 32_000
    assert second["changes"] == {"G.lr": 1e-3, "d_scale": 1.0}
    assert third["recipe"] is None
    assert third["best"] is None
    assert third["changes"] == {}


def test_rows_are_strict_json(runs: list[Path]) -> None:
    (runs[2] / "events.jsonl").write_text("")
    assert len(json.loads(json.dumps(compare(runs), allow_nan=False))) == 3


def test_the_picture_shows_what_the_caller_drew_for_each_run(runs: list[Path], tmp_path: Path) -> None:
    drawn = {"first": (255, 0, 0), "second": (0, 255, 0), "third": (0, 0, 255)}
    asked = []

    def draw(run: Path) -> Image.Image:
        asked.append(run)
        return Image.new("RGB", (64, 64), drawn[run.name])

    out = tmp_path / "compare.png"
    compare(runs, out, draw)
    assert asked == runs
    shown = np.asarray(Image.open(out).convert("RGB")).astype(int)
    centres = []
    for colour in drawn.values():
        found = np.argwhere((shown == colour).all(axis=2))
        assert len(found) > 100 * 100
        centres.append(found.mean(axis=0))
    assert len({round(row) for row, _ in centres}) == 1  # side by side
    assert [column for _, column in centres] == sorted(column for _, column in centres)
    for colour in COLOURS[:2]:
        rgb = tuple(int(colour[index : index + 2], 16) for index in (1, 3, 5))
        below = shown[round(centres[0][0]) + 250 :]
        assert (np.abs(below - rgb).max(axis=2) < 12).sum() > 300


def test_without_a_drawer_the_latest_grids_are_shown(runs: list[Path], tmp_path: Path) -> None:
    compare(runs[:2], tmp_path / "two.png")
    assert np.asarray(Image.open(tmp_path / "two.png").convert("L"))[80:400].std() > 30


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("c.foo", r"'c\.foo'; expected a name that ends in \.png"),
        ("c", "expected a name"),
        ("file/c.png", r"file/c\.png can't be written \(Not a directory\)"),
    ],
)
def test_a_picture_that_can_not_be_written_is_one_line(runs: list[Path], tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=words):
        compare(runs, tmp_path / name)


def test_the_picture_goes_into_a_folder_that_is_made_for_it(runs: list[Path], tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        compare(runs[:2], tmp_path / "new" / f"c{suffix}")
        assert (tmp_path / "new" / f"c{suffix}").stat().st_size > 1000


def test_a_missing_run_is_named(runs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no run folder .*gone"):
        compare([runs[0], tmp_path / "gone"], tmp_path / "x.png")
    assert not (tmp_path / "x.png").exists()
