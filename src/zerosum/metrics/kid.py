"""Kernel distance between two sets of features (KID): unbiased MMD² with a cubic kernel, arXiv 1801.01401.

Differences: the error is that of the value as a measure of the two distributions. The usual one, the deviation of the
subsets' values by the root of their number, shrinks at will as more subsets are drawn from the same samples, and is 0
where a subset is the whole set; and that deviation itself, which others print after ±, is no error of the mean at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zerosum.metrics.frechet import Features, Floats, check_features


@dataclass(frozen=True)
class Kernel:
    """The mean MMD² of `subsets` pairs of subsets of `size` samples, and its standard error.

    `value` has no bias, so it may be a little below 0 where the two distributions are the same. `error` is how far
    it would scatter over new samples of both sides and new subsets; near 0 it is too large rather than too small
    (up to 1.5 times).
    """

    value: float
    error: float
    size: int
    subsets: int


def kernel_distance(real: Features, fake: Features, *, subsets: int = 100, size: int = 1000, seed: int) -> Kernel:
    """KID with the kernel (x·y / D + 1)³ in float64; real (N, D) and fake (M, D) of any float type.

    A subset is at most as large as the smaller set; where it is all of both sets, there is one. `UserError` where a
    side has fewer than 2 samples, or values that are not finite; `ValueError` where D differs.
    """
    for features in (real, fake):
        check_features(features, 2, "a kernel distance")
    if real.shape[1] != fake.shape[1]:
        raise ValueError(f"features of {real.shape[1]} and of {fake.shape[1]} dimensions cannot be compared")
    if size < 2 or subsets < 1:
        raise ValueError(f"expected a subset or more, of 2 samples or more, not {subsets} of {size}")
    size = min(size, len(real), len(fake))
    subsets = 1 if size == len(real) == len(fake) else subsets
    rng = np.random.default_rng(seed)
    pulls = _Pulls(len(real)), _Pulls(len(fake))
    for _ in range(subsets):
        chosen = [rng.choice(side.count, size, replace=False) for side in pulls]
        found = _pulls(real[chosen[0]].astype(np.float64), fake[chosen[1]].astype(np.float64))
        for side, indices, pull in zip(pulls, chosen, found, strict=True):
            side.add(indices, pull)
    value = sum(side.mean() for side in pulls)
    return Kernel(value, float(np.sqrt(sum(side.variance() for side in pulls))), size, subsets)


def _pulls(real: Floats, fake: Floats) -> tuple[Floats, Floats]:
    """(n,) and (n,): each sample's mean kernel with the others of its side, less that with the other side.

    The mean of the first and the mean of the second add up to the unbiased MMD².
    """
    across = _kernel(real, fake)
    return _others(_kernel(real, real)) - across.mean(axis=1), _others(_kernel(fake, fake)) - across.mean(axis=0)


def _others(kernel: Floats) -> Floats:
    return np.asarray((kernel.sum(axis=1) - kernel.diagonal()) / (len(kernel) - 1))


def _kernel(one: Floats, other: Floats) -> Floats:
    base = one @ other.T
    base /= one.shape[1]
    base += 1
    return np.asarray(base * base * base)


class _Pulls:
    """One side's pulls, summed for each of its samples over the subsets that it was in."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.sums = np.zeros(count)
        self.times = np.zeros(count)

    def add(self, indices: npt.NDArray[np.int64], pulls: Floats) -> None:
        self.sums[indices] += pulls  # a subset holds no sample twice
        self.times[indices] += 1

    def mean(self) -> float:
        return float(self.sums.sum() / self.times.sum())

    def variance(self) -> float:
        """What this side adds to the variance of the value, by the infinitesimal jackknife.

        It is the sum of squares of what each sample moves the value, however often it was drawn.
        """
        shares = (self.sums - self.mean() * self.times) / self.times.sum()
        # A sample has both places in the pairs of its side, and the pairs across count twice.
        return float(np.square(2 * shares).sum())
