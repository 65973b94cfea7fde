"""The real side of every comparison: images of a data set, their features and the floors, kept in the cache."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import safetensors.numpy

from zerosum.data import Dataset, Split
from zerosum.data.cache import cache_folder, keep, sole_writer
from zerosum.metrics.coverage import RealManifold
from zerosum.metrics.features import Extractor, Features
from zerosum.metrics.frechet import Moments

SplitName = Literal["train", "held-out"]
MOST = 10_000  # real images that fakes are compared with, at most
ENOUGH = 5_000  # held-out images from which they are taken instead of those that were trained on
FLOORS = 1  # version of what is kept of figures between two halves: one more wherever one of them changes
SHUFFLE = 20260  # of the choice and of the halves: neighbours in a file are often alike


def choose_split(dataset: Dataset, wanted: SplitName | None = None) -> tuple[SplitName, Split]:
    """The split that was asked for; else the held-out one where it is large enough, else what was trained on."""
    name = wanted or ("held-out" if len(dataset.held_out) >= ENOUGH else "train")
    return name, dataset.held_out if name == "held-out" else dataset.train


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Real images (N, H, W, C), N at most `MOST`, in a shuffled order that is always the same."""

    dataset: Dataset
    split: SplitName
    images: npt.NDArray[np.uint8]
    told: npt.NDArray[np.int64] | None  # labels (N,), or a caption of each (N, L)
    extractor: Extractor | None  # None: figures that need no features only
    made: Features | None = None  # of the images, where somebody has them already

    @classmethod
    def of(cls, dataset: Dataset, extractor: Extractor | None, split: SplitName | None = None) -> Reference:
        """Of a data set's split (see `choose_split`)."""
        name, chosen = choose_split(dataset, split)
        order = np.random.RandomState(SHUFFLE).permutation(len(chosen))[:MOST]
        told = None if chosen.told is None else np.asarray(chosen.told[order])
        return cls(
            dataset=dataset,
            split=name,
            images=np.asarray(chosen.samples[order]),
            told=told,
            extractor=extractor,
        )

    @cached_property
    def features(self) -> Features:
        """Of the real images, from the cache where they were computed before."""
        if self.made is not None:
            return self.made
        assert self.extractor is not None
        path = self._path("features.safetensors")
        found = _read(path, len(self.images), self.extractor.dimensions)
        if found is None:
            found = self.extractor(self.images)
            with sole_writer(path):
                keep(path, _packed(found))
        return found

    @cached_property
    def moments(self) -> Moments:
        return Moments.of(self.features.values)

    @cached_property
    def manifold(self) -> RealManifold:
        return RealManifold(self.features.values)

    def halves(self) -> tuple[slice, slice]:
        """Two halves of the images, disjoint and of one size."""
        half = len(self.images) // 2
        return slice(0, half), slice(half, 2 * half)

    def floors(self, group: str, make: Callable[[], dict[str, float]]) -> dict[str, float]:
        """Each figure of a group between two halves of the real images: made once, then from the cache."""
        path = self._path(f"{group}-{FLOORS}.json")
        try:
            kept = json.loads(path.read_bytes())
            return {str(name): float(value) for name, value in kept.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            made = make()
            with sole_writer(path):
                keep(path, json.dumps(made).encode())
            return made

    def _path(self, name: str) -> Path:
        network = "none" if self.extractor is None else f"{self.extractor.name}-{self.extractor.checksum[:16]}"
        key = f"{self.dataset.fingerprint}|{self.split}|{len(self.images)}|{network}"
        return cache_folder() / "judge" / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}-{name}"


def _packed(features: Features) -> bytes:
    arrays: dict[str, Any] = {"values": features.values}
    if features.probabilities is not None:
        arrays["probabilities"] = features.probabilities
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays.values())).hexdigest()
    return safetensors.numpy.save(arrays, metadata={"sha256": digest})


def _read(path: Path, count: int, dimensions: int) -> Features | None:
    """What `_packed` wrote; None where the file is absent, cut, damaged or of something else: it is made anew."""
    try:
        data = path.read_bytes()
        arrays = safetensors.numpy.load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        wanted = header["__metadata__"]["sha256"]
    except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError):
        return None
    names = [name for name in ("values", "probabilities") if name in arrays]
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(arrays[name]).tobytes() for name in names)).hexdigest()
    if digest != wanted or arrays["values"].shape != (count, dimensions):
        return None
    return Features(values=arrays["values"], probabilities=arrays.get("probabilities"))
