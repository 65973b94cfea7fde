"""R3GAN: a generator and a discriminator of modern residual blocks (Huang et al. 2024, arXiv 2501.05441, section 4).

Its configuration E, from the paper's text: no normalization, blocks of 1x1, grouped 3x3 and 1x1 convolutions around a
hidden layer of twice the channels, groups of 16 channels, bilinear resampling, weights by He's rule scaled down with
the number of blocks and zeros at the end of each (fix-up), z as a factor of a learned 4x4 map, and in D a depthwise
convolution over the last 4x4. 28 pixels begin at 7x7.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from zerosum.networks import NETWORKS
from zerosum.networks.layers.conditioning import ClassEmbedding, projected
from zerosum.networks.layers.convolution import Conv2d
from zerosum.networks.layers.domains import clipped, require_images
from zerosum.networks.layers.equalized import leaky
from zerosum.networks.layers.growing import first_side, maps_of
from zerosum.networks.layers.product import Linear
from zerosum.networks.layers.resample import downsample, upsample
from zerosum.types import Domain

SIZES = (28, 32, 64, 128, 256)
BLOCKS = 2  # on each map
EXPANSION = 2  # of the hidden layer
GROUP = 16  # channels that the 3x3 convolution mixes
GAIN = math.sqrt(2 / (1 + 0.2**2))  # of LeakyReLU


def embedding(classes: int, features: int, gain: float) -> ClassEmbedding:
    """A vector for each class, from N(0, gain^2 / classes): a linear map of zeros and a one."""
    layer = ClassEmbedding(classes, features)
    nn.init.normal_(layer.weight, std=gain / math.sqrt(classes))
    return layer


def scaled(layer: nn.Conv2d | nn.Linear, gain: float) -> nn.Module:
    """The layer with weights from N(0, gain^2 / fan in)."""
    fan = layer.weight[0].numel()
    nn.init.normal_(layer.weight, std=gain / math.sqrt(fan))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class Residual(nn.Module):
    """(N, features, H, H) to the same: x + 1x1(leaky(3x3(leaky(1x1(x))))); `blocks`: how many its network has."""

    def __init__(self, features: int, blocks: int) -> None:
        super().__init__()
        hidden = EXPANSION * features
        groups = max(1, hidden // GROUP)
        if hidden % groups:
            groups = 1
        shrunk = GAIN * blocks**-0.25  # fix-up of a branch of three layers, 1901.09321
        self.widen = scaled(Conv2d(features, hidden, 1), shrunk)
        self.mix = scaled(Conv2d(hidden, hidden, 3, padding=1, groups=groups), shrunk)
        self.narrow = scaled(Conv2d(hidden, features, 1, bias=False), 0)

    def forward(self, x: Tensor) -> Tensor:
        deeper: Tensor = x + self.narrow(leaky(self.mix(leaky(self.widen(x)))))
        return deeper


class Transition(nn.Module):
    """From one map to the next: bilinear, to twice or half the side, and a 1x1 convolution where channels change."""

    def __init__(self, inputs: int, outputs: int, *, up: bool) -> None:
        super().__init__()
        self.up = up
        self.change = None if inputs == outputs else scaled(Conv2d(inputs, outputs, 1, bias=False), 1)

    def forward(self, x: Tensor) -> Tensor:
        if self.change is not None and self.up:  # on the smaller map, since the two can change places
            x = self.change(x)
        x = upsample(x) if self.up else downsample(x)
        if self.change is not None and not self.up:
            x = self.change(x)
        return x


def stages(maps: list[int], *, up: bool) -> nn.Sequential:
    """Blocks on every map, in the order in which they are gone through, and transitions between."""
    layers: list[nn.Module] = []
    count = BLOCKS * len(maps)
    for index, own in enumerate(maps):
        layers += [Transition(maps[index - 1], own, up=up)] if index else []
        layers += [Residual(own, count) for _ in range(BLOCKS)]
    return nn.Sequential(*layers)


@NETWORKS.register("r3gan-generator")
class R3ganGenerator(nn.Module):
    """z (N, z_dim), y (N,) to images, which may leave the range of values in training; a class is an embedding by z."""

    linear_end = True

    def __init__(self, domain: Domain, *, z_dim: int = 64, width: int = 768, embedded: int = 64) -> None:
        super().__init__()
        require_images(domain, "r3gan-generator", SIZES)
        maps, side = maps_of(width, domain.size), first_side(domain.size)
        self.z_dim = z_dim
        self.embed = None if domain.classes is None else embedding(domain.classes, embedded, 1)
        self.basis = nn.Parameter(torch.randn(1, maps[0], side, side))
        self.start = scaled(Linear(z_dim + (0 if self.embed is None else embedded), maps[0], bias=False), 1)
        self.stages = stages(maps, up=True)
        self.end = scaled(Conv2d(maps[-1], domain.channels, 1, bias=False), 1)
        self.domain = domain

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        if self.embed is not None:
            assert y is not None
            z = torch.cat([z, self.embed(y)], dim=1)
        x = self.basis * self.start(z)[:, :, None, None]
        images: Tensor = self.end(self.stages(x))
        return images if self.training else clipped(images, self.domain.value_range)


@NETWORKS.register("r3gan-discriminator")
class R3ganDiscriminator(nn.Module):
    """Images, y (N,) to logits (N,); with classes as many numbers as channels, projected on the class's vector."""

    def __init__(self, domain: Domain, *, width: int = 768) -> None:
        super().__init__()
        require_images(domain, "r3gan-discriminator", SIZES)
        maps, side = maps_of(width, domain.size)[::-1], first_side(domain.size)
        self.start = scaled(Conv2d(domain.channels, maps[0], 1, bias=False), 1)
        self.stages = stages(maps, up=False)
        self.basis = nn.Parameter(torch.randn(maps[-1], side, side) / side)
        self.embed = None if domain.classes is None else embedding(domain.classes, maps[-1], maps[-1] ** -0.5)
        self.end = scaled(Linear(maps[-1], 1 if self.embed is None else maps[-1], bias=False), 1)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        features = torch.einsum("nchw,chw->nc", self.stages(self.start(x)), self.basis)
        found: Tensor = self.end(features)
        if self.embed is None:
            return found.squeeze(1)
        assert y is not None
        return projected(found, self.embed(y))
