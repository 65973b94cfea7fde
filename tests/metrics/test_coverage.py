"""Precision, recall, density and coverage against sets by hand, slow loops, and real digits with known damage."""

from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, stats

from zerosum.errors import UserError
from zerosum.metrics import coverage
from zerosum.metrics.coverage import Manifold, RealManifold, manifolds

PROJECTION = np.random.default_rng(0).normal(size=(784, 32)) / 7
SEEDS = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def real(shuffled_digits) -> RealManifold:
    return RealManifold(features(shuffled_digits[0][:1500]))


def features(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1) @ PROJECTION


def column(*values: float) -> np.ndarray:
    return np.array(values, float)[:, None]


def scores(found: Manifold) -> tuple[float, float, float, float]:
    return found.precision, found.recall, found.density, found.coverage


def slow(real: np.ndarray, fake: np.ndarray, near: int, dense: int) -> tuple[float, float, float, float]:
    """The four formulas, one pair of points after the other."""

    def distance(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.sqrt(np.square(a - b).sum()))

    def radius(points: np.ndarray, i: int, k: int) -> float:
        return sorted(distance(points[i], other) for j, other in enumerate(points) if j != i)[k - 1]

    near_real = [radius(real, i, near) for i in range(len(real))]
    dense_real = [radius(real, i, dense) for i in range(len(real))]
    near_fake = [radius(fake, j, near) for j in range(len(fake))]
    apart = [[distance(x, y) for y in fake] for x in real]
    reals, fakes = range(len(real)), range(len(fake))
    return (
        sum(any(apart[i][j] <= near_real[i] for i in reals) for j in fakes) / len(fake),
        sum(any(apart[i][j] <= near_fake[j] for j in fakes) for i in reals) / len(real),
        sum(apart[i][j] <= dense_real[i] for i in reals for j in fakes) / (dense * len(fake)),
        sum(any(apart[i][j] <= dense_real[i] for j in fakes) for i in reals) / len(real),
    )


def test_on_a_line_by_hand():
    # Real radii to the first neighbour are 1, 1, 2, 4: 2 lies in the balls of 1 and 3, 2.5 in that of 3, 12 in none.
    # Fake radii are 0.5, 0.5, 9.5: they hold 3 and 7.
    real, fake = column(0, 1, 3, 7), column(2, 2.5, 12)
    assert manifolds(real, fake, neighbours=(1, 1)) == Manifold(2 / 3, 1 / 2, 3 / 3, 2 / 4, (1, 1))
    # To the second neighbour they are 3, 2, 3, 6: all four hold 2 and 2.5, and that of 7 holds 12.
    assert manifolds(real, fake, neighbours=(1, 2)) == Manifold(2 / 3, 1 / 2, 9 / 6, 4 / 4, (1, 2))


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(6, 16), st.integers(4, 16), st.integers(1, 5), st.sampled_from([(3, 5), (1, 4), (2, 1)]))
def test_are_the_slow_formulas(seed, reals, fakes, dimensions, neighbours):
    rng = np.random.default_rng(seed)
    real, fake = rng.normal(size=(reals, dimensions)), rng.normal(0.5, 1, (fakes, dimensions))
    assert scores(manifolds(real, fake, neighbours=neighbours)) == pytest.approx(slow(real, fake, *neighbours))


def test_defaults_are_the_papers_and_are_told(rng):
    real, fake = rng.normal(size=(40, 3)), rng.normal(0.5, 1, (30, 3))
    assert manifolds(real, fake).neighbours == (3, 5)
    assert scores(manifolds(real, fake)) == pytest.approx(slow(real, fake, 3, 5))


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(6, 60), st.integers(6, 60), st.integers(1, 10))
def test_stay_in_their_ranges_and_precision_is_the_recall_of_swapped_sides(seed, reals, fakes, dimensions):
    rng = np.random.default_rng(seed)
    # Whole numbers, so that points coincide and distances tie.
    real, fake = (rng.integers(0, 4, (count, dimensions)).astype(np.float32) for count in (reals, fakes))
    found, swapped = manifolds(real, fake), manifolds(fake, real)
    for share in (found.precision, found.recall, found.coverage):
        assert 0 <= share <= 1
    assert 0 <= found.density <= reals / 5
    assert (found.precision, found.recall) == (swapped.recall, swapped.precision)


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(2, 10), st.floats(1e-3, 1e3))
def test_are_blind_to_turn_shift_and_scale_of_the_space(seed, dimensions, scale):
    rng = np.random.default_rng(seed)
    real, fake = rng.normal(size=(30, dimensions)), rng.normal(0.5, 1, (30, dimensions))
    turn, shift = scale * stats.ortho_group.rvs(dimensions, random_state=rng), 100 * rng.normal(size=dimensions)
    assert manifolds(real @ turn + shift, fake @ turn + shift) == manifolds(real, fake)


def test_samples_of_one_distribution_have_density_one_and_the_coverage_of_theory(rng):
    # A ball stays empty where its 5 neighbours are the first 5 of N - 1 reals and N fakes: about 2⁻⁵ (Naeem, Lemma 2).
    found = manifolds(rng.normal(size=(2000, 4)), rng.normal(size=(2000, 4)))
    assert found.density == pytest.approx(1, abs=0.05)
    assert found.coverage == pytest.approx(1 - 2**-5, abs=0.01)


@pytest.mark.parametrize("offset", [0, 1e4])
@pytest.mark.parametrize("dimensions", [2, 128, 1024])
def test_copies_are_inside_however_far_the_origin(dimensions, offset, rng):
    # The k-th neighbour of a copy is at its original's radius to the last bit only if rounding is allowed for.
    real = (rng.normal(size=(300, dimensions)) + offset).astype(np.float32)
    assert scores(manifolds(real, real[rng.permutation(300)])) == (1, 1, 6 / 5, 1)


@pytest.mark.parametrize("dimensions", [2, 128, 1024])
def test_points_that_coincide_are_at_distance_nothing(dimensions, rng):
    # Six of each leave no ball a radius, so that only what coincides is inside.
    points = rng.normal(size=(50, dimensions)).astype(np.float32)
    real = RealManifold(np.repeat(points, 6, axis=0))
    assert scores(real.score(np.tile(points, (6, 1)))) == (1, 1, 6 / 5, 1)
    assert scores(real.score(np.tile(points, (6, 1)) + np.float32(1e-4))) == (0, 0, 0, 0)


@pytest.mark.parametrize("value", [0, 0.1])
def test_constant_images_are_inside_each_other(value):
    real, fake = np.full((10, 3), value, np.float32), np.full((8, 3), value, np.float32)
    assert scores(manifolds(real, fake)) == (1, 1, 10 / 5, 1)
    assert scores(manifolds(real, fake + 1)) == (0, 0, 0, 0)


def test_fakes_that_are_all_one_image_recall_nothing_but_it(rng):
    real = rng.normal(size=(100, 16))
    found = manifolds(real, np.repeat(real[:1], 50, axis=0))
    assert found.precision == 1
    assert found.recall == 1 / 100


def test_blocks_change_nothing_and_bound_the_memory(rng, monkeypatch):
    real, fake = rng.normal(size=(3000, 4)).astype(np.float32), rng.normal(size=(3000, 4)).astype(np.float32)
    tracemalloc.start()
    expected = manifolds(real, fake)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3000 * 3000 * 8 / 2
    for block in (1, 7 * 500):
        monkeypatch.setattr(coverage, "BLOCK", block)
        assert manifolds(real[:500], fake[:400]) == manifolds(real[:500], fake[:400])
    monkeypatch.setattr(coverage, "BLOCK", 100_003)
    assert manifolds(real, fake) == expected


def test_real_side_serves_many_fakes(rng):
    real = rng.normal(size=(60, 3))
    kept = RealManifold(real)
    for shift in (0, 1, 0):
        fake = rng.normal(shift, 1, (40, 3))
        assert kept.score(fake) == manifolds(real, fake)


def test_input_that_has_no_neighbours_is_named(rng):
    real = rng.normal(size=(10, 3))
    with pytest.raises(UserError, match="5 samples, but a manifold of real samples needs at least 6"):
        RealManifold(real[:5])
    RealManifold(real[:6])
    with pytest.raises(UserError, match="3 samples, but a manifold of fake samples needs at least 4"):
        manifolds(real, real[:3])
    manifolds(real, real[:4])
    with pytest.raises(UserError, match="1 of 10 samples have features that are not finite"):
        manifolds(real, np.where(np.arange(10)[:, None] == 4, np.inf, real))
    with pytest.raises(ValueError, match="2 dimensions, but real ones 3"):
        manifolds(real, real[:, :2])
    with pytest.raises(ValueError, match="1 or more"):
        manifolds(real, real, neighbours=(0, 5))


def test_fresh_real_digits_are_near_and_copies_of_real_digits_nearer(real, shuffled_digits):
    images, _ = shuffled_digits
    fresh, copied = real.score(features(images[1500:3000])), real.score(features(images[:1500]))
    assert scores(copied) == (1, 1, 6 / 5, 1)
    assert fresh.precision == pytest.approx(0.86, abs=0.03)
    assert fresh.recall == pytest.approx(0.86, abs=0.03)
    assert fresh.density == pytest.approx(0.97, abs=0.05)
    assert fresh.coverage == pytest.approx(0.96, abs=0.02)


def test_dropped_classes_lower_recall_and_coverage_alone(real, shuffled_digits):
    images, labels = shuffled_digits
    steps = [images[1500:][labels[1500:] < classes][:1500] for classes in (10, 8, 5, 2)]
    found = [real.score(features(step)) for step in steps]
    for more, less in itertools.pairwise(found):
        assert less.recall < more.recall - 0.02
        assert less.coverage < more.coverage - 0.02
        assert less.precision > more.precision - 0.02
        assert less.density > more.density - 0.03


def test_collapsed_duplicates_lower_recall_and_coverage_alone(real, shuffled_digits):
    fake = shuffled_digits[0][1500:3000]
    found = [real.score(features(np.resize(fake[:kept], fake.shape))) for kept in (1500, 300, 50, 8)]
    assert found[0].recall > 0.8
    assert all(less.recall < 0.01 for less in found[1:])
    for more, less in itertools.pairwise(found):
        assert less.coverage < 0.7 * more.coverage
        assert less.precision > 0.8
        assert less.density > 0.85


def test_noise_lowers_precision_density_and_coverage_but_not_recall(real, shuffled_digits, rng):
    fake = shuffled_digits[0][1500:3000]
    noise = rng.normal(size=fake.shape)
    found = [real.score(features(np.clip(fake + sigma * noise, 0, 1))) for sigma in (0, 0.1, 0.2, 0.4)]
    for better, worse in itertools.pairwise(found):
        assert worse.precision < better.precision - 0.02
        assert worse.density < better.density - 0.01
        assert worse.coverage < better.coverage - 0.01
        assert worse.recall > 0.8


def test_shift_lowers_all_four(real, shuffled_digits):
    fake = shuffled_digits[0][1500:3000]
    found = [real.score(features(np.roll(fake, pixels, axis=2))) for pixels in (0, 1, 2, 4)]
    for better, worse in itertools.pairwise(found):
        assert all(np.array(scores(worse)) < np.array(scores(better)) - 0.05)


def test_blur_lowers_recall_while_its_fakes_stay_inside(real, shuffled_digits):
    fake = shuffled_digits[0][1500:3000]
    found = [real.score(features(ndimage.gaussian_filter(fake, (0, s, s)))) for s in (0, 0.5, 1)]
    for sharp, blurred in itertools.pairwise(found):
        assert blurred.recall < sharp.recall - 0.1
        assert blurred.precision > sharp.precision
