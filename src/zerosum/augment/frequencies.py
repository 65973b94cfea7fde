"""Operations on what is fine and coarse in images: ADA's filters and its noise (arXiv 2006.06676, appendix B).

ADA splits an image into four octaves by wavelet filters; here they are differences of binomial means, as in a Laplacian
pyramid without its sampling, so that the octaves of an image add up to it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from zerosum.augment.chance import Numbers, normal
from zerosum.augment.geometry import mirrored

POWER = (10 / 13, 1 / 13, 1 / 13, 1 / 13)  # of natural images in the octaves, the coarsest first
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
    return smoothed(x, level) - smoothed(x, level + 1) if octave else smoothed(x, level)


def smoothed(x: Tensor, level: int) -> Tensor:
    """x (N, C, H, W) as seen from `level` octaves away, mirrored at the edges; level 0 is x."""
    if level == 0:
        return x
    taps = torch.tensor(_taps(level), dtype=x.dtype, device=x.device)
    reach = len(taps) // 2
    for axis in (2, 3):
        side = x.shape[axis]
        wide = x.index_select(axis, mirrored(torch.arange(-reach, side + reach, device=x.device), side))
        kernel = taps.view(1, 1, *((-1, 1) if axis == 2 else (1, -1)))
        x = F.conv2d(wide.flatten(0, 1)[:, None], kernel).view_as(x)
    return x


@cache
def _taps(level: int) -> tuple[float, ...]:
    """The binomial mean of five, spread to every second place, every fourth and so on, one after the other."""
    binomial, whole = np.array([1, 4, 6, 4, 1]) / 16, np.ones(1)
    for spread in range(level):
        every = np.zeros(4 * 2**spread + 1)
        every[:: 2**spread] = binomial
        whole = np.convolve(whole, every)
    return tuple(whole.tolist())


def noise(x: Tensor, u: Numbers) -> Tensor:
    """Plus noise of each pixel and channel, its deviation the size of a number from N(0, 0.1)."""
    return x + NOISE * normal(u[:, 0]).abs()[:, None, None, None] * torch.randn_like(x)
