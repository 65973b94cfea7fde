"""Every figure of a judgement by name: which way is better, and how it is made from fakes and a reference.

A figure that needs classes, enough samples or a feature network is left out where they are missing, and the reason
is told, so that a table never has a number that means nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Literal

import numpy as np
import numpy.typing as npt

from zerosum.errors import UserError, nearest
from zerosum.metrics.classes import class_histogram, classifier_score, histogram_divergence
from zerosum.metrics.features import FEATURES, Features
from zerosum.metrics.frechet import Moments, extrapolated, frechet_distance, too_few
from zerosum.metrics.kid import kernel_distance
from zerosum.metrics.memory import Memorisation, memorisation
from zerosum.metrics.modes import stacked_modes
from zerosum.metrics.reference import Reference
from zerosum.metrics.similarity import diversity
from zerosum.metrics.swd import SlicedWasserstein

SWD_IMAGES = 2_000  # of each side: its cost is that of sorting
DIVERSE_PAIRS = 2_000
QUANTILE = 0.01  # of the held-out distances, within which a sample counts as a copy,
FEW_QUANTILE = 0.05  # or this one where few are held out
FEW = 100

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One number; `better` says which way. `error`: its standard error, where known. `floor`: of real against real."""

    name: str
    value: float
    better: Literal["lower", "higher", "as the data"]
    error: float | None = None
    floor: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Side:
    """One set of images beside the reference: the fakes, or a half of the real ones."""

    images: Bytes
    reference: Reference
    seed: int
    made: Features | None = None

    @cached_property
    def features(self) -> Features:
        if self.made is not None:
            return self.made
        assert self.reference.extractor is not None
        return self.reference.extractor(self.images)

    @cached_property
    def moments(self) -> Moments:
        return Moments.of(self.features.values)

    @cached_property
    def memory(self) -> Memorisation | None:
        """Of the fakes among the train split, with held-out images as the yardstick; None without enough of them."""
        dataset = self.reference.dataset
        count = min(1_000, len(dataset.held_out))
        extractor = self.reference.extractor
        if count < 20 or extractor is None:
            return None
        train = dataset.train.samples[: 20_000 if len(dataset.train) > 20_000 else len(dataset.train)]
        held_out = extractor(np.asarray(dataset.held_out.samples[:count])).values
        quantile = QUANTILE if count >= FEW else FEW_QUANTILE
        fakes = self.features.values[:2_000]
        return memorisation(fakes, extractor(np.asarray(train)).values, held_out, quantile=quantile)


Make = Callable[[Side], list[Figure]]


def _fid(side: Side) -> list[Figure]:
    reference = side.reference.moments
    distance = frechet_distance(side.moments, reference)
    warning = too_few(len(side.images), len(reference.mean)) or ""
    found = [Figure(name="fid", value=distance, better="lower", note=warning)]
    if not warning and len(side.images) >= 8 * len(reference.mean):
        line = extrapolated(side.features.values, reference, seed=side.seed)
        note = f"for infinitely many samples; {line.bias:.3g} of the distance is their number's"
        found.append(Figure(name="fid-infinity", value=line.limit, better="lower", note=note))
    return found


def _kid(side: Side) -> list[Figure]:
    kernel = kernel_distance(side.reference.features.values, side.features.values, seed=side.seed)
    note = f"times 1,000; {kernel.subsets} subsets of {kernel.size:,}"
    return [Figure(name="kid", value=1e3 * kernel.value, error=1e3 * kernel.error, better="lower", note=note)]


def _coverage(side: Side) -> list[Figure]:
    found = side.reference.manifold.score(side.features.values)
    k = found.neighbours
    return [
        Figure(name="precision", value=found.precision, better="higher", note=f"k = {k[0]}"),
        Figure(name="recall", value=found.recall, better="higher", note=f"k = {k[0]}"),
        Figure(name="density", value=found.density, better="higher", note=f"k = {k[1]}"),
        Figure(name="coverage", value=found.coverage, better="higher", note=f"k = {k[1]}"),
    ]


def _classes(side: Side) -> list[Figure]:
    chances, real = side.features.probabilities, side.reference.features.probabilities
    if chances is None or real is None:
        return []
    score = classifier_score(chances, seed=side.seed)
    counts, real_counts = (class_histogram(p.argmax(axis=1), p.shape[1]) for p in (chances, real))
    shares = ", ".join(f"{share:.0%}" for share in counts / counts.sum())
    return [
        Figure(name="classifier-score", value=score.mean, error=score.std, better="higher"),
        Figure(
            name="class-kl", value=histogram_divergence(counts, real_counts), better="lower", note=f"classes {shares}"
        ),
    ]


def _diversity(side: Side) -> list[Figure]:
    chances = side.features.probabilities if side.reference.extractor is not None else None
    labels = None if chances is None else chances.argmax(axis=1)
    found = diversity(side.images, pairs=DIVERSE_PAIRS, seed=side.seed, labels=labels)
    within = "within a class" if labels is not None else "of any two"
    note = f"of {found.pairs:,} pairs {within}, {found.scales} scales; lower is more varied"
    return [Figure(name="ms-ssim", value=found.mean, better="as the data", note=note)]


def _swd(side: Side) -> list[Figure]:
    count = min(SWD_IMAGES, len(side.images), len(side.reference.images))
    judge = SlicedWasserstein(side.reference.images[:count])
    note = f"{count:,} images of each side; no network"
    return [Figure(name="swd", value=judge.distance(side.images[:count])["mean"], better="lower", note=note)]


def _memory(side: Side) -> list[Figure]:
    found = side.memory
    if found is None:
        return []
    note = f"{found.quantile:.0%} of unseen real images are as near; median distance {found.ratio:.2f} times theirs"
    return [Figure(name="copies", value=found.copy_rate, better="as the data", note=note)]


def _stacked(side: Side) -> list[Figure]:
    """Of stacked digits alone: the modes that the samples reach, by digits-net's word on each channel."""
    dataset = side.reference.dataset
    if dataset.name != "stacked":
        return []
    net = FEATURES["digits-net"](dataset, None)
    channels = [net(np.ascontiguousarray(side.images[..., [channel]])).probabilities for channel in range(3)]
    labels = np.stack([chances.argmax(axis=1) for chances in channels if chances is not None], axis=1)
    found = stacked_modes(labels)
    note = f"of {found.modes:,}, in {len(side.images):,} samples; the literature takes 26,000"
    return [
        Figure(name="modes", value=found.covered, better="higher", note=note),
        Figure(name="modes-kl", value=found.reverse_kl, better="lower", note="nats, against even modes"),
    ]


FIGURES: Mapping[str, tuple[Make, tuple[str, ...]]] = {
    "fid": (_fid, ("fid", "fid-infinity")),
    "kid": (_kid, ("kid",)),
    "coverage": (_coverage, ("precision", "recall", "density", "coverage")),
    "classes": (_classes, ("classifier-score", "class-kl")),
    "ms-ssim": (_diversity, ("ms-ssim",)),
    "swd": (_swd, ("swd",)),
    "copies": (_memory, ("copies",)),
    "modes": (_stacked, ("modes", "modes-kl", "high-quality", "reverse-kl")),  # the last two of points alone
}
WITHOUT_NETWORK = ("swd", "modes")


def chosen(names: tuple[str, ...] | None, others: Iterable[str] = ()) -> tuple[str, ...]:
    """The groups of figures that were asked for, by the name of the group or of a figure; all where none was.

    others: names beside these that an unknown one may have meant. `UserError` for an unknown one.
    """
    if not names:
        return tuple(FIGURES)
    members = {figure: group for group, (_, figures) in FIGURES.items() for figure in figures}
    groups = []
    for name in names:
        group = name if name in FIGURES else members.get(name)
        if group is None:
            raise UserError(f"no metric {name!r}; {nearest(name, {*FIGURES, *members, *others})}")
        groups.append(group)
    return tuple(dict.fromkeys(groups))


def figures(side: Side, groups: tuple[str, ...]) -> list[Figure]:
    """The figures of these groups, each with its floor."""
    found = []
    for group in groups:
        floors = side.reference.floors(group, partial(_floors, side.reference, group))
        found += [replace(figure, floor=floors.get(figure.name)) for figure in FIGURES[group][0](side)]
    return found


def _floors(reference: Reference, group: str) -> dict[str, float]:
    """A group's figures of one half of the real images beside the other half; copies have none, nor have few images."""
    if group == "copies" or len(reference.images) < 2 * FEW:
        return {}
    one, other = reference.halves()
    ours = theirs = None
    if reference.extractor is not None:
        ours, theirs = (_part(reference.features, rows) for rows in (one, other))
    real = replace(reference, images=reference.images[one], made=ours)
    half = Side(reference.images[other], real, 0, theirs)
    return {figure.name: figure.value for figure in FIGURES[group][0](half)}


def _part(features: Features, rows: slice) -> Features:
    chances = features.probabilities
    return Features(values=features.values[rows], probabilities=None if chances is None else chances[rows])
