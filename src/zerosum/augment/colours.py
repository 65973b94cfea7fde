"""Operations on colours: DiffAugment's three in one, and ADA's one by one (arXiv 2006.10738 and 2006.06676, B).

A grey image has neither hue nor saturation: these leave it as it is.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from zerosum.augment.chance import Numbers, normal

GREY_AXIS = 3**-0.5  # of (1, 1, 1), along which hue turns


def colour(x: Tensor, u: Numbers) -> Tensor:
    """DiffAugment's: a brightness of up to 0.5 either way, saturation times [0, 2), contrast times [0.5, 1.5)."""
    light, saturated, contrasted = (u[:, index, None, None, None] for index in range(3))
    x = x + (light - 0.5)
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * (2 * saturated)
    middle = x.mean((1, 2, 3), keepdim=True)
    return middle + (x - middle) * (contrasted + 0.5)


def brightness(x: Tensor, u: Numbers) -> Tensor:
    """Plus a number from N(0, 0.2)."""
    return x + 0.2 * normal(u[:, 0])[:, None, None, None]


def contrast(x: Tensor, u: Numbers) -> Tensor:
    """Times a number whose logarithm to base 2 is from N(0, 0.5): all that is not 0 moves away from it or near."""
    return x * torch.exp2(0.5 * normal(u[:, 0])[:, None, None, None])


def luma_flip(x: Tensor, u: Numbers) -> Tensor:
    """Light for dark, half of the time: colours mirrored on the plane through 0 that no grey but 0 lies in."""
    return torch.where((u[:, 0] < 0.5)[:, None, None, None], x - 2 * x.mean(1, keepdim=True), x)


def hue(x: Tensor, u: Numbers) -> Tensor:
    """Colours turned about the axis of greys, by any angle."""
    if x.shape[1] != 3:
        return x
    angle = (2 * math.pi * u[:, 0] - math.pi)[:, None, None]
    eye, along = torch.eye(3, dtype=x.dtype, device=x.device), x.new_full((3, 3), GREY_AXIS**2)
    onward = eye.roll(1, 0)  # each axis to the next
    cross = (onward - onward.t()) * GREY_AXIS
    turn = along + (eye - along) * angle.cos() + cross * angle.sin()  # Rodrigues' formula, (N, 3, 3)
    return torch.einsum("nij,njhw->nihw", turn, x)


def saturation(x: Tensor, u: Numbers) -> Tensor:
    """What of a colour is not grey, times a number whose logarithm to base 2 is from N(0, 1)."""
    if x.shape[1] != 3:
        return x
    grey = x.mean(1, keepdim=True)
    return grey + (x - grey) * torch.exp2(normal(u[:, 0])[:, None, None, None])
