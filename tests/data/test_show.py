"""What `data show` draws and says, and what `data check` finds."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zerosum.data import open_dataset
from zerosum.data.show import check, show
from zerosum.errors import UserError


def test_show_draws_25_real_images_in_a_square(tmp_path: Path) -> None:
    data = open_dataset("digits")
    report = show(data, tmp_path / "deep" / "grid.png")
    picture = np.asarray(Image.open(tmp_path / "deep" / "grid.png").convert("L"))
    scale = round(128 / 28)
    pitch = 28 * scale + 4
    assert picture.shape == (5 * pitch + 4, 5 * pitch + 4)
    known = {row.tobytes() for row in data.train.samples}
    tiles = set()
    for row in range(5):
        for column in range(5):
            top, left = 4 + row * pitch, 4 + column * pitch
            tile = picture[top : top + 28 * scale : scale, left : left + 28 * scale : scale]
            tiles.add(tile.tobytes())
    assert len(tiles) == 25
    assert tiles <= known
    assert (picture[:4] == 255).all()
    assert report["shape"] == [1, 28, 28]
    assert report["range"] == [0, 255]
    assert (report["train"], report["held_out"]) == (9_000, 1_000)
    assert sum(report["classes"].values()) == 10_000
    assert report["classes"]["1"] == 1_127


def test_show_draws_the_same_twice_and_its_report_is_json(tmp_path: Path) -> None:
    data = open_dataset("digits", size=20, channels=3)
    one = show(data, tmp_path / "1.png")
    two = show(data, tmp_path / "2.png")
    assert (tmp_path / "1.png").read_bytes() == (tmp_path / "2.png").read_bytes()
    assert json.loads(json.dumps(one)) == {**two, "picture": one["picture"]}


def test_show_scatters_points(tmp_path: Path) -> None:
    report = show(open_dataset("grid"), tmp_path / "grid.png")
    picture = np.asarray(Image.open(tmp_path / "grid.png").convert("RGB")).astype(int)
    blue = picture[..., 2] - picture[..., 0] > 50
    cells = blue.reshape(10, 64, 10, 64).any(axis=(1, 3))
    assert cells.any()
    assert 0.005 < blue.mean() < 0.1
    assert report["range"][0] < -4 < 4 < report["range"][1]
    assert (report["classes"], report["kind"], report["shape"]) == (None, "points", [2])
    json.dumps(report)


def test_show_of_a_few_images_leaves_the_other_places_white(tmp_path: Path, picture: Callable[..., bytes]) -> None:
    (tmp_path / "x").mkdir()
    for seed in range(3):
        (tmp_path / "x" / f"{seed}.png").write_bytes(picture(seed))
    (tmp_path / "x" / "bad.png").write_bytes(b"bad")
    report = show(open_dataset(str(tmp_path / "x")), tmp_path / "grid.png")
    grid = np.asarray(Image.open(tmp_path / "grid.png"))
    assert (grid[-100:] == 255).all()
    assert report["skipped"] == [{"name": "bad.png", "reason": "not an image"}]


def test_check_finds_nothing_wrong_with_the_digits() -> None:
    report = check("digits")
    assert (report["ok"], report["problems"], report["images"]) == (True, [], 10_000)
    assert report["sizes"] == {"28x28": 10_000}


def test_check_names_everything_that_is_wrong(tmp_path: Path, picture: Callable[..., bytes]) -> None:
    root = tmp_path / "x"
    for name in ("cats", "dogs"):
        (root / name).mkdir(parents=True)
    for seed in range(30):
        (root / "cats" / f"{seed:02d}.png").write_bytes(picture(seed))
    for seed in range(30, 33):
        (root / "dogs" / f"{seed}.png").write_bytes(picture(seed, mode="L", size=(20, 10)))
    same = io.BytesIO()
    Image.open(io.BytesIO(picture(5))).save(same, format="PNG", compress_level=0)
    assert same.getvalue() != picture(5)
    (root / "cats" / "copy.png").write_bytes(same.getvalue())
    blank = io.BytesIO()
    Image.new("RGB", (16, 16), "navy").save(blank, format="PNG")
    (root / "cats" / "blank.png").write_bytes(blank.getvalue())
    (root / "cats" / "cut.png").write_bytes(picture(99, size=(64, 64))[:2_000])
    (root / "notes.txt").write_text("hello")
    (root / "cover.png").write_bytes(picture(98))
    report = json.loads(json.dumps(check(f"folder:{root}")))
    assert report["ok"] is False
    assert {one["name"] for one in report["unreadable"]} == {"cats/cut.png", "notes.txt", "cover.png"}
    assert report["duplicates"] == [["cats/05.png", "cats/copy.png"]]
    assert report["blank"] == ["cats/blank.png"]
    assert report["few"] == {"dogs": 3}
    assert report["sizes"] == {"16x16": 33, "20x10": 3}
    assert report["modes"] == {"RGB": 33, "L": 3}
    assert report["classes"] == {"cats": 32, "dogs": 3}
    assert len(report["problems"]) == 4


def test_check_of_what_can_not_be_opened_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such file"):
        check(str(tmp_path / "absent"))


def test_check_names_what_can_not_be_read_in_other_layouts_too(tmp_path: Path, picture: Callable[..., bytes]) -> None:
    pets = tmp_path / "pets"
    for domain in ("cats", "dogs"):
        (pets / domain).mkdir(parents=True)
        for number in range(12):
            (pets / domain / f"{number}.png").write_bytes(picture(number))
    (pets / "dogs" / "broken.png").write_bytes(b"no image")
    found = check(f"domains:{pets}")
    assert [one["name"] for one in found["unreadable"]] == ["dogs/broken.png"]
    assert not found["ok"]


def test_check_reads_points_too() -> None:
    report = check("ring")
    assert (report["ok"], report["images"], report["classes"]) == (True, 100_000, None)


def test_a_picture_that_can_not_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="name another file"):
        show(open_dataset("ring"), tmp_path / "file" / "grid.png")
