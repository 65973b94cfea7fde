"""Memorisation against a naive loop, and on real digits: copies are told from honest held-out images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from zerosum.data import open_dataset
from zerosum.errors import UserError
from zerosum.metrics import memory
from zerosum.metrics.memory import Pair, memorisation, nearest, pairs_picture


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return open_dataset("digits").train.samples


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 9), st.integers(1, 5))
def test_nearest_is_that_of_a_loop_over_all_pairs(seed, count, others, width):
    rng = np.random.default_rng(seed)
    samples, train = rng.normal(size=(count, width)), rng.normal(size=(others, width))
    indices, distances = nearest(samples, train)
    for sample, index, distance in zip(samples, indices, distances, strict=True):
        every = [float(np.sqrt(sum((a - b) ** 2 for a, b in zip(sample, one, strict=True)))) for one in train]
        assert index == every.index(min(every))
        assert distance == pytest.approx(min(every), rel=1e-12)


@pytest.mark.parametrize("values", [1, 100, 1 << 22])
def test_blocks_do_not_change_what_is_found(values, rng, monkeypatch):
    samples, train = rng.normal(size=(70, 33)).astype(np.float32), rng.normal(size=(130, 33)).astype(np.float32)
    monkeypatch.setattr(memory, "VALUES", values)
    indices, distances = nearest(samples, train)
    every = cdist(samples, train)
    assert (indices == every.argmin(axis=1)).all()
    np.testing.assert_allclose(distances, every.min(axis=1), rtol=1e-12)


def test_an_exact_copy_has_distance_zero_even_beside_near_copies(rng):
    train = rng.integers(0, 256, (300, 64, 64, 3), dtype=np.uint8)
    train[100:200] = train[7]
    train[np.arange(100, 200), 0, 0, 0] ^= 1  # a hundred near copies: one grey level in one of 12,288 values
    indices, distances = nearest(train[[7, 150]], train)
    assert indices[0] == 7
    assert 100 <= indices[1] < 200  # they are equal
    assert distances.tolist() == [0, 0]
    moved = train[7].astype(np.float32) + 1e4  # far from the origin, where the expanded square loses its digits
    found = nearest(moved[None], train.astype(np.float32) + 1e4)
    assert (found[0].item(), found[1].item()) == (7, 0)


def test_every_field_is_as_worked_out_by_hand():
    train, held_out = np.array([[0.0], [100.0]]), np.array([[1.0], [2], [3], [104], [95]])
    fake = np.array([[100.0], [0.5], [50], [-3]])
    found = memorisation(fake, train, held_out, quantile=0.25, closest=3)
    assert (found.held_out, found.threshold) == (3, 2)  # of 1, 2, 3, 4, 5
    assert (found.fake, found.ratio) == (1.75, pytest.approx(1.75 / 3))  # of 0, 0.5, 3, 50
    assert found.copy_rate == 0.5
    assert found.pairs == (Pair(0, 1, 0.0), Pair(1, 0, 0.5), Pair(3, 0, 3.0))


def test_honest_digits_are_near_the_quantile_and_copies_are_not(digits, rng):
    train, held_out, honest = digits[:2000], digits[4000:5000], digits[5000:6000]
    copies = train[rng.choice(2000, 500, replace=False)]
    noisy = np.clip(copies + rng.normal(0, 10, copies.shape), 0, 255)
    mixed = np.concatenate([honest[:900], copies[:100]])
    score, rare, light, some = (
        memorisation(fake, train, held_out, quantile=quantile)
        for fake, quantile in ((honest, 0.05), (honest, 0.01), (noisy, 0.05), (mixed, 0.05))
    )
    assert 0.02 < score.copy_rate < 0.09
    assert 0.002 < rare.copy_rate < 0.025
    assert 0.9 < score.ratio < 1.1
    exact = memorisation(np.roll(copies, 0, axis=2), train, held_out)
    assert (exact.copy_rate, exact.ratio, exact.fake) == (1, 0, 0)
    assert all(pair.distance == 0 and (copies[pair.fake] == train[pair.train]).all() for pair in exact.pairs)
    assert light.copy_rate > 0.95
    assert light.ratio < 0.5
    assert some.copy_rate == pytest.approx(0.1 + 0.9 * score.copy_rate, abs=0.01)
    assert all(pair.fake >= 900 for pair in some.pairs)


def test_closest_pairs_are_sorted_and_hold_each_fakes_own_neighbour(digits):
    fake, train = digits[5000:5100], digits[:1000]
    pairs = memorisation(fake, train, digits[6000:6100], closest=10).pairs
    every = cdist(fake.reshape(100, -1).astype(float), train.reshape(1000, -1).astype(float))
    assert [pair.distance for pair in pairs] == pytest.approx(np.sort(every.min(axis=1))[:10].tolist())
    assert all(every[pair.fake].argmin() == pair.train for pair in pairs)


def test_picture_shows_each_fake_above_its_neighbour(rng):
    fakes, train = (rng.integers(0, 256, (5, 6, 4, 3), dtype=np.uint8) for _ in range(2))
    picture = pairs_picture(fakes, train, [Pair(4, 0, 1.0), Pair(2, 3, 2.0)])
    assert (picture.shape, picture.dtype) == ((2, 12, 4, 3), np.uint8)
    assert (picture[0] == np.concatenate([fakes[4], train[0]])).all()
    assert (picture[1, :6] == fakes[2]).all()
    assert (picture[1, 6:] == train[3]).all()


def test_a_yardstick_that_is_too_short_is_named(rng):
    fake, train = rng.normal(size=(10, 3)), rng.normal(size=(50, 3))
    with pytest.raises(UserError, match=r"20 held-out samples.*1\.0%.*at least 100"):
        memorisation(fake, train, train[:20])
    with pytest.raises(UserError, match="in the training set too"):
        memorisation(fake, train, train[:20], quantile=0.05)


def test_samples_that_cannot_be_compared_are_refused(rng):
    train = rng.normal(size=(50, 3))
    for wrong in (rng.normal(size=(10, 4)), np.zeros((0, 3))):
        with pytest.raises(ValueError, match="compared"):
            nearest(wrong, train)
    for broken in (np.nan, np.inf):
        with pytest.raises(ValueError, match="finite"):
            nearest(np.full((1, 3), broken), train)
    with pytest.raises(ValueError, match="quantile"):
        memorisation(train, train, train, quantile=1.0)
