"""Convolutional layers that take the faster path on a CPU: torch's numbers, its sums in another order.

oneDNN, torch's convolutions on a CPU, fills a vector with the channels of a pixel. A convolution that ends in one or
three channels, and the gradient by the input of one that begins there, leave most of the vector empty: a 7x7 kernel
from 128 channels to 1 takes as long as one to 16. Such a sum is folded (adjoint.py), and a kernel that covers the whole
image, or one pixel of it, is a linear map. All others are torch's own, but for how they are differentiated twice.

On a GPU torch's own kernels are the faster ones, but where a large kernel ends in few channels: of cuDNN's, the one
from 128 channels to 1 took half of `dcgan-lite`'s step.
"""

from __future__ import annotations

import math
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zerosum.networks.layers import columns
from zerosum.networks.layers.adjoint import Pair, Way, channels_last, forward, to_input
from zerosum.networks.layers.paths import folds_on_gpu, gpu_folds, helps, takes_own_path
from zerosum.networks.layers.product import linear

FEW = 4  # channels that leave at least half of a vector of eight empty
LARGE = 25  # elements of a kernel from which on a GPU folds as well
PIXELS = 2**13  # in all images, from which on a convolution is faster than a linear map of their channels
FOLDED = "few channels, folded"
PRODUCTS = "many kernels, as products where there are few places"
LARGEST = 4  # the product's size by that of its operand; beyond, memory costs what the arithmetic spares


class Conv2d(nn.Conv2d):
    """torch's layer, number for number but for the order of its sums; groups and dilation take torch's own path."""

    @cached_property
    def folds(self) -> bool:
        """Whether its sums to few channels, forward or backward, take the path of this file on a CPU."""
        if isinstance(self.padding, str) or self.padding_mode != "zeros" or not _pays(self):
            return False
        towards_many = self.in_channels <= self.out_channels
        inside = all(pad < k for pad, k in zip(self.padding, self.kernel_size, strict=True))
        return towards_many or (self.stride == (1, 1) and inside)

    @cached_property
    def folds_on_gpu(self) -> bool:
        """Whether a GPU takes that path, too."""
        return self.folds and self.out_channels < self.in_channels and math.prod(self.kernel_size) >= LARGE

    def own_path(self, device: torch.device, *, autocast: bool) -> str | None:
        """See `own_paths`."""
        if gpu_folds(device, autocast=autocast):
            return FOLDED if self.folds_on_gpu else None
        plain = isinstance(self.padding, str) or self.padding_mode != "zeros" or self.dilation != (1, 1)
        return None if plain or not helps(device, autocast=autocast) else _said(self)

    def forward(self, input: Tensor) -> Tensor:
        if isinstance(self.padding, str) or self.padding_mode != "zeros":
            return super().forward(input)
        return self.convolve(input, _pair(self.padding))

    def convolve(self, input: Tensor, padding: Pair) -> Tensor:
        """The convolution under another padding than the layer's own, of less than the kernel."""
        if self.folds_on_gpu and folds_on_gpu(input):
            return self._fold(input, padding)
        if not _is_due(input) or self.dilation != (1, 1):
            return F.conv2d(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)
        if self.folds:
            return self._fold(input, padding)
        return _own(input, self.weight, self.bias, Way(_pair(self.stride), padding, self.groups))

    def _fold(self, input: Tensor, padding: Pair) -> Tensor:
        own = self.weight  # once: a parametrization makes it anew each time
        if self.in_channels <= self.out_channels:
            return _own(input, own, self.bias, Way(_pair(self.stride), padding, folds=True))
        if input.shape[2:] == own.shape[2:] and padding == (0, 0):  # one place: a linear map of all pixels
            pixels, weight = (x.permute(0, 2, 3, 1).flatten(1) for x in (input, own))  # as they lie
            return F.linear(pixels, weight, self.bias)[:, :, None, None]
        # With stride 1 it is the transposed convolution by the kernel turned about.
        kernel, weight = self.kernel_size, own.flip(2, 3).transpose(0, 1)
        size = tuple(side + 2 * pad - k + 1 for side, pad, k in zip(input.shape[2:], padding, kernel, strict=True))
        rest = tuple(k - 1 - pad for pad, k in zip(padding, kernel, strict=True))
        return to_input(input, weight, self.bias, size, Way((1, 1), _pair(rest), folds=True))


class ConvTranspose2d(nn.ConvTranspose2d):
    """torch's layer, number for number but for the order of its sums."""

    @cached_property
    def folds(self) -> bool:
        """Whether its sums to few channels take the path of this file on a CPU."""
        return self.out_channels <= self.in_channels and _pays(self)

    def own_path(self, device: torch.device, *, autocast: bool) -> str | None:
        """See `own_paths`."""
        return _said(self) if helps(device, autocast=autocast) and self.dilation == (1, 1) else None

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        if output_size is not None or not _is_due(input) or self.dilation != (1, 1):
            return super().forward(input, output_size)
        assert isinstance(self.padding, tuple)
        size = tuple(
            (side - 1) * stride - 2 * pad + kernel + more
            for side, stride, pad, kernel, more in zip(
                input.shape[2:], self.stride, self.padding, self.kernel_size, self.output_padding, strict=True
            )
        )
        way = Way(_pair(self.stride), _pair(self.padding), self.groups, self.folds)
        return to_input(input, self.weight, self.bias, size, way)


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int = 1,
    padding: int = 0,
    groups: int = 1,
    folds: bool = False,
) -> Tensor:
    """`torch.nn.functional.conv2d`, on the path of the layers here where that is the faster one."""
    if not _is_due(x):
        return F.conv2d(x, weight, bias, stride, padding, 1, groups)
    return _own(x, weight, bias, Way((stride, stride), (padding, padding), groups, folds))


def _own(x: Tensor, weight: Tensor, bias: Tensor | None, way: Way) -> Tensor:
    """The convolution on its own path: a kernel of one pixel is a linear map of every pixel's channels.

    Of many pixels, the gradient by that map is faster as a convolution's.
    """
    one = weight.shape[2:] == (1, 1) and way.stride == (1, 1) and way.padding == (0, 0) and way.groups == 1
    if not one or (len(x) * x.shape[2] * x.shape[3] >= PIXELS and min(weight.shape[:2]) > FEW):
        return forward(x, weight, bias, way)
    pixels = channels_last(x).permute(0, 2, 3, 1)
    return linear(pixels, weight.flatten(1), bias).permute(0, 3, 1, 2)


def spread(x: Tensor, weight: Tensor, *, stride: int) -> Tensor:
    """`torch.nn.functional.conv_transpose2d` without padding, in the same way."""
    if not _is_due(x):
        return F.conv_transpose2d(x, weight, stride=stride)
    size = tuple((side - 1) * stride + kernel for side, kernel in zip(x.shape[2:], weight.shape[2:], strict=True))
    return to_input(x, weight, None, size, Way((stride, stride), (0, 0)))


def _is_due(input: Tensor) -> bool:
    return input.dim() == 4 and takes_own_path(input)


def _said(layer: Conv2d | ConvTranspose2d) -> str | None:
    if layer.folds:
        return FOLDED
    # Not asked of the weight: a spectral norm would take a step each time that it is looked at.
    count = layer.in_channels * layer.out_channels * math.prod(layer.kernel_size)
    return PRODUCTS if layer.groups == 1 and count >= columns.MANY else None


def _pays(layer: nn.Conv2d | nn.ConvTranspose2d) -> bool:
    few, many = sorted((layer.in_channels, layer.out_channels))
    small = few <= FEW and few * layer.kernel_size[0] * layer.kernel_size[1] <= LARGEST * many
    return small and layer.groups == 1 and layer.dilation == (1, 1) and layer.kernel_size != (1, 1)


def _pair(numbers: tuple[int, ...]) -> Pair:
    return numbers[0], numbers[1]
