"""Sliced Wasserstein distance of image patches on a Laplacian pyramid, after ProGAN (arXiv 1710.10196, section 5).

Differences: the pyramid ends where halving again would leave less than a patch (28, 14, 7; 64, 32, 16, 8);
patches tile each level at fixed places instead of falling at random, so the order of the images cannot matter;
both sides are divided by the real side's standard deviation, so a fake that is too dark or too flat is seen;
128 directions instead of 512. Points get the plain distance in their own units. It is plain numpy and keeps its
own random state.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor

    Batch = npt.NDArray[Any] | Tensor

Floats = npt.NDArray[np.float32]

PATCH = 7  # pixels along a patch's side
TILES = 8  # patches along a level's side, at most
UNIT = 1000.0  # image distances are given in thousandths, as in the paper's tables
CHUNK = 256  # images whose pyramid is in memory at one time
BLOCK = 16  # directions that are projected and sorted at one time


class SlicedWasserstein:
    """Distances to one real set, whose sorted projections are kept (50 MB for 1,000 images of 64x64x3).

    real and every fake: images as uint8 (N, H, W, C) or as float (N, C, H, W) in `value_range`, or points as
    float (N, D); numpy or torch. Fewer fakes than reals, or more, are compared exactly too, but the distance
    of finite samples falls with their number: compare scores of equal N only. `ValueError` where shapes differ.
    """

    def __init__(
        self,
        real: Batch,
        *,
        seed: int = 0,
        directions: int = 128,
        value_range: tuple[float, float] = (-1.0, 1.0),
    ) -> None:
        self.value_range = value_range
        samples = _samples(real, value_range)
        self.shape = samples.shape[1:]
        self.unit = UNIT if samples.ndim == 4 else 1.0
        self._directions: dict[str, Floats] = {}
        self._real: dict[str, Floats] = {}
        rng = np.random.default_rng(seed)
        for level, (descriptors, channels) in _descriptors(samples).items():
            across = _directions(rng, directions, descriptors.shape[1])
            if channels:
                across = across / np.repeat(_deviation(descriptors, channels), descriptors.shape[1] // channels)
            self._directions[level] = across.astype(np.float32)
            self._real[level] = np.concatenate(list(_sorted_projections(descriptors, self._directions[level])))

    def distance(self, fake: Batch) -> dict[str, float]:
        """The distance at each level by its size in pixels ("28", "14", "7"), and their "mean"; lower is better.

        Points have the "mean" alone.
        """
        samples = _samples(fake, self.value_range)
        if samples.shape[1:] != self.shape:
            raise ValueError(f"fake samples are {samples.shape[1:]}, but the real ones {self.shape}")
        found: dict[str, float] = {}
        for level, (descriptors, _) in _descriptors(samples).items():
            blocks = _sorted_projections(descriptors, self._directions[level])
            total = sum(_distances(block, self._real[level][BLOCK * i :][:BLOCK]) for i, block in enumerate(blocks))
            found[level] = self.unit * total / len(self._directions[level])
        return {**(found if self.unit == UNIT else {}), "mean": sum(found.values()) / len(found)}


def _samples(batch: Batch, value_range: tuple[float, float]) -> Floats:
    """Images as (N, C, H, W) in [0, 1], points as they are."""
    array = batch if isinstance(batch, np.ndarray) else batch.detach().cpu().numpy()
    if array.ndim not in (2, 4) or not len(array):
        raise ValueError(f"expected images (N, H, W, C) or (N, C, H, W) or points (N, D), not {array.shape}")
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array.transpose(0, 3, 1, 2), dtype=np.float32) / np.float32(255)
    floats = np.ascontiguousarray(array, dtype=np.float32)
    if floats.ndim == 2:
        return floats
    low, high = value_range
    return (floats - np.float32(low)) / np.float32(high - low)


def _descriptors(samples: Floats) -> dict[str, tuple[Floats, int]]:
    """By level: (descriptors (number, values), channels); points are one level that has no channels."""
    if samples.ndim == 2:
        return {"points": (samples, 0)}
    parts: dict[str, list[Floats]] = {}
    for start in range(0, len(samples), CHUNK):
        for band in _pyramid(samples[start : start + CHUNK]):
            parts.setdefault(str(band.shape[2]), []).append(_patches(band))
    return {level: (np.concatenate(found), samples.shape[1]) for level, found in parts.items()}


def _pyramid(images: Floats) -> Iterator[Floats]:
    """The Laplacian levels from fine to coarse, then the remaining low-pass image; each (N, C, h, w)."""
    while min(images.shape[2:]) >= 2 * PATCH:
        (down_h, up_h), (down_w, up_w) = _scalers(images.shape[2]), _scalers(images.shape[3])
        coarse: Floats = np.matmul(np.matmul(down_h, images), down_w.T)
        detail: Floats = images - np.matmul(np.matmul(up_h, coarse), up_w.T)
        yield detail
        images = coarse
    yield images


def _scalers(size: int) -> tuple[Floats, Floats]:
    """Matrices that halve a signal of `size` and bring it back, each with a binomial filter and mirrored ends."""
    blur = np.zeros((size, size))
    for row in range(size):
        for offset, weight in zip(range(-2, 3), (1, 4, 6, 4, 1), strict=True):
            mirrored = abs(row + offset)
            mirrored = min(mirrored, 2 * (size - 1) - mirrored)
            blur[row, mirrored] += weight / 16
    return blur[::2].astype(np.float32), (2 * blur[:, ::2]).astype(np.float32)


def _patches(band: Floats) -> Floats:
    """(N, C, h, w) to (N times patches, C times patch area), patches spread evenly from edge to edge."""
    rows, columns = _windows(band.shape[2]), _windows(band.shape[3])
    found = band[:, :, rows[:, None, :, None], columns[None, :, None, :]]  # (N, C, tiles, tiles, patch, patch)
    found = found.transpose(0, 2, 3, 1, 4, 5)
    return found.reshape(found.shape[0] * found.shape[1] * found.shape[2], -1)


def _windows(size: int) -> npt.NDArray[np.int64]:
    """(tiles, patch): the places of each patch along one side."""
    patch = min(PATCH, size)
    tiles = min(-(-size // patch), TILES)
    starts = np.rint(np.linspace(0, size - patch, tiles)).astype(np.int64)
    return starts[:, None] + np.arange(patch)


def _deviation(descriptors: Floats, channels: int) -> npt.NDArray[np.float64]:
    """(channels,): a channel that is constant counts as it is."""
    by_channel = descriptors.reshape(len(descriptors), channels, -1)
    deviation = by_channel.std(axis=(0, 2), dtype=np.float64)
    return np.where(deviation > 1e-6, deviation, 1.0)


def _directions(rng: np.random.Generator, count: int, dimensions: int) -> npt.NDArray[np.float64]:
    """(count, dimensions) of length 1: in the plane evenly over the half circle, else at random."""
    if dimensions == 1:
        return np.ones((1, 1))
    if dimensions == 2:
        angles = (np.arange(count) + 0.5) * np.pi / count
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)
    directions = rng.standard_normal((count, dimensions))
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    return np.asarray(directions / lengths)


def _sorted_projections(descriptors: Floats, directions: Floats) -> Iterator[Floats]:
    """Blocks (up to BLOCK, number of descriptors), each row ascending."""
    for start in range(0, len(directions), BLOCK):
        block = directions[start : start + BLOCK] @ descriptors.T
        block.sort(axis=1)
        yield block


def _distances(one: Floats, other: Floats) -> float:
    """The 1-D Wasserstein distances between rows of sorted values (rows, n) and (rows, m), summed over the rows."""
    n, m = one.shape[1], other.shape[1]
    if n == m:
        return float(np.abs(one - other).mean(axis=1, dtype=np.float64).sum())
    # Both quantile functions are steps: 1/n and 1/m long, so n m is a common grid of whole numbers.
    cuts = np.union1d(np.arange(1, n + 1) * m, np.arange(1, m + 1) * n)
    widths = np.diff(cuts, prepend=0) / (n * m)
    gaps = np.abs(one[:, (cuts - 1) // m] - other[:, (cuts - 1) // n])
    return float((gaps @ widths).sum())
