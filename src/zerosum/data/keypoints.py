"""Points on images as maps that networks see: a disc for each point, and the body that lies between them.

Both are as in 1705.09368, section 3.1: a disc of 4 pixels around each joint, and a mask of the limbs, thickened.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from zerosum.data.dataset import Split

Bytes = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float32]  # (…, K, 2): x and y in pixels from the upper left pixel's centre; NaN: not seen
Rows = npt.NDArray[np.int64]

RADIUS = 4.0  # pixels, of a disc; of small images a part of their side
PARTS = 32  # of the side that a radius is at most one of
THICKNESS = 16  # parts of the side that half a limb's width is one of


@dataclass(frozen=True)
class Drawn:
    """What looks like an array uint8 (N, H, W, C), made when rows are asked for: by numbers, a slice or a mask."""

    count: int
    one: tuple[int, int, int]  # (H, W, C)
    make: Callable[[Rows], Bytes]

    @property
    def dtype(self) -> np.dtype[np.uint8]:
        return np.dtype(np.uint8)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return (self.count, *self.one)

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.shape))

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, key: Any) -> Bytes:
        first, *others = key if isinstance(key, tuple) else (key,)
        rows = np.arange(self.count)[first]
        return self.make(np.atleast_1d(rows))[(slice(None) if rows.ndim else 0, *others)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return self[:].astype(dtype or np.uint8, copy=False)


def drawn(count: int, one: tuple[int, int, int], make: Callable[[Rows], Bytes]) -> npt.NDArray[np.uint8]:
    """`count` images (H, W, C) that are made when they are asked for."""
    return cast("npt.NDArray[np.uint8]", Drawn(count, one, make))


def whole_in_square(points: Points, width: int, height: int, size: int) -> Points:
    """Where points of an image lie after `transforms.decode_whole`, which has it whole in a square of `size` pixels."""
    side = max(width, height)
    before = np.array([(side - width) // 2, (side - height) // 2], np.float32)
    return cast(Points, ((points + before + 0.5) * (size / side) - 0.5).astype(np.float32))


def discs(points: Points, size: int) -> Bytes:
    """(N, K, 2) to (N, size, size, K): 255 within a disc around each point that is seen, else 0."""
    radius = min(RADIUS, size / PARTS)
    grid = np.arange(size, dtype=np.float32)
    across, down = (np.square(grid - points[..., axis, None]) for axis in (0, 1))  # (N, K, size)
    near = down[..., :, None] + across[..., None, :] <= radius**2
    return np.ascontiguousarray(near.transpose(0, 2, 3, 1)) * np.uint8(255)


def body(points: Points, limbs: tuple[tuple[int, int], ...], size: int) -> Bytes:
    """(N, K, 2) to (N, size, size, 1): 255 near a limb whose ends are seen, or near a point that is, else 0."""
    radius = size / THICKNESS
    grid = np.arange(size, dtype=np.float32)
    inside = np.zeros((len(points), size, size), bool)
    for first, second in (*limbs, *((k, k) for k in range(points.shape[1]))):
        start, way = points[:, first], points[:, second] - points[:, first]
        x, y = grid - start[:, 0, None, None], grid[:, None] - start[:, 1, None, None]
        along = (x * way[:, 0, None, None] + y * way[:, 1, None, None]) / np.maximum(np.square(way).sum(1), 1e-6)[
            :, None, None
        ]
        along = np.clip(along, 0, 1)
        gap = np.square(x - along * way[:, 0, None, None]) + np.square(y - along * way[:, 1, None, None])
        inside |= gap <= radius**2
    return inside[..., None] * np.uint8(255)


def mirrored_order(channels: int, swapped: tuple[int, ...], more: int = 0) -> tuple[int, ...]:
    """The order of an image's channels, its points' maps and `more` maps after mirroring: left ones become right."""
    last = channels + len(swapped)
    return (*range(channels), *(channels + other for other in swapped), *range(last, last + more))


def pairs_of(
    images: Bytes,
    places: Rows,
    points: Points,
    with_maps: Callable[[Bytes, Points], Bytes],
    maps: int,
    labels: npt.NDArray[np.int64] | None = None,
) -> Split:
    """Pairs of the rows of images (N, S, S, C): of each of `places` (M, 2) the second one is the sample, and the first
    one with `maps` maps of its points (M, K, 2) the partner, made when it is asked for.
    """

    def taken(rows: Rows) -> Bytes:
        unique, back = np.unique(rows, return_inverse=True)  # in the order in which they lie on the disk
        return np.asarray(images[unique])[back]

    size, channels = images.shape[1], images.shape[3]
    deep = (size, size, channels + maps)
    return Split(
        samples=drawn(len(places), (size, size, channels), lambda rows: taken(places[rows, 1])),
        labels=labels,
        partners=drawn(len(places), deep, lambda rows: with_maps(taken(places[rows, 0]), points[rows])),
    )
