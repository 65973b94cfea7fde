"""Dropout whose masks are drawn fast on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zerosum.networks.layers.paths import wanted


class Dropout(nn.Dropout):
    """torch's layer; on a CPU its chance has 16 bits, since drawing the mask took as long as a convolution."""

    def forward(self, input: Tensor) -> Tensor:
        return self.dropped(input) if self.training else input

    def own_path(self, device: torch.device, *, autocast: bool) -> str | None:
        """See `own_paths`."""
        return "masks of 16 bits" if device.type == "cpu" and self.p not in (0.0, 1.0) else None

    def dropped(self, input: Tensor) -> Tensor:
        """What a training network makes of it."""
        if input.device.type != "cpu" or self.p in (0.0, 1.0) or not wanted():
            return F.dropout(input, self.p, training=True)
        dropped = min(round(self.p * 2**16), 2**16 - 1)  # of 65,536 numbers
        drawn = torch.empty(-(-input.numel() // 4), dtype=torch.int64).random_(-(2**63), None).view(torch.int16)
        layout = torch.empty_like(input, requires_grad=False)
        bits = drawn[: input.numel()].as_strided(layout.shape, layout.stride())
        return input * (bits >= dropped - 2**15).to(input.dtype).mul_(2**16 / (2**16 - dropped))
