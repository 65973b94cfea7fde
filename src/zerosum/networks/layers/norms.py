"""Batch norm over all ranks, instance norm, and the sums over ranks.

Batch norm's running variance is the unbiased one, as in torch; Keras agrees where it takes its fused kernel, which it
does for every image batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F

from zerosum.errors import UserError
from zerosum.networks.layers.instance import instance_norm
from zerosum.networks.layers.paths import helps


class InstanceNorm(nn.GroupNorm):
    """Every map of every sample to mean 0 and variance 1 (arXiv 1607.08022), and with `affine` scaled and shifted."""

    def __init__(self, features: int, *, affine: bool = False) -> None:
        super().__init__(features, features, affine=affine)

    def own_path(self, device: torch.device, *, autocast: bool) -> str | None:
        """See `own_paths`."""
        return "instance norm's gradient" if helps(device, autocast=autocast) else None

    def forward(self, input: Tensor) -> Tensor:
        return instance_norm(input, self.weight, self.bias, self.eps)


class BatchNorm(nn.Module):
    """Batch norm of (N, C) or (N, C, H, W) with the moments of all ranks together (arXiv 1502.03167).

    In a single process it is `torch.nn.functional.batch_norm`, number for number. In train mode under
    `torch.distributed` with more than one rank, every rank has to call it, forward and backward; ranks
    may hold unequal parts of the batch. It can be differentiated twice. Without `affine` nothing is learned: whoever
    calls it scales and shifts.
    """

    running_mean: Tensor
    running_var: Tensor
    mixes_samples = True  # each output depends on the whole batch

    def __init__(self, features: int, *, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True) -> None:
        super().__init__()
        self.features, self.eps, self.momentum = features, eps, momentum
        self.weight = nn.Parameter(torch.ones(features)) if affine else None
        self.bias = nn.Parameter(torch.zeros(features)) if affine else None
        self.register_buffer("running_mean", torch.zeros(features))
        self.register_buffer("running_var", torch.ones(features))

    def forward(self, x: Tensor) -> Tensor:
        if self.training and ranks() > 1:
            return self._over_ranks(x)
        if self.training and x.numel() == self.features:
            raise UserError("a batch of one has no deviation for batch norm: --batch 2, or more")
        mean, var = self.running_mean, self.running_var
        return F.batch_norm(x, mean, var, self.weight, self.bias, self.training, self.momentum, self.eps)

    def _over_ranks(self, x: Tensor) -> Tensor:
        values = x.to(self.running_mean.dtype)  # moments of half precision are taken in full
        axes = [axis for axis in range(x.dim()) if axis != 1]
        shape = [1, -1] + [1] * (x.dim() - 2)
        count = values.new_full((1,), x.numel() / x.shape[1])
        sums = all_sum(torch.cat([values.sum(axes), count]))
        count = sums[-1].detach()
        mean = sums[:-1] / count
        centred = values - mean.view(shape)  # a second pass: E x^2 - (E x)^2 would cancel
        var = all_sum(centred.square().sum(axes)) / count
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(var * (count / (count - 1)), self.momentum)
        scale = (var + self.eps).rsqrt()
        if self.weight is None or self.bias is None:
            return (centred * scale.view(shape)).to(x.dtype)
        return (centred * (self.weight * scale).view(shape) + self.bias.view(shape)).to(x.dtype)

    def extra_repr(self) -> str:
        return f"{self.features}, eps={self.eps:g}, momentum={self.momentum:g}"


class _AllSum(torch.autograd.Function):
    """The sum over all ranks; its gradient is the sum of all ranks' gradients, to any order."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return all_sum(gradients[0])


all_sum: Callable[[Tensor], Tensor] = _AllSum.apply


@torch.no_grad()
def mean_over_ranks(value: Tensor) -> Tensor:
    """The mean of what all ranks have, the same on each of them."""
    return all_sum(value) / ranks() if ranks() > 1 else value


def ranks() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1
