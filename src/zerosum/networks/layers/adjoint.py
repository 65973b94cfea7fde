"""The three maps of a convolution, each made of the other two when it is differentiated: forward, input, kernel.

Torch differentiates a convolution twice in another way, which takes the kernel's groups one after the other and turns
batches into channels: a gradient penalty through grouped kernels took thirty times as long. Everything is laid out
channels-last, which oneDNN is made for; a map of one channel lies both ways, and torch takes it for the other one.

To few channels the input's map is one product, that of every element of the kernel with every pixel, and a sum of what
belongs to the same pixel: the same terms in another order, without vectors that are mostly empty.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from zerosum.networks.layers import columns
from zerosum.networks.layers.product import product

Pair = tuple[int, int]


@dataclass(frozen=True)
class Way:
    """How a kernel meets the image, and whether its sums to few channels are folded."""

    stride: Pair
    padding: Pair
    groups: int = 1
    folds: bool = False


def channels_last(x: Tensor) -> Tensor:
    """x (N, C, H, W) with its channels side by side in memory: itself, another view, or a copy."""
    count, channels, height, width = x.shape
    if channels == 1 and x.is_contiguous():
        return x.view(count, height, width, 1).permute(0, 3, 1, 2)
    return x.contiguous(memory_format=torch.channels_last)


class _Forward(torch.autograd.Function):
    """x (N, I, H, W), weight (O, I / groups, k, k), bias (O,) -> (N, O, h, w)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, way: Way) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.way = way
        x, weight = channels_last(x), channels_last(weight)
        if way.groups == 1 and columns.pay(weight, len(x), columns.places(x, weight, way.stride, way.padding)):
            return columns.forward(x, weight, bias, way.stride, way.padding)
        return F.conv2d(x, weight, bias, way.stride, way.padding, 1, way.groups)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,), (x, weight), way = gradients, ctx.saved_tensors, ctx.way
        by_x = to_input(gradient, weight, None, x.shape[2:], way) if ctx.needs_input_grad[0] else None
        by_weight = to_kernel(x, gradient, weight, way) if ctx.needs_input_grad[1] else None
        return by_x, by_weight, gradient.sum((0, 2, 3)) if ctx.needs_input_grad[2] else None, None


class _ToInput(torch.autograd.Function):
    """Its adjoint by x, a transposed convolution: y (N, O, h, w), weight, bias (I,) -> (N, I, *size)."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, weight: Tensor, bias: Tensor | None, size: Pair, way: Way) -> Tensor:
        ctx.save_for_backward(y, weight)
        ctx.way = way
        if way.folds:
            return (_fold_at_once if y.is_cuda else _fold)(y, weight, bias, size, way)
        y, weight = channels_last(y), channels_last(weight)
        if way.groups == 1 and columns.pay(weight, len(y), y.shape[2:]):
            x = columns.to_input(y, weight, size, way.stride, way.padding)
            return x if bias is None else x.add_(bias[:, None, None])
        shape = (len(y), weight.shape[1] * way.groups, *size)
        # Only its shape counts. It is never touched, so that it takes no memory; a view of one number would be copied.
        x = torch.empty(shape, dtype=y.dtype, device=y.device, memory_format=torch.channels_last)
        x = _derivative(y, x, weight, way, 0)
        return x if bias is None else x.add_(bias[:, None, None])  # oneDNN takes longer when it is told of the bias

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,), (y, weight), way = gradients, ctx.saved_tensors, ctx.way
        by_y = forward(gradient, weight, None, way) if ctx.needs_input_grad[0] else None
        by_weight = to_kernel(gradient, y, weight, way) if ctx.needs_input_grad[1] else None
        return by_y, by_weight, gradient.sum((0, 2, 3)) if ctx.needs_input_grad[2] else None, None, None


def _fold(y: Tensor, weight: Tensor, bias: Tensor | None, size: Pair, way: Way) -> Tensor:
    """The same by one product, and a sum of its planes: one for each element of the kernel, moved to where it acts."""
    count, few, (height, width) = len(y), weight.shape[1], weight.shape[2:]
    pixels = channels_last(y).permute(0, 2, 3, 1).flatten(0, 2)
    planes = product(weight.flatten(1).t(), pixels).view(few, height, width, count, *y.shape[2:])
    (down, right), (top, left) = way.stride, way.padding
    rows = y.new_zeros(few, height, count, y.shape[2], size[1] + 2 * left)
    for column in range(width):
        rows[..., column::right][..., : y.shape[3]] += planes[:, :, column]
    x = y.new_zeros(few, count, size[0] + 2 * top, size[1] + 2 * left)
    for row in range(height):
        x[:, :, row::down][:, :, : y.shape[2]] += rows[:, row]
    x = x[:, :, top : top + size[0], left : left + size[1]].transpose(0, 1)
    return channels_last(x.contiguous() if bias is None else x + bias[:, None, None])


def _fold_at_once(y: Tensor, weight: Tensor, bias: Tensor | None, size: Pair, way: Way) -> Tensor:
    """The same by a product and torch's own sum: one kernel for all planes, which a GPU prefers to many small ones."""
    pixels = channels_last(y).permute(0, 2, 3, 1).flatten(1, 2)
    planes = weight.flatten(1).t() @ pixels.transpose(1, 2)  # (N, I k k, h w)
    x = F.fold(planes, size, weight.shape[2:], padding=way.padding, stride=way.stride)
    return channels_last(x if bias is None else x.add_(bias[:, None, None]))


class _ToKernel(torch.autograd.Function):
    """Its adjoint by the weight: x (N, I, H, W), y (N, O, h, w) -> the shape of `like`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, like: Tensor, way: Way) -> Tensor:
        ctx.save_for_backward(x, y)
        ctx.way = way
        x, y, like = channels_last(x), channels_last(y), channels_last(like)
        if way.groups == 1 and columns.pay_for_kernel(like, len(y), y.shape[2:]):
            return columns.to_kernel(x, y, like, way.stride, way.padding)
        return _derivative(y, x, like, way, 1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,), (x, y), way = gradients, ctx.saved_tensors, ctx.way
        by_x = to_input(y, gradient, None, x.shape[2:], way) if ctx.needs_input_grad[0] else None
        by_y = forward(x, gradient, None, way) if ctx.needs_input_grad[1] else None
        return by_x, by_y, None, None


def _derivative(y: Tensor, x: Tensor, weight: Tensor, way: Way, number: int) -> Tensor:
    """What torch makes of the gradient y by x (number 0) or by the weight (1)."""
    wanted = [index == number for index in range(3)]
    stride, padding = way.stride, way.padding
    found = torch.ops.aten.convolution_backward(
        y, x, weight, None, stride, padding, (1, 1), False, (0, 0), way.groups, wanted
    )
    made: Tensor = found[number]
    return made


_forward: Callable[..., Tensor] = _Forward.apply
_to_input: Callable[..., Tensor] = _ToInput.apply
_to_kernel: Callable[..., Tensor] = _ToKernel.apply


def forward(x: Tensor, weight: Tensor, bias: Tensor | None, way: Way) -> Tensor:
    """The convolution of x (N, I, H, W) with weight (O, I / groups, k, k), differentiable to any order."""
    return _forward(x, weight, bias, way)


def to_input(y: Tensor, weight: Tensor, bias: Tensor | None, size: tuple[int, ...], way: Way) -> Tensor:
    """The transposed convolution of y (N, O, h, w) with the same weight to (N, I, *size), plus bias (I,)."""
    return _to_input(y, weight, bias, tuple(size), way)


def to_kernel(x: Tensor, y: Tensor, like: Tensor, way: Way) -> Tensor:
    """The gradient by a kernel like that one of a convolution that leads from x to the gradient y."""
    return _to_kernel(x, y, like.detach(), way)
