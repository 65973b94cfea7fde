"""Animations, read back by Pillow: frames, colours, times, endless loops."""

from __future__ import annotations

import weakref

import numpy as np
import pytest
from PIL import Image, ImageSequence

from zerosum.errors import UserError
from zerosum.sampling.animate import animation, evenly, evolution
from zerosum.sampling.grid import BACKGROUND


def frames(count: int, size: tuple[int, int] = (40, 30), mode: str = "RGB") -> list[Image.Image]:
    rng = np.random.default_rng(1)
    found = []
    for index in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (3, 4, 3), dtype=np.uint8)).convert(mode)
        frame = coarse.resize(size, Image.Resampling.BICUBIC)
        frame.putpixel((0, 0), 255 if mode == "L" else (255, index, 0))
        found.append(frame)
    return found


def read(path) -> tuple[list[np.ndarray], list[int]]:
    with Image.open(path) as movie:
        assert movie.info["loop"] == 0
        pictures, times = [], []
        for frame in ImageSequence.Iterator(movie):
            pictures.append(np.asarray(frame.convert("RGB")).astype(float))
            times.append(frame.info["duration"])
        return pictures, times


@pytest.mark.parametrize("suffix", [".webp", ".gif", ".WEBP"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_an_animation_shows_its_frames_in_order_for_ever(tmp_path, suffix, mode):
    made = frames(7, mode=mode)
    path = animation(iter(made), tmp_path / f"a{suffix}", 80, last_ms=500)
    shown, times = read(path)
    assert times == [80] * 6 + [500]
    assert len(shown) == 7
    for frame, picture in zip(made, shown, strict=True):
        expected = np.asarray(frame.convert("RGB")).astype(float)
        assert np.abs(picture - expected).mean() < 8
    assert [path.name for path in tmp_path.iterdir()] == [f"a{suffix}"]


def test_grey_frames_are_exact_in_gif(tmp_path):
    made = frames(4, mode="L")
    shown, _ = read(animation(made, tmp_path / "a.gif"))
    for frame, picture in zip(made, shown, strict=True):
        assert (picture[:, :, 0] == np.asarray(frame)).all()


def test_one_frame_is_an_animation_too(tmp_path):
    for suffix in (".webp", ".gif"):
        with Image.open(animation(frames(1), tmp_path / f"one{suffix}")) as picture:
            assert picture.size == (40, 30)


def test_webp_chunks_fill_the_file_exactly(tmp_path):
    data = animation(frames(3, (33, 21)), tmp_path / "a.webp").read_bytes()
    assert data[:4] == b"RIFF"
    assert int.from_bytes(data[4:8], "little") == len(data) - 8
    names, place = [], 12
    while place < len(data):
        names.append(data[place : place + 4])
        size = int.from_bytes(data[place + 4 : place + 8], "little")
        place += 8 + size + size % 2
    assert place == len(data)
    assert names == [b"VP8X", b"ANIM", b"ANMF", b"ANMF", b"ANMF"]


def test_webp_keeps_one_frame_in_memory(tmp_path):
    alive: list[weakref.ref[Image.Image]] = []
    most = 0

    def made():
        nonlocal most
        for index in range(60):
            frame = Image.new("L", (20, 20), 4 * index)
            alive.append(weakref.ref(frame))
            most = max(most, sum(reference() is not None for reference in alive))
            yield frame

    animation(made(), tmp_path / "long.webp")
    assert most <= 4  # the first, the last two, and the new one
    with Image.open(tmp_path / "long.webp") as movie:
        assert movie.n_frames == 60


def test_what_can_not_be_an_animation_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"\.webp or \.gif"):
        animation(frames(2), tmp_path / "a.mp4")
    with pytest.raises(UserError, match="at least one"):
        animation([], tmp_path / "a.gif")
    with pytest.raises(ValueError, match="frame of"):
        animation([*frames(1), *frames(1, (20, 20))], tmp_path / "a.webp")
    with pytest.raises(UserError, match="no sample grids"):
        evolution(tmp_path, tmp_path / "a.webp")
    assert list(tmp_path.iterdir()) == []


def test_evenly_keeps_both_ends():
    assert evenly(list(range(50)), 100) == list(range(50))
    thinned = evenly(list(range(1000)), 100)
    assert len(thinned) == len(set(thinned)) == 100
    assert (thinned[0], thinned[-1]) == (0, 999)
    assert set(np.diff(thinned)) == {10, 11}


def test_evolution_enlarges_small_grids_and_goes_by_step(tmp_path):
    samples = tmp_path / "samples"
    samples.mkdir()
    for step, side, grey in [(500, 16, 100), (1000, 20, 160), (10_000, 40, 220)]:
        Image.new("L", (side, side), grey).save(samples / f"{step:06d}.png")
    shown, times = read(evolution(samples, tmp_path / "evolution.webp", 90))
    assert times == [90, 90, 2000]
    assert [picture.shape for picture in shown] == [(40, 40, 3)] * 3
    assert [round(picture[20, 20].mean() / 10) for picture in shown] == [10, 16, 22]
    assert shown[0][0, 0].mean() == pytest.approx(BACKGROUND, abs=6)  # 16 doubled leaves a border of 4
    assert shown[0][5, 5].mean() == pytest.approx(100, abs=6)
    assert shown[1][0, 0].mean() == pytest.approx(160, abs=6)


def test_evolution_goes_on_after_the_millionth_step(tmp_path):
    for step, grey in [(500_000, 60), (999_999, 120), (1_000_000, 180), (10_000_000, 240)]:
        Image.new("L", (8, 8), grey).save(tmp_path / f"{step:06d}.png")
    Image.new("L", (8, 8)).save(tmp_path / "mine.png")  # no grid of the run's
    shown, _ = read(evolution(tmp_path, tmp_path / "evolution.webp"))
    assert [round(picture.mean() / 60) for picture in shown] == [1, 2, 3, 4]


def test_evolution_of_a_long_run_has_a_hundred_frames(tmp_path):
    samples = tmp_path / "samples"
    samples.mkdir()
    for step in range(250):
        Image.new("L", (8, 8), step).save(samples / f"{step:06d}.png")
    shown, _ = read(evolution(samples, tmp_path / "e.webp"))
    assert len(shown) == 100
    assert shown[-1].mean() > 240
