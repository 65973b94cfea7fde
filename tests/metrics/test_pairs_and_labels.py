"""Figures of images beside their partners, and of label maps, against numbers worked out by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from zerosum.data import open_dataset
from zerosum.metrics.labels import CAMVID, agreement, nearest
from zerosum.metrics.pairs import l1, pair_figures, psnr
from zerosum.metrics.similarity import ssim

COLOURS = np.array([(0, 0, 0), (200, 0, 0), (0, 0, 200)])


def test_l1_and_psnr_by_hand() -> None:
    one = np.zeros((2, 12, 12, 1), np.uint8)
    other = one.copy()
    other[0] = 51  # a fifth
    assert l1(one, other) == pytest.approx(0.1)
    assert psnr(one, other) == pytest.approx((10 * math.log10(25) + 100) / 2)  # equal images count as 100 dB


def test_figures_of_pairs_are_those_functions_and_small_images_go_without_similarity() -> None:
    rng = np.random.default_rng(0)
    one, other = (rng.integers(0, 256, (70, 16, 16, 3)).astype(np.uint8) for _ in range(2))
    found = {figure.name: figure.value for figure in pair_figures(one, other)}
    assert list(found) == ["l1", "psnr", "ssim", "ms-ssim"]
    assert found["l1"] == pytest.approx(np.abs(one.astype(float) - other).mean() / 255)
    assert found["ssim"] == pytest.approx(float(ssim(one, other).mean()))
    assert [figure.name for figure in pair_figures(one[:, :8, :8], other[:, :8, :8])] == ["l1", "psnr"]


def test_the_nearest_colour_is_a_pixels_class() -> None:
    image = np.array([[[(10, 5, 0), (120, 0, 90), (90, 0, 120)]]], np.uint8).reshape(1, 1, 3, 3)
    assert nearest(image, COLOURS).tolist() == [[[0, 1, 2]]]


def test_agreement_by_hand() -> None:
    target = COLOURS[np.array([0, 0, 0, 1])].astype(np.uint8).reshape(1, 2, 2, 3)
    made = COLOURS[np.array([0, 0, 1, 1])].astype(np.uint8).reshape(1, 2, 2, 3)
    found = agreement(made, target, COLOURS)
    assert found.pixels == 0.75
    assert found.classes == pytest.approx((2 / 3 + 1) / 2)  # the third class is nowhere
    assert found.iou == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert agreement(target, target, COLOURS).iou == 1


def test_the_street_scenes_have_camvids_colours(real_data: Path) -> None:
    data = open_dataset(f"pairs:{real_data / 'pairs' / 'camvid128.tar'}", size=128)
    maps = np.asarray(data.held_out.samples[:40])
    palette = np.array(list(CAMVID.values()))
    near = np.linalg.norm(maps.astype(int) - palette[nearest(maps, palette)], axis=3)
    assert np.median(near) < 12  # JPEG moved them, and borders are mixtures
    names = list(CAMVID)
    common = np.bincount(nearest(maps, palette).ravel(), minlength=len(names)).argsort()[::-1][:5]
    assert {"road", "building", "sky"} <= {names[k] for k in common}
