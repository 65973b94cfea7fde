"""Operations that move pixels: DiffAugment's translation and cutout, and ADA's (arXiv 2006.10738 and 2006.06676, B).

Pixels are fetched by `gather`, whose gradient can be differentiated again, as R1 needs it; torch's `grid_sample` can't.
What moves between pixels is composed first, so that several operations blur no more than one. ADA samples a doubled
image between wavelet filters; here samples are bilinear, and mirrored at the edges.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from zerosum.augment.chance import Numbers, normal

TRANSLATION, CUTOUT = 0.125, 0.5  # DiffAugment's, as shares of a side


def translation(x: Tensor, u: Numbers) -> Tensor:
    """Moved by up to an eighth of a side each way, by whole pixels; what comes in is 0."""
    rows, columns = (_whole(u[:, index], round(TRANSLATION * side)) for index, side in enumerate(x.shape[2:]))
    padded = F.pad(x, [1, 1, 1, 1])
    return _fetch(padded, _clamped(x.shape[2], rows) + 1, _clamped(x.shape[3], columns) + 1)


def jump(x: Tensor, u: Numbers) -> Tensor:
    """Moved by up to an eighth of a side each way, by whole pixels; what comes in is mirrored (ADA's translation)."""
    rows, columns = (
        mirrored(torch.arange(side, device=x.device) - _whole(u[:, index], round(TRANSLATION * side))[:, None], side)
        for index, side in enumerate(x.shape[2:])
    )
    return _fetch(x, rows, columns)


def cutout(x: Tensor, u: Numbers) -> Tensor:
    """A square of half the side is 0; its middle is anywhere, so that a part of it may lie outside."""
    kept = []
    for index, side in enumerate(x.shape[2:]):
        size = round(CUTOUT * side)
        first = torch.floor(u[:, index] * (side + 1 - size % 2)) - size // 2
        place = torch.arange(side, device=x.device)
        kept.append((place >= first[:, None]) & (place < first[:, None] + size))
    hole = kept[0][:, None, :, None] & kept[1][:, None, None, :]
    return x * ~hole


def flip(x: Tensor, u: Numbers) -> Tensor:
    """Mirrored, half of the time."""
    return torch.where((u[:, 0] < 0.5)[:, None, None, None], x.flip(3), x)


def quarter_turns(x: Tensor, u: Numbers) -> Tensor:
    """Turned by 0, 90, 180 or 270 degrees; images are square."""
    turns = torch.floor(4 * u[:, 0])[:, None, None, None]
    turned = x
    for count in (1, 2, 3):
        turned = torch.where(turns == count, x.rot90(count, (2, 3)), turned)
    return turned


class Affine(NamedTuple):
    """p -> A p + b of each sample: A's four numbers (N,), b's two, row before column, in [-1, 1] from edge to edge."""

    a: Tensor
    b: Tensor
    c: Tensor
    d: Tensor
    down: Tensor
    right: Tensor

    def after(self, first: Affine) -> Affine:
        """`first`, and then this one."""
        a, b, c, d, down, right = self
        return Affine(
            a * first.a + b * first.c,
            a * first.b + b * first.d,
            c * first.a + d * first.c,
            c * first.b + d * first.d,
            a * first.down + b * first.right + down,
            c * first.down + d * first.right + right,
        )

    def where(self, happens: Tensor) -> Affine:
        """This one for some samples, none for the others."""
        return Affine(*(torch.where(happens, mine, still) for mine, still in zip(self, stay(self.a), strict=True)))


def stay(like: Tensor) -> Affine:
    """What moves nothing, for as many samples."""
    one, none = torch.ones_like(like), torch.zeros_like(like)
    return Affine(one, none, none, one, none, none)


def shift(u: Numbers) -> Affine:
    """By N(0, 1/8) of a side each way, between pixels too."""
    return stay(u[:, 0])._replace(down=0.25 * normal(u[:, 0]), right=0.25 * normal(u[:, 1]))  # a side is 2 long


def scale(u: Numbers) -> Affine:
    """Larger or smaller by a factor whose logarithm to base 2 is from N(0, 0.2)."""
    factor = torch.exp2(0.2 * normal(u[:, 0]))
    return stay(factor)._replace(a=factor, d=factor)


def rotation(u: Numbers) -> Affine:
    """By any angle about the middle."""
    angle = 2 * math.pi * u[:, 0] - math.pi
    return stay(angle)._replace(a=angle.cos(), b=-angle.sin(), c=angle.sin(), d=angle.cos())


def stretch(u: Numbers) -> Affine:
    """Wider and as much lower, or the reverse, by a factor whose logarithm to base 2 is from N(0, 0.2)."""
    factor = torch.exp2(0.2 * normal(u[:, 0]))
    return stay(factor)._replace(a=1 / factor, d=factor)


def moved(x: Tensor, by: Affine) -> Tensor:
    """x (N, C, H, W) under p -> A p + b: each pixel comes from A^-1 (p - b), between four others.

    Places are told in float32 at least: half of that can't count the pixels of a large image.
    """
    dtype = torch.promote_types(x.dtype, torch.float32)
    a, b, c, d, down, right = (part[:, None, None].to(dtype) for part in by)
    height, width = x.shape[2:]
    i = (2 * torch.arange(height, device=x.device, dtype=dtype) + 1) / height - 1
    j = (2 * torch.arange(width, device=x.device, dtype=dtype) + 1) / width - 1
    row, column = i[None, :, None] - down, j[None, None, :] - right
    determinant = a * d - b * c
    from_row = (d * row - b * column) / determinant
    from_column = (a * column - c * row) / determinant
    return _between(x, (from_row + 1) * height / 2 - 0.5, (from_column + 1) * width / 2 - 0.5)


def _whole(u: Tensor, most: int) -> Tensor:
    """(N,) whole numbers from -most to most."""
    return (torch.floor(u * (2 * most + 1)) - most).long()


def _clamped(side: int, by: Tensor) -> Tensor:
    """(N, side): where each pixel comes from when all move by so many; -1 and `side` are outside."""
    return (torch.arange(side, device=by.device) - by[:, None]).clamp(-1, side)


def _fetch(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """x (N, C, H, W) at the rows (N, h) and columns (N, w) of each sample: (N, C, h, w)."""
    count, channels, _, width = x.shape
    x = x.gather(2, rows[:, None, :, None].expand(count, channels, rows.shape[1], width))
    return x.gather(3, columns[:, None, None, :].expand(count, channels, rows.shape[1], columns.shape[1]))


def _between(x: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """x (N, C, H, W) at places (N, h, w) in pixels: the bilinear mean of the four around, mirrored at the edges."""
    height, width = x.shape[2:]
    top, left = row.floor(), column.floor()
    below, beside = ((row - top)[:, None].to(x.dtype), (column - left)[:, None].to(x.dtype))
    flat = x.flatten(2)
    found = torch.zeros_like(x)
    for down in (0, 1):
        for right in (0, 1):
            index = mirrored(top.long() + down, height) * width + mirrored(left.long() + right, width)
            pixels = flat.gather(2, index.flatten(1)[:, None].expand(-1, x.shape[1], -1)).view_as(x)
            found = found + pixels * (below if down else 1 - below) * (beside if right else 1 - beside)
    return found


def mirrored(place: Tensor, side: int) -> Tensor:
    """Whole numbers folded into [0, side): ... 1 0 | 0 1 ... side-1 | side-1 ..."""
    place = place.remainder(2 * side)
    return torch.minimum(place, 2 * side - 1 - place)
