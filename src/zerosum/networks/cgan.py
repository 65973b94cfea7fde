"""Conditional GAN (Mirza and Osindero 2014, arXiv 1411.1784, section 4.1): MLPs that are told the label.

G maps z and y to hidden layers of their own, whose concatenation goes on; D does so with the image and
y, in maxout units. The paper has dropout of 0.5 in both; here it follows every hidden layer. The
initialisation is that of 1406.2661's code but for the labels' layers, which have torch's: as small as
the others they are hardly heard, and D soon wins.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zerosum.networks import NETWORKS
from zerosum.networks.gan import Maxout, uniform_init
from zerosum.networks.layers.domains import one_hot, output_activation, require_classes, require_images
from zerosum.networks.layers.dropout import Dropout
from zerosum.networks.layers.product import Linear
from zerosum.types import Domain


@NETWORKS.register("cgan-generator")
class CganGenerator(nn.Module):
    """z (N, z_dim) and y (N,) to images (N, C, H, W) in the domain's range."""

    def __init__(
        self,
        domain: Domain,
        *,
        z_dim: int = 100,
        z_units: int = 200,
        y_units: int = 1000,
        units: int = 1200,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        require_images(domain, "cgan-generator")
        self.z_dim, self.classes = z_dim, require_classes(domain, "cgan-generator")
        self.from_z = nn.Sequential(Linear(z_dim, z_units), nn.ReLU(), Dropout(dropout))
        self.from_y = nn.Sequential(Linear(self.classes, y_units), nn.ReLU(), Dropout(dropout))
        self.layers = nn.Sequential(
            Linear(z_units + y_units, units),
            nn.ReLU(),
            Dropout(dropout),
            Linear(units, domain.channels * domain.size**2),
            output_activation(domain),
            nn.Unflatten(1, domain.shape),
        )
        for part in (self.from_z, self.layers):
            uniform_init(part, 0.05)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        assert y is not None, "a conditional generator is called with labels"
        hot = one_hot(y, self.classes, z.dtype)
        images: Tensor = self.layers(torch.cat([self.from_z(z), self.from_y(hot)], dim=1))
        return images


@NETWORKS.register("cgan-discriminator")
class CganDiscriminator(nn.Module):
    """Images (N, C, H, W) and y (N,) to logits (N,)."""

    def __init__(
        self,
        domain: Domain,
        *,
        x_units: int = 240,
        x_pieces: int = 5,
        y_units: int = 50,
        y_pieces: int = 5,
        units: int = 240,
        pieces: int = 4,
        input_dropout: float = 0.2,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        require_images(domain, "cgan-discriminator")
        self.classes = require_classes(domain, "cgan-discriminator")
        pixels = domain.channels * domain.size**2
        self.from_x = nn.Sequential(
            nn.Flatten(),
            Dropout(input_dropout),
            Maxout(pixels, x_units, x_pieces),
            Dropout(dropout),
        )
        self.from_y = nn.Sequential(Maxout(self.classes, y_units, y_pieces), Dropout(dropout))
        self.layers = nn.Sequential(
            Maxout(x_units + y_units, units, pieces),
            Dropout(dropout),
            Linear(units, 1),
        )
        for part in (self.from_x, self.layers):
            uniform_init(part, 0.005)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        assert y is not None, "a conditional discriminator is called with labels"
        hot = one_hot(y, self.classes, x.dtype)
        logits: Tensor = self.layers(torch.cat([self.from_x(x), self.from_y(hot)], dim=1))
        return logits.flatten()
