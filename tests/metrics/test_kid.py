"""The kernel distance against values by hand, slow loops, its own scatter, and real digits with known damage."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from zerosum.errors import UserError
from zerosum.metrics.kid import Kernel, kernel_distance

PROJECTION = np.random.default_rng(0).normal(size=(784, 32)) / 7


def features(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1) @ PROJECTION


def slow(real: np.ndarray, fake: np.ndarray) -> float:
    """Unbiased MMD², pair by pair."""

    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        return (sum(a * b for a, b in zip(x, y, strict=True)) / len(x) + 1) ** 3

    within = [np.mean([kernel(x, y) for x, y in itertools.permutations(side.tolist(), 2)]) for side in (real, fake)]
    return sum(within) - 2 * np.mean([kernel(x, y) for x, y in itertools.product(real.tolist(), fake.tolist())])


def test_of_four_samples_by_hand():
    # (0·2 + 1)³ = 1 between the reals, (1·1 + 1)³ = 8 between the fakes, and across 1 and 27: 1 + 8 - 2 · 14.
    assert kernel_distance(np.array([[0.0], [2.0]]), np.array([[1.0], [1.0]]), seed=0).value == -19
    # The product is divided by D: (2·2 + 0·5) / 2 + 1 = 3 between the reals; all others are 1.
    assert kernel_distance(np.array([[2.0, 0], [2, 5]]), np.zeros((2, 2)), seed=0).value == 27 + 1 - 2


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 12), st.integers(1, 6))
def test_of_whole_sets_is_the_slow_mmd(seed, count, dimensions):
    rng = np.random.default_rng(seed)
    real, fake = rng.normal(size=(count, dimensions)), rng.normal(0.5, 2, (count, dimensions))
    assert kernel_distance(real, fake, seed=0).value == pytest.approx(slow(real, fake), rel=1e-9, abs=1e-9)


def test_value_is_the_mean_over_pairs_of_subsets(rng):
    real, fake = rng.normal(size=(4, 3)), rng.normal(0.5, 1, (3, 3))
    pairs = itertools.product(itertools.combinations(range(4), 2), itertools.combinations(range(3), 2))
    every = [slow(real[list(rows)], fake[list(columns)]) for rows, columns in pairs]
    assert np.mean(every) == pytest.approx(slow(real, fake))
    found = kernel_distance(real, fake, subsets=4000, size=2, seed=0)
    assert found.value == pytest.approx(np.mean(every), abs=4 * np.std(every) / np.sqrt(4000))
    assert kernel_distance(real, fake, subsets=1, size=2, seed=0).value in [pytest.approx(one) for one in every]


def test_subsets_are_no_larger_than_the_smaller_set_and_this_is_told(rng):
    real, fake = rng.normal(size=(50, 3)), rng.normal(size=(20, 3))
    found = kernel_distance(real, fake, subsets=7, seed=0)
    assert (found.size, found.subsets) == (20, 7)
    assert found == kernel_distance(real, fake, subsets=7, size=20, seed=0)
    assert kernel_distance(real, fake, subsets=7, size=10, seed=0).size == 10
    assert kernel_distance(real, real[::-1], subsets=7, seed=0).subsets == 1


def test_no_bias_and_no_distance_between_samples_of_one_distribution(rng):
    values = [kernel_distance(rng.normal(size=(30, 4)), rng.normal(size=(30, 4)), seed=0).value for _ in range(300)]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(300)
    assert min(values) < 0


@pytest.mark.parametrize(
    ("counts", "subsets", "size"),
    [((200, 200), 1, 200), ((200, 50), 10, 50), ((200, 200), 10, 40), ((1000, 1000), 5, 40)],
)
def test_error_is_the_scatter_over_new_samples(counts, subsets, size, rng):
    def draw(shift: float) -> Kernel:
        real, fake = rng.normal(size=(counts[0], 8)), rng.normal(shift, 1, (counts[1], 8))
        return kernel_distance(real, fake, subsets=subsets, size=size, seed=int(rng.integers(2**32)))

    for shift, least, most in [(0, 1.0, 1.7), (0.5, 0.85, 1.2)]:
        found = [draw(shift) for _ in range(150)]
        ratio = np.mean([one.error for one in found]) / np.std([one.value for one in found])
        assert least <= ratio <= most, f"shift {shift}: {ratio}"


def test_error_of_whole_sets_is_that_of_the_jackknife(rng):
    real, fake = rng.normal(size=(20, 3)), rng.normal(1, 1, (20, 3))
    variance = 0.0
    for left in (0, 1):
        sides = [(np.delete(real, i, 0), fake) if left == 0 else (real, np.delete(fake, i, 0)) for i in range(20)]
        variance += 19 * np.var([slow(*pair) for pair in sides])
    # Leaving one out of N changes a mean over pairs by 1 / (N - 2), not by the 1 / N of the infinitesimal jackknife.
    ratio = np.sqrt(variance) / kernel_distance(real, fake, seed=0).error
    assert 1 < ratio < np.sqrt(20 * 19) / 18


def test_error_does_not_shrink_at_will_with_the_subsets(rng):
    real, fake = rng.normal(size=(200, 4)), rng.normal(0.5, 1, (200, 4))
    some, many = (kernel_distance(real, fake, subsets=subsets, size=100, seed=0) for subsets in (20, 2000))
    assert many.error == pytest.approx(some.error, rel=0.2)


def test_depends_on_the_seed_alone(rng):
    real, fake = rng.normal(size=(50, 3)), rng.normal(size=(50, 3))
    state = np.random.get_state()[1].copy()
    found = [kernel_distance(real, fake, subsets=5, size=20, seed=seed) for seed in (3, 3, 4)]
    assert found[0] == found[1] != found[2]
    assert (np.random.get_state()[1] == state).all()


def test_float32_features_lose_nothing(rng):
    real, fake = ((50 + rng.normal(size=(300, 16))).astype(np.float32) for _ in range(2))
    exact = kernel_distance(real.astype(np.float64), fake.astype(np.float64), seed=0)
    assert kernel_distance(real, fake, seed=0) == exact


def test_input_that_has_no_distance_is_named(rng):
    real = rng.normal(size=(10, 3))
    with pytest.raises(UserError, match="1 samples, but a kernel distance needs at least 2"):
        kernel_distance(real, real[:1], seed=0)
    with pytest.raises(UserError, match="1 of 10 samples have features that are not finite"):
        kernel_distance(np.where(np.arange(10)[:, None] == 4, np.nan, real), real, seed=0)
    with pytest.raises(ValueError, match="3 and of 2 dimensions"):
        kernel_distance(real, real[:, :2], seed=0)
    for wrong in ({"size": 1}, {"subsets": 0}):
        with pytest.raises(ValueError, match="expected a subset or more"):
            kernel_distance(real, real, seed=0, **wrong)


def test_distance_grows_with_the_damage_to_real_digits(shuffled_digits, rng):
    images, labels = shuffled_digits
    real, fake = features(images[:1500]), images[1500:3000]
    noise = rng.normal(size=fake.shape)
    damaged = {
        "blur": [ndimage.gaussian_filter(fake, (0, sigma, sigma)) for sigma in (0, 0.7, 1, 2)],
        "noise": [np.clip(fake + sigma * noise, 0, 1) for sigma in (0, 0.1, 0.2, 0.4)],
        "dropped classes": [images[1500:][labels[1500:] < classes][:1500] for classes in (10, 8, 5, 2)],
        "collapsed": [np.resize(fake[:kept], fake.shape) for kept in (1500, 300, 50, 8)],
        "shift": [np.roll(fake, pixels, axis=2) for pixels in (0, 1, 2, 4)],
    }
    for name, steps in damaged.items():
        found = [kernel_distance(real, features(step), subsets=10, size=500, seed=0) for step in steps]
        assert abs(found[0].value) < 2 * found[0].error
        for less, more in itertools.pairwise(found):
            assert more.value > less.value + more.error, f"{name}: {found}"
