"""Operations on what is fine and coarse in images: ADA's filters and its noise (arXiv 2006.06676, appendix B).

ADA splits an image into four octaves by wavelet filters; here they are differences of binomial means, as in a Laplacian
pyramid without its sampling, so that the octaves of an image add up to it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from zerosum.augment.chance import Numbers, normal
from zerosum.augment.geometry import mirrored

POWER = (10 / 13, 1 / 13, 1 / 13, 1 / 13)  # of natural images in the octaves, the coarsest first
BINOMIAL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
NOISE = 0.1  # the deviation of the noise's own deviation


def band(octave: int) -> Callable[[Tensor, Numbers], Tensor]:
    """The operation on one octave, of 0 to 3: times a number whose logarithm to base 2 is from N(0, 1).

    The whole image is scaled then, so that the power of a natural one stays as it was.
    """

    def amplified(x: Tensor, u: Numbers) -> Tensor:
        factor = torch.exp2(normal(u[:, 0]))[:, None, None, None]
        kept = (1 + POWER[octave] * (factor.square() - 1)).sqrt()
        return (x + (factor - 1) * part(x, octave)) / kept

    return amplified


def part(x: Tensor, octave: int) -> Tensor:
    """What of x (N, C, H, W) lies in an octave: 0 is all that is coarse, 3 what is finest, and the four sum to x."""
    level = len(POWER) - 1 - octave
    seen = smoothed(x, level)
    return seen - softened(seen, 2**level) if octave else seen


def smoothed(x: Tensor, level: int) -> Tensor:
    """x (N, C, H, W) as seen from `level` octaves away; level 0 is x."""
    for octave in range(level):
        x = softened(x, 2**octave)
    return x


def softened(x: Tensor, spread: int) -> Tensor:
    """Each pixel of x (N, C, H, W) as the binomial mean of five, `spread` apart, both ways; mirrored at the edges."""
    for axis in (2, 3):
        place = torch.arange(x.shape[axis], device=x.device)
        near = (mirrored(place + spread * step, x.shape[axis]) for step in (-2, -1, 0, 1, 2))
        x = torch.stack([share * x.index_select(axis, at) for share, at in zip(BINOMIAL, near, strict=True)]).sum(0)
    return x


def noise(x: Tensor, u: Numbers) -> Tensor:
    """Plus noise of each pixel and channel, its deviation the size of a number from N(0, 0.1)."""
    return x + NOISE * normal(u[:, 0]).abs()[:, None, None, None] * torch.randn_like(x)
