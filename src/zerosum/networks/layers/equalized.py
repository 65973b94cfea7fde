"""Pieces of ProGAN that StyleGAN and its successors kept (Karras et al. 2018, arXiv 1710.10196, sections 3 and 4).

Equalized learning rate: weights from N(0, 1), scaled at every use by He's constant, so that Adam moves all layers
alike; a layer with a multiplier below 1 learns slower by it (1812.04948, appendix C).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zerosum.networks.layers.convolution import Conv2d, convolve
from zerosum.networks.layers.product import linear

SLOPE = 0.2
LEAKY = math.sqrt(2)  # He's gain as these papers take it, for a slope of 0


class EqualLinear(nn.Linear):
    """(…, inputs) to (…, outputs), weights scaled by gain / sqrt(inputs); `bias`: its first value, None for none."""

    def __init__(
        self, inputs: int, outputs: int, *, gain: float = LEAKY, rate: float = 1.0, bias: float | None = 0.0
    ) -> None:
        super().__init__(inputs, outputs, bias=bias is not None)
        self.scale, self.rate = rate * gain / math.sqrt(inputs), rate
        nn.init.normal_(self.weight, std=1 / rate)
        if bias is not None:
            nn.init.constant_(self.bias, bias / rate)

    def forward(self, input: Tensor) -> Tensor:
        bias = self.bias if self.bias is None or self.rate == 1 else self.bias * self.rate
        return linear(input, self.weight * self.scale, bias)


class EqualConv2d(Conv2d):
    """A convolution that keeps the size, or with `padding` 0 one over all of it; scaled like `EqualLinear`.

    `halves`: the mean of 2x2 outputs, made as one convolution of stride 2 by the kernel smeared to one pixel more.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        gain: float = LEAKY,
        bias: bool = True,
        padding: int | None = None,
        stride: int = 1,
        halves: bool = False,
    ) -> None:
        padding = kernel // 2 if padding is None else padding
        super().__init__(inputs, outputs, kernel, stride, padding, bias=bias)
        self.scale, self.halves = gain / math.sqrt(inputs * kernel * kernel), halves
        nn.init.normal_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        weight, padding = self.weight * self.scale, int(self.padding[0])
        if self.halves:
            return convolve(input, smeared(weight), self.bias, stride=2, padding=padding)
        folds = self.folds and self.in_channels <= self.out_channels  # it is the gradient towards few that folds
        return convolve(input, weight, self.bias, stride=self.stride[0], padding=padding, folds=folds)


def smeared(weight: Tensor) -> Tensor:
    """(O, I, k, k) to (O, I, k + 1, k + 1): the kernel whose convolution at stride 2 is the mean of 2x2 of its own."""
    wide = F.pad(weight, (1, 1, 1, 1))
    return (wide[..., 1:, 1:] + wide[..., 1:, :-1] + wide[..., :-1, 1:] + wide[..., :-1, :-1]) / 4


def leaky(x: Tensor) -> Tensor:
    """LeakyReLU with slope 0.2."""
    return F.leaky_relu(x, SLOPE)


def pixel_norm(x: Tensor) -> Tensor:
    """(N, C, …) over the root of the mean square of its channels, pixel by pixel."""
    return x * (x.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


class MinibatchStd(nn.Module):
    """(N, C, H, W) to (N, C + 1, H, W): the deviation of a group of samples, averaged over channels and pixels.

    Groups have `group` samples, or the most below it that divides N; a sample alone has deviation 0.
    """

    mixes_samples = True  # each output depends on its group

    def __init__(self, group: int = 4) -> None:
        super().__init__()
        self.group = group

    def forward(self, x: Tensor) -> Tensor:
        count, _, height, width = x.shape
        group = next(size for size in range(min(self.group, count), 0, -1) if count % size == 0)
        parts = x.reshape(group, count // group, -1)
        centred = parts - parts.mean(dim=0)
        deviation = (centred.square().mean(dim=0) + 1e-8).sqrt().mean(dim=1)  # (N / group,)
        told = deviation.repeat(group).view(count, 1, 1, 1).expand(count, 1, height, width)
        return torch.cat([x, told], dim=1)

    def extra_repr(self) -> str:
        return f"group={self.group}"
