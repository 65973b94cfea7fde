"""`stacked`: three MNIST digits as the three channels of one image, 1,000 modes (Metz et al. 2016, arXiv 1611.02163).

Each channel goes through MNIST in an order of its own, so there are as many images as digits, every digit is three
times in them, and they are the same everywhere. They have no labels: the modes are what a generator has to find.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from zerosum.data.dataset import Dataset, Split, fingerprint
from zerosum.data.sources import SOURCES, Request, Source
from zerosum.errors import UserError

ORDER = 1611  # seeds the orders of the channels


def stack(split: Split, seed: int) -> npt.NDArray[np.uint8]:
    """Grey (N, H, W, 1) to (N, H, W, 3), each channel in an order of its own."""
    # RandomState: numpy promises never to change what it draws.
    random = np.random.RandomState(seed)
    channels = [split.samples[random.permutation(len(split))] for _ in range(3)]
    return np.concatenate(channels, axis=3)


def open_stacked(request: Request) -> Dataset:
    """As many images as MNIST has in each split; of `digits`, with a note, where MNIST can't be had."""
    if request.channels == 1:
        raise UserError("stacked has three channels, one digit in each; expected a recipe for colour images")
    digits = SOURCES["mnist"].open(replace(request, source="mnist", channels=1))
    train, held_out = (
        Split(samples=stack(split, ORDER + index)) for index, split in enumerate((digits.train, digits.held_out))
    )
    return Dataset(
        name="stacked",
        kind="images",
        train=train,
        held_out=held_out,
        classes=None,
        fingerprint=fingerprint(train, held_out),
        note=digits.note,
    )


SOURCES.register("stacked")(Source(title="three MNIST digits in one image, 1,000 modes", open=open_stacked))
