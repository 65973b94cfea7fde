"""SSIM, MS-SSIM and diversity against scipy's filter and a naive loop, known values, and collapsed real digits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from zerosum.data import open_dataset
from zerosum.errors import UserError
from zerosum.metrics import similarity
from zerosum.metrics.similarity import diversity, ms_ssim, scales_that_fit, ssim


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    train = open_dataset("digits").train
    return train.samples, train.labels


def maps(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Similarity and contrast of one channel, from scipy's Gaussian where no pixel outside the image counts."""

    def seen(values: np.ndarray) -> np.ndarray:
        return ndimage.gaussian_filter(values, 1.5, radius=5)[5:-5, 5:-5]

    mean_x, mean_y = seen(x), seen(y)
    var_x, var_y = seen(x * x) - mean_x**2, seen(y * y) - mean_y**2
    contrast = (2 * (seen(x * y) - mean_x * mean_y) + 0.0009) / (var_x + var_y + 0.0009)
    return contrast * (2 * mean_x * mean_y + 0.0001) / (mean_x**2 + mean_y**2 + 0.0001), contrast


def by_channel(x: np.ndarray, y: np.ndarray, exponents: list[float]) -> float:
    """MS-SSIM of one pair (H, W, C) in [0, 1], a channel and a scale at a time."""
    found = []
    for channel in range(x.shape[2]):
        one, other, product = x[..., channel], y[..., channel], 1.0
        for scale, exponent in enumerate(exponents):
            full, contrast = (values.mean() for values in maps(one, other))
            product *= max(full if scale == len(exponents) - 1 else contrast, 0) ** exponent
            half = np.array([[1, 1], [1, 1]]) / 4
            one, other = (ndimage.correlate(a, half, origin=-1)[: len(a) - 1 : 2, :-1:2] for a in (one, other))
        found.append(product)
    return float(np.mean(found))


def pair(rng: np.random.Generator, shape: tuple[int, ...], noise: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    x = ndimage.gaussian_filter(rng.random((4, *shape)), (0, 1, 1, 0))
    return x, np.clip(x + noise * rng.normal(size=x.shape), 0, 1)


@pytest.mark.parametrize("shape", [(28, 28, 1), (64, 64, 3), (17, 40, 1), (11, 11, 2)])
def test_ssim_is_that_of_scipys_gaussian_window(shape, rng):
    x, y = pair(rng, shape)
    expected = [
        np.mean([maps(a[..., c], b[..., c])[0].mean() for c in range(shape[2])]) for a, b in zip(x, y, strict=True)
    ]
    np.testing.assert_allclose(ssim(x, y), expected, rtol=1e-9)


def test_ssim_is_that_of_a_loop_over_every_window(rng):
    x, y = pair(rng, (13, 14, 1))
    offsets = np.arange(-5, 6)
    window = np.exp(-(offsets[:, None] ** 2 + offsets**2) / 4.5)
    window /= window.sum()
    values = []
    for row in range(3):
        for column in range(4):
            a, b = x[0, row : row + 11, column : column + 11, 0], y[0, row : row + 11, column : column + 11, 0]
            ma, mb = (window * a).sum(), (window * b).sum()
            va, vb, cov = (
                (window * (a - ma) ** 2).sum(),
                (window * (b - mb) ** 2).sum(),
                (window * (a - ma) * (b - mb)).sum(),
            )
            values.append((2 * ma * mb + 1e-4) * (2 * cov + 9e-4) / ((ma**2 + mb**2 + 1e-4) * (va + vb + 9e-4)))
    assert ssim(x, y)[0] == pytest.approx(np.mean(values), rel=1e-9)


@pytest.mark.parametrize(
    ("shape", "exponents"),
    [
        ((21, 30, 1), [1.0]),
        ((28, 28, 1), [0.0448 / 0.3304, 0.2856 / 0.3304]),
        ((45, 47, 3), [0.0448 / 0.6305, 0.2856 / 0.6305, 0.3001 / 0.6305]),
        ((180, 176, 1), [w / 1.0001 for w in (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)]),
    ],
)
def test_ms_ssim_is_that_of_a_loop_over_channels_and_scales(shape, exponents, rng):
    x, y = pair(rng, shape)
    assert scales_that_fit(*shape[:2]) == len(exponents)
    np.testing.assert_allclose(
        ms_ssim(x, y), [by_channel(a, b, exponents) for a, b in zip(x, y, strict=True)], rtol=1e-9
    )


def test_scales_end_where_the_window_would_not_fit():
    assert [scales_that_fit(s, s + 9) for s in (11, 21, 22, 28, 32, 43, 44, 64, 87, 88, 128, 175, 176, 1024)] == [
        *(1, 1, 2, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5)
    ]
    with pytest.raises(UserError, match="10x64"):
        scales_that_fit(10, 64)


def test_flat_images_differ_by_their_luminance_alone():
    black, grey = np.zeros((1, 28, 28, 1)), np.full((1, 28, 28, 1), 0.5)
    assert ssim(black, grey)[0] == pytest.approx(1e-4 / (0.25 + 1e-4))
    assert ms_ssim(black, grey)[0] == pytest.approx((1e-4 / (0.25 + 1e-4)) ** (0.2856 / 0.3304))


def test_opposite_images_score_below_zero_but_their_product_is_clamped(rng):
    x = (rng.random((3, 28, 28, 1)) > 0.5).astype(float)
    assert ssim(x, 1 - x).max() < -0.5
    assert ms_ssim(x, 1 - x).tolist() == [0, 0, 0]


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.sampled_from([(11, 12, 1), (23, 22, 3)]))
def test_similarity_is_symmetric_bounded_and_one_for_equal_images(seed, shape):
    x, y = np.random.default_rng(seed).integers(0, 256, (2, 3, *shape), dtype=np.uint8)
    for measure, low in ((ssim, -1), (ms_ssim, 0)):
        found = measure(x, y)
        np.testing.assert_allclose(found, measure(y, x), rtol=1e-12)
        assert low <= found.min() <= found.max() < 1
        assert measure(x, x).tolist() == [1, 1, 1]


def test_bytes_and_floats_are_the_same_images_whatever_the_block(rng, monkeypatch):
    x, y = rng.integers(0, 256, (2, 9, 28, 28, 1), dtype=np.uint8)
    expected = ms_ssim(x, y)
    np.testing.assert_allclose(ms_ssim((x / 255).astype(np.float32), y), expected, rtol=1e-5)
    monkeypatch.setattr(similarity, "VALUES", 1)
    np.testing.assert_allclose(ms_ssim(x, y), expected, rtol=1e-12)


def test_pairs_are_two_images_of_one_class_and_every_one_is_drawn():
    classes = np.array([3, 8, 3, 5, 8, 3])  # the only 5 has no partner
    first, second = similarity._pairs(classes, 4000, np.random.default_rng(0))
    assert (first != second).all()
    assert (classes[first] == classes[second]).all()
    drawn, counts = np.unique(np.stack([first, second]), axis=1, return_counts=True)
    assert drawn.T.tolist() == [[0, 2], [0, 5], [1, 4], [2, 0], [2, 5], [4, 1], [5, 0], [5, 2]]
    np.testing.assert_allclose(counts[[0, 1, 3, 4, 6, 7]], 400, atol=80)  # 4,000 / 5 images / 2 partners
    np.testing.assert_allclose(counts[[2, 5]], 800, atol=110)


def test_diversity_is_the_mean_over_all_pairs(digits):
    images = digits[0][:12]
    first, second = np.nonzero(~np.eye(12, dtype=bool))
    found = diversity(images, pairs=6000)
    assert found.mean == pytest.approx(ms_ssim(images[first], images[second]).mean(), abs=0.01)
    assert (found.pairs, found.scales) == (6000, 2)


def test_same_seed_draws_the_same_pairs_and_no_global_random_state_is_touched(digits):
    images = digits[0][:200]
    state = np.random.get_state()[1].copy()
    same, again, other = (diversity(images, pairs=300, seed=seed).mean for seed in (1, 1, 2))
    assert same == again != other
    assert (np.random.get_state()[1] == state).all()


def test_collapsed_digits_are_less_diverse_and_copies_score_one(digits):
    images, labels = digits
    real = diversity(images, pairs=2000).mean
    scores = [diversity(np.resize(images[:kept], (1000, 28, 28, 1)), pairs=2000).mean for kept in (30, 10, 3, 1)]
    assert real < scores[0]
    assert scores == sorted(scores)
    assert scores[-1] == 1
    within = diversity(images, pairs=2000, labels=labels).mean
    assert real + 0.05 < within < 0.9
    prototypes = images[[int(np.flatnonzero(labels == digit)[0]) for digit in range(10)]]
    collapsed = prototypes[labels[:1000]]  # each class has lost its variety, which a look across classes hides
    assert diversity(collapsed, pairs=500, labels=labels[:1000]).mean == 1
    assert diversity(collapsed, pairs=500).mean < 0.5


def test_images_that_cannot_be_compared_are_refused(rng):
    images = rng.random((4, 28, 28, 1))
    with pytest.raises(ValueError, match=r"32, 32"):
        ssim(images, rng.random((4, 32, 32, 1)))
    with pytest.raises(ValueError, match="batches"):
        ms_ssim(images[:0], images[:0])
    for broken in (images * 2 - 1, images * np.nan):
        with pytest.raises(ValueError, match=r"\[0, 1\]"):
            diversity(broken, pairs=1)
    for labels in (np.arange(4), None):
        with pytest.raises(UserError, match="two images"):
            diversity(images[: 4 if labels is not None else 1], labels=labels)
    with pytest.raises(ValueError, match="labels"):
        diversity(images, labels=np.zeros(3, int))
    with pytest.raises(ValueError, match="pairs"):
        diversity(images, pairs=0)
