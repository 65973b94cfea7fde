"""Variety: what its two ratios are where they can be worked out, and how they see real digits that repeat."""

from __future__ import annotations

import numpy as np
import pytest

from zerosum.data import open_dataset
from zerosum.metrics.variety import variety


def test_three_points_on_a_line_by_hand() -> None:
    reals = np.array([[0.0], [1.0], [3.0]])  # distances 1, 3, 2: mean 2; nearest 1, 1, 2: mean 4/3
    fakes = np.array([[5.0], [5.0], [8.0]])  # distances 0, 3, 3: mean 2; nearest 0, 0, 3: mean 1
    assert variety(fakes, reals) == pytest.approx((1.0, 0.75))


def test_equal_fakes_have_no_variety_and_reals_their_own() -> None:
    reals = np.random.default_rng(0).normal(size=(50, 7))
    assert variety(np.tile(reals[:1], (50, 1)), reals) == pytest.approx((0.0, 0.0), abs=1e-6)
    assert variety(reals + 100.0, reals) == pytest.approx((1.0, 1.0))
    assert variety(3 * reals, reals) == pytest.approx((3.0, 3.0))


def test_four_digits_over_and_over_keep_their_spread_and_lose_their_nearest() -> None:
    pixels = open_dataset("digits").train.samples.reshape(9000, -1) / 255.0
    repeated = np.tile(pixels[:4], (32, 1))
    spread, nearest = variety(repeated, pixels[500:628])
    assert spread > 0.5
    assert nearest < 1e-3
    spread, nearest = variety(pixels[1000:1128], pixels[500:628])
    assert spread == pytest.approx(1.0, abs=0.1)
    assert nearest == pytest.approx(1.0, abs=0.15)


def test_unequal_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="as many"):
        variety(np.zeros((3, 2)), np.zeros((4, 2)))
