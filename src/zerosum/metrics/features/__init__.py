"""Feature networks: images in, vectors out, between which the distances of real and fake are taken.

Each is a file here that registers itself: `digits-net` and `fashion-net` are shipped, `encoder` is trained on the
user's own images, `inception` comes through an optional package. This file itself needs no torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from zerosum.data.dataset import Dataset
from zerosum.errors import UserError
from zerosum.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["FEATURES", "Extractor", "Features", "Progress", "extractor_for"]

Images = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]  # steps done, steps in all

BATCH_PIXELS = 2**22  # of all images that go through a network at one time

OWN = {"mnist": "digits-net", "digits": "digits-net", "fashion-mnist": "fashion-net"}  # by the name of the data
OTHERS = "encoder"


@dataclass(frozen=True, kw_only=True)
class Features:
    """What a network says of N images."""

    values: Floats  # (N, dimensions)
    probabilities: Floats | None = None  # (N, classes), rows add up to 1; None: it knows no classes


class Extractor(ABC):
    """A network in eval mode: the same image gives the same features, whatever the batch, to float32's tolerance."""

    name: str
    checksum: str  # SHA-256 of its weights, hexadecimal: scores with different checksums can't be compared
    dimensions: int
    classes: tuple[str, ...] | None
    scope: str  # one sentence: what its scores can be compared with
    most = 256  # images that go through it at one time, or fewer where they are large

    def __call__(self, images: Images) -> Features:
        """Features of uint8 images (N, H, W, C), C 1 or 3, H = W; in batches, so memory is bounded.

        `UserError` for anything else: no images, floats, another number of axes or channels, oblong images.
        """
        check_images(images)
        batch = max(1, min(self.most, BATCH_PIXELS // (images.shape[1] * images.shape[2])))
        parts = [self._features(images[start : start + batch]) for start in range(0, len(images), batch)]
        known = [part.probabilities for part in parts if part.probabilities is not None]
        return Features(
            values=np.concatenate([part.values for part in parts]),
            probabilities=np.concatenate(known) if known else None,
        )

    def maps(self, images: Tensor) -> Tensor:
        """What a layer in the middle makes of images (N, C, H, H) in [0, 1]: (N, c, h, h), to be differentiated."""
        raise UserError(f"{self.name} has no maps to compare: take content_network=encoder, or digits-net for digits")

    def vectors(self, images: Tensor) -> Tensor:
        """The features of images (N, C, H, H) in [0, 1]: (N, dimensions), to be differentiated."""
        raise UserError(f"features of {self.name} can't be differentiated: take encoder, or digits-net for digits")

    def layers(self, images: Images) -> list[Tensor]:
        """What its convolutions make of one batch of uint8 images (N, H, W, C): (N, c, h, w) each, the first first."""
        raise UserError(f"{self.name} has no layers to compare: take --network encoder")

    @abstractmethod
    def _features(self, images: Images) -> Features:
        """Features of one batch, which is checked."""


Opener = Callable[[Dataset, Progress | None], Extractor]

FEATURES: Registry[Opener] = Registry("feature network", "zerosum.metrics.features")


def own(data: str) -> str | None:
    """The network in the package that knows the data of that name, with captions or without; None where none does."""
    return OWN.get(data.removeprefix("captions:"))


def extractor_for(dataset: Dataset, name: str | None = None, *, progress: Progress | None = None) -> Extractor:
    """The feature network called `name`, or the one that suits the data best.

    That is digits-net for `mnist` and `digits`, fashion-net for `fashion-mnist`, and for all else the encoder,
    which is trained on `dataset.train` where the cache does not have it; `progress` is then called at each step.
    `UserError` for an unknown name, for points, and for what the network itself lacks.
    """
    if dataset.kind != "images":
        raise UserError(f"{dataset.name} has points, and feature networks look at images; expected a source of images")
    return FEATURES[name or own(dataset.name) or OTHERS](dataset, progress)


def check_images(images: Any) -> None:
    """`UserError` where this is not uint8 (N, H, W, C) with N at least 1, H = W and C 1 or 3."""
    expected = "expected uint8 images (N, H, W, C), H = W, C 1 or 3"
    if not isinstance(images, np.ndarray):
        raise UserError(f"images are a {type(images).__name__}; {expected}, as a numpy array")
    if images.dtype != np.uint8:
        raise UserError(f"images are {images.dtype}; {expected}: scale them to 0 to 255 and round")
    if images.ndim != 4 or images.shape[1] != images.shape[2] or images.shape[3] not in (1, 3) or not images.shape[1]:
        raise UserError(f"images have the shape {images.shape}; {expected}")
    if not len(images):
        raise UserError("there are no images to look at; expected at least one")
