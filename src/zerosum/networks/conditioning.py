"""How a class reaches a network: an embedding or conditional batch norm in G, projection in D.

Conditional batch norm: de Vries et al. 2017 (arXiv 1707.00683); projection: Miyato and Koyama 2018 (1802.05637).
G also takes mixtures of classes, so that one can be led to another while z stays, as in 1809.11096.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from zerosum.networks.layers import BatchNorm, one_hot
from zerosum.networks.product import Linear

__all__ = ["ClassEmbedding", "ClassNorm", "Projection", "VectorNorm", "own_logit"]


class ClassEmbedding(nn.Embedding):
    """y (N,) to (N, features); y (N, classes) of floats, rows that sum to one, to the same mixture of the vectors."""

    def forward(self, input: Tensor) -> Tensor:
        return input.to(self.weight.dtype) @ self.weight if input.is_floating_point() else super().forward(input)


class ClassNorm(BatchNorm):
    """Batch norm of (N, C, H, W) with a scale and a shift for each class; plain batch norm where classes is None."""

    def __init__(self, features: int, classes: int | None) -> None:
        super().__init__(features, affine=classes is None)
        self.scales = self.shifts = None
        if classes is not None:
            self.scales, self.shifts = (ClassEmbedding(classes, features) for _ in range(2))
            nn.init.ones_(self.scales.weight)
            nn.init.zeros_(self.shifts.weight)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        normed = super().forward(x)
        if self.scales is None or self.shifts is None:
            return normed
        assert y is not None
        scale, shift = (of(y)[:, :, None, None] for of in (self.scales, self.shifts))
        return torch.addcmul(shift, normed, scale)


class VectorNorm(BatchNorm):
    """Batch norm of (N, C, H, W) whose scale, about 1, and shift are linear maps of a vector (N, inputs) (BigGAN)."""

    def __init__(self, features: int, inputs: int, wrap: Callable[[nn.Module], nn.Module]) -> None:
        super().__init__(features, affine=False)
        self.scale, self.shift = (wrap(Linear(inputs, features, bias=False)) for _ in range(2))

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        assert y is not None
        scale, shift = (of(y)[:, :, None, None] for of in (self.scale, self.shift))
        return torch.addcmul(shift, super().forward(x), 1 + scale)


class Projection(nn.Module):
    """features (N, F), y (N,) to <features, embedding of y> (N,), which is added to D's logits."""

    def __init__(self, features: int, classes: int, wrap: Callable[[nn.Module], nn.Module]) -> None:
        super().__init__()
        embed = nn.Embedding(classes, features)
        nn.init.xavier_uniform_(embed.weight)
        self.embed = wrap(embed)

    def forward(self, features: Tensor, y: Tensor | None) -> Tensor:
        assert y is not None
        return torch.sum(features * self.embed(y), dim=1)


def own_logit(logits: Tensor, y: Tensor | None) -> Tensor:
    """(N, 1) without classes, or (N, classes) with y (N,), to the logits (N,) of each sample's own class."""
    if logits.shape[1] == 1:
        return logits.squeeze(1)
    assert y is not None
    return torch.sum(logits * one_hot(y, logits.shape[1], logits.dtype), dim=1)
