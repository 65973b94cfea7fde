"""Modes that a generator found, where they are known: mixtures of Gaussians, and the 1,000 of Stacked-MNIST.

The definitions are those of PacGAN (Lin et al., arXiv 1712.04086, section 4), which took them from VEEGAN (Srivastava
et al., arXiv 1705.07761) and, for Stacked-MNIST, unrolled GANs (Metz et al., arXiv 1611.02163). Difference: the
divergence is taken from the distribution that the real samples were drawn from, not from a finite set of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from zerosum.metrics.classes import Counts, class_histogram, histogram_divergence

DIGITS = 10  # classes of each channel
STACKED = DIGITS**3


@dataclass(frozen=True, kw_only=True)
class ToyModes:
    """What 2-D points say of a mixture; of 2,500 points, as in the paper."""

    covered: int  # modes that have a point within 3 sigma
    modes: int
    high_quality: float  # share of the points within 3 sigma of a mode, in [0, 1]; 0.989 for real ones
    reverse_kl: float  # nats, 0 to log(modes); (modes - 1) / 2N is expected of N real points


@dataclass(frozen=True, kw_only=True)
class StackedModes:
    """What the classes of three-digit images say; of 26,000 samples, as in the papers."""

    covered: int  # of `modes`: those with at least one sample
    modes: int
    reverse_kl: float  # nats; 999 / 2N, or 0.019 at 26,000, is expected of N samples drawn evenly


def toy_modes(points: npt.NDArray[Any], centres: npt.NDArray[Any], sigma: float, *, threshold: float = 3.0) -> ToyModes:
    """Modes covered, share of high-quality points, and reverse KL.

    points: (N, 2); centres: (M, 2), of a mixture of equal Gaussians of deviation `sigma` in every direction.
    A mode is covered where a point lies within `threshold` sigma of its centre, and a point is of high quality
    within `threshold` sigma of any; real points are so with probability 1 - exp(-threshold^2 / 2) = 98.9%.
    Reverse KL: every point, of high quality or not, belongs to its nearest centre, and the shares of the modes are
    compared with even ones, KL(fake || even). `ValueError` where a shape is wrong or a point is not finite.
    """
    if points.ndim != 2 or points.shape[1:] != centres.shape[1:] or not len(points) or not len(centres):
        raise ValueError(f"expected points (N, 2) and centres (M, 2), not {points.shape} and {centres.shape}")
    if not np.isfinite(points).all():
        raise ValueError("points must be finite")
    between = points[:, None].astype(np.float64) - centres.astype(np.float64)
    distances = np.linalg.norm(between, axis=2)  # (N, M)
    close = distances <= threshold * sigma
    nearest = class_histogram(distances.argmin(axis=1), len(centres))
    return ToyModes(
        covered=int(close.any(axis=0).sum()),
        modes=len(centres),
        high_quality=float(close.any(axis=1).mean()),
        reverse_kl=histogram_divergence(nearest, np.ones(len(centres), np.int64)),
    )


def stacked_index(labels: Counts) -> npt.NDArray[np.int64]:
    """(N,): the mode, 0 to 999, of labels (N, 3), the digits of the three channels: 1, 2, 3 is mode 123."""
    labels = np.asarray(labels)
    if labels.ndim != 2 or labels.shape[1] != 3 or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"expected whole numbers (N, 3), a digit for each channel, not {labels.dtype} {labels.shape}")
    if len(labels) and not (labels.min() >= 0 and labels.max() < DIGITS):
        raise ValueError(f"digits go from 0 to 9, not from {labels.min()} to {labels.max()}")
    return np.asarray(labels.astype(np.int64) @ np.array([DIGITS**2, DIGITS, 1]))


def stacked_modes(labels: Counts, real_counts: Counts | None = None) -> StackedModes:
    """Modes seen of the 1,000, and KL(fake || real) over them in nats.

    labels: whole numbers (N, 3), what a classifier of digits says of each channel of N samples.
    real_counts: (1,000,), by `stacked_index`; even where None. `ValueError` for other shapes and values.
    """
    fake_counts = class_histogram(stacked_index(labels), STACKED)
    even = np.ones(STACKED, np.int64)
    return StackedModes(
        covered=int((fake_counts > 0).sum()),
        modes=STACKED,
        reverse_kl=histogram_divergence(fake_counts, even if real_counts is None else real_counts),
    )
