"""What every source gives: samples in memory or memory-mapped, labels, a held-out part and a fingerprint."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from zerosum.errors import UserError

Kind = Literal["images", "points"]

MAX_SIZE = 1024  # pixels along one side
HELD_OUT_SHARE = 0.05
HELD_OUT_MOST = 1_000


@dataclass(frozen=True, kw_only=True)
class Split:
    """Samples with their labels. Images: uint8 (N, H, W, C), perhaps memory-mapped; points: float32 (N, 2)."""

    samples: npt.NDArray[Any]
    labels: npt.NDArray[np.int64] | None = None  # (N,), an index into the classes
    partners: npt.NDArray[Any] | None = None  # uint8 (N, h, w, c): of each sample the image that it is to be made of
    captions: npt.NDArray[np.int32] | None = None  # (N, K, L): of each sample K captions, rows of `Vocabulary`

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def told(self) -> npt.NDArray[np.int64] | None:
        """What a conditional generator is told of each sample: its first caption (N, L), else its label (N,)."""
        return self.labels if self.captions is None else self.captions[:, 0].astype(np.int64)

    def of(self, number: int) -> Split:
        """The samples of one class, without labels; no copy where they lie together, as a folder's do in the cache."""
        rows = np.flatnonzero(self.labels == number)
        together = len(rows) > 0 and rows[-1] - rows[0] + 1 == len(rows)
        return Split(samples=self.samples[rows[0] : rows[-1] + 1] if together else self.samples[rows])


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
    empty_classes: tuple[str, ...] = ()  # folders beside the classes without an image that can be read
    skipped: tuple[Skipped, ...] = ()
    mirrored: tuple[int, ...] | None = None  # the order of a partner's channels in a mirror; None: as they are
    note: str | None = None  # what the user should know: "MNIST is not here, so digits stands in"
    words: tuple[str, ...] = ()  # of its captions; row entry k is word k - 1, and 0 is none

    @property
    def source_shape(self) -> tuple[int, ...] | None:
        """Of one partner: (c, h, w); None where there are none."""
        if self.train.partners is None:
            return None
        shape = self.train.partners.shape
        return shape[3], shape[1], shape[2]

    @property
    def text(self) -> tuple[int, int] | None:
        """The words of its captions, with the empty one, and those of one row; None where it has no captions."""
        return None if self.train.captions is None else (len(self.words) + 1, self.train.captions.shape[2])

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample: (C, H, W) for images, (2,) for points."""
        shape = self.train.samples.shape
        return (shape[3], shape[1], shape[2]) if self.kind == "images" else (shape[1],)


def of_class(dataset: Dataset, number: int) -> Dataset:
    """The samples of one class, without classes; the fingerprint stays that of the whole."""
    return replace(dataset, train=dataset.train.of(number), held_out=dataset.held_out.of(number), classes=None)


def open_dataset(
    source: str,
    *,
    size: int | None = None,
    sizes: tuple[int, ...] = (),
    channels: int | None = None,
    fallback: bool = False,
) -> Dataset:
    """The data that `source` names: `digits`, `mnist`, `folder:PATH`, or simply an existing path.

    size: pixels along one side, up to 1,024; None takes the largest of `sizes` that is no larger than the
        data (for a folder: than the median short side), or the smallest of them where all are larger;
        without `sizes` the data's own size, for a folder at most 256.
    channels: 1 or 3; None takes 1 where all images are grey, else 3.
    fallback: where MNIST can't be had, `digits` stands in, and the dataset's `note` says so.

    Raises `UserError` for an unknown or absent source, and for one without a single image.
    """
    from zerosum.data.sources import SOURCES, Request

    for pixels in (*sizes, *([] if size is None else [size])):
        if not 1 <= pixels <= MAX_SIZE:
            raise UserError(f"size is {pixels}; expected 1 to {MAX_SIZE} pixels")
    if channels not in (None, 1, 3):
        raise UserError(f"channels is {channels}; expected 1 (grey) or 3 (colour)")
    name, argument = resolve(source)
    return SOURCES[name].open(
        Request(source=source, argument=argument, size=size, sizes=sizes, channels=channels, fallback=fallback)
    )


def resolve(source: str) -> tuple[str, str]:
    """A source's registered name, and what follows the colon ("" where nothing may)."""
    from zerosum.data.sources import SOURCES

    name, _, argument = source.partition(":")
    if name not in SOURCES:
        if looks_like_path(source):
            return "folder", source
        SOURCES[name]  # raises, with the nearest name
    takes = SOURCES[name].argument
    if takes is None and ":" in source:
        raise UserError(f"{name} takes nothing after its name; expected --data {name}, got {source!r}")
    if takes is not None and not argument:
        raise UserError(f"{name} needs a {takes.lower()}; expected --data {name}:{takes}")
    return name, argument


def looks_like_path(source: str) -> bool:
    """Whether a plain name can only mean a path: it exists, or it is written like one."""
    try:
        exists = Path(source).expanduser().exists()
    except (OSError, ValueError, RuntimeError):  # too long, a NUL, no home
        exists = False
    return bool(source) and (exists or "/" in source or source[0] in "~." or source.endswith((".tar", ".zip", ".tgz")))


def fingerprint(train: Split, held_out: Split) -> str:
    """SHA-256 over the shapes, samples and labels of both splits; reads memory-mapped samples in pieces."""
    digest = hashlib.sha256()
    for split in (train, held_out):
        others = [array for array in (split.partners, split.captions) if array is not None]
        for array in (split.samples, split.labels, *others):
            if array is None:
                digest.update(b"none;")
                continue
            digest.update(f"{array.dtype.str} {array.shape};".encode())
            for start in range(0, len(array), 4096):
                digest.update(np.ascontiguousarray(array[start : start + 4096]).data)
    return digest.hexdigest()


def hold_out(digests: Sequence[bytes], labels: Sequence[int] | None = None) -> npt.NDArray[np.bool_]:
    """Which samples are never trained on: those whose SHA-256 lies in the lowest 5%, at most 1,000 of them.

    So an image is held out or not by its content alone, whatever the order or the other files are, and
    equal images stay together. Two amends for small sets: where none is in the lowest 5% the lowest one is
    taken, and of each class at least one stays in train (so a single image is trained on).
    """
    values = np.array([int.from_bytes(digest[:8], "big") for digest in digests], dtype=np.uint64)
    held = values < np.uint64(int(HELD_OUT_SHARE * 2**64))
    if held.sum() > HELD_OUT_MOST:
        held = values < np.sort(values)[HELD_OUT_MOST]
    if not held.any() and len(values):
        held = values == values.min()
    groups = np.zeros(len(values), dtype=np.int64) if labels is None else np.asarray(labels)
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        if held[members].all():
            held[members[values[members] == values[members].max()]] = False
    return held
