"""A look at the data before training: a 5x5 grid with the numbers that matter, and a list of what is wrong."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from zerosum.data.cache import write_atomically
from zerosum.data.captions import Vocabulary
from zerosum.data.dataset import Dataset, Skipped, open_dataset, resolve
from zerosum.data.sources import SOURCES, Request, Surveyed
from zerosum.data.transforms import pictures
from zerosum.errors import UserError

ROWS = 5
TILE = 128  # pixels of one picture in the grid, about
GUTTER = 4
CANVAS = 640  # pixels of a scatter of points
POINTS_SHOWN = 5_000
SEED = 0

FEW_IMAGES = 10  # in a class, or a tenth of the largest class
LISTED = 1_000  # entries in one list of a report; the counts are whole


def show(dataset: Dataset, path: Path) -> dict[str, Any]:
    """Writes 25 training images drawn with a fixed seed (or a scatter of points) to `path`, a PNG.

    Returns what `data show` says, as JSON values: shape (C, H, W), the range of values as stored, sizes of
    train and held out, images in each class, and what was skipped.
    """
    picture = _grid(dataset) if dataset.kind == "images" else _scatter(dataset)
    png = io.BytesIO()
    picture.save(png, format="PNG")
    try:
        write_atomically(path, png.getvalue())
    except OSError as error:
        raise UserError(
            f"can't write {path}: {error.strerror or error}; expected a place for a picture: name another file"
        ) from None
    low, high = _range(dataset.train.samples)
    return {
        "name": dataset.name,
        "kind": dataset.kind,
        "shape": list(dataset.shape),
        "dtype": str(dataset.train.samples.dtype),
        "range": [low, high],
        "train": len(dataset.train),
        "held_out": len(dataset.held_out),
        "classes": _counts(dataset),
        "skipped": [asdict(one) for one in dataset.skipped],
        "note": dataset.note,
        "captions": _captions(dataset),
        "fingerprint": dataset.fingerprint,
        "picture": str(path),
    }


def _range(samples: npt.NDArray[Any]) -> tuple[float, float]:
    """The lowest and highest value, read in pieces; integers for images."""
    pieces = [samples[start : start + 4096] for start in range(0, len(samples), 4096)]
    return min(piece.min() for piece in pieces).item(), max(piece.max() for piece in pieces).item()


def _counts(dataset: Dataset) -> dict[str, int] | None:
    """Images of each class, train and held out together."""
    if dataset.classes is None:
        return None
    labels = [split.labels for split in (dataset.train, dataset.held_out) if split.labels is not None]
    counts = np.bincount(np.concatenate(labels), minlength=len(dataset.classes))
    return {name: int(count) for name, count in zip(dataset.classes, counts, strict=True)}


def _captions(dataset: Dataset) -> dict[str, Any] | None:
    """How many words the captions are made of, and all of one image; None where there are none."""
    if dataset.text is None or dataset.train.captions is None:
        return None
    vocabulary = Vocabulary(dataset.words, dataset.text[1])
    texts = [vocabulary.text(row) for row in dataset.train.captions[0]]
    return {"words": len(dataset.words), "first": list(dict.fromkeys(texts))}


def _grid(dataset: Dataset) -> Image.Image:
    """Samples by chance; beside each of a pair, on its left, what it is to be made of."""
    samples, partners = dataset.train.samples, dataset.train.partners
    count = min(ROWS * ROWS, len(samples))
    rows = np.random.RandomState(SEED).choice(len(samples), count, replace=False)
    size = samples.shape[1]
    side = size * max(1, round(TILE / size))
    kept = [] if partners is None else pictures(partners[rows], dataset.shape[0])
    shown = [*kept, np.asarray(samples[rows])]
    pitch, across = side + GUTTER, len(shown) * side + GUTTER
    canvas = Image.new("RGB", (ROWS * across + GUTTER, ROWS * pitch + GUTTER), "white")
    for place in range(count):
        for half, images in enumerate(shown):
            pixels = images[place][..., 0] if images.shape[3] == 1 else images[place]
            tile = Image.fromarray(np.ascontiguousarray(pixels)).resize((side, side), Image.Resampling.NEAREST)
            canvas.paste(tile, (GUTTER + place % ROWS * across + half * side, GUTTER + place // ROWS * pitch))
    return canvas


def _scatter(dataset: Dataset) -> Image.Image:
    points = dataset.train.samples[:POINTS_SHOWN]
    reach = 1.1 * max(float(np.abs(points).max()), 1e-6)
    canvas = Image.new("RGB", (CANVAS, CANVAS), "white")
    draw = ImageDraw.Draw(canvas)
    middle = CANVAS / 2
    draw.line([(0, middle), (CANVAS, middle)], fill="lightgrey")
    draw.line([(middle, 0), (middle, CANVAS)], fill="lightgrey")
    for x, y in middle + points * [middle / reach, -middle / reach]:
        draw.ellipse([x - 1.5, y - 1.5, x + 1.5, y + 1.5], fill="steelblue")
    return canvas


# What is wrong in a source


@dataclass
class _Findings:
    """What a reading of the whole source has gathered."""

    images: int = 0
    unreadable: list[Skipped] = field(default_factory=list)
    blank: list[str] = field(default_factory=list)
    first: dict[bytes, str] = field(default_factory=dict)
    duplicates: dict[str, list[str]] = field(default_factory=dict)
    sizes: Counter[str] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)

    def add(self, name: str, mode: str, pixels: npt.NDArray[np.uint8]) -> None:
        self.images += 1
        self.modes[mode] += 1
        self.sizes[f"{pixels.shape[1]}x{pixels.shape[0]}"] += 1
        if (pixels == pixels[0, 0]).all():
            self.blank.append(name)
        digest = hashlib.sha256(f"{pixels.shape}".encode() + pixels.tobytes()).digest()
        if digest in self.first:
            self.duplicates.setdefault(self.first[digest], []).append(name)
        else:
            self.first[digest] = name


def check(source: str) -> dict[str, Any]:
    """Reads a whole source and lists what is wrong in it, as JSON values.

    `ok` is true where `problems` is empty: no file that can't be read, no two images with the same pixels,
    none of a single colour, no class with fewer than 10 images or a tenth of the largest. Sizes and modes
    are counted as they are in the files. `UserError` where the source can't be opened at all.
    """
    name, argument = resolve(source)
    dataset = open_dataset(source)
    survey = SOURCES[name].survey
    findings = _Findings()
    if survey is not None:
        for item in survey(Request(source=source, argument=argument)):
            if isinstance(item, Surveyed):
                findings.add(item.name, item.mode, item.pixels)
            else:
                findings.unreadable.append(item)
    elif dataset.kind == "images":
        for place, pixels in _stored(dataset):
            findings.add(place, "L" if pixels.shape[2] == 1 else "RGB", pixels)
    known = {skipped.name for skipped in findings.unreadable}  # the others are left out for their places
    findings.unreadable += [one for one in dataset.skipped if one.name not in known]
    return _report(source, dataset, findings)


def _stored(dataset: Dataset) -> Iterator[tuple[str, npt.NDArray[np.uint8]]]:
    for part, split in (("train", dataset.train), ("held_out", dataset.held_out)):
        for index, pixels in enumerate(split.samples):
            yield f"{part}[{index}]", pixels


def _report(source: str, dataset: Dataset, findings: _Findings) -> dict[str, Any]:
    counts = _counts(dataset)
    least = max(FEW_IMAGES, max(counts.values()) // 10) if counts else 0
    few = {name: count for name, count in (counts or {}).items() if count < least}
    copies = sum(len(names) for names in findings.duplicates.values())
    problems = [
        f"{count:,} {what}"
        for count, what in (
            (len(findings.unreadable), "files are skipped"),
            (copies, "images are exact copies of another"),
            (len(findings.blank), "images are of a single colour"),
            (len(few), f"classes have fewer than {least} images"),
        )
        if count
    ]
    return {
        "source": source,
        "ok": not problems,
        "problems": problems,
        "images": findings.images if dataset.kind == "images" else len(dataset.train) + len(dataset.held_out),
        "train": len(dataset.train),
        "held_out": len(dataset.held_out),
        "unreadable": [asdict(one) for one in findings.unreadable[:LISTED]],
        "duplicates": [[name, *others] for name, others in list(findings.duplicates.items())[:LISTED]],
        "blank": findings.blank[:LISTED],
        "few": few,
        "classes": counts,
        "sizes": dict(findings.sizes.most_common(LISTED)),
        "modes": dict(findings.modes.most_common()),
        "note": dataset.note,
    }
