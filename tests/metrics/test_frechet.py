"""The Fréchet distance against closed forms, scipy's matrix root, and real digits with known damage."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg, ndimage, stats

from zerosum.errors import UserError
from zerosum.metrics import frechet
from zerosum.metrics.frechet import Moments, extrapolated, frechet_distance, too_few

PROJECTION = np.random.default_rng(0).normal(size=(784, 32)) / 7
SEEDS = st.integers(0, 2**32 - 1)


def features(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1) @ PROJECTION


def gaussian(mean: list[float], covariance: np.ndarray) -> Moments:
    return Moments(np.array(mean, float), np.array(covariance, float), 100)


def mixed(rng: np.random.Generator, count: int, dimensions: int) -> np.ndarray:
    """Samples whose covariance has every direction correlated with the others."""
    return rng.normal(size=(count, dimensions)) @ rng.normal(size=(dimensions, dimensions)) + rng.normal(
        size=dimensions
    )


def turned(angle: float, variances: list[float]) -> np.ndarray:
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return turn @ np.diag(variances) @ turn.T


def test_in_one_dimension_it_is_the_gap_of_means_and_of_deviations_squared():
    assert frechet_distance(gaussian([1], [[4]]), gaussian([4], [[25]])) == pytest.approx(3**2 + (5 - 2) ** 2)


def test_of_four_samples_by_hand():
    # Means 1 and 5, unbiased variances 2 and 8: 4² + (√8 - √2)² = 16 + 2.
    one, other = Moments.of(np.array([[0.0], [2.0]])), Moments.of(np.array([[3.0], [7.0]]))
    assert (one.mean, one.covariance, one.count) == (1, 2, 2)
    assert frechet_distance(one, other) == pytest.approx(18)


@pytest.mark.parametrize("angle", [0, 0.3, 1.1])
def test_covariances_that_commute_differ_by_their_deviations_along_the_axes(angle):
    one, other = turned(angle, [1, 9]), turned(angle, [16, 4])
    assert frechet_distance(gaussian([0, 0], one), gaussian([1, 2], other)) == pytest.approx(5 + 9 + 1)


def test_covariances_in_the_plane_that_do_not_commute():
    # The roots a, b of the eigenvalues of C1 C2 have (a + b)² = tr(C1 C2) + 2 √det(C1 C2).
    one, other = turned(0.2, [1, 9]), turned(1.0, [16, 4])
    root = np.sqrt(np.trace(one @ other) + 2 * np.sqrt(9 * 64))
    assert frechet_distance(gaussian([0, 0], one), gaussian([0, 0], other)) == pytest.approx(10 + 20 - 2 * root)


@pytest.mark.parametrize("dimensions", [1, 3, 20, 64])
def test_is_the_formula_with_scipys_matrix_root(dimensions, rng):
    one, other = mixed(rng, 300, dimensions), mixed(rng, 200, dimensions)
    first, second = np.cov(one.T).reshape(dimensions, -1), np.cov(other.T).reshape(dimensions, -1)
    root = linalg.sqrtm(first @ second).real
    expected = np.square(one.mean(0) - other.mean(0)).sum() + np.trace(first + second - 2 * root)
    assert frechet_distance(Moments.of(one), Moments.of(other)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("counts", [(20, 30), (20, 500), (500, 20)])
def test_singular_covariances_are_as_exact_as_others(counts, rng):
    one, other = (mixed(rng, count, 64) for count in counts)
    gap = np.square(one.mean(0) - other.mean(0)).sum()
    first, second = np.cov(one.T), np.cov(other.T)
    # The root's trace without any covariance: the singular values of the centred samples' products.
    products = (one - one.mean(0)) @ (other - other.mean(0)).T
    root = linalg.svdvals(products).sum() / np.sqrt((counts[0] - 1) * (counts[1] - 1))
    found = frechet_distance(Moments.of(one), Moments.of(other))
    assert found == pytest.approx(gap + np.trace(first + second) - 2 * root, rel=1e-11)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scipy warns that the matrix is singular
        rough = np.trace(linalg.sqrtm(first @ second)).real
    assert found == pytest.approx(gap + np.trace(first + second) - 2 * rough, rel=1e-5)


@pytest.mark.parametrize("count", [2, 30, 500])
def test_equal_moments_are_at_distance_nothing(count, rng):
    samples = mixed(rng, count, 64)
    moments = Moments.of(samples)
    assert frechet_distance(moments, Moments.of(samples[::-1])) <= 1e-12 * np.trace(moments.covariance)


def test_constant_images_are_points_whose_distance_is_their_gap_squared():
    one, other = Moments.of(np.zeros((5, 3))), Moments.of(np.full((7, 3), 2.0))
    assert frechet_distance(one, other) == 12
    assert frechet_distance(one, one) == 0


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(2, 40), st.integers(1, 24))
def test_a_shift_alone_is_its_length_squared(seed, count, dimensions):
    rng = np.random.default_rng(seed)
    samples, shift = mixed(rng, count, dimensions), rng.normal(size=dimensions)
    scale = np.square(samples).sum()
    found = frechet_distance(Moments.of(samples), Moments.of(samples + shift))
    assert found == pytest.approx(shift @ shift, rel=1e-9, abs=1e-12 * scale)


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.tuples(st.integers(2, 40), st.integers(2, 40)), st.integers(1, 24))
def test_is_symmetric_not_negative_and_blind_to_a_turn_of_the_space(seed, counts, dimensions):
    rng = np.random.default_rng(seed)
    one, other = mixed(rng, counts[0], dimensions), mixed(rng, counts[1], dimensions)
    turn = stats.ortho_group.rvs(dimensions, random_state=rng) if dimensions > 1 else -np.eye(1)
    found = frechet_distance(Moments.of(one), Moments.of(other))
    assert found >= 0
    tolerance = {"rel": 1e-9, "abs": 1e-11 * np.square(one).sum()}
    assert frechet_distance(Moments.of(other), Moments.of(one)) == pytest.approx(found, **tolerance)
    assert frechet_distance(Moments.of(one @ turn), Moments.of(other @ turn)) == pytest.approx(found, **tolerance)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_moments_are_those_of_float64_in_chunks_of_any_size(dtype, rng, monkeypatch):
    # A mean of a thousand deviations: squares in float32 would keep no digit of the variance.
    samples = (mixed(rng, 1001, 6) + 1000).astype(dtype)
    exact = samples.astype(np.float64)
    for chunk in (1, 100, 1001, 4096):
        monkeypatch.setattr(frechet, "CHUNK", chunk)
        moments = Moments.of(samples)
        np.testing.assert_allclose(moments.mean, exact.mean(axis=0), rtol=1e-13)
        np.testing.assert_allclose(moments.covariance, np.cov(exact.T), rtol=1e-9)


def test_input_that_has_no_moments_is_named():
    with pytest.raises(UserError, match="1 samples, but a Fréchet distance needs at least 2"):
        Moments.of(np.zeros((1, 3)))
    broken = np.zeros((10, 3), np.float32)
    broken[2, 1], broken[4] = np.nan, np.inf
    with pytest.raises(UserError, match="2 of 10 samples have features that are not finite"):
        Moments.of(broken)
    with pytest.raises(ValueError, match=r"\(10,\)"):
        Moments.of(np.zeros(10))
    with pytest.raises(ValueError, match="2 and of 3 dimensions"):
        frechet_distance(Moments.of(np.zeros((4, 2))), Moments.of(np.zeros((4, 3))))


def test_too_few_samples_are_those_whose_covariance_must_be_singular(rng):
    for count in (63, 64, 65):
        rank = np.linalg.matrix_rank(Moments.of(mixed(rng, count, 64)).covariance)
        assert (too_few(count, 64) is None) == (rank == 64)
    assert "50 samples for 64 feature dimensions" in (too_few(50, 64) or "")


def test_limit_undoes_the_bias_and_scatters_no_more_than_the_distance(rng):
    scales, shift = np.linspace(0.5, 2, 20), 0.1
    reference = gaussian([0] * 20, np.eye(20))
    truth = 20 * shift**2 + np.square(scales - 1).sum()
    found = [extrapolated(rng.normal(shift, scales, (400, 20)), reference, seed=i) for i in range(60)]
    distances, limits = np.array([e.distance for e in found]), np.array([e.limit for e in found])
    error = limits.std() / np.sqrt(60)
    assert distances.mean() - truth > 10 * error
    assert abs(limits.mean() - truth) < 3 * error
    assert limits.std() < 1.2 * distances.std()
    assert np.mean([e.bias for e in found]) == pytest.approx((distances - limits).mean(), rel=0.02)


def test_limit_is_the_line_through_the_whole_and_its_parts(rng):
    samples, reference = mixed(rng, 101, 4), Moments.of(mixed(rng, 90, 4))
    found = extrapolated(samples, reference, seed=3, points=2)
    assert found.sizes == (101, 50)
    assert found.distance == found.distances[0] == pytest.approx(frechet_distance(Moments.of(samples), reference))
    # Two points make the line exact: at 1/N and 2/N, so it meets 0 as far below the first as that is below the second.
    assert found.bias == pytest.approx(found.distances[1] - found.distances[0])
    assert found.limit == pytest.approx(2 * found.distances[0] - found.distances[1])


def test_limit_depends_on_the_seed_alone(rng):
    samples, reference = mixed(rng, 100, 4), Moments.of(mixed(rng, 90, 4))
    state = np.random.get_state()[1].copy()
    found = [extrapolated(samples, reference, seed=seed) for seed in (3, 3, 4)]
    assert found[0] == found[1] != found[2]
    assert found[0].sizes == (100, 50, 33, 25)
    assert (np.random.get_state()[1] == state).all()


def test_limit_of_too_few_samples_is_refused(rng):
    reference = Moments.of(mixed(rng, 50, 3))
    assert extrapolated(mixed(rng, 8, 3), reference, seed=0).sizes == (8, 4, 2, 2)
    with pytest.raises(UserError, match="7 samples, but the limit of a Fréchet distance needs at least 8"):
        extrapolated(mixed(rng, 7, 3), reference, seed=0)
    with pytest.raises(ValueError, match="2 points"):
        extrapolated(mixed(rng, 50, 3), reference, seed=0, points=1)


def test_limit_of_real_digits_is_the_same_for_few_and_many(shuffled_digits):
    images, _ = shuffled_digits
    reference = Moments.of(features(images[:1500]))
    few, many = (extrapolated(features(images[-count:]), reference, seed=0) for count in (1000, 7500))
    assert few.distance > 1.5 * many.distance
    assert few.limit == pytest.approx(many.limit, rel=0.25)


def test_distance_grows_with_the_damage_to_real_digits(shuffled_digits, rng):
    images, labels = shuffled_digits
    real, fake = Moments.of(features(images[:1500])), images[1500:3000]
    noise = rng.normal(size=fake.shape)
    damaged = {
        "blur": [ndimage.gaussian_filter(fake, (0, sigma, sigma)) for sigma in (0, 0.5, 1, 2)],
        "noise": [np.clip(fake + sigma * noise, 0, 1) for sigma in (0, 0.1, 0.2, 0.4)],
        "dropped classes": [images[1500:][labels[1500:] < classes][:1500] for classes in (10, 8, 5, 2)],
        "collapsed": [np.resize(fake[:kept], fake.shape) for kept in (1500, 300, 50, 8)],
        "shift": [np.roll(fake, pixels, axis=2) for pixels in (0, 1, 2, 4)],
    }
    for name, steps in damaged.items():
        distances = [frechet_distance(real, Moments.of(features(step))) for step in steps]
        assert all(np.diff(distances) > 0.3 * np.array(distances[:-1])), f"{name}: {distances}"
