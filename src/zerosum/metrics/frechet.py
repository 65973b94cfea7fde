"""Fréchet distance between the Gaussians of two sets of features (FID, arXiv 1706.08500) and its limit (FID∞).

Differences: all in float64 whatever the features are. The trace of (C1 C2)^(1/2), mostly taken from a general matrix
square root that may turn complex, is the sum of the singular values of F1ᵀF2 where C = FFᵀ comes from the symmetric
eigendecomposition: real, never negative, and as accurate for singular covariances as for others. The limit for
infinitely many samples, after Chong and Forsyth (arXiv 1911.07023), is drawn through the whole set, its halves,
thirds and quarters instead of 15 random subsets: each point of the line has seen every sample, so the limit scatters
no more than the distance does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from zerosum.errors import UserError

Features = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

CHUNK = 4096  # samples that are in float64 at one time
POINTS = 4  # of the line whose end is the limit


@dataclass(frozen=True, eq=False)
class Moments:
    """The Gaussian of `count` samples: mean (D,) and covariance (D, D), both float64."""

    mean: Floats
    covariance: Floats
    count: int

    @classmethod
    def of(cls, features: Features) -> Moments:
        """features: (N, D) of any float type, a memory map too; the covariance is unbiased, over N - 1.

        `UserError` where there are fewer than 2 samples or values that are not finite.
        """
        check_features(features, 2, "a Fréchet distance")
        mean = features.mean(axis=0, dtype=np.float64)
        scatter = np.zeros((len(mean), len(mean)))
        for start in range(0, len(features), CHUNK):
            centred = features[start : start + CHUNK] - mean  # float64, as the mean is
            scatter += centred.T @ centred
        return cls(mean, scatter / (len(features) - 1), len(features))

    @cached_property
    def factor(self) -> Floats:
        """F (D, rank), where FFᵀ is the covariance; directions whose variance is only rounding are left out."""
        values, vectors = np.linalg.eigh(self.covariance)
        kept = values > len(values) * np.finfo(np.float64).eps * values[-1]
        return np.asarray(vectors[:, kept] * np.sqrt(values[kept]))


def frechet_distance(one: Moments, other: Moments) -> float:
    """|m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^(1/2)), in the features' units squared; 0 for equal moments, never below.

    `ValueError` where the numbers of dimensions differ.
    """
    if one.mean.shape != other.mean.shape:
        raise ValueError(f"moments of {len(one.mean)} and of {len(other.mean)} dimensions cannot be compared")
    gap = one.mean - other.mean
    shared = np.linalg.svd(one.factor.T @ other.factor, compute_uv=False).sum()
    spread = np.square(one.factor).sum() + np.square(other.factor).sum()
    return max(0.0, float(gap @ gap + spread - 2 * shared))


@dataclass(frozen=True)
class Extrapolation:
    """The line through distances at several subset sizes, over 1 / size.

    `distance` is that of all N samples; `limit` is the line's value for infinitely many of them, which chance may
    take below 0; `bias` is the line's rise from there to N. `distances` are the means over all subsets of about
    `sizes` samples. The limit undoes the bias of these features alone, not that of a reference of finite count,
    and it is too low where sizes[-1] is not several times the number of dimensions: the bias is no line there.
    """

    distance: float
    limit: float
    bias: float
    sizes: tuple[int, ...]
    distances: tuple[float, ...]


def extrapolated(features: Features, reference: Moments, *, seed: int, points: int = POINTS) -> Extrapolation:
    """FID∞ of features (N, D) against the reference: 1, 2 ... `points` disjoint parts of a shuffle, N/1 ... N/points.

    The bias falls as 1 / N, so these are evenly spaced. `UserError` where N is less than 2 points, or as for `Moments`.
    """
    if points < 2:
        raise ValueError(f"a line needs at least 2 points, not {points}")
    check_features(features, 2 * points, "the limit of a Fréchet distance")
    shuffled = features[np.random.default_rng(seed).permutation(len(features))]
    parts = range(1, points + 1)
    distances = [_mean_distance(np.array_split(shuffled, number), reference) for number in parts]
    slope, limit = np.polyfit(np.array(parts) / len(features), distances, 1)
    return Extrapolation(
        distance=distances[0],
        limit=float(limit),
        bias=float(slope / len(features)),
        sizes=tuple(len(features) // number for number in parts),
        distances=tuple(distances),
    )


def _mean_distance(parts: list[Features], reference: Moments) -> float:
    return sum(frechet_distance(Moments.of(part), reference) for part in parts) / len(parts)


def too_few(count: int, dimensions: int) -> str | None:
    """What to tell the user where `count` samples leave the covariance of that many dimensions singular."""
    if count > dimensions:
        return None
    return (
        f"{count} samples for {dimensions} feature dimensions: their Fréchet distance is far too high and compares "
        f"only with others of {count} samples; take more than {dimensions}, better ten times as many"
    )


def check_features(features: Features, least: int, purpose: str) -> None:
    """`UserError` for fewer than `least` samples, or values not finite; `ValueError` for anything but (N, D)."""
    if features.ndim != 2 or not features.shape[1]:
        raise ValueError(f"expected features (N, D), not {features.shape}")
    if len(features) < least:
        raise UserError(f"{len(features)} samples, but {purpose} needs at least {least}: give more")
    broken = len(features) - int(np.isfinite(features).all(axis=1).sum())
    if broken:
        raise UserError(
            f"{broken} of {len(features)} samples have features that are not finite: look for NaN in the images, "
            "then in the feature network"
        )
