"""The three maps of a convolution as products of matrices, for many kernels and few places to put them.

Before it begins, oneDNN, torch's convolutions on a CPU, lays the kernels out anew, and their gradient again when it
is done. Where there are fewer places than kernels that is most of the work: the gradient by the 512 kernels of the
middle of a U-Net, one image at a time, takes 21 ms of a core, and 1.2 ms as one product of what lies under the kernels
at every place with what they make of it. Kernels that lie channels-last, as here, are a matrix as they are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from zerosum.networks.layers.product import product

MANY = 2**17  # elements of all kernels, from which on laying them out counts
Pair = tuple[int, int]


def pay(weight: Tensor, images: int, places: Sequence[int]) -> bool:
    """Whether forward, and back to the input, a product is faster: weight (O, I, k, k), and the places of an image."""
    return weight.is_cpu and weight.numel() >= MANY and images * math.prod(places) <= len(weight)


def pay_for_kernel(weight: Tensor, images: int, places: Sequence[int]) -> bool:
    """Whether it is for the gradient by the weight, which oneDNN takes longer to lay out."""
    return weight.is_cpu and weight.numel() >= MANY and images * math.prod(places) <= 2 * len(weight)


def forward(x: Tensor, weight: Tensor, bias: Tensor | None, stride: Pair, padding: Pair) -> Tensor:
    """x (N, I, H, W) and weight (O, I, k, k), both channels-last, to (N, O, h, w)."""
    made = product(_under(x, weight, stride, padding), _matrix(weight), bias)
    return made.view(len(x), *places(x, weight, stride, padding), len(weight)).permute(0, 3, 1, 2)


def to_input(y: Tensor, weight: Tensor, size: Pair, stride: Pair, padding: Pair) -> Tensor:
    """y (N, O, h, w) and weight, both channels-last, to (N, I, *size): what each place gave, where it came from."""
    count, _, height, width = y.shape
    inputs, *kernel = weight.shape[1:]
    parts = product(y.permute(0, 2, 3, 1).flatten(0, 2), _matrix(weight).t())
    parts = parts.view(count, height, width, *kernel, inputs)
    (down, right), (top, left) = stride, padding
    x = y.new_zeros(count, size[0] + 2 * top, size[1] + 2 * left, inputs)
    for row in range(kernel[0]):
        for column in range(kernel[1]):
            x[:, row::down, column::right][:, :height, :width] += parts[:, :, :, row, column]
    x = x[:, top : top + size[0], left : left + size[1]].permute(0, 3, 1, 2)
    return x.contiguous(memory_format=torch.channels_last)


def to_kernel(x: Tensor, y: Tensor, weight: Tensor, stride: Pair, padding: Pair) -> Tensor:
    """x (N, I, H, W) and y (N, O, h, w), both channels-last, to the shape of the weight."""
    outputs, inputs, *kernel = weight.shape
    under = _under(x, weight, stride, padding)
    made = product(y.permute(0, 2, 3, 1).flatten(0, 2).t(), under.t())
    return made.view(outputs, *kernel, inputs).permute(0, 3, 1, 2)


def places(x: Tensor, weight: Tensor, stride: Pair, padding: Pair) -> Pair:
    """Of an image (N, I, H, W), where the kernels (O, I, k, k) are put: how many, down and across."""
    down, across = (
        (side + 2 * pad - kernel) // step + 1
        for side, pad, kernel, step in zip(x.shape[2:], padding, weight.shape[2:], stride, strict=True)
    )
    return down, across


def _under(x: Tensor, weight: Tensor, stride: Pair, padding: Pair) -> Tensor:
    """What lies under a kernel at each place, (N h w, k k I): a copy for each element of the kernel."""
    height, width = places(x, weight, stride, padding)
    pixels, (top, left) = x.permute(0, 2, 3, 1), padding
    if top or left:  # a pad by nothing is a copy all the same
        pixels = F.pad(pixels, (0, 0, left, left, top, top))
    pixels = pixels.contiguous()  # (N, H, W, I)
    image, row, pixel, channel = pixels.stride()
    shape = len(x), height, width, *weight.shape[2:], x.shape[1]
    seen = pixels.as_strided(shape, (image, stride[0] * row, stride[1] * pixel, row, pixel, channel))
    return seen.reshape(len(x) * height * width, -1)


def _matrix(weight: Tensor) -> Tensor:
    """(O, k k I)."""
    return weight.permute(0, 2, 3, 1).flatten(1)
