"""How a class reaches a network, by the names that a recipe chooses from.

In G: `concatenation` (one-hot beside z, Mirza and Osindero 2014, arXiv 1411.1784), `embedding` (a learned vector beside
z) or `batch-norm` (a scale and a shift for each class, de Vries et al. 2017, 1707.00683). In D: `concatenation` (a map
for each class beside the image, as 1411.1784 has it for vectors), `projection` (Miyato and Koyama 2018, 1802.05637) or
`own-logit` (a logit for each class, that of the sample's own counts). An auxiliary classifier is a game: recipe acgan.
G also takes mixtures of classes, so that one can be led to another while z stays, as in 1809.11096.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from zerosum.errors import UserError
from zerosum.networks.layers.domains import one_hot
from zerosum.networks.layers.norms import BatchNorm
from zerosum.networks.layers.product import Linear

__all__ = [
    "ClassEmbedding",
    "ClassMaps",
    "ClassNorm",
    "Projection",
    "VectorNorm",
    "WithClass",
    "own_logit",
    "projected",
    "way_of",
    "with_class",
]

IN_G = ("concatenation", "embedding", "batch-norm")
IN_D = ("concatenation", "projection", "own-logit")


def way_of(conditioning: str, ways: tuple[str, ...], classes: int | None) -> str | None:
    """The way that a network was told, None where there are no classes; `UserError` for one that it doesn't have."""
    if conditioning not in ways:
        raise UserError(f"conditioning is {conditioning!r}; expected one of {', '.join(ways)}")
    return None if classes is None else conditioning


def with_class(z_dim: int, classes: int | None, way: str | None) -> WithClass | None:
    """What puts the class beside z; None where it reaches G otherwise, or not at all."""
    if classes is None or way not in ("concatenation", "embedding"):
        return None
    return WithClass(z_dim, classes, learned=way == "embedding")


class ClassEmbedding(nn.Embedding):
    """y (N,) to (N, features); y (N, classes) of floats, rows that sum to one, to the same mixture of the vectors."""

    def forward(self, input: Tensor) -> Tensor:
        return input.to(self.weight.dtype) @ self.weight if input.is_floating_point() else super().forward(input)


class WithClass(nn.Module):
    """z (N, z_dim), y (N,) to (N, outputs): beside z the class one-hot, or, `learned`, as a vector as long as z."""

    def __init__(self, z_dim: int, classes: int, *, learned: bool) -> None:
        super().__init__()
        self.classes = classes
        self.embed = ClassEmbedding(classes, z_dim) if learned else None
        self.outputs = z_dim + (z_dim if learned else classes)

    def forward(self, z: Tensor, y: Tensor | None) -> Tensor:
        assert y is not None
        return torch.cat([z, one_hot(y, self.classes, z.dtype) if self.embed is None else self.embed(y)], dim=1)


class ClassMaps(nn.Module):
    """Images or maps (N, C, H, W), y (N,) to (N, C + classes, H, W): ones in the map of the class, zeros in others."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, x: Tensor, y: Tensor | None) -> Tensor:
        assert y is not None
        maps = one_hot(y, self.classes, x.dtype)[:, :, None, None]
        return torch.cat([x, maps.expand(-1, -1, *x.shape[2:])], dim=1)


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
        return projected(features, self.embed(y))


def projected(features: Tensor, vectors: Tensor) -> Tensor:
    """<features, vector> (N,) of each sample, both (N, F)."""
    return torch.sum(features * vectors, dim=1)


def own_logit(logits: Tensor, y: Tensor | None) -> Tensor:
    """(N, 1) without classes, or (N, classes) with y (N,), to the logits (N,) of each sample's own class."""
    if logits.shape[1] == 1:
        return logits.squeeze(1)
    assert y is not None
    return torch.sum(logits * one_hot(y, logits.shape[1], logits.dtype), dim=1)
