"""BigGAN (Brock, Donahue and Simonyan 2018, arXiv 1809.11096): SAGAN's blocks, a shared class embedding, z in parts.

A part of z goes into the first layer, the others, each beside the embedding of the class, into the scales and shifts
of a block's norms (section 3.2, figure 15). The tables of appendix B at 128, 256 and 512 pixels, 64 after that of 128,
32 as for CIFAR-10, 28 as 32 from a grid of 7. Attention at 64 pixels, below 128 at half the size. Weights are
orthogonal at first, and spectrally normalized in both.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from zerosum.networks import NETWORKS
from zerosum.networks.layers.conditioning import ClassEmbedding, VectorNorm
from zerosum.networks.layers.convolution import Conv2d
from zerosum.networks.layers.domains import require_classes, require_images
from zerosum.networks.layers.product import Linear
from zerosum.networks.layers.resnet import ResnetDiscriminator, Shape, UpBlock, to_image, up_blocks
from zerosum.networks.layers.shapes import to_maps
from zerosum.networks.layers.spectral import spectral_norm
from zerosum.types import Domain

SHAPES = {
    28: Shape(grid=7, start=4, up=(4, 4), down=(4, 4, 4, 4), halves=2, attended=14),
    32: Shape(grid=4, start=4, up=(4, 4, 4), down=(4, 4, 4, 4), halves=2, attended=16),
    64: Shape(grid=4, start=16, up=(16, 8, 4, 2), down=(1, 2, 4, 8, 16), halves=4, attended=32),
    128: Shape(grid=4, start=16, up=(16, 8, 4, 2, 1), down=(1, 2, 4, 8, 16, 16), halves=5, attended=64),
    256: Shape(grid=4, start=16, up=(16, 8, 8, 4, 2, 1), down=(1, 2, 4, 8, 8, 16, 16), halves=6, attended=64),
    512: Shape(grid=4, start=16, up=(16, 8, 8, 4, 2, 1, 1), down=(1, 1, 2, 4, 8, 8, 16, 16), halves=7, attended=64),
}


@NETWORKS.register("biggan-generator")
class BigganGenerator(nn.Module):
    """z (N, part * (blocks + 1)), y (N,) to images; `part` is how many numbers of z each place gets."""

    def __init__(self, domain: Domain, *, part: int = 20, embedded: int = 128, width: int = 96) -> None:
        super().__init__()
        require_images(domain, "biggan-generator", tuple(SHAPES))
        shape, classes = SHAPES[domain.size], require_classes(domain, "biggan-generator")
        self.part, self.z_dim = part, part * (len(shape.up) + 1)
        self.embed = ClassEmbedding(classes, embedded)
        self.grid = (shape.start * width, shape.grid, shape.grid)
        self.start = spectral_norm(Linear(part, math.prod(self.grid)))

        def norm(features: int) -> nn.Module:
            return VectorNorm(features, part + embedded, spectral_norm)

        self.blocks = up_blocks(shape, width, norm, spectral_norm, attention=True)
        self.end = to_image(shape.up[-1] * width, domain, spectral_norm)
        orthogonal_init(self)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        assert y is not None, "a conditional generator is called with labels"
        parts, embedded = list(torch.split(z, self.part, dim=1)), self.embed(y)
        x = to_maps(self.start(parts.pop(0)), self.grid)
        for block in self.blocks:
            x = block(x, torch.cat([embedded, parts.pop(0)], dim=1)) if isinstance(block, UpBlock) else block(x)
        images: Tensor = self.end(x)
        return images


@NETWORKS.register("biggan-discriminator")
class BigganDiscriminator(ResnetDiscriminator):
    """Images, y (N,) to logits (N,)."""

    def __init__(self, domain: Domain, *, width: int = 96) -> None:
        require_classes(domain, "biggan-discriminator")
        super().__init__(domain, width=width, attention=True, name="biggan-discriminator", shapes=SHAPES)
        orthogonal_init(self)


def orthogonal_init(network: nn.Module) -> None:
    """Orthogonal weights and no biases at first (appendix C)."""
    for module in network.modules():
        if not isinstance(module, Conv2d | nn.Linear | nn.Embedding):
            continue
        if is_parametrized(module, "weight"):
            own: Any = module.parametrizations
            nn.init.orthogonal_(own.weight.original)
            own.weight[0].approach(own.weight.original)
        else:
            nn.init.orthogonal_(module.weight)
        if isinstance(module, Conv2d | nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
