"""What a network asks of its domain, and how it keeps to it: labels as numbers, values within the range."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from zerosum.errors import UserError
from zerosum.types import Domain


def require_images(domain: Domain, network: str, sizes: tuple[int, ...] = ()) -> None:
    """`UserError` for points, and for a size that the network can't make; no sizes means any."""
    if len(domain.shape) != 3:
        raise UserError(f"network {network} makes images, and the data are points; take recipe gan for points")
    if sizes and domain.size not in sizes:
        raise UserError(f"size {domain.size} is not one that {network} can make: {', '.join(map(str, sizes))}")


def require_source(domain: Domain, network: str) -> int:
    """The channels of what is translated; `UserError` where G draws from noise."""
    if domain.source is None:
        raise UserError(f"network {network} translates images, and this recipe draws from noise; take recipe pix2pix")
    return domain.source[0]


def require_points(domain: Domain, network: str) -> None:
    """`UserError` for images."""
    if len(domain.shape) != 1:
        raise UserError(f"network {network} makes points, and the data are images; take recipe quick for images")


def require_classes(domain: Domain, network: str) -> int:
    """The number of classes; `UserError` for data without labels."""
    if domain.classes is None:
        raise UserError(f"network {network} needs labels, and the data have none; name a source with classes")
    return domain.classes


def require_text(domain: Domain, network: str) -> tuple[int, int]:
    """The words that captions are made of, and those of one row; `UserError` for data without captions."""
    if domain.text is None:
        raise UserError(f"network {network} draws what a text says, and this recipe has no captions: take stackgan")
    return domain.text


def one_hot(y: Tensor, classes: int, dtype: torch.dtype) -> Tensor:
    """(N,) labels as (N, classes) rows of zeros with a one; a mixture, (N, classes) of floats, stays as it is."""
    if y.is_floating_point():
        return y.to(dtype)
    return (y[:, None] == torch.arange(classes, device=y.device)).to(dtype)


def output_activation(domain: Domain) -> nn.Module:
    """What ends a generator of images: tanh for [-1, 1], a sigmoid for [0, 1]; `UserError` otherwise."""
    if domain.value_range == (-1.0, 1.0):
        return nn.Tanh()
    if domain.value_range == (0.0, 1.0):
        return nn.Sigmoid()
    low, high = domain.value_range
    raise UserError(f"value_range is {low:g},{high:g}; expected -1,1 (tanh) or 0,1 (sigmoid)")


class _Clipped(torch.autograd.Function):
    """Clipped values whose gradient is that of the values as they were."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, low: float, high: float) -> Tensor:
        return x.clamp(low, high)

    @staticmethod
    def backward(ctx: Any, *gradient: Any) -> Any:
        return gradient[0], None, None


_clip: Callable[..., Tensor] = _Clipped.apply


def clipped(x: Tensor, value_range: tuple[float, float]) -> Tensor:
    """What others see of a G that ends linearly: within the range, and to be led back into it where it is beyond."""
    return _clip(x, *value_range) if torch.is_grad_enabled() else x.clamp(*value_range)
