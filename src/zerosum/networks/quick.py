"""`quick`: small networks for a plain CPU, any square image from 28 to 64 pixels, with or without classes.

Transposed convolutions of stride 2 alone in G, the last of them straight to the image: on a CPU the largest images cost
the most, and a step without a layer at full size is half again as fast. No normalization in D, as R3GAN (arXiv
2501.05441) does without; classes by projection in D (Miyato & Koyama 2018, arXiv 1802.05637).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zerosum.networks import NETWORKS
from zerosum.networks.layers.conditioning import ClassEmbedding, projected
from zerosum.networks.layers.convolution import Conv2d, ConvTranspose2d
from zerosum.networks.layers.domains import output_activation, require_images
from zerosum.networks.layers.norms import BatchNorm
from zerosum.networks.layers.product import Linear
from zerosum.networks.layers.shapes import Flatten, to_maps
from zerosum.types import Domain

SIZES = tuple(range(28, 65, 4))
LARGE = 48  # from here on G begins at an eighth of the size instead of a quarter


@NETWORKS.register("quick-generator")
class QuickGenerator(nn.Module):
    """z (N, z_dim), y (N,) -> images: a small grid from one layer, then a transposed convolution per doubling.

    `width`: channels below the full resolution. A class is an embedding beside z.
    """

    def __init__(self, domain: Domain, *, z_dim: int = 64, width: int = 32) -> None:
        super().__init__()
        require_images(domain, "quick-generator", SIZES)
        self.z_dim = z_dim
        doublings = 3 if domain.size >= LARGE and domain.size % 8 == 0 else 2
        grid = domain.size >> doublings
        self.embed = None if domain.classes is None else ClassEmbedding(domain.classes, z_dim)
        self.start = Linear(z_dim * (1 if self.embed is None else 2), width * grid * grid)
        self.shape = (width, grid, grid)
        layers: list[nn.Module] = [BatchNorm(width), nn.ReLU()]
        for _ in range(doublings - 1):
            layers += [ConvTranspose2d(width, width, 4, 2, 1, bias=False), BatchNorm(width), nn.ReLU()]
        layers += [ConvTranspose2d(width, domain.channels, 4, 2, 1), output_activation(domain)]
        self.layers = nn.Sequential(*layers)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        if self.embed is not None:
            assert y is not None
            z = torch.cat([z, self.embed(y)], dim=1)
        images: Tensor = self.layers(to_maps(self.start(z), self.shape))
        return images


@NETWORKS.register("quick-discriminator")
class QuickDiscriminator(nn.Module):
    """Images -> logits (N,): strided convolutions down to a grid of at most 4, then one layer.

    `width`: channels of the first convolution; the second has twice, all later ones four times as many.
    """

    def __init__(self, domain: Domain, *, width: int = 16) -> None:
        super().__init__()
        require_images(domain, "quick-discriminator", SIZES)
        layers: list[nn.Module] = []
        channels, size, index = domain.channels, domain.size, 0
        while size > 4:
            wide, kernel = width << min(index, 2), 4 if index < 2 else 3
            layers += [Conv2d(channels, wide, kernel, stride=2, padding=1), nn.LeakyReLU(0.2)]
            channels, size, index = wide, (size + 2 - kernel) // 2 + 1, index + 1
        self.layers = nn.Sequential(*layers, Flatten())
        features = channels * size * size
        self.end = Linear(features, 1)
        self.embed = None if domain.classes is None else nn.Embedding(domain.classes, features)
        if self.embed is not None:
            nn.init.normal_(self.embed.weight, std=features**-0.5)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        features = self.layers(x)
        logits: Tensor = self.end(features).squeeze(1)
        if self.embed is None:
            return logits
        assert y is not None
        return logits + projected(features, self.embed(y))
