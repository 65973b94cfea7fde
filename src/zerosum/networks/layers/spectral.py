"""Spectral normalization (Miyato et al. 2018, arXiv 1802.05957): a layer's weight over its largest singular value.

One step of power iteration in each forward pass in train mode, as in Algorithm 1; in eval mode the vectors rest, so
that a sample does not depend on how often others were drawn. The vectors are state that a checkpoint carries.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrize import register_parametrization

Layer = TypeVar("Layer", bound=nn.Module)
FIRST = 15  # steps of power iteration on the first weights: the first pass is near the norm already
EPS = 1e-12


class SpectralNorm(nn.Module):
    """weight (out, in, ...) to weight / sigma, sigma = u^T W v by power iteration on W as (out, in * ...)."""

    u: Tensor
    v: Tensor

    def __init__(self, weight: Tensor, axis: int = 0) -> None:
        super().__init__()
        self.axis = axis
        for name, length in zip(("u", "v"), self.matrix(weight.detach()).shape, strict=True):
            self.register_buffer(name, F.normalize(weight.new_empty(length).normal_(), dim=0, eps=EPS))
        self.approach(weight)

    def approach(self, weight: Tensor) -> None:
        """Bring the vectors near those of a weight that is new to them."""
        matrix = self.matrix(weight.detach())
        for _ in range(FIRST):
            self.iterate(matrix)

    def matrix(self, weight: Tensor) -> Tensor:
        """(outputs, the rest): a transposed convolution's outputs are its second axis."""
        return weight.transpose(0, self.axis).flatten(1)

    @torch.no_grad()
    def iterate(self, matrix: Tensor) -> None:
        self.v.copy_(F.normalize(matrix.t() @ self.u, dim=0, eps=EPS))
        self.u.copy_(F.normalize(matrix @ self.v, dim=0, eps=EPS))

    def forward(self, weight: Tensor) -> Tensor:
        matrix = self.matrix(weight)
        with in_full(weight.device.type):  # sigma is divided by: half its digits are too few
            if self.training:
                self.iterate(matrix.detach())
            # Copies: a second pass moves the vectors while the graph of the first still needs them.
            u, v = self.u.clone(), self.v.clone()
            return weight / torch.dot(u, matrix @ v)


def in_full(device: str) -> AbstractContextManager[Any]:
    """Inside, numbers keep their own precision."""
    return nullcontext() if device == "meta" else torch.autocast(device, enabled=False)


def spectral_norm(layer: Layer) -> Layer:
    """The layer with its weight normalized; convolutions, transposed ones, linear maps and embeddings."""
    weight = layer.weight
    assert isinstance(weight, Tensor)
    axis = 1 if isinstance(layer, nn.ConvTranspose2d) else 0
    register_parametrization(layer, "weight", SpectralNorm(weight, axis))
    return layer
