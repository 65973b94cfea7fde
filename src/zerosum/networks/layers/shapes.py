"""From maps to rows and back, so that maps stay channels-last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from zerosum.networks.layers.adjoint import channels_last


class _Flat(torch.autograd.Function):
    """(N, C, H, W) to (N, C H W); the gradient comes back channels-last, as what it meets there lies."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.shape = x.shape
        return x.flatten(1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return channels_last(gradients[0].view(ctx.shape))


flat: Callable[[Tensor], Tensor] = _Flat.apply


def to_maps(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """(N, C H W) to (N, C, H, W), channels-last."""
    return channels_last(x.view(-1, *shape))


class Flatten(nn.Flatten):
    """`flat` as a layer."""

    def forward(self, input: Tensor) -> Tensor:
        return flat(input)


class Unflatten(nn.Unflatten):
    """`to_maps` as a layer."""

    def forward(self, input: Tensor) -> Tensor:
        return channels_last(super().forward(input))
