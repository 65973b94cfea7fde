"""The random numbers of an operation: uniform ones, and what is made of them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

Numbers = Tensor  # (N, count), uniform in [0, 1)


def normal(u: Tensor) -> Tensor:
    """(N,) uniform numbers in [0, 1) to numbers from N(0, 1), within five deviations."""
    return math.sqrt(2) * torch.erfinv(2 * u.clamp(1e-6, 1 - 1e-6) - 1)
