"""Upsampling and downsampling behind binomial filters, without aliases (StyleGAN, arXiv 1812.04948, section 2).

[1, 2, 1] is StyleGAN's, [1, 3, 3, 1] StyleGAN2's (1912.04958). Repeating each pixel and then [1, 2, 1] is bilinear
interpolation, which is what runs here; it repeats the border where the authors' code has zeros beyond it.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from zerosum.networks.layers.convolution import convolve


@cache
def _binomial(taps: int) -> tuple[float, ...]:
    row = [1.0]
    for _ in range(taps - 1):
        row = [a + b for a, b in zip([0.0, *row], [*row, 0.0], strict=True)]
    return tuple(value / sum(row) for value in row)


def binomial(x: Tensor, taps: int) -> Tensor:
    """A depthwise kernel (C, 1, taps, taps) for x (N, C, H, W), of sum 1."""
    return _kernel(taps, x.dtype, x.device).expand(x.shape[1], 1, taps, taps)


@cache
def _kernel(taps: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(taps, taps): kept, since sending numbers to a device waits for it, and a graph can't be captured meanwhile."""
    with torch.inference_mode(False):  # it outlives the call that asks for it first
        row = torch.tensor(_binomial(taps), dtype=dtype, device=device)
        return torch.outer(row, row)


def blur(x: Tensor) -> Tensor:
    """(N, C, H, W) filtered by [1, 2, 1] both ways, zeros beyond the border."""
    return convolve(x, binomial(x, 3), padding=1, groups=x.shape[1])


def upsample(x: Tensor) -> Tensor:
    """(N, C, H, W) to (N, C, 2H, 2W), bilinear."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def downsample(x: Tensor) -> Tensor:
    """(N, C, H, W) to (N, C, H / 2, W / 2): filtered by [1, 3, 3, 1], every second pixel; zeros beyond the border."""
    return convolve(x, binomial(x, 4), stride=2, padding=1, groups=x.shape[1])


def shrink(x: Tensor, side: int) -> Tensor:
    """(N, C, H, H) to (N, C, side, side): means of squares of pixels; as it is where it has no more."""
    factor = x.shape[2] // side
    return x if factor <= 1 else F.avg_pool2d(x, factor)


def enlarge(x: Tensor, side: int) -> Tensor:
    """(N, C, H, H) to (N, C, side, side): each pixel repeated; as it is where it has as many."""
    return x if side <= x.shape[2] else F.interpolate(x, size=(side, side), mode="nearest")
