"""How varied samples are beside real ones, from distances between samples alone: no network, a few milliseconds."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

FEWEST = 8  # samples that have another one of their class, from which on it is sought there
Floats = npt.NDArray[np.floating[Any]]


def variety(fakes: Floats, reals: Floats, labels: npt.NDArray[np.integer[Any]] | None = None) -> tuple[float, float]:
    """(spread, nearest) of fakes (N, D) beside reals (N, D): 1 is as varied as the reals, 0 is N equal fakes.

    spread: the mean distance between two fakes over that between two reals. It falls when G draws everything alike.
    nearest: the mean distance of a fake to the nearest other one, over that of the reals. It falls to 0 as soon as G
    repeats itself, even where it repeats several very different samples. Equal N on both sides, since the nearest of
    more is nearer; `ValueError` where they differ or are fewer than 2.

    labels (N,): the classes of the fakes and of the reals. Then the nearest one is sought in the same class, so that a
    G with one image for each class is seen among few samples, too; where too few have another one, among all.
    """
    if fakes.shape != reals.shape or len(fakes) < 2:
        raise ValueError(f"expected as many fakes as reals, at least 2, not {fakes.shape} and {reals.shape}")
    others = ~np.eye(len(fakes), dtype=bool)
    if labels is not None:
        same = others & (labels[:, None] == labels[None])
        others = same if same.any(1).sum() >= FEWEST else others
    (spread, nearest), (real_spread, real_nearest) = _distances(fakes, others), _distances(reals, others)
    return _over(spread, real_spread), _over(nearest, real_nearest)


def _distances(samples: Floats, others: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """The mean distance of two samples, and that of a sample to the nearest of its others (N, N)."""
    centred = samples.astype(np.float64)
    centred -= centred.mean(axis=0)
    squares = (centred**2).sum(axis=1)
    gaps = np.sqrt(np.maximum(squares[:, None] + squares[None] - 2 * centred @ centred.T, 0.0))
    nearest = gaps.min(axis=1, where=others, initial=np.inf)
    return float(gaps.sum() / (gaps.size - len(gaps))), float(nearest[others.any(1)].mean())


def _over(value: float, reference: float) -> float:
    """A ratio; reals without any variety are matched by everything."""
    return value / reference if reference > 0 else 1.0
