"""BEGAN's networks (Berthelot et al. 2017, arXiv 1703.10717, section 3.6): D is an autoencoder, G as its decoder.

3x3 convolutions with ELUs, two at each size; the encoder's channels grow linearly with each halving, the decoder keeps
`width` and doubles to the nearest neighbour, and ends in a plain convolution: behind a tanh, D would learn nothing from
an L1 error once it says "black" of digits. D's logit is how well it gives an image back: minus its mean L1 error.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zerosum.networks import NETWORKS
from zerosum.networks.layers.convolution import Conv2d
from zerosum.networks.layers.domains import clipped, require_images
from zerosum.networks.layers.product import Linear
from zerosum.networks.layers.shapes import Flatten, Unflatten
from zerosum.types import Domain

GRIDS = {28: 7, 32: 8, 64: 8, 128: 8, 256: 8}  # the smallest side: the paper's 8x8, and 7x7 for 28 pixels


def _convolutions(inputs: int, outputs: int) -> list[nn.Module]:
    """Two convolutions that keep the size."""
    return [Conv2d(inputs, outputs, 3, 1, 1), nn.ELU(), Conv2d(outputs, outputs, 3, 1, 1), nn.ELU()]


class Decoder(nn.Module):
    """h (N, hidden) to images (N, C, H, H)."""

    def __init__(self, domain: Domain, hidden: int, width: int) -> None:
        super().__init__()
        size = GRIDS[domain.size]
        layers: list[nn.Module] = [Linear(hidden, width * size * size), Unflatten(1, (width, size, size))]
        layers += _convolutions(width, width)
        while size < domain.size:
            layers += [nn.UpsamplingNearest2d(scale_factor=2), *_convolutions(width, width)]
            size *= 2
        self.layers = nn.Sequential(*layers, Conv2d(width, domain.channels, 3, 1, 1))

    def forward(self, h: Tensor) -> Tensor:
        images: Tensor = self.layers(h)
        return images


class Encoder(nn.Module):
    """Images to h (N, hidden); halving by stride 2."""

    def __init__(self, domain: Domain, hidden: int, width: int) -> None:
        super().__init__()
        size, times = domain.size, 1
        layers: list[nn.Module] = [Conv2d(domain.channels, width, 3, 1, 1), nn.ELU(), *_convolutions(width, width)]
        while size > GRIDS[domain.size]:
            layers += [Conv2d(times * width, (times + 1) * width, 3, 2, 1), nn.ELU()]
            times, size = times + 1, size // 2
            layers += _convolutions(times * width, times * width)
        self.layers = nn.Sequential(*layers, Flatten(), Linear(times * width * size * size, hidden))

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = self.layers(x)
        return h


@NETWORKS.register("began-generator")
class BeganGenerator(nn.Module):
    """z (N, z_dim), brought to [-1, 1] where the paper draws it uniformly, to images; clipped to the range in use."""

    linear_end = True

    def __init__(self, domain: Domain, *, z_dim: int = 64, width: int = 64) -> None:
        super().__init__()
        require_images(domain, "began-generator", tuple(GRIDS))
        self.z_dim, self.value_range = z_dim, domain.value_range
        self.decoder = Decoder(domain, z_dim, width)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        images: Tensor = self.decoder(torch.erf(z / 2**0.5))
        return images if self.training else clipped(images, self.value_range)


@NETWORKS.register("began-discriminator")
class BeganDiscriminator(nn.Module):
    """Images to logits (N,): minus the mean absolute error of what the autoencoder gives back."""

    def __init__(self, domain: Domain, *, hidden: int = 64, width: int = 64) -> None:
        super().__init__()
        require_images(domain, "began-discriminator", tuple(GRIDS))
        self.encoder, self.decoder = Encoder(domain, hidden, width), Decoder(domain, hidden, width)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        back = self.decoder(self.encoder(x))
        return -F.l1_loss(back, x, reduction="none").flatten(1).mean(1)
