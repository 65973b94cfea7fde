"""Structural similarity of image pairs, and how alike the images of a set are: MS-SSIM (Wang, Simoncelli & Bovik 2003).

Diversity is the mean MS-SSIM of random pairs, within a class where there are labels, after Odena et al. (arXiv
1610.09585). The window is the 11 x 11 Gaussian of sigma 1.5, used only where it lies wholly inside the image; a coarser
scale is the mean of 2 x 2 pixels, an odd last row or column being left out. Channels are compared on their own and
averaged. Differences: small images have fewer scales than the paper's five, and the exponents of those that are used
are divided by their sum; a mean contrast or similarity below 0, whose power would not be a number, counts as 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from zerosum.errors import UserError

Images = npt.NDArray[Any]  # uint8, or float in [0, 1]: (N, H, W, C)
Floats = npt.NDArray[np.float64]

WINDOW, SIGMA = 11, 1.5  # pixels
C1, C2 = 0.01**2, 0.03**2  # for values in [0, 1]
EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # from fine to coarse
CHUNK = 256  # pairs that are drawn at one time
VALUES = 1 << 18  # numbers of each side that are compared at one time: 2 MB, about what a processor's cache holds


@dataclass(frozen=True, kw_only=True)
class Diversity:
    """How alike the images of a set are: the lower, the more diverse; 1 where all are the same."""

    mean: float  # MS-SSIM of the pairs, in [0, 1]
    pairs: int
    scales: int  # that fit the images: 2 at 28 pixels, 3 at 64


def scales_that_fit(height: int, width: int) -> int:
    """1 from 11 pixels on the short side, 2 from 22, 3 from 44, 4 from 88, all 5 from 176; `UserError` below 11."""
    side = min(height, width)
    if side < WINDOW:
        raise UserError(
            f"structural similarity looks through {WINDOW}x{WINDOW} pixels, but the images have {height}x{width}: "
            "use larger images or another metric"
        )
    return min(len(EXPONENTS), (side // WINDOW).bit_length())


def ssim(one: Images, other: Images) -> Floats:
    """(N,): the similarity of each image with its partner, at their own size; in [-1, 1], and 1 for equal images.

    one, other: uint8 or float in [0, 1], (N, H, W, C). `ValueError` where the shapes differ or a float is not in
    [0, 1], `UserError` below 11 pixels.
    """
    _check(one, other)
    return np.concatenate([_compared(x, y)[0].mean(axis=1) for x, y in _chunks(one, other)])


def ms_ssim(one: Images, other: Images) -> Floats:
    """(N,): the similarity over all the scales that fit (`scales_that_fit`), in [0, 1]; arguments as for `ssim`."""
    scales = _check(one, other)
    return np.concatenate([_over_scales(x, y, scales) for x, y in _chunks(one, other)])


def diversity(
    images: Images, *, pairs: int = 5_000, seed: int = 0, labels: npt.NDArray[np.integer[Any]] | None = None
) -> Diversity:
    """The mean MS-SSIM of random pairs of different images: the same seed draws the same pairs.

    images: uint8 or float in [0, 1], (N, H, W, C). labels: (N,); both of a pair then come from one class, each
    class as often as it has images. `UserError` where no two images make a pair; other errors as for `ssim`.
    """
    classes = np.zeros(len(images), np.int64) if labels is None else np.asarray(labels)
    if classes.shape != (len(images),):
        raise ValueError(f"labels {classes.shape} do not belong to {len(images)} images")
    if pairs < 1:
        raise ValueError(f"pairs must be at least 1, not {pairs}")
    first, second = _pairs(classes, pairs, np.random.default_rng(seed))
    total = 0.0
    for start in range(0, pairs, CHUNK):  # so that the pairs are never all in memory
        chunk = slice(start, start + CHUNK)
        total += float(ms_ssim(images[first[chunk]], images[second[chunk]]).sum())
    return Diversity(mean=total / pairs, pairs=pairs, scales=scales_that_fit(*images.shape[1:3]))


def _pairs(
    classes: npt.NDArray[Any], count: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Two times (count,): an image, and another of its class, each drawn evenly."""
    _, members, sizes = np.unique(classes, return_inverse=True, return_counts=True)
    eligible = np.flatnonzero(sizes[members] > 1)
    if not len(eligible):
        raise UserError("diversity compares two images of a class, but none has two: give more images")
    order = np.argsort(members, kind="stable")
    places = np.argsort(order)  # where each image stands in that order
    starts = np.cumsum(sizes) - sizes
    first = rng.choice(eligible, size=count)
    start, size = starts[members[first]], sizes[members[first]]
    further = rng.integers(1, size)  # never the image itself
    return first, order[start + (places[first] - start + further) % size]


def _check(one: Images, other: Images) -> int:
    """The number of scales, where the two sides can be compared."""
    if one.ndim != 4 or one.shape != other.shape or not len(one):
        raise ValueError(f"expected two batches of images (N, H, W, C), not {one.shape} and {other.shape}")
    return scales_that_fit(*one.shape[1:3])


def _chunks(one: Images, other: Images) -> Iterator[tuple[Floats, Floats]]:
    step = max(1, VALUES // math.prod(one.shape[1:]))
    for start in range(0, len(one), step):
        yield _unit(one[start : start + step]), _unit(other[start : start + step])


def _unit(images: Images) -> Floats:
    """(N, C, H, W) in [0, 1]."""
    floats = np.ascontiguousarray(images.transpose(0, 3, 1, 2), dtype=np.float64)
    if images.dtype == np.uint8:
        return floats / 255
    if not (floats.min() >= 0 and floats.max() <= 1):
        raise ValueError(f"float images must be finite and in [0, 1], not in [{floats.min()}, {floats.max()}]")
    return floats


def _over_scales(x: Floats, y: Floats, scales: int) -> Floats:
    """(N,), after Eq. 7: contrast and structure at every scale, luminance at the coarsest alone."""
    exponents = np.array(EXPONENTS[:scales]) / sum(EXPONENTS[:scales])
    product = np.ones(x.shape[:2])
    for exponent in exponents[:-1]:
        product *= np.maximum(_compared(x, y)[1], 0) ** exponent
        x, y = _halved(x), _halved(y)
    product *= np.maximum(_compared(x, y)[0], 0) ** exponents[-1]
    return np.asarray(product.mean(axis=1))


def _compared(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Similarity, and its contrast and structure alone: the means over all places, each (N, C)."""
    rows, columns = _window(x.shape[2]), _window(x.shape[3]).T

    def seen(values: Floats) -> Floats:
        return np.asarray(rows @ values @ columns)

    mean_x, mean_y = seen(x), seen(y)
    product, squares = mean_x * mean_y, mean_x**2 + mean_y**2
    covariance, variances = seen(x * y) - product, seen(x**2 + y**2) - squares
    contrast = (2 * covariance + C2) / (variances + C2)
    luminance = (2 * product + C1) / (squares + C1)
    return (luminance * contrast).mean(axis=(2, 3)), contrast.mean(axis=(2, 3))


def _window(size: int) -> Floats:
    """(places, size): each row weighs the pixels that the window sees from one place."""
    weights = np.exp(-((np.arange(WINDOW) - WINDOW // 2) ** 2) / (2 * SIGMA**2))
    places = size - WINDOW + 1
    matrix = np.zeros((places, size))
    matrix[np.arange(places)[:, None], np.arange(places)[:, None] + np.arange(WINDOW)] = weights / weights.sum()
    return matrix


def _halved(images: Floats) -> Floats:
    height, width = (side // 2 * 2 for side in images.shape[2:])
    even = images[:, :, :height, :width]
    return np.asarray(even[:, :, ::2, ::2] + even[:, :, 1::2, ::2] + even[:, :, ::2, 1::2] + even[:, :, 1::2, 1::2]) / 4
