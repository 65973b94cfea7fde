"""`quick`: small networks for a plain CPU, any square image from 28 to 64 pixels, with or without classes.

Pixel shuffle (Shi et al. 2016, arXiv 1609.05158) in G instead of transposed convolutions; no normalization in D, as
R3GAN (2501.05441) does without; classes by projection in D (Miyato & Koyama 2018, arXiv 1802.05637).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zerosum.errors import UserError
from zerosum.networks import NETWORKS
from zerosum.networks.convolution import Conv2d
from zerosum.networks.layers import BatchNorm, output_activation, require_images
from zerosum.types import Domain

SIZES = tuple(range(28, 65, 4))
LARGE = 48  # from here on G begins at an eighth of the size instead of a quarter


@NETWORKS.register("quick-generator")
class QuickGenerator(nn.Module):
    """z (N, z_dim), y (N,) -> images: a small grid from one layer, then convolution and pixel shuffle per doubling.

    `width`: channels at the low resolutions; the full resolution has half of them. A class is an embedding beside z.
    """

    def __init__(self, domain: Domain, *, z_dim: int = 64, width: int = 32) -> None:
        super().__init__()
        require_images(domain, "quick-generator", SIZES)
        if width % 2:
            raise UserError(f"width is {width}; expected an even number, since the last stage has half of it")
        self.z_dim = z_dim
        doublings = 3 if domain.size >= LARGE and domain.size % 8 == 0 else 2
        grid = domain.size >> doublings
        self.embed = None if domain.classes is None else nn.Embedding(domain.classes, z_dim)
        self.start = nn.Linear(z_dim * (1 if self.embed is None else 2), width * grid * grid)
        self.shape = (width, grid, grid)
        layers: list[nn.Module] = [BatchNorm(width), nn.ReLU()]
        channels = width
        for index in range(doublings):
            wide = width if index + 1 < doublings else width // 2
            layers += [
                Conv2d(channels, 4 * wide, 3, padding=1, bias=False),
                nn.PixelShuffle(2),
                BatchNorm(wide),
                nn.ReLU(),
            ]
            channels = wide
        layers += [Conv2d(channels, domain.channels, 3, padding=1), output_activation(domain)]
        self.layers = nn.Sequential(*layers)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        if self.embed is not None:
            assert y is not None
            z = torch.cat([z, self.embed(y)], dim=1)
        images: Tensor = self.layers(self.start(z).view(-1, *self.shape))
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
        self.layers = nn.Sequential(*layers, nn.Flatten())
        features = channels * size * size
        self.end = nn.Linear(features, 1)
        self.embed = None if domain.classes is None else nn.Embedding(domain.classes, features)
        if self.embed is not None:
            nn.init.normal_(self.embed.weight, std=features**-0.5)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        features = self.layers(x)
        logits: Tensor = self.end(features).squeeze(1)
        if self.embed is not None:
            assert y is not None
            logits = logits + (features * self.embed(y)).sum(dim=1)
        return logits
