"""What a classifier says of the samples: the classifier score, and how their classes are spread against the data's.

The score is the Inception score's formula (Salimans et al., arXiv 1606.03498), with whichever classifier gave the
probabilities: compare scores of one classifier only. Divergences are in nats.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.float64]

TOLERANCE = 1e-2  # of a row's sum: half-precision probabilities pass, logits do not


@dataclass(frozen=True, kw_only=True)
class ClassifierScore:
    """exp of how far a sample's classes are from all samples' classes; higher is better."""

    mean: float  # over the splits; from 1 (every sample looks alike) to K (sure, and evenly over the classes)
    std: float  # of the splits, their mean square deviation divided by their number
    splits: int


def classifier_score(probabilities: npt.NDArray[Any], *, splits: int = 10, seed: int = 0) -> ClassifierScore:
    """exp(E KL(p(y|x) || p(y))), its mean and deviation over `splits` parts of the samples.

    probabilities: float (N, K), rows that sum to 1; taken to float64 and divided by their sums. The parts are drawn
    at random by `seed`, since samples often come in the order of their classes; each has its own p(y). The score
    grows with N / splits, up to its limit. `ValueError` where a row is no distribution, or where splits exceed N.
    """
    if probabilities.ndim != 2 or not 1 <= splits <= len(probabilities):
        raise ValueError(f"expected probabilities (N, K) for {splits} splits or more, not {probabilities.shape}")
    rows = probabilities.astype(np.float64)
    sums = rows.sum(axis=1, keepdims=True)
    if not ((rows >= 0).all() and (np.abs(sums - 1) <= TOLERANCE).all()):
        raise ValueError("every row must be finite probabilities that sum to 1: apply softmax to logits")
    rows /= sums
    order = np.random.default_rng(seed).permutation(len(rows))
    scores = [np.exp(divergence(part, part.mean(axis=0)).mean()) for part in np.array_split(rows[order], splits)]
    return ClassifierScore(mean=float(np.mean(scores)), std=float(np.std(scores)), splits=splits)


def divergence(p: Floats, q: Floats) -> Floats:
    """KL(p || q) in nats over the last axis: 0 log 0 is 0, and where q lacks what p has the result is infinite.

    p, q: float64 distributions, of shapes that broadcast.
    """
    p, q = np.broadcast_arrays(p, q)
    there = p > 0
    with np.errstate(divide="ignore"):
        terms = np.where(there, p, 0) * np.log(np.where(there, p, 1) / np.where(there, q, 1))
    return np.asarray(np.maximum(terms.sum(axis=-1), 0))  # rounding may leave -1e-17


def class_histogram(labels: Counts, classes: int) -> npt.NDArray[np.int64]:
    """(classes,): how many of the labels (N,), whole numbers from 0 to classes - 1, are of each class."""
    labels = np.asarray(labels)
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"expected labels as whole numbers (N,), not {labels.dtype} {labels.shape}")
    if len(labels) and not (labels.min() >= 0 and labels.max() < classes):
        raise ValueError(f"labels go from {labels.min()} to {labels.max()}, but the classes from 0 to {classes - 1}")
    return np.bincount(labels, minlength=classes).astype(np.int64)


def histogram_divergence(fake_counts: Counts, real_counts: Counts) -> float:
    """KL(fake || real) in nats of two histograms over the same classes, whole numbers (K,); 0 for equal shares.

    A class that G never draws adds nothing by itself: what it should have had is missed in the others. A class that
    G draws and the data lack counts as half a real sample: the plain value would be infinite, which can neither be
    ranked nor plotted, and half is just less than any class that the data do have. All else is without smoothing,
    so that figures are those of the literature. Never NaN: `ValueError` for a side without samples.
    """
    for name, counts in (("fake", fake_counts), ("real", real_counts)):
        if counts.ndim != 1 or not np.issubdtype(counts.dtype, np.integer) or (counts < 0).any() or not counts.any():
            raise ValueError(f"{name} counts must be whole numbers (K,) of at least one sample, not {counts}")
    if fake_counts.shape != real_counts.shape:
        raise ValueError(f"{len(fake_counts)} fake classes, but {len(real_counts)} real ones")
    fake, real = fake_counts.astype(np.float64), real_counts.astype(np.float64)
    real[(real == 0) & (fake > 0)] = 0.5
    return float(divergence(fake / fake.sum(), real / real.sum()))
