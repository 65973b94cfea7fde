"""Adaptive discriminator augmentation: how often D's images are augmented (Karras et al. 2020, arXiv 2006.06676).

The heuristic r_t = E[sign D(real)], Eq. 1: near 1 where D knows its real images by heart. Every four of D's turns p
moves a step up where r_t is above the target, down where it is below.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from zerosum.networks.layers.norms import mean_over_ranks

INTERVAL = 4  # turns of D between two steps of p


class AdaptiveP:
    """p, a tensor that stays on the device; nothing of it is read on the way."""

    def __init__(self) -> None:
        self.p = torch.zeros(())
        self.signs = torch.zeros(())  # the sum of r_t over the turns since the last step
        self.turns = 0

    def on(self, device: torch.device) -> Tensor:
        """p where it is needed."""
        self.p, self.signs = self.p.to(device), self.signs.to(device)
        return self.p

    @torch.no_grad()
    def see(self, right: Tensor, batch: int, target: float, images: int) -> None:
        """After a turn in which D took the share `right` of `batch` real samples for real."""
        self.on(right.device)
        self.signs = self.signs + (2 * mean_over_ranks(right) - 1)
        self.turns += 1
        if self.turns == INTERVAL:
            self.p = (self.p + torch.sign(self.signs / INTERVAL - target) * batch * INTERVAL / images).clamp(0, 1)
            self.signs, self.turns = torch.zeros_like(self.signs), 0

    def state_dict(self) -> dict[str, Any]:
        return {"p": self.p, "signs": self.signs, "turns": self.turns}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The reverse of `state_dict`."""
        self.p, self.signs, self.turns = state["p"], state["signs"], int(state["turns"])
