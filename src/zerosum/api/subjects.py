"""What can be judged: a run, a checkpoint, a fleet, or images that anybody made, each as a source of samples."""

from __future__ import annotations

import zipfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from zerosum.api.fleets import Fleet
from zerosum.api.generator import load
from zerosum.api.run import Run
from zerosum.api.scoring import in_turn
from zerosum.data import archive, transforms
from zerosum.data.dataset import Skipped
from zerosum.errors import UserError
from zerosum.types import PathLike

Samples = npt.NDArray[Any]
Labels = npt.NDArray[np.int64] | None


class Subject(ABC):
    """Something to judge. `drawn`: it makes as many samples as one wants, others for every seed."""

    drawn = True
    checkpoint: str | None = None
    step: int | None = None
    ema: bool | None = None
    data: str | None = None  # that it was trained on
    words: tuple[str, ...] = ()  # of the captions that it is told

    @abstractmethod
    def samples(self, n: int, seed: int, classes: Labels) -> Samples:
        """n samples, uint8 (n, H, W, C) or points (n, 2), of classes, or captions, as `classes` where it has any."""


class Drawn(Subject):
    """A run's generator, or that of a checkpoint's folder."""

    def __init__(self, path: PathLike, checkpoint: str | None, device: str) -> None:
        self.generator = load(path, checkpoint, device=device)
        self.checkpoint = checkpoint or _default(Path(path))
        self.step, self.ema = self.generator.step, self.generator.recipe.ema > 0
        self.data = self.generator.recipe.data
        if self.generator.vocabulary is not None:
            self.words = self.generator.vocabulary.words

    def samples(self, n: int, seed: int, classes: Labels) -> Samples:
        labels = self.generator.labels(n)
        if labels is not None and classes is not None and len(classes):
            labels = in_turn(classes, n)  # the reference is shuffled, so its first n are distributed as the data
        return np.concatenate(list(self.generator.batches(n, seed=seed, labels=labels)))


class DrawnFleet(Subject):
    """All members of a fleet, each as often as its class is in the data."""

    def __init__(self, path: PathLike, checkpoint: str | None, device: str) -> None:
        self.fleet = Fleet(path)
        self.checkpoint = checkpoint
        self.generators = {
            label: run.generator(checkpoint, device=device) for label, run in self.fleet.chosen(None).items()
        }
        self.data = str(self.fleet.info["recipe"]["data"])

    def samples(self, n: int, seed: int, classes: Labels) -> Samples:
        if len(self.generators) < len(self.fleet.labels):
            raise UserError(f"{self.fleet.path} lacks models: finish it with `zerosum resume {self.fleet.path}`")
        numbers = np.arange(n) % len(self.fleet.labels) if classes is None else np.resize(classes, n)
        parts = []
        for label, generator in self.generators.items():
            count = int((numbers == self.fleet.labels.index(label)).sum())
            if count:
                parts.append(generator.sample(count, seed=self.fleet.seed(seed, label)))
        return np.concatenate(parts)


class Images(Subject):
    """Images that lie there: a folder, an archive, or an npz with `images`."""

    drawn = False

    def __init__(self, path: PathLike) -> None:
        self.images = read_npz(Path(path)) if Path(path).suffix.lower() == ".npz" else read_images(Path(path))

    def samples(self, n: int, seed: int, classes: Labels) -> Samples:
        return self.images


def subject(path: PathLike, checkpoint: str | None = None, device: str = "cpu") -> Subject:
    """What lies at that path; `UserError` where it is nothing that can be judged."""
    folder = Path(path)
    if (folder / "fleet.json").exists():
        return DrawnFleet(path, checkpoint, device)
    if (folder / "run.json").exists() or (folder / "manifest.json").exists():
        return Drawn(path, checkpoint, device)
    if checkpoint is not None:
        raise UserError(f"{path} is no run, so it has no checkpoint {checkpoint}: leave --checkpoint out")
    if not folder.exists():
        raise UserError(f"{path} is not there; expected a run, or a folder, archive or npz of images")
    return Images(path)


def _default(path: Path) -> str:
    """The name of the checkpoint that `load` takes."""
    if (path / "manifest.json").exists():
        return path.name
    return "best" if "best" in Run(path).checkpoints() else "last"


def read_npz(path: Path) -> Samples:
    """`images` (or the only array) of an npz: uint8 or floats in [0, 1], (N, H, W, C) or (N, H, W)."""
    try:
        with np.load(path, allow_pickle=False) as found:
            names = list(found.keys())
            name = "images" if "images" in names else "points" if "points" in names else names[0]
            array: Samples = found[name]
    except (OSError, ValueError, IndexError, zipfile.BadZipFile, EOFError) as error:
        raise UserError(f"{path} can't be read as npz ({error}); expected an array `images`") from None
    return checked(array, name, path)


def checked(array: Samples, name: str, path: Path) -> Samples:
    """Points as float32, images as uint8 (N, H, W, C); `UserError` for anything else."""
    if array.ndim == 2 and array.shape[1] == 2:
        return np.asarray(array, dtype=np.float32)
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim != 4 or not len(array):
        raise UserError(f"{name} in {path} has the shape {array.shape}; expected images (N, H, W, C)")
    if array.dtype == np.uint8:
        return array
    if not np.issubdtype(array.dtype, np.floating):
        raise UserError(f"{name} in {path} is {array.dtype}; expected uint8, or floats from 0 to 1")
    if not np.isfinite(array).all():
        bad = int((~np.isfinite(array).all(axis=(1, 2, 3))).sum())
        raise UserError(f"{bad} of the {len(array)} images in {path} have values that are not finite: leave them out")
    if array.min() < 0 or array.max() > 1:
        raise UserError(f"{name} in {path} goes from {array.min():g} to {array.max():g}; expected floats from 0 to 1")
    return np.asarray((array * 255).round().astype(np.uint8))


def read_images(path: Path) -> Samples:
    """Every image of a folder, tar or zip as it is, (N, H, W, C), C 1 where all are grey; all of one size."""
    images: list[npt.NDArray[np.uint8]] = []
    shapes: dict[tuple[int, ...], str] = {}
    skipped: list[Skipped] = []
    with transforms.quiet():
        for item in archive.read_files(path):
            if isinstance(item, Skipped):
                skipped.append(item)
                continue
            try:
                pixels = transforms.whole(item.data)[1]
            except transforms.ImageError as error:
                skipped.append(Skipped(name=item.name, reason=str(error)))
                continue
            images.append(pixels)
            shapes.setdefault(pixels.shape[:2], item.name)
    if not images:
        why = f", such as {skipped[0].name}: {skipped[0].reason}" if skipped else ""
        raise UserError(f"{path} has no image that can be read{why}; expected a run, or images to judge")
    if len(shapes) > 1:
        (one, first), (other, second) = list(shapes.items())[:2]
        raise UserError(
            f"images in {path} differ in size: {first} has {one[1]}x{one[0]} pixels, {second} {other[1]}x{other[0]}; "
            "expected one size for all"
        )
    colour = any(image.shape[2] == 3 for image in images)
    return np.stack([image.repeat(3, axis=2) if colour and image.shape[2] == 1 else image for image in images])


def fitted_to(images: Samples, shape: tuple[int, ...], what: PathLike, source: str) -> Samples:
    """Images with the size and channels (C, H, W) of the real ones; grey in three equal channels counts as grey.

    `UserError` where they are of another size, or in colour where the real ones are not.
    """
    channels, height, width = shape
    if images.ndim != 4:
        raise UserError(f"{what} has points, and {source} has images: name other data --against which to judge")
    if images.shape[1:3] != (height, width):
        raise UserError(
            f"images of {what} have {images.shape[2]}x{images.shape[1]} pixels, those of {source} {width}x{height}; "
            "expected the same size: resize them first"
        )
    if images.shape[3] == channels:
        return images
    if channels == 1 and images.shape[3] == 3 and (images == images[..., :1]).all():
        return images[..., :1]
    words = {1: "grey", 3: "in colour"}
    raise UserError(
        f"images of {what} are {words.get(images.shape[3], f'of {images.shape[3]} channels')}, those of {source} are "
        f"{words[channels]}; expected the same"
    )
