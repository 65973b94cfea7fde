"""An image of any size through a network in tiles whose seams are blended, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

Make = Callable[[Tensor], Tensor]  # (1, c, h, w) to (1, C, h, w)


def through(make: Make, x: Tensor, *, granularity: int, factor: int = 1, tile: int = 512, overlap: int = 64) -> Tensor:
    """x (1, c, H, W) to (1, C, factor H, factor W), all `bands` in one."""
    return torch.cat(list(bands(make, x, granularity=granularity, factor=factor, tile=tile, overlap=overlap)), dim=2)


def bands(
    make: Make, x: Tensor, *, granularity: int, factor: int = 1, tile: int = 512, overlap: int = 64
) -> Iterator[Tensor]:
    """x (1, c, H, W) to (1, C, h, factor W), from top to bottom: whole where it is no larger than a tile, else in rows.

    Sides are filled up to multiples of `granularity` with the image's own mirror image, and cut again. `tile` and
    `overlap`, in pixels of x, are multiples of it; `factor` is how many times `make` enlarges. What is kept of an
    image is two rows of tiles.
    """
    height, width = (factor * side for side in x.shape[2:])
    x = filled(x, granularity)
    if max(x.shape[2:]) <= tile:
        yield make(x)[:, :, :height, :width]
        return
    tops, lefts = (starts(side, tile, overlap) for side in x.shape[2:])
    total: Tensor | None = None  # of the rows from `top` on: what tiles made, times their weights; and the weights
    for top, following in zip(tops, [*tops[1:], x.shape[2]], strict=True):
        for left in lefts:
            made = make(x[..., top : top + tile, left : left + tile])
            rows, columns = (hill(side, factor * overlap).to(made) for side in made.shape[2:])
            weight = (rows[:, None] * columns).expand(1, 1, -1, -1)
            if total is None:
                total = made.new_zeros(1, made.shape[1] + 1, made.shape[2], factor * x.shape[3])
            total[..., factor * left : factor * left + made.shape[3]] += torch.cat([made * weight, weight], dim=1)
        assert total is not None
        done = factor * (following - top)
        found = total[:, :-1, :done, :width] / total[:, -1:, :done, :width]
        yield found[:, :, : height - factor * top]
        total = F.pad(total[:, :, done:], (0, 0, 0, done))


def filled(x: Tensor, granularity: int) -> Tensor:
    """With the mirror image below and to the right, up to the next multiples; a pixel's copy where that is too far."""
    below, right = (-side % granularity for side in x.shape[2:])
    mode = "reflect" if below < x.shape[2] and right < x.shape[3] else "replicate"
    return F.pad(x, (0, right, 0, below), mode=mode) if below or right else x


def starts(length: int, tile: int, overlap: int) -> list[int]:
    """Where tiles begin so that they cover a side, each at least `overlap` over the one before."""
    if length <= tile:
        return [0]
    return [*range(0, length - tile, tile - overlap), length - tile]


def hill(length: int, overlap: int) -> Tensor:
    """(length,) weights: 1 in the middle, falling evenly towards both ends over the overlap."""
    place = torch.arange(length) + 1.0
    return torch.minimum(place, place.flip(0)).clamp_max(overlap) / overlap
