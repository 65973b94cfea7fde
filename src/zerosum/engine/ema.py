"""The exponential moving average of a generator's weights, which draws better samples than the weights themselves."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class Ema:
    """A copy of a network that follows it: average <- decay * average + (1 - decay) * weights, once a step."""

    def __init__(self, network: nn.Module, decay: float, *, ramp: bool = False) -> None:
        """`ramp`: the decay is at most (1 + step) / (10 + step), so that the start is forgotten soon."""
        self.decay, self.ramp = decay, ramp
        self.network = copy.deepcopy(network).requires_grad_(False).eval()
        self._followed = network
        self._pairs: tuple[list[Tensor], list[Tensor]] = list(self.network.parameters()), list(network.parameters())

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Follow by one step (from 1). Buffers, such as batch norm's averages, are taken as they are."""
        decay = min(self.decay, (1 + step) / (10 + step)) if self.ramp else self.decay
        mine, theirs = self._pairs
        torch._foreach_lerp_(mine, theirs, 1 - decay)
        for buffer, value in zip(self.network.buffers(), self._followed.buffers(), strict=True):
            buffer.copy_(value)
