"""The sliced Wasserstein distance against scipy, known values, and real digits with known damage."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage, stats

from zerosum.metrics import swd
from zerosum.metrics.swd import SlicedWasserstein


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def read(path: Path, header: int) -> np.ndarray:
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=header)


@pytest.fixture(scope="module")
def digits(real_data: Path) -> tuple[np.ndarray, np.ndarray]:
    folder = real_data / "mnist"
    images = read(folder / "t10k-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28, 1)
    return images, read(folder / "t10k-labels-idx1-ubyte.gz", 8)


@pytest.mark.parametrize(("n", "m"), [(50, 50), (50, 30), (7, 100), (1, 9)])
def test_one_dimension_is_scipys_wasserstein_distance(n, m, rng):
    real, fake = rng.normal(0, 2, (n, 1)).astype(np.float32), rng.normal(1, 1, (m, 1)).astype(np.float32)
    expected = stats.wasserstein_distance(real[:, 0], fake[:, 0])
    assert SlicedWasserstein(real).distance(fake)["mean"] == pytest.approx(expected, rel=1e-5)


def test_shift_in_the_plane_is_its_length_times_two_over_pi(rng):
    # Each direction at angle t to the shift d sees |d| |cos t|, whose mean over the circle is 2 |d| / pi.
    real = rng.normal(size=(400, 2)).astype(np.float32)
    moved = real + np.array([3, 4], np.float32)
    assert SlicedWasserstein(real).distance(moved)["mean"] == pytest.approx(10 / math.pi, rel=1e-3)


def test_gaussians_of_other_widths_differ_by_the_mean_absolute_normal(rng):
    # W1 of N(0, 1) and N(0, 3^2) is (3 - 1) E|N(0, 1)| in every direction.
    real, fake = rng.normal(size=(40_000, 2)), 3 * rng.normal(size=(40_000, 2))
    expected = 2 * math.sqrt(2 / math.pi)
    assert SlicedWasserstein(real, directions=16).distance(fake)["mean"] == pytest.approx(expected, rel=0.02)


def test_pyramid_filters_are_those_of_a_direct_convolution(rng):
    image = rng.normal(size=(1, 1, 28, 28)).astype(np.float32)
    fine, middle, coarse = swd._pyramid(image)
    kernel = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256
    low = ndimage.convolve(image[0, 0], kernel, mode="mirror")[::2, ::2]
    spread = np.zeros((28, 28))
    spread[::2, ::2] = low
    np.testing.assert_allclose(fine[0, 0], image[0, 0] - ndimage.convolve(spread, 4 * kernel, mode="mirror"), atol=1e-5)
    assert middle.shape == (1, 1, 14, 14)
    np.testing.assert_allclose(coarse[0, 0], ndimage.convolve(low, kernel, mode="mirror")[::2, ::2], atol=1e-5)


@pytest.mark.parametrize("size", [25, 28, 33, 64])
def test_pyramid_adds_up_to_the_image_again(size, rng):
    image = rng.normal(size=(2, 3, size, size)).astype(np.float32)
    *details, rebuilt = swd._pyramid(image)
    for detail in reversed(details):
        up = swd._scalers(detail.shape[2])[1]
        rebuilt = detail + up @ rebuilt @ up.T
    np.testing.assert_allclose(rebuilt, image, atol=1e-5)


@pytest.mark.parametrize(("size", "levels"), [(28, ["28", "14", "7"]), (64, ["64", "32", "16", "8"]), (9, ["9"])])
def test_levels_end_where_a_patch_would_not_fit(size, levels, rng):
    images = rng.integers(0, 256, (20, size, size, 3), dtype=np.uint8)
    scores = SlicedWasserstein(images).distance(images)
    assert list(scores) == [*levels, "mean"]
    assert max(scores.values()) == 0


def test_patches_reach_every_pixel_of_a_28_pixel_level():
    for size in (28, 14, 7):
        assert set(swd._windows(size).ravel()) == set(range(size))
    assert swd._windows(64).min() == 0
    assert swd._windows(64).max() == 63


def test_distance_is_in_thousandths_of_the_real_sides_deviation(rng):
    # At a single 7x7 level a shift of every pixel by s deviations moves a projection by s |sum of its direction|.
    real = rng.integers(0, 200, (300, 7, 7, 1), dtype=np.uint8)
    score = SlicedWasserstein(real)
    sums = np.abs(score._directions["7"].sum(axis=1)).mean()
    assert score.distance(real + np.uint8(50))["7"] == pytest.approx(1000 * sums * 50 / 255, rel=1e-4)
    lengths = np.linalg.norm(score._directions["7"], axis=1)
    np.testing.assert_allclose(lengths, 1 / (real.std() / 255), rtol=1e-4)


def test_float_batches_and_bytes_are_the_same_images(rng):
    real, fake = (rng.integers(0, 256, (64, 28, 28, 3), dtype=np.uint8) for _ in range(2))
    floats = torch.from_numpy(fake).permute(0, 3, 1, 2).float() / 127.5 - 1
    score = SlicedWasserstein(real)
    assert score.distance(floats)["mean"] == pytest.approx(score.distance(fake)["mean"], rel=1e-4)
    unit = SlicedWasserstein(real, value_range=(0.0, 1.0)).distance((floats + 1).numpy() / 2)
    assert unit["mean"] == pytest.approx(score.distance(fake)["mean"], rel=1e-4)


def test_order_and_repetition_of_the_images_do_not_matter(rng):
    real, fake = (rng.integers(0, 256, (100, 28, 28, 1), dtype=np.uint8) for _ in range(2))
    score = SlicedWasserstein(real)
    expected = score.distance(fake)["mean"]
    assert score.distance(fake[rng.permutation(100)])["mean"] == pytest.approx(expected, rel=1e-5)
    assert score.distance(np.repeat(fake, 3, axis=0))["mean"] == pytest.approx(expected, rel=1e-5)


def test_same_seed_same_score_and_no_global_random_state_is_touched(rng):
    real, fake = (rng.integers(0, 256, (50, 28, 28, 1), dtype=np.uint8) for _ in range(2))
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    scores = [SlicedWasserstein(real, seed=seed).distance(fake) for seed in (3, 3, 4)]
    assert scores[0] == scores[1]
    assert scores[0] != scores[2]
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert (np.random.get_state()[1] == numpy_state).all()


def test_shapes_that_do_not_fit_are_named():
    score = SlicedWasserstein(np.zeros((4, 28, 28, 1), np.uint8))
    with pytest.raises(ValueError, match="32, 32"):
        score.distance(np.zeros((4, 32, 32, 1), np.uint8))
    with pytest.raises(ValueError, match="points"):
        score.distance(np.zeros((0, 28, 28, 1), np.uint8))


def test_a_fake_that_is_not_finite_scores_nan(rng):
    images = rng.normal(size=(8, 1, 28, 28)).astype(np.float32)
    broken = images.copy()
    broken[0, 0, 0, 0] = np.nan
    assert math.isnan(SlicedWasserstein(images).distance(broken)["mean"])


@pytest.mark.needs_data
def test_damage_to_real_digits_is_ordered(digits, rng):
    images, labels = digits
    real, held, rest = images[:1000], images[1000:2000], images[1000:]
    score = SlicedWasserstein(real)

    def mean(fake: np.ndarray) -> float:
        return score.distance(np.clip(fake, 0, 255).astype(np.uint8))["mean"]

    def blurred(sigma: float) -> np.ndarray:
        return ndimage.gaussian_filter(held.astype(float), (0, sigma, sigma, 0))

    noise = rng.normal(size=held.shape)
    base = mean(held)
    orders = {
        "blur": [mean(blurred(sigma)) for sigma in (0.5, 1, 2)],
        "noise": [mean(held + sigma * noise) for sigma in (15, 40, 80)],
        "fewer classes": [mean(rest[labels[1000:] < kept][:1000]) for kept in (7, 4, 2, 1)],
        "dimmer": [mean(held * factor) for factor in (0.8, 0.5, 0.2)],
        "moved": [mean(np.roll(held, shift, axis=1)) for shift in (1, 2, 4)],
    }
    for damage, scores in orders.items():
        assert base < 0.9 * scores[0], damage
        assert scores == sorted(scores), damage
    collapse = mean(np.repeat(held[:1], 1000, axis=0))
    assert collapse > orders["fewer classes"][-1]
    assert mean(np.zeros_like(held)) > collapse


@pytest.mark.needs_data
def test_held_out_digits_beat_every_other_source(digits, real_data):
    images, _ = digits
    fashion = read(real_data / "fashion-mnist" / "t10k-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28, 1)
    score = SlicedWasserstein(images[:1000])
    held = [score.distance(images[i : i + 1000])["mean"] for i in range(1000, 5000, 1000)]
    assert max(held) < 100
    assert score.distance(fashion[:1000])["mean"] > 3 * max(held)
    assert score.distance(255 - images[1000:2000])["mean"] > 10 * max(held)
