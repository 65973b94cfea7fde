"""How varied samples are beside real ones, from distances between samples alone: no network, a few milliseconds."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]


def variety(fakes: Floats, reals: Floats) -> tuple[float, float]:
    """(spread, nearest) of fakes (N, D) beside reals (N, D): 1 is as varied as the reals, 0 is N equal fakes.

    spread: the mean distance between two fakes over that between two reals. It falls when G draws everything alike.
    nearest: the mean distance of a fake to the nearest other one, over that of the reals. It falls to 0 as soon as G
    repeats itself, even where it repeats several very different samples. Equal N on both sides, since the nearest of
    more is nearer; `ValueError` where they differ or are fewer than 2.
    """
    if fakes.shape != reals.shape or len(fakes) < 2:
        raise ValueError(f"expected as many fakes as reals, at least 2, not {fakes.shape} and {reals.shape}")
    (spread, nearest), (real_spread, real_nearest) = _distances(fakes), _distances(reals)
    return _over(spread, real_spread), _over(nearest, real_nearest)


def _distances(samples: Floats) -> tuple[float, float]:
    """The mean distance of two samples, and that of a sample to the nearest other one."""
    centred = samples.astype(np.float64)
    centred -= centred.mean(axis=0)
    squares = (centred**2).sum(axis=1)
    gaps = np.sqrt(np.maximum(squares[:, None] + squares[None] - 2 * centred @ centred.T, 0.0))
    np.fill_diagonal(gaps, np.nan)
    return float(np.nanmean(gaps)), float(np.nanmin(gaps, axis=1).mean())


def _over(value: float, reference: float) -> float:
    """A ratio; reals without any variety are matched by everything."""
    return value / reference if reference > 0 else 1.0
