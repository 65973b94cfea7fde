"""Memorisation: are the samples nearer to the training set than real samples are that nobody trained on?

A sample's nearest neighbour alone says little, since honest samples have near ones too where the data are dense.
The yardstick is therefore the held-out part of the same data: the distances of its samples to the same training set.
Distances are Euclidean, exact, and in the units given: grey levels for bytes, or whatever a feature network gives.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from zerosum.errors import UserError

Samples = npt.NDArray[Any]  # (N, D), or images (N, H, W, C)
Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]

VALUES = 1 << 22  # numbers in a block: 32 MB, of which a handful is in memory at one time, whatever N is
ROWS, TRAIN_ROWS = 1024, 4096  # of a block, at most


class Pair(NamedTuple):
    """A fake and its nearest training sample."""

    fake: int  # index
    train: int  # index
    distance: float


@dataclass(frozen=True, kw_only=True)
class Memorisation:
    """Distances to the nearest training sample: of the fakes against those of held-out reals."""

    fake: float  # median distance
    held_out: float  # median distance
    ratio: float  # of the medians: about 1 for honest samples, 0 for copies
    quantile: float
    threshold: float  # this quantile of the held-out distances
    copy_rate: float  # share of the fakes within the threshold: about `quantile` for honest samples, 1 for copies
    pairs: tuple[Pair, ...]  # the closest fakes, the closest first


def memorisation(
    fake: Samples, train: Samples, held_out: Samples, *, quantile: float = 0.01, closest: int = 16
) -> Memorisation:
    """Compares the fakes' distances to `train` with those of `held_out`.

    fake, train, held_out: features (N, D) or images (N, H, W, C), finite; all three in the same units.
    Read the rate beside other measures: poor fakes are far from everything and look honest, in pixels so do copies
    that are moved by one; and the lowest distances are those of the simplest class, so that a surplus of it (ones
    among digits) raises the rate without a copy.
    `UserError` where the held-out samples are too few for the quantile or lie in the training set themselves,
    `ValueError` where shapes differ or a value is not finite.
    """
    if not 0 < quantile < 1:
        raise ValueError(f"quantile must be between 0 and 1, not {quantile}")
    if len(held_out) * quantile < 1:
        raise UserError(
            f"{len(held_out)} held-out samples are too few to find their closest {quantile:.1%}: "
            f"give at least {math.ceil(1 / quantile)}, or a larger quantile"
        )
    honest = nearest(held_out, train)[1]
    median = float(np.median(honest))
    if not median:
        raise UserError("most held-out samples are in the training set too: hold out others, to have a yardstick")
    threshold = float(np.quantile(honest, quantile))
    indices, distances = nearest(fake, train)
    first = np.argsort(distances, kind="stable")[:closest].tolist()
    return Memorisation(
        fake=float(np.median(distances)),
        held_out=median,
        ratio=float(np.median(distances)) / median,
        quantile=quantile,
        threshold=threshold,
        copy_rate=float((distances <= threshold).mean()),
        pairs=tuple(Pair(i, int(indices[i]), float(distances[i])) for i in first),
    )


def nearest(samples: Samples, train: Samples) -> tuple[npt.NDArray[np.int64], Floats]:
    """(N,) the index of each sample's nearest training sample, and (N,) the distance: 0 for an exact copy."""
    if not len(samples) or not len(train) or samples.shape[1:] != train.shape[1:]:
        raise ValueError(f"samples {samples.shape} and training samples {train.shape} can't be compared")
    width = math.prod(train.shape[1:])
    parts = range(0, len(train), max(1, min(TRAIN_ROWS, VALUES // width)))
    step = max(1, min(ROWS, VALUES // width))
    norms = np.concatenate([_squares(_rows(train[start : start + parts.step])) for start in parts])
    indices = np.empty(len(samples), np.int64)
    distances = np.empty(len(samples))
    for start in range(0, len(samples), step):
        rows, here = _rows(samples[start : start + step]), slice(start, start + step)
        indices[here] = _nearest(rows, train, norms, parts)
        # From the difference itself: the expanded square would give a copy a small distance instead of none.
        distances[here] = np.sqrt(_squares(rows - _rows(train[indices[here]])))
    return indices, distances


def pairs_picture(fakes: Bytes, train: Bytes, pairs: Sequence[Pair]) -> Bytes:
    """(len(pairs), 2 H, W, C): each fake above its nearest training image, ready for a montage.

    fakes, train: uint8 (N, H, W, C), the images whose pixels or features were compared.
    """
    above, below = fakes[[pair.fake for pair in pairs]], train[[pair.train for pair in pairs]]
    return np.concatenate([above, below], axis=1)


def _nearest(rows: Floats, train: Samples, norms: Floats, parts: range) -> npt.NDArray[np.int64]:
    """(N,): where |t|^2 / 2 - x.t is least. In float64 its error is far below a grey level, in float32 it is not."""
    best = np.full(len(rows), np.inf)
    found = np.zeros(len(rows), np.int64)
    for start in parts:
        scores = rows @ _rows(train[start : start + parts.step]).T
        np.subtract(norms[start : start + parts.step] / 2, scores, out=scores)
        place = scores.argmin(axis=1)
        least = scores[np.arange(len(rows)), place]
        nearer = least < best
        best[nearer], found[nearer] = least[nearer], start + place[nearer]
    return found


def _rows(samples: Samples) -> Floats:
    """(N, D); `ValueError` where a value is not finite, since no distance could be trusted."""
    rows = samples.reshape(len(samples), -1).astype(np.float64, copy=False)
    if not np.isfinite(rows).all():
        raise ValueError("samples hold values that are not finite")
    return rows


def _squares(rows: Floats) -> Floats:
    """(N,): squared lengths."""
    return np.asarray(np.einsum("nd,nd->n", rows, rows))
