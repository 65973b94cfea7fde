"""A block that adds to what goes through it."""

from __future__ import annotations

from torch import Tensor, nn


class Residual(nn.Module):
    """x, and what the layers make of it, added up: of one shape."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        summed: Tensor = x + self.layers(x)
        return summed
