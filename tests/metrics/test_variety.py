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


def test_one_image_for_each_class_is_seen_among_few_samples() -> None:
    digits = open_dataset("digits").train
    assert digits.labels is not None
    pixels, labels = digits.samples.reshape(9000, -1) / 255.0, digits.labels
    reals, fresh, classes = pixels[:19], pixels[3000:], labels[:19]
    first = np.stack([pixels[labels == label][0] for label in classes])
    like = np.stack([fresh[labels[3000:] == label][place] for place, label in enumerate(classes)])
    assert variety(first, reals)[1] > 0.2  # several classes have one sample only, and its nearest one is another class
    assert variety(first, reals, classes)[1] == pytest.approx(0, abs=1e-6)
    assert variety(like, reals, classes) == pytest.approx((1.0, 1.0), abs=0.3)


def test_the_nearest_of_the_same_class_by_hand() -> None:
    labels = np.array([0, 1] * 4)
    reals = np.array([[0.0], [0.1], [1.0], [1.1], [2.0], [2.1], [3.0], [3.1]])  # 1 apart in both classes
    fakes = np.array([[0.0], [4.0], [0.5], [4.5], [1.0], [5.0], [1.5], [5.5]])  # 0.5 apart
    assert variety(fakes, reals, labels)[1] == pytest.approx(0.5)
    assert variety(fakes, reals)[1] == pytest.approx(5.0)
    assert variety(fakes, reals, np.arange(8))[1] == pytest.approx(5.0)  # nobody has another one


def test_unequal_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="as many"):
        variety(np.zeros((3, 2)), np.zeros((4, 2)))
