"""Modes covered, share of good points and reverse KL: hand-worked cases, a naive loop, and what real samples score."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerosum.data.sources.toy import MODES, draw
from zerosum.metrics.modes import stacked_index, stacked_modes, toy_modes

POINTS = 2_500
SQUARE = np.array([[0, 0], [10, 0], [0, 10], [10, 10]], np.float32)


def test_ring_and_grid_are_those_of_the_paper():
    # 1712.04086: 8 modes on the unit circle, variance 0.0001; 25 at (-4 + 2i, -4 + 2j), variance 0.0025.
    ring, grid = MODES["ring"], MODES["grid"]
    np.testing.assert_allclose(np.linalg.norm(ring.centres, axis=1), 1, atol=1e-6)
    assert (len(ring.centres), ring.sigma**2) == (8, pytest.approx(1e-4))
    assert {tuple(centre) for centre in grid.centres} == {(-4 + 2 * i, -4 + 2 * j) for i in range(5) for j in range(5)}
    assert grid.sigma**2 == pytest.approx(0.0025)


@pytest.mark.parametrize("name", ["ring", "grid"])
def test_real_points_cover_every_mode_and_989_in_1000_are_good(name):
    modes = MODES[name]
    many = toy_modes(draw(modes, 100_000, seed=1), modes.centres, modes.sigma)
    assert many.high_quality == pytest.approx(1 - math.exp(-4.5), abs=0.0015)  # over four deviations
    found = [toy_modes(draw(modes, POINTS, seed=seed), modes.centres, modes.sigma) for seed in range(20)]
    count = len(modes.centres)
    assert all(score.covered == score.modes == count for score in found)
    assert min(score.high_quality for score in found) > 0.98
    assert np.mean([score.reverse_kl for score in found]) == pytest.approx((count - 1) / (2 * POINTS), rel=0.35)


def test_five_points_are_as_counted_by_hand():
    # On a mode, 3 sigma from one, just beyond 3 sigma, between all four but nearest to the last, and far away.
    points = np.array([[0, 0], [10, 3], [0, 13.1], [6, 6], [99, -99]])
    score = toy_modes(points, SQUARE, 1.0)
    assert (score.covered, score.modes) == (2, 4)
    assert score.high_quality == 0.4
    # Nearest centres: one each, and (99, -99) to (10, 0): shares 1/5, 2/5, 1/5, 1/5 against 1/4.
    assert score.reverse_kl == pytest.approx(0.6 * math.log(0.8) + 0.4 * math.log(1.6))
    assert toy_modes(points, SQUARE, 1.0, threshold=4.0).covered == 3


def test_collapse_onto_one_mode_is_log_of_their_number():
    modes = MODES["grid"]
    score = toy_modes(np.tile(modes.centres[7], (50, 1)), modes.centres, modes.sigma)
    assert (score.covered, score.high_quality) == (1, 1.0)
    assert score.reverse_kl == pytest.approx(math.log(25))


def test_points_far_from_everything_still_have_a_divergence():
    score = toy_modes(np.array([[500.0, 500.0]]), SQUARE, 0.1)
    assert (score.covered, score.high_quality) == (0, 0.0)
    assert score.reverse_kl == pytest.approx(math.log(4))


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 7))
def test_scores_are_those_of_a_loop_over_the_points(seed, count, modes):
    rng = np.random.default_rng(seed)
    points, centres = rng.normal(0, 5, (count, 2)), rng.normal(0, 4, (modes, 2))
    shares, good, covered = [0] * modes, 0, set()
    for x, y in points:
        away = [math.hypot(x - a, y - b) for a, b in centres]
        shares[away.index(min(away))] += 1
        good += min(away) <= 3
        covered |= {mode for mode, distance in enumerate(away) if distance <= 3}
    expected = sum(n / count * math.log(n / count * modes) for n in shares if n)
    score = toy_modes(points, centres, 1.0)
    assert (score.covered, score.high_quality) == (len(covered), pytest.approx(good / count))
    assert score.reverse_kl == pytest.approx(expected, abs=1e-12)


def test_damage_to_real_points_is_ordered():
    modes = MODES["grid"]
    points = draw(modes, POINTS, seed=3)
    scores = [toy_modes(points[points[:, 0] < edge], modes.centres, modes.sigma) for edge in (5, 3, 1, -1, -3)]
    assert [score.covered for score in scores] == [25, 20, 15, 10, 5]
    assert [score.reverse_kl for score in scores] == pytest.approx([math.log(5 / n) for n in (5, 4, 3, 2, 1)], abs=0.02)
    noise = np.random.default_rng(0).normal(size=points.shape)
    good = [toy_modes(points + width * noise, modes.centres, modes.sigma).high_quality for width in (0, 0.05, 0.1, 0.5)]
    assert good == sorted(good, reverse=True)
    assert good[1] == pytest.approx(1 - math.exp(-4.5 / 2), abs=0.03)  # sigma^2 is doubled


def test_points_that_are_not_finite_or_not_points_are_refused():
    with pytest.raises(ValueError, match="finite"):
        toy_modes(np.array([[0, np.nan]]), SQUARE, 1.0)
    for wrong in (np.zeros((0, 2)), np.zeros((3, 3)), np.zeros(2)):
        with pytest.raises(ValueError, match=r"\(N, 2\)"):
            toy_modes(wrong, SQUARE, 1.0)


def test_three_digits_are_one_mode_of_a_thousand():
    assert stacked_index(np.array([[0, 0, 0], [1, 2, 3], [9, 9, 9]])).tolist() == [0, 123, 999]
    for wrong in ([[0, 0, 10]], [[-1, 0, 0]], [[0, 0]], [0, 0, 0], [[0.0, 0.0, 0.0]]):
        with pytest.raises(ValueError, match="digit"):
            stacked_index(np.array(wrong))


def test_one_sample_of_each_mode_is_all_modes_and_no_divergence():
    labels = np.array([(a, b, c) for a in range(10) for b in range(10) for c in range(10)])
    score = stacked_modes(labels)
    assert (score.covered, score.modes, score.reverse_kl) == (1000, 1000, 0)
    half = stacked_modes(labels[:500])
    assert half.covered == 500
    assert half.reverse_kl == pytest.approx(math.log(2))


def test_even_digits_of_26_000_samples_score_the_floor():
    score = stacked_modes(np.random.default_rng(0).integers(0, 10, (26_000, 3)))
    assert score.covered == 1000
    assert score.reverse_kl == pytest.approx(999 / 52_000, rel=0.15)


def test_real_counts_replace_the_even_ones():
    labels = np.array([[0, 0, 0], [0, 0, 0], [0, 0, 1]])
    real = np.zeros(1000, np.int64)
    real[:2] = 2, 1
    assert stacked_modes(labels, real).reverse_kl == 0
    real[:2] = 1, 1
    assert stacked_modes(labels, real).reverse_kl == pytest.approx(2 / 3 * math.log(4 / 3) + 1 / 3 * math.log(2 / 3))
