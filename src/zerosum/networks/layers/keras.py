"""Keras' padding and initialisation, which the tutorials' networks were written for.

"Same" padding is TensorFlow's: ceil(size / stride) outputs, the odd pixel of padding after the image.
"""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional as F

from zerosum.networks.layers.convolution import Conv2d, ConvTranspose2d

KERAS_EPS, KERAS_MOMENTUM = 1e-3, 0.01  # Keras says momentum 0.99: of the old, where torch counts the new


def same_pad(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Pixels before and after one side so that a convolution gives ceil(size / stride) outputs."""
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class SameConv(Conv2d):
    """Keras' Conv2D with padding "same": (N, C, H, W) to (N, out, ceil(H / stride), ceil(W / stride))."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, *, bias: bool = True) -> None:
        super().__init__(inputs, outputs, kernel, stride=stride, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        top, bottom = same_pad(input.shape[2], self.kernel_size[0], self.stride[0])
        left, right = same_pad(input.shape[3], self.kernel_size[1], self.stride[1])
        if (top, left) == (bottom, right):
            return self.convolve(input, (top, left))
        return self.convolve(F.pad(input, (left, right, top, bottom)), (0, 0))


class SameConvTranspose(ConvTranspose2d):
    """Keras' Conv2DTranspose with padding "same": (N, C, H, W) to (N, out, H * stride, W * stride).

    It is the gradient of the "same" convolution that leads from the large size back to the small one.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, *, bias: bool = True) -> None:
        before = max(kernel - stride, 0) // 2
        missing = max(stride - kernel, 0)
        super().__init__(inputs, outputs, kernel, stride, before, missing, bias=bias)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        full = super().forward(input, output_size)
        below, right = (input.shape[axis] * self.stride[axis - 2] - full.shape[axis] for axis in (2, 3))
        # Torch cuts as much after as before; Keras cuts the odd row and column after. A slice's gradient would lie
        # the other way round in memory.
        return F.pad(full, (0, right, 0, below)) if below or right else full


def keras_init(network: nn.Module) -> None:
    """Glorot-uniform kernels and zero biases, Keras' defaults.

    Keras counts a transposed convolution's fans from its kernel (h, w, out, in), the other way round;
    their sum, which is all that Glorot needs, is the same.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
