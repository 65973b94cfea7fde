"""Convolutions between few channels and many, and the layers that take that path where it is the faster one.

oneDNN, torch's convolutions on a CPU, fills a vector with the channels of a pixel. A convolution that ends in one or
three channels, and the gradient by the input of one that begins there, leave most of the vector empty: a 7x7 kernel
from 128 channels to 1 takes as long as one to 16. Such a sum is made here as one product, that of every pixel with
every element of the kernel, and a fold of what belongs to the same pixel: the same terms, in another order. A kernel
that covers the whole image is a linear map.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Pair = tuple[int, int]

FEW = 4  # channels that leave at least half of a vector of eight empty
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

    def forward(self, input: Tensor) -> Tensor:
        if isinstance(self.padding, str) or self.padding_mode != "zeros":
            return super().forward(input)
        return self.convolve(input, _pair(self.padding))

    def convolve(self, input: Tensor, padding: Pair) -> Tensor:
        """The convolution under another padding than the layer's own, of less than the kernel."""
        if self.folds and _is_due(input):
            return self._fold(input, padding)
        return F.conv2d(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)

    def _fold(self, input: Tensor, padding: Pair) -> Tensor:
        own = self.weight  # once: a parametrization makes it anew each time
        if self.in_channels <= self.out_channels:
            if not input.requires_grad:  # the forward pass is torch's, and the gradient by the weights too
                return F.conv2d(input, own, self.bias, self.stride, padding)
            return _plus(gather(input, own, _pair(self.stride), padding), self.bias)
        if input.shape[2:] == own.shape[2:] and padding == (0, 0):  # one place: a linear map of all pixels
            pixels, weight = (x.permute(0, 2, 3, 1).flatten(1) for x in (input, own))  # as they lie
            return F.linear(pixels, weight, self.bias)[:, :, None, None]
        # With stride 1 it is the transposed convolution by the kernel turned about.
        kernel, weight = self.kernel_size, own.flip(2, 3).transpose(0, 1)
        size = tuple(side + 2 * pad - k + 1 for side, pad, k in zip(input.shape[2:], padding, kernel, strict=True))
        rest = tuple(k - 1 - pad for pad, k in zip(padding, kernel, strict=True))
        return _plus(scatter(input, weight, size, (1, 1), _pair(rest)), self.bias)


class ConvTranspose2d(nn.ConvTranspose2d):
    """torch's layer, number for number but for the order of its sums."""

    @cached_property
    def folds(self) -> bool:
        """Whether its sums to few channels take the path of this file on a CPU."""
        return self.out_channels <= self.in_channels and _pays(self)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        if output_size is not None or not self.folds or not _is_due(input):
            return super().forward(input, output_size)
        assert isinstance(self.padding, tuple)
        size = tuple(
            (side - 1) * stride - 2 * pad + kernel + more
            for side, stride, pad, kernel, more in zip(
                input.shape[2:], self.stride, self.padding, self.kernel_size, self.output_padding, strict=True
            )
        )
        return _plus(scatter(input, self.weight, size, _pair(self.stride), _pair(self.padding)), self.bias)


def folded(network: nn.Module, device: torch.device, *, autocast: bool) -> list[str]:
    """The names of a network's layers that take the path of this file on that device."""
    if not helps(device, autocast=autocast):
        return []
    return [name for name, layer in network.named_modules() if getattr(layer, "folds", False)]


def helps(device: torch.device, *, autocast: bool) -> bool:
    """Whether this is the device whose weakness the path is made for, in its own precision."""
    return device.type == "cpu" and not autocast


@contextmanager
def as_torch_does() -> Iterator[None]:
    """Inside, every layer takes torch's own path: to compare with, or to count its operations."""
    global _wanted
    _wanted = False
    try:
        yield
    finally:
        _wanted = True


_wanted = True


def _is_due(input: Tensor) -> bool:
    """Whether a layer that folds does so for this input."""
    return _wanted and input.dim() == 4 and helps(input.device, autocast=torch.is_autocast_enabled("cpu"))


def _pays(layer: nn.Conv2d | nn.ConvTranspose2d) -> bool:
    few, many = sorted((layer.in_channels, layer.out_channels))
    small = few <= FEW and few * layer.kernel_size[0] * layer.kernel_size[1] <= LARGEST * many
    return small and layer.groups == 1 and layer.dilation == (1, 1)


def _plus(x: Tensor, bias: Tensor | None) -> Tensor:
    return x if bias is None else x + bias[:, None, None]


def _pair(numbers: tuple[int, ...]) -> Pair:
    return numbers[0], numbers[1]


class _Gather(torch.autograd.Function):
    """A convolution from few channels to many: x (N, few, H, W), weight (many, few, k, k) -> (N, many, ...)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: Pair, padding: Pair) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(x, weight, None, stride, padding)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,), (x, weight) = gradients, ctx.saved_tensors
        by_x = scatter(gradient, weight, x.shape[2:], ctx.stride, ctx.padding) if ctx.needs_input_grad[0] else None
        by_weight = _kernel(x, gradient, weight, ctx.stride, ctx.padding) if ctx.needs_input_grad[1] else None
        return by_x, by_weight, None, None


class _Scatter(torch.autograd.Function):
    """Its adjoint, a transposed convolution from many channels to few: y (N, many, ...) -> (N, few, *size)."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, weight: Tensor, size: Pair, stride: Pair, padding: Pair) -> Tensor:
        ctx.save_for_backward(y, weight)
        ctx.stride, ctx.padding = stride, padding
        met = weight.flatten(1).t() @ y.flatten(2)  # (N, few * k * k, pixels)
        return F.fold(met, size, weight.shape[2:], padding=padding, stride=stride)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,), (y, weight) = gradients, ctx.saved_tensors
        by_y = gather(gradient, weight, ctx.stride, ctx.padding) if ctx.needs_input_grad[0] else None
        by_weight = _kernel(gradient, y, weight, ctx.stride, ctx.padding) if ctx.needs_input_grad[1] else None
        return by_y, by_weight, None, None, None


_gather: Callable[..., Tensor] = _Gather.apply
_scatter: Callable[..., Tensor] = _Scatter.apply


def gather(x: Tensor, weight: Tensor, stride: Pair, padding: Pair) -> Tensor:
    """The convolution of x (N, few, H, W) with weight (many, few, k, k), differentiable to any order."""
    return _gather(x, weight, stride, padding)


def scatter(y: Tensor, weight: Tensor, size: tuple[int, ...], stride: Pair, padding: Pair) -> Tensor:
    """The transposed convolution of y (N, many, h, w) with weight (many, few, k, k) to (N, few, *size)."""
    return _scatter(y, weight, tuple(size), stride, padding)


def _kernel(x: Tensor, y: Tensor, weight: Tensor, stride: Pair, padding: Pair) -> Tensor:
    """The gradient by the kernel of a convolution that leads from x to the gradient y."""
    found = torch.ops.aten.convolution_backward(
        y, x, weight, None, stride, padding, (1, 1), False, (0, 0), 1, (False, True, False)
    )
    by_weight: Tensor = found[1]
    return by_weight
