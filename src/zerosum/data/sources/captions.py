"""`captions:PATH`: images with a file of captions beside each; `captions:mnist`, `captions:digits`: measured digits.

The captions of a digit say in several wordings what was measured of it: its class, how thick its strokes are, where it
leans, and how wide it is for its class. MNIST is scaled to one height and centred by its mass: width is all there is of
size, and nothing of position. `captions:placed-mnist` and `captions:placed-digits` are the same digits put in another
size somewhere into the image (placed.py), and their captions also say how large they are and where they lie.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import numpy.typing as npt

from zerosum.data.captions import CAPTIONS, Vocabulary
from zerosum.data.convert import open_images
from zerosum.data.dataset import Dataset, Split, fingerprint
from zerosum.data.placed import place
from zerosum.data.sources import SOURCES, Request, Source, path_in_full
from zerosum.data.sources.folder import path_of
from zerosum.data.strokes import SIDE, measure
from zerosum.data.transforms import choose_size

Numbers = npt.NDArray[np.int64]

MEASURED = {"digits": "digits", "mnist": "mnist", "placed-digits": "digits", "placed-mnist": "mnist"}
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
THICKNESS, THICK_FROM = ("thin", "medium", "thick"), (2.25, 2.8)  # pixels of 28: thirds of MNIST
SLANT_FROM = (0.0, 0.26)  # tangents: thirds of MNIST, which leans to the right
LEANS = ("leans to the left", "stands upright", "leans to the right")
LEANING = ("leaning left", "standing upright", "leaning right")
WIDTH = ("narrow ", "", "wide ")  # thirds of each class
SIZE = ("small", "middling", "large")  # thirds of each class
PLACE_FROM = (-2.5, 2.5)  # pixels of 28 from the middle
PLACES = (
    ("upper left", "upper middle", "upper right"),
    ("middle left", "middle", "middle right"),
    ("lower left", "lower middle", "lower right"),
)
WORDINGS = (
    "a {thick} {wide}{digit} that {leans}",
    "the digit {digit}, {thick} and {leaning}",
    "a {wide}{digit} drawn with a {thick} pen, {leaning}",
    "this {digit} {leans} and has {thick} strokes",
    "a {thick} {digit} {leaning}",
    "a {wide}{digit} {leaning}",
    "a {thick} {digit}",
    "a {digit} that {leans}",
    "the number {digit}",
)
PLACED_WORDINGS = (
    "a {size} {thick} {wide}{digit} that {leans} in the {place}",
    "the digit {digit}, {size}, {thick} and {leaning}, in the {place}",
    "in the {place} a {wide}{digit} drawn with a {thick} pen, {leaning}",
    "this {size} {digit} {leans} and lies in the {place}",
    "a {size} {thick} {digit} {leaning} in the {place}",
    "a {thick} {digit} {leaning} in the {place}",
    "a {size} {digit} in the {place}",
    "a {size} {thick} {digit}",
    "the number {digit} in the {place}",
)


@dataclass(frozen=True)
class Kind:
    """What a kind of caption tells of, after the class: each property in thirds, by name; and its wordings."""

    wordings: tuple[str, ...]
    thirds: tuple[str, ...]

    @property
    def cases(self) -> list[tuple[int, ...]]:
        """Every class with every third of every property."""
        return list(product(range(len(DIGITS)), *[range(3)] * len(self.thirds)))

    def captions_of(self, digit: int, *thirds: int) -> list[str]:
        """Every wording for a digit of a class, with the number of each property's third, from 0."""
        of = dict.fromkeys(("size", "y", "x"), 1) | dict(zip(self.thirds, thirds, strict=True))
        told = {
            "digit": DIGITS[digit],
            "thick": THICKNESS[of["thickness"]],
            "leans": LEANS[of["slant"]],
            "leaning": LEANING[of["slant"]],
            "wide": WIDTH[of["width"]],
            "size": SIZE[of["size"]],
            "place": PLACES[of["y"]][of["x"]],
        }
        return [wording.format(**told) for wording in self.wordings]


CENTRED = Kind(WORDINGS, ("thickness", "slant", "width"))
ANYWHERE = Kind(PLACED_WORDINGS, ("thickness", "slant", "width", "size", "y", "x"))


def open_captions(request: Request) -> Dataset:
    """Images with captions: measured ones of digits, else those that lie beside the images."""
    if request.argument not in MEASURED:
        return open_images(path_of(request), request.source, request.size, request.sizes, request.channels, CAPTIONS)
    name = MEASURED[request.argument]
    kind = CENTRED if request.argument == name else ANYWHERE
    asked, as_drawn = replace(request, source=name), replace(request, size=SIDE, sizes=(), channels=1)
    found = SOURCES[name].open(asked if kind is CENTRED else replace(as_drawn, source=name))
    small = SOURCES[found.name].open(replace(as_drawn, source=found.name)) if kind is CENTRED else found
    plain = (small.train, small.held_out)
    seen: tuple[Split, ...] = (found.train, found.held_out)
    if kind is ANYWHERE:
        side, channels = choose_size(request.size, request.sizes, SIDE), request.channels or 1
        seen = tuple(
            replace(split, samples=place(split.samples, side, channels, seed)) for seed, split in enumerate(plain)
        )
    texts = [kind.captions_of(*case) for case in kind.cases]
    vocabulary = Vocabulary.of(texts)
    rows = vocabulary.rows(texts, len(kind.wordings))
    train, held_out = (
        Split(samples=split.samples, captions=rows[case])
        for split, case in zip(seen, _cases(kind, plain, seen), strict=True)
    )
    return replace(
        found,
        name=f"captions:{'placed-' if kind is ANYWHERE else ''}{found.name}",
        train=train,
        held_out=held_out,
        classes=None,
        fingerprint=fingerprint(train, held_out),
        words=vocabulary.words,
    )


def _cases(kind: Kind, plain: Sequence[Split], seen: Sequence[Split]) -> Iterator[Numbers]:
    """(N,) of each split: the number of each image's case in `Kind.cases`.

    plain: the digits at 28 pixels, where strokes are measured; seen: as they are shown, where size and place are.
    """
    strokes = [measure(split.samples) for split in plain]
    placed = [measure(split.samples) for split in seen] if kind is ANYWHERE else strokes
    widths, heights = (_thirds(values, plain[0]) for values in (strokes[0].width, placed[0].height))
    for split, drawn, there in zip(plain, strokes, placed, strict=True):
        assert split.labels is not None
        of = {
            "thickness": np.digitize(drawn.thickness, THICK_FROM),
            "slant": np.digitize(drawn.slant, SLANT_FROM),
            "width": (drawn.width[:, None] > widths[split.labels]).sum(axis=1),
            "size": (there.height[:, None] > heights[split.labels]).sum(axis=1),
            "y": np.digitize(there.y, PLACE_FROM),
            "x": np.digitize(there.x, PLACE_FROM),
        }
        case: Numbers = split.labels
        for name in kind.thirds:
            case = case * 3 + of[name]
        yield case


def _thirds(values: npt.NDArray[np.float64], train: Split) -> npt.NDArray[np.float64]:
    """(10, 2): between the thirds of what was measured of each class."""
    return np.array([np.quantile(values[train.labels == digit], (1 / 3, 2 / 3)) for digit in range(len(DIGITS))])


def in_full(argument: str) -> str:
    """A path in full; the digits by their name."""
    return argument if argument in MEASURED else path_in_full(argument)


SOURCES.register("captions")(
    Source(title="images with captions, or digits|mnist|placed-…", open=open_captions, argument="PATH", in_full=in_full)
)
