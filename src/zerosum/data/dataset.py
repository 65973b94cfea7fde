"""What every source gives: samples in memory or memory-mapped, labels, a held-out part and a fingerprint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Kind = Literal["images", "points"]


@dataclass(frozen=True, kw_only=True)
class Split:
    """Samples with their labels. Images: uint8 (N, H, W, C), perhaps memory-mapped; points: float32 (N, 2)."""

    samples: npt.NDArray[Any]
    labels: npt.NDArray[np.int64] | None = None  # (N,), an index into the classes

    def __len__(self) -> int:
        return len(self.samples)


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """A file that was left out, and why."""

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A source, read: never trained on is what lies in `held_out`."""

    name: str  # as the user wrote it: "digits", "folder:faces.tar"
    kind: Kind
    train: Split
    held_out: Split
    classes: tuple[str, ...] | None  # None: no labels
    fingerprint: str  # SHA-256 over the samples and labels as they stand here
    skipped: tuple[Skipped, ...] = ()
    note: str | None = None  # what the user should know: "MNIST is not here, so digits stands in"

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample: (C, H, W) for images, (2,) for points."""
        shape = self.train.samples.shape
        return (shape[3], shape[1], shape[2]) if self.kind == "images" else (shape[1],)
