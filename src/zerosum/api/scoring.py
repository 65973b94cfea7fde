"""The score of a run in training: the Frechet distance where a shipped network knows the data, else the sliced one.

It is cheap and always made the same way, so that scores of one run can be compared; `zerosum eval` judges properly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from zerosum.data import Dataset
from zerosum.data.dataset import Split
from zerosum.metrics.classes import class_histogram, histogram_divergence
from zerosum.metrics.coverage import NEIGHBOURS, RealManifold
from zerosum.metrics.features import extractor_for, own
from zerosum.metrics.frechet import Moments, frechet_distance
from zerosum.metrics.reference import Reference
from zerosum.metrics.swd import SlicedWasserstein
from zerosum.sampling import draw
from zerosum.spec import Recipe
from zerosum.types import Domain

SEED, RESEED = 14061, 27644  # of the z; apart from each other, from the grid's and from any training's
SCORED, RESCORED = 2_000, 5_000  # samples of a score, and of the candidates' at the end
SWD_SCORED, SWD_RESCORED = 1_000, 4_000
FEW = 200  # held-out images, below which the sliced distance is to those that are trained on
NEAR = 1_000  # samples of each side for coverage, whose cost grows with their product

Labels = npt.NDArray[np.int64] | None


def drawn(generator: nn.Module, domain: Domain, count: int, seed: int, labels: Labels) -> Iterator[draw.Samples]:
    """Samples of a generator that is in training, in batches."""
    return draw.draw(
        generator,
        count,
        z_dim=draw.z_dim_of(generator),
        seed=seed,
        device=next(generator.parameters()).device,
        labels=labels,
        batch=draw.at_once(domain.shape, generator),
        value_range=domain.value_range,
    )


def in_turn(told: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """`count` of the labels (N,) or rows of words (N, L), from the first one again where they are too few."""
    return told[np.arange(count) % len(told)]


class Scorer:
    """Scores generators of one run; what it needs of the data is prepared at the first use."""

    def __init__(self, recipe: Recipe, domain: Domain, dataset: Dataset) -> None:
        self.domain, self.dataset = domain, dataset
        self.asked = set(recipe.best_of)
        wants_fid = recipe.best == "fid" or (recipe.best != "swd" and bool({"fid", "coverage"} & self.asked))
        shipped = recipe.best != "swd" and own(dataset.name) is not None
        self.name = "fid" if dataset.kind == "images" and (wants_fid or shipped) else "swd"

    @cached_property
    def _reals(self) -> Split:
        """What the sliced distance is to: the distance to a dozen held-out images would be noise."""
        return self.dataset.held_out if len(self.dataset.held_out) >= FEW else self.dataset.train

    @cached_property
    def _reference(self) -> Reference:
        return Reference.of(self.dataset, extractor_for(self.dataset))

    @cached_property
    def _manifold(self) -> RealManifold:
        return RealManifold(self._reference.features.values[:NEAR])

    @cached_property
    def _sliced(self) -> SlicedWasserstein:
        return SlicedWasserstein(np.asarray(self._reals.samples[: self._kept(SWD_RESCORED)]))

    @cached_property
    def _sliced_few(self) -> SlicedWasserstein:
        return SlicedWasserstein(np.asarray(self._reals.samples[: self._kept(SWD_SCORED)]))

    def score(self, generator: nn.Module) -> Mapping[str, Any]:
        """{"name", "value", "levels"}: lower is better, and what else came of it or was asked for."""
        value, levels = self._of(self.name, generator)
        other = "fid" if self.name == "swd" else "swd"
        if self.asked & ({"fid", "coverage"} if other == "fid" else {"swd"}):
            beside, more = self._of(other, generator)
            levels |= {other: beside, **more}
        return {"name": self.name, "value": value, "levels": levels}

    def _of(self, name: str, generator: nn.Module) -> tuple[float, dict[str, float]]:
        """A distance of the generator's samples, and what else comes of it."""
        if name == "swd":
            count = min(self._kept(SWD_SCORED), len(self._reals))
            levels = self._sliced_few.distance(self._samples(generator, count, SEED, self._reals.told))
            return levels.pop("mean"), levels
        features = self._features(generator, self._kept(SCORED), SEED)
        value = frechet_distance(Moments.of(features.values), self._reference.moments)
        return value, dict(self._levels(features))

    def rescore(self, generators: Mapping[int, nn.Module]) -> tuple[str, int, dict[int, float]]:
        """The same score of each generator, of more samples and another z."""
        values = {}
        for step, generator in generators.items():
            if self.name == "swd":
                samples = self._samples(generator, self._kept(SWD_RESCORED), RESEED, self._reals.told)
                values[step] = self._sliced.distance(samples)["mean"]
            else:
                moments = Moments.of(self._features(generator, self._kept(RESCORED), RESEED).values)
                values[step] = frechet_distance(moments, self._reference.moments)
        return self.name, self._kept(SWD_RESCORED if self.name == "swd" else RESCORED), values

    def _kept(self, count: int) -> int:
        return draw.kept_at_once(self.domain.shape, count)

    def _samples(self, generator: nn.Module, count: int, seed: int, told: Labels) -> draw.Samples:
        """Samples of classes, or captions, distributed as those told."""
        labels = in_turn(told, count) if self.domain.conditional and told is not None else None
        return np.concatenate(list(drawn(generator, self.domain, count, seed, labels)))

    def _features(self, generator: nn.Module, count: int, seed: int) -> Any:
        extractor = self._reference.extractor
        assert extractor is not None
        return extractor(self._samples(generator, count, seed, self._reference.told))

    def _levels(self, features: Any) -> Iterator[tuple[str, float]]:
        if len(self._reference.features.values) > max(NEIGHBOURS):
            found = self._manifold.score(features.values[:NEAR])
            yield from (("coverage", found.coverage), ("precision", found.precision), ("recall", found.recall))
        chances, real = features.probabilities, self._reference.features.probabilities
        if chances is not None and real is not None:
            counts, expected = (class_histogram(p.argmax(axis=1), p.shape[1]) for p in (chances, real))
            yield "class-kl", histogram_divergence(counts, expected)
