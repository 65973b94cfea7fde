"""`digits`: the first 10,000 images of MNIST's train split, inside the package; the last 1,000 are held out."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from zerosum.data.dataset import Dataset
from zerosum.data.idx import grey_dataset, parse_idx
from zerosum.data.sources import SOURCES, Request, Source

FOLDER = Path(__file__).resolve().parents[1] / "digits"
HELD_OUT = 1_000


def open_digits(request: Request) -> Dataset:
    """9,000 + 1,000 grey 28x28 digits with labels; see the NOTICE beside the files for whose they are."""
    images = parse_idx(gzip.decompress((FOLDER / "images-idx3-ubyte.gz").read_bytes()))
    labels = parse_idx(gzip.decompress((FOLDER / "labels-idx1-ubyte.gz").read_bytes())).astype(np.int64)
    return grey_dataset(
        "digits",
        (images[:-HELD_OUT], labels[:-HELD_OUT]),
        (images[-HELD_OUT:], labels[-HELD_OUT:]),
        classes=tuple("0123456789"),
        size=request.size,
        sizes=request.sizes,
        channels=request.channels,
    )


SOURCES.register("digits")(Source(title="10,000 handwritten digits, embedded", open=open_digits))
