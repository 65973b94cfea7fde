"""InfoGAN's networks for MNIST (Chen et al. 2016, arXiv 1606.03657, appendix C.1).

z is normal everywhere in zerosum, so that every generator is drawn from alike; G makes its noise and codes of it: of
the last numbers of z, which of `categories` is the largest is the categorical code (each equally likely), and
2 Phi(z) - 1 are the `continuous` codes and the noise, uniform in [-1, 1] as in the paper.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from zerosum.errors import UserError
from zerosum.networks import NETWORKS
from zerosum.networks.layers.convolution import Conv2d, ConvTranspose2d
from zerosum.networks.layers.domains import one_hot, output_activation, require_images
from zerosum.networks.layers.norms import BatchNorm
from zerosum.networks.layers.product import Linear
from zerosum.networks.layers.shapes import Flatten, Unflatten
from zerosum.types import Domain

SIZES = (28, 32, 64)
HALVINGS = 2


@NETWORKS.register("infogan-generator")
class InfoganGenerator(nn.Module):
    """z (N, noise + categories + continuous) to images; 62 + 10 + 2 numbers are the paper's for MNIST."""

    def __init__(
        self, domain: Domain, *, noise: int = 62, categories: int = 10, continuous: int = 2, width: int = 64
    ) -> None:
        super().__init__()
        require_images(domain, "infogan-generator", SIZES)
        self.z_dim = noise + categories + continuous
        self.categories, self.continuous = categories, continuous
        grid, units = domain.size >> HALVINGS, 16 * width
        self.layers = nn.Sequential(
            *(Linear(self.z_dim, units, bias=False), BatchNorm(units), nn.ReLU()),
            *(Linear(units, 2 * width * grid * grid, bias=False), BatchNorm(2 * width * grid * grid), nn.ReLU()),
            Unflatten(1, (2 * width, grid, grid)),
            *(ConvTranspose2d(2 * width, width, 4, 2, 1, bias=False), BatchNorm(width), nn.ReLU()),
            *(ConvTranspose2d(width, domain.channels, 4, 2, 1), output_activation(domain)),
        )

    def codes(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Of z: the category (N,), and the continuous codes (N, continuous) in [-1, 1]."""
        end = self.z_dim - self.continuous
        return z[:, end - self.categories : end].argmax(1), _uniform(z[:, end:])

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        category, continuous = self.codes(z)
        noise = _uniform(z[:, : self.z_dim - self.continuous - self.categories])
        told = torch.cat([noise, one_hot(category, self.categories, z.dtype), continuous], dim=1)
        images: Tensor = self.layers(told)
        return images


@NETWORKS.register("infogan-discriminator")
class InfoganDiscriminator(nn.Module):
    """Images to logits (N,); `both` has Q's guesses of the codes beside them (N, categories + continuous)."""

    def __init__(self, domain: Domain, *, categories: int = 10, continuous: int = 2, width: int = 64) -> None:
        super().__init__()
        require_images(domain, "infogan-discriminator", SIZES)
        if categories < 2:
            raise UserError(f"categories is {categories}; expected at least 2")
        self.categories, self.continuous = categories, continuous
        grid, units = domain.size >> HALVINGS, 16 * width
        self.layers = nn.Sequential(
            *(Conv2d(domain.channels, width, 4, 2, 1), nn.LeakyReLU(0.1)),
            *(Conv2d(width, 2 * width, 4, 2, 1, bias=False), BatchNorm(2 * width), nn.LeakyReLU(0.1), Flatten()),
            *(Linear(2 * width * grid * grid, units, bias=False), BatchNorm(units), nn.LeakyReLU(0.1)),
        )
        self.source = Linear(units, 1)
        self.guess = nn.Sequential(
            *(Linear(units, 2 * width, bias=False), BatchNorm(2 * width), nn.LeakyReLU(0.1)),
            Linear(2 * width, categories + continuous),
        )

    def both(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The logit of "real" (N,) and Q's guesses."""
        features = self.layers(x)
        return self.source(features).squeeze(1), self.guess(features)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        return self.both(x)[0]


def _uniform(z: Tensor) -> Tensor:
    """Normal numbers to uniform ones in [-1, 1]: 2 Phi(z) - 1."""
    return torch.erf(z / math.sqrt(2))
