"""What can be measured of a digit: how thick its strokes are, how far they lean, how large it is and where it lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Column = npt.NDArray[np.float64]
SIDE = 28  # pixels along a side that lengths are told for, whatever the images' size
WITHIN = 1 / 12  # the second moment of a square pixel about its own middle
AT_ONCE = 2_048  # images in memory as floats


@dataclass(frozen=True)
class Strokes:
    """Of each image, (N,): lengths in pixels of 28, slant as the tangent of the angle to the right.

    `x` and `y` are the middle of the ink from that of the image, to the right and down.
    """

    thickness: Column
    slant: Column
    width: Column
    height: Column
    x: Column
    y: Column


def measure(images: npt.NDArray[np.uint8]) -> Strokes:
    """Bright digits on black, uint8 (N, H, H, C), of any size; an empty image has zeros.

    Thickness is twice the area over the length of the outline, which for a stroke is its width: the outline as the sum
    of the gradient's norm. Slant is the moment xy over the moment yy, height four deviations of y, and width as many of
    x along the slant.
    """
    parts = [_measured(images[start : start + AT_ONCE]) for start in range(0, len(images), AT_ONCE)]
    return Strokes(*np.concatenate(parts, axis=1)) if parts else Strokes(*np.empty((6, 0)))


def _measured(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """(6, N): a row for each field of `Strokes`."""
    ink = images.astype(np.float64).max(axis=3) / 255
    side = ink.shape[1]
    area = ink.sum(axis=(1, 2))
    padded = np.pad(ink, ((0, 0), (1, 1), (1, 1)))
    down, across = padded[:, 1:] - padded[:, :-1], padded[:, :, 1:] - padded[:, :, :-1]
    norms = np.hypot((down[:, :, 1:] + down[:, :, :-1]) / 2, (across[:, 1:] + across[:, :-1]) / 2)
    outline = norms.sum(axis=(1, 2))
    places = np.arange(side, dtype=np.float64)
    whole = np.maximum(area, 1e-9)
    y, x = ((ink.sum(axis=axis) @ places) / whole for axis in (2, 1))
    dy, dx = places[None] - y[:, None], places[None] - x[:, None]
    yy = np.einsum("nij,ni,ni->n", ink, dy, dy) / whole + WITHIN
    xy = np.einsum("nij,ni,nj->n", ink, dy, dx) / whole
    xx = np.einsum("nij,nj,nj->n", ink, dx, dx) / whole + WITHIN
    slope = xy / np.maximum(yy, 1e-9)
    spread = np.sqrt(np.maximum(xx - slope * xy, 0)) * (area > 0)
    tall = np.sqrt(yy) * (area > 0)
    middle = [(place - (side - 1) / 2) * (area > 0) for place in (x, y)]
    lengths = np.stack([2 * area / np.maximum(outline, 1e-9), 4 * spread, 4 * tall, *middle]) * (SIDE / side)
    return np.stack([lengths[0], -slope, *lengths[1:]])
