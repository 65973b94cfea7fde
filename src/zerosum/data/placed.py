"""Digits in other sizes and places: what a caption can tell of an image beyond how a digit was drawn."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

SCALES = (0.6, 1.0)  # of the digit to what it is when it fills the image as MNIST's do


def place(digits: npt.NDArray[np.uint8], side: int, channels: int, seed: int) -> npt.NDArray[np.uint8]:
    """Bright digits on black, (N, H, H, 1), each in another size somewhere in a black image: (N, side, side, channels).

    Scales are drawn evenly from `SCALES`, places evenly from those where none of the ink is cut off.
    """
    chance = np.random.default_rng(seed)
    scales = chance.uniform(*SCALES, len(digits))
    places = chance.uniform(size=(len(digits), 2))
    images = np.zeros((len(digits), side, side, channels), np.uint8)
    for image, digit, scale, at in zip(images, digits[..., 0], scales, places, strict=True):
        ink = _cut(digit, max(1, round(scale * side)))
        down, right = (round(part * (side - length)) for part, length in zip(at, ink.shape, strict=True))
        image[down : down + ink.shape[0], right : right + ink.shape[1]] = ink[..., None]
    return images


def _cut(digit: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.uint8]:
    """The ink of an image (H, H) that is made so large: what lies between its first and last rows and columns."""
    sized = np.asarray(Image.fromarray(digit).resize((side, side), Image.Resampling.BILINEAR))
    rows, columns = (np.flatnonzero(sized.any(axis=axis)) for axis in (1, 0))
    return sized[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if len(rows) else sized[:1, :1]
