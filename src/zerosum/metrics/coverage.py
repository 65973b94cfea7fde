"""Precision and recall (arXiv 1904.06991), density and coverage (arXiv 2002.09797) from nearest neighbours.

A set's manifold is the balls around its samples that reach to their k-th nearest neighbour in the set. Balls are
closed, as in the papers' formulas (their code for density and coverage has open ones): a memorised copy lies in the
ball of its original even where duplicates leave that ball no radius, and the density of exact copies is (k + 1) / k.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from zerosum.metrics.frechet import Features, Floats, check_features

NEIGHBOURS = (3, 5)  # k of precision and recall, and k of density and coverage, as in the papers
BLOCK = 2**20  # distances that are in memory at one time
# Rounding of |a|² + |b|² - 2ab, relative to |a|² + |b|²: D times 2⁻⁵³ at worst, with a margin for D = 2048.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Manifold:
    """The four scores and the k of each pair of them; all are 1 at best, of which density may be more.

    precision: the share of fakes inside the real manifold. recall: the share of reals inside the fake manifold.
    density: how many real balls a fake lies in, divided by k. coverage: the share of real balls that hold a fake.
    """

    precision: float
    recall: float
    density: float
    coverage: float
    neighbours: tuple[int, int]


class RealManifold:
    """Balls around the real features (N, D), kept to score many fakes; float64 inside, of any float type outside.

    neighbours: k of precision and recall, and k of density and coverage. Memory is that of the features in float64
    and some 30 MB. `UserError` where N is at most the larger k, or values are not finite.
    """

    def __init__(self, real: Features, *, neighbours: tuple[int, int] = NEIGHBOURS) -> None:
        if min(neighbours) < 1:
            raise ValueError(f"expected neighbours of 1 or more, not {neighbours}")
        check_features(real, max(neighbours) + 1, "a manifold of real samples")
        self.neighbours = neighbours
        # Distances do not depend on the origin, but their rounding does.
        self._centre = real.mean(axis=0, dtype=np.float64)
        self._real = real - self._centre
        self._near, self._dense = _reaches(self._real, neighbours)

    def score(self, fake: Features) -> Manifold:
        """Scores of fake (M, D). `UserError` where M is at most the first k, or values are not finite.

        `ValueError` where D differs.
        """
        check_features(fake, self.neighbours[0] + 1, "a manifold of fake samples")
        if fake.shape[1] != self._real.shape[1]:
            raise ValueError(f"fake features have {fake.shape[1]} dimensions, but real ones {self._real.shape[1]}")
        centred = fake - self._centre
        (reach,) = _reaches(centred, self.neighbours[:1])
        precise = np.zeros(len(fake), bool)
        recalled = dense = covered = 0
        for rows, squares in _squared_distances(self._real, centred):
            precise |= (squares <= self._near[rows, None]).any(axis=0)
            recalled += int((squares <= reach).any(axis=1).sum())
            inside = squares <= self._dense[rows, None]
            dense += int(inside.sum())
            covered += int(inside.any(axis=1).sum())
        return Manifold(
            precision=float(precise.mean()),
            recall=recalled / len(self._real),
            density=dense / (self.neighbours[1] * len(fake)),
            coverage=covered / len(self._real),
            neighbours=self.neighbours,
        )


def manifolds(real: Features, fake: Features, *, neighbours: tuple[int, int] = NEIGHBOURS) -> Manifold:
    """The scores of fake (M, D) against real (N, D), where the real side is needed only once."""
    return RealManifold(real, neighbours=neighbours).score(fake)


def _reaches(points: Floats, neighbours: tuple[int, ...]) -> list[Floats]:
    """For each k the squares (N,) of the distances to the k-th neighbour, a point not being its own.

    They are longer by what rounding may add to a square, so that equal distances count as equal.
    """
    places = [k - 1 for k in neighbours]
    nearest = np.empty((len(places), len(points)))
    for rows, squares in _squared_distances(points, points):
        squares[np.arange(len(squares)), np.arange(len(points))[rows]] = np.inf
        nearest[:, rows] = np.partition(squares, places, axis=1)[:, places].T
    return list(nearest + ROUNDING * (nearest + np.square(points).sum(axis=1)))


def _squared_distances(one: Floats, other: Floats) -> Iterator[tuple[slice, Floats]]:
    """Blocks of rows of `one`, each with its squared distances (rows, M) to all of `other`."""
    lengths, others = np.square(one).sum(axis=1), np.square(other).sum(axis=1)
    step = max(1, BLOCK // len(other))
    for start in range(0, len(one), step):
        rows = slice(start, start + step)
        squares = one[rows] @ other.T
        squares *= -2
        squares += others
        squares += lengths[rows, None]
        yield rows, squares
