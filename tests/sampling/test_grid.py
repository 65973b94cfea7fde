"""Grids, scatter pictures and the way from floats to bytes, pixel by pixel."""

from __future__ import annotations

import itertools
import subprocess
import sys

import numpy as np
import pytest
import torch

from zerosum.errors import TrainingError
from zerosum.sampling.grid import BACKGROUND, columns_for, limits_of, montage, scatter, to_uint8


def plain(values: list[int], size: int = 28, channels: int = 1) -> np.ndarray:
    return np.stack([np.full((size, size, channels), value, np.uint8) for value in values])


def test_every_byte_survives_the_way_there_and_back():
    levels = torch.arange(256, dtype=torch.float32).reshape(1, 1, 16, 16)
    for low, high in [(-1.0, 1.0), (0.0, 1.0)]:
        back = to_uint8(levels / 255 * (high - low) + low, (low, high))
        assert (back[0, :, :, 0] == np.arange(256).reshape(16, 16)).all()


def test_to_uint8_clamps_and_rounds_halves_to_even():
    batch = torch.tensor([-7.0, 0.5, 1.5, 2.5, 254.5, 300.0]).reshape(1, 1, 1, 6)
    assert to_uint8(batch, (0.0, 255.0)).ravel().tolist() == [0, 0, 2, 2, 254, 255]


def test_to_uint8_moves_channels_last():
    batch = torch.stack([torch.full((4, 5), value) for value in (-1.0, 0.0, 1.0)])[None]
    image = to_uint8(batch)
    assert image.shape == (1, 4, 5, 3)
    assert image.dtype == np.uint8
    assert image[0, 3, 4].tolist() == [0, 128, 255]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_to_uint8_has_no_colour_for_what_is_not_finite(value):
    with pytest.raises(TrainingError, match="diverged"):
        to_uint8(torch.tensor([[[[0.0, value]]]]))


def test_square_grids_have_the_columns_of_the_next_square():
    assert [columns_for(count) for count in (1, 2, 4, 5, 9, 25, 26, 64)] == [1, 2, 2, 3, 3, 5, 6, 8]


def test_montage_puts_each_image_in_its_place():
    images = plain([10, 20, 30, 40, 50], size=3)
    pixels = np.asarray(montage(images, columns=3, scale=2, gutter=1))
    assert pixels.shape == (1 + 2 * 7, 1 + 3 * 7)
    for index, value in enumerate([10, 20, 30, 40, 50]):
        top, left = 1 + 7 * (index // 3), 1 + 7 * (index % 3)
        assert (pixels[top : top + 6, left : left + 6] == value).all()
    covered = 5 * 36
    assert (pixels == BACKGROUND).sum() == pixels.size - covered


def test_montage_enlarges_pixels_without_blending_them():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4, 5, 5, 3), dtype=np.uint8)
    pixels = np.asarray(montage(images, scale=3, gutter=0))
    assert (pixels[::3, ::3][5:, 5:] == images[3]).all()
    assert (pixels[1::3, 2::3] == pixels[::3, ::3]).all()


def test_digits_are_doubled_and_faces_are_not():
    assert montage(plain([0] * 64)).size == (2 + 8 * 58, 2 + 8 * 58)
    assert montage(plain([0] * 25, 64, 3)).size == (2 + 5 * 66, 2 + 5 * 66)
    assert montage(plain([0] * 2500)).size == (2 + 50 * 30, 2 + 50 * 30)  # doubled, it would be too wide


def test_grey_stays_grey_and_colour_stays_colour():
    assert montage(plain([5])).mode == "L"
    assert montage(plain([5], channels=3)).mode == "RGB"


@pytest.mark.parametrize("channels", [1, 3])
def test_row_labels_add_a_strip_on_the_left_and_move_nothing_else(channels):
    images = plain([0, 60, 120, 180], channels=channels)
    bare = np.asarray(montage(images, 2))
    labelled = np.asarray(montage(images, 2, row_labels=["đen", "long name"]))
    strip = labelled.shape[1] - bare.shape[1]
    assert strip > 40
    assert (labelled[:, strip:] == bare).all()
    written = (labelled[:, :strip] != BACKGROUND).reshape(len(labelled), -1).any(axis=1)
    assert written[2:58].any()
    assert written[60:].any()
    assert (labelled[:, strip - 2 : strip] == BACKGROUND).all()


def test_letters_with_vietnamese_marks_are_not_all_the_same_box():
    strips = [np.asarray(montage(plain([0]), row_labels=[letter]))[:, :-60] for letter in "đặạ"]
    assert not any(a.shape == b.shape and (a == b).all() for a, b in itertools.pairwise(strips))


def test_misuse_of_montage_is_named():
    with pytest.raises(ValueError, match="3 labels for 2 rows"):
        montage(plain([0, 0, 0]), 2, row_labels=["a", "b", "c"])
    with pytest.raises(ValueError, match="float64"):
        montage(np.zeros((2, 4, 4, 1)))
    with pytest.raises(ValueError, match="uint8"):
        montage(np.zeros((0, 4, 4, 1), np.uint8))


def test_axes_are_those_of_the_reals_whatever_the_fakes():
    reals = np.array([[-1.0, 0.0], [3.0, 2.0]])
    (x_low, x_high), (y_low, y_high) = limits_of(reals)
    assert (x_low, x_high) == pytest.approx((-1.4, 3.4))
    assert (y_low, y_high) == pytest.approx((-1.4, 3.4))
    near, far = (np.asarray(scatter(np.array([[x, 0.0]]), reals)) for x in (1.0, 500.0))
    lower_part = np.s_[60:, :]  # below the legend
    changed = (near != far)[lower_part].any(axis=2)
    assert 0 < changed.sum() < 100  # one dot came or went, and nothing moved


def test_a_fake_point_is_drawn_where_it_lies_and_y_grows_upwards():
    picture = np.asarray(scatter(np.array([[0.5, -0.5]]), limits=((-1, 1), (-1, 1)), size=400)).astype(int)
    red = (picture[:, :, 0] - picture[:, :, 2] > 80)[60:]
    y, x = np.argwhere(red).mean(axis=0)
    assert (x, y + 60) == pytest.approx((300, 300), abs=2)


def test_fakes_outside_the_axes_and_broken_ones_change_the_legend():
    limits = ((-1.0, 1.0), (-1.0, 1.0))
    inside = np.asarray(scatter(np.zeros((1, 2)), limits=limits))
    lost = np.asarray(scatter(np.array([[0.0, 0.0], [np.nan, 0.0], [9.0, 0.0]]), limits=limits))
    assert (inside[:40, :200] != lost[:40, :200]).any()
    assert (inside[60:] == lost[60:]).all()


def test_montage_needs_no_torch():
    code = (
        "import sys, numpy as np; from zerosum.sampling.grid import montage;"
        "montage(np.zeros((4, 8, 8, 1), np.uint8), row_labels=['a', 'b']);"
        "assert not {'torch', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
