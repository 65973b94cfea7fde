"""`captions:PATH`: images with a file of captions beside each; `captions:mnist`, `captions:digits`: measured digits.

The captions of a digit say in several wordings what was measured of it: its class, how thick its strokes are, where it
leans, and how wide it is for its class. MNIST is scaled to one height and centred by its mass: width is all there is of
size, and nothing of position.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import numpy.typing as npt

from zerosum.data.captions import CAPTIONS, Vocabulary
from zerosum.data.convert import open_images
from zerosum.data.dataset import Dataset, Split, fingerprint
from zerosum.data.sources import SOURCES, Request, Source, path_in_full
from zerosum.data.sources.folder import path_of
from zerosum.data.strokes import SIDE, measure

Numbers = npt.NDArray[np.int64]

MEASURED = ("digits", "mnist")
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
THICKNESS, THICK_FROM = ("thin", "medium", "thick"), (2.25, 2.8)  # pixels of 28: thirds of MNIST
SLANT_FROM = (0.0, 0.26)  # tangents: thirds of MNIST, which leans to the right
LEANS = ("leans to the left", "stands upright", "leans to the right")
LEANING = ("leaning left", "standing upright", "leaning right")
WIDTH = ("narrow ", "", "wide ")  # thirds of each class
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


def captions_of(digit: int, thickness: int, slant: int, width: int) -> list[str]:
    """Every wording for a digit of a class, with the number of each property's third, from 0."""
    told = {
        "digit": DIGITS[digit],
        "thick": THICKNESS[thickness],
        "leans": LEANS[slant],
        "leaning": LEANING[slant],
        "wide": WIDTH[width],
    }
    return [wording.format(**told) for wording in WORDINGS]


def open_captions(request: Request) -> Dataset:
    """Images with captions: measured ones of digits, else those that lie beside the images."""
    if request.argument not in MEASURED:
        return open_images(path_of(request), request.source, request.size, request.sizes, request.channels, CAPTIONS)
    asked = replace(request, source=request.argument)
    found = SOURCES[request.argument].open(asked)
    small = SOURCES[found.name].open(replace(asked, source=found.name, size=SIDE, sizes=(), channels=1))
    vocabulary = Vocabulary.of([captions_of(*case) for case in _cases()])
    rows = vocabulary.rows([captions_of(*case) for case in _cases()], len(WORDINGS))
    limits = _limits(small.train)
    train, held_out = (
        Split(samples=split.samples, captions=rows[_case_of(measured, limits)])
        for split, measured in ((found.train, small.train), (found.held_out, small.held_out))
    )
    return replace(
        found,
        name=f"captions:{found.name}",
        train=train,
        held_out=held_out,
        classes=None,
        fingerprint=fingerprint(train, held_out),
        words=vocabulary.words,
    )


def _cases() -> list[tuple[int, ...]]:
    """Class and the thirds of thickness, slant and width, in the order of `_case_of`."""
    return list(product(range(len(DIGITS)), range(3), range(3), range(3)))


def _limits(train: Split) -> npt.NDArray[np.float64]:
    """Between narrow, usual and wide, of each class: (10, 2)."""
    width = measure(train.samples).width
    return np.array([np.quantile(width[train.labels == digit], (1 / 3, 2 / 3)) for digit in range(len(DIGITS))])


def _case_of(split: Split, limits: npt.NDArray[np.float64]) -> Numbers:
    """(N,): the number of each image's case in `_cases`."""
    assert split.labels is not None
    found = measure(split.samples)
    thickness, slant = np.digitize(found.thickness, THICK_FROM), np.digitize(found.slant, SLANT_FROM)
    width = (found.width[:, None] > limits[split.labels]).sum(axis=1)
    case: Numbers = ((split.labels * 3 + thickness) * 3 + slant) * 3 + width
    return case


def in_full(argument: str) -> str:
    """A path in full; the digits by their name."""
    return argument if argument in MEASURED else path_in_full(argument)


SOURCES.register("captions")(
    Source(title="images with captions, or digits|mnist", open=open_captions, argument="PATH", in_full=in_full)
)
