"""Residual blocks of GANs, and the two networks that SNGAN, SAGAN and their descendants are made of.

Blocks as in Miyato et al. 2018 (arXiv 1802.05957, figures 8 and 9), classes by conditional batch norm in G and by
projection in D (Miyato and Koyama 2018, 1802.05637) unless the recipe chooses otherwise (`conditioning`),
self-attention after Zhang et al. 2018 (1805.08318). Upsampling is to the nearest neighbour, downsampling the mean of
2x2 pixels. Kernels are Glorot-uniform, those of the 3x3 convolutions in a block with a gain of the square root of 2, as
in the authors' code.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zerosum.networks.layers.conditioning import (
    IN_D,
    IN_G,
    ClassMaps,
    ClassNorm,
    Projection,
    own_logit,
    way_of,
    with_class,
)
from zerosum.networks.layers.convolution import Conv2d
from zerosum.networks.layers.domains import output_activation, require_images
from zerosum.networks.layers.norms import BatchNorm
from zerosum.networks.layers.product import Linear
from zerosum.networks.layers.shapes import to_maps
from zerosum.networks.layers.spectral import spectral_norm
from zerosum.types import Domain

Wrap = Callable[[nn.Module], nn.Module]


@dataclass(frozen=True)
class Shape:
    """Of both networks at one size: G's grid, D's halvings, and the channels of all maps in multiples of the width."""

    grid: int
    start: int
    up: tuple[int, ...]
    down: tuple[int, ...]
    halves: int
    attended: int  # the side of the map that attention is paid to


SHAPES = {
    28: Shape(grid=7, start=4, up=(4, 4), down=(2, 2, 2, 2), halves=2, attended=14),
    32: Shape(grid=4, start=4, up=(4, 4, 4), down=(2, 2, 2, 2), halves=2, attended=8),  # CIFAR-10's, table 4
    48: Shape(grid=6, start=8, up=(4, 2, 1), down=(1, 2, 4, 8, 16), halves=4, attended=12),  # STL-10's, table 5
    64: Shape(grid=4, start=16, up=(8, 4, 2, 1), down=(1, 2, 4, 8, 16), halves=4, attended=16),
    # ImageNet's, table 6.
    128: Shape(grid=4, start=16, up=(16, 8, 4, 2, 1), down=(1, 2, 4, 8, 16, 16), halves=5, attended=32),
}
SIZES = tuple(SHAPES)


def conv(inputs: int, outputs: int, kernel: int, wrap: Wrap, *, gain: float = 1.0) -> nn.Module:
    """A convolution that keeps the size, Glorot-uniform."""
    layer = Conv2d(inputs, outputs, kernel, padding=kernel // 2)
    return wrap(glorot(layer, gain))


def glorot(layer: nn.Conv2d | nn.Linear, gain: float = 1.0) -> nn.Module:
    """The layer with Glorot-uniform weights and no bias at first."""
    nn.init.xavier_uniform_(layer.weight, gain)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def upsample(x: Tensor) -> Tensor:
    """(N, C, H, W) to (N, C, 2H, 2W), each pixel four times."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def as_it_is(layer: nn.Module) -> nn.Module:
    """The wrap of a network whose layers are not normalized."""
    return layer


class UpBlock(nn.Module):
    """(N, inputs, H, H) to (N, outputs, 2H, 2H): norm, ReLU, upsampling, 3x3, norm, ReLU, 3x3, beside 1x1 upsampled."""

    def __init__(self, inputs: int, outputs: int, norm: Callable[[int], nn.Module], wrap: Wrap) -> None:
        super().__init__()
        self.norm1, self.norm2 = norm(inputs), norm(outputs)
        self.conv1 = conv(inputs, outputs, 3, wrap, gain=math.sqrt(2))
        self.conv2 = conv(outputs, outputs, 3, wrap, gain=math.sqrt(2))
        self.skip = conv(inputs, outputs, 1, wrap)

    def forward(self, x: Tensor, y: Tensor | None) -> Tensor:
        h = self.conv1(upsample(F.relu(self.norm1(x, y))))
        h = self.conv2(F.relu(self.norm2(h, y)))
        summed: Tensor = h + upsample(self.skip(x))  # a 1x1 convolution and a repetition of pixels can change places
        return summed


class DownBlock(nn.Module):
    """(N, inputs, H, H) to (N, outputs, H / 2, H / 2) or the same H: ReLU, 3x3, ReLU, 3x3, mean pooling.

    `first`: the block that sees the image, which goes without the first ReLU and pools before its 1x1 convolution.
    `wide`: channels change in the first 3x3, as in SAGAN and BigGAN, and in `first`; else in the second, as in SNGAN.
    """

    def __init__(
        self, inputs: int, outputs: int, wrap: Wrap, *, halves: bool, first: bool = False, wide: bool = True
    ) -> None:
        super().__init__()
        self.halves, self.first = halves, first
        between = outputs if wide or first else inputs
        self.conv1 = conv(inputs, between, 3, wrap, gain=math.sqrt(2))
        self.conv2 = conv(between, outputs, 3, wrap, gain=math.sqrt(2))
        self.skip = conv(inputs, outputs, 1, wrap) if halves or inputs != outputs else None

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv2(F.relu(self.conv1(x if self.first else F.relu(x))))
        if self.first:
            x = self.pool(x)
        if self.skip is not None:
            x = self.skip(x)
        return self.pool(h) + (x if self.first else self.pool(x))

    def pool(self, x: Tensor) -> Tensor:
        """The mean of each 2x2 pixels, where the block halves."""
        return F.avg_pool2d(x, 2) if self.halves else x


class SelfAttention(nn.Module):
    """(N, C, H, W) to the same: every pixel looks at every other one (1805.08318, section 3).

    Queries and keys have C / 8 channels, values C / 2, keys and values of a quarter of the pixels, as in the authors'
    code; what is found counts gamma times, which begins at 0.
    """

    def __init__(self, channels: int, wrap: Wrap) -> None:
        super().__init__()
        inner, values = max(1, channels // 8), max(1, channels // 2)
        self.query, self.key = (wrap(glorot(Conv2d(channels, inner, 1, bias=False))) for _ in range(2))
        self.value = wrap(glorot(Conv2d(channels, values, 1, bias=False)))
        self.out = wrap(glorot(Conv2d(values, channels, 1, bias=False)))
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        query = self.query(x).flatten(2).transpose(1, 2)  # (N, HW, C / 8)
        key = F.max_pool2d(self.key(x), 2).flatten(2)  # (N, C / 8, HW / 4)
        value = F.max_pool2d(self.value(x), 2).flatten(2)  # (N, C / 2, HW / 4)
        found = value @ (query @ key).softmax(2).transpose(1, 2)
        shape = (len(x), -1, *x.shape[2:])
        mixed: Tensor = self.out(found.reshape(shape))
        return x + self.gamma * mixed


def up_blocks(
    shape: Shape, width: int, norm: Callable[[int], nn.Module], wrap: Wrap, *, attention: bool
) -> nn.ModuleList:
    """The blocks of a generator, one for each doubling, and attention behind the one that makes its map."""
    channels, size = shape.start * width, shape.grid
    blocks = nn.ModuleList()
    for times in shape.up:
        blocks.append(UpBlock(channels, times * width, norm, wrap))
        channels, size = times * width, 2 * size
        if attention and size == shape.attended:
            blocks.append(SelfAttention(channels, wrap))
    return blocks


def to_image(channels: int, domain: Domain, wrap: Wrap) -> nn.Sequential:
    """What ends a generator: norm, ReLU, a 3x3 convolution, and the domain's range."""
    last = conv(channels, domain.channels, 3, wrap)
    return nn.Sequential(BatchNorm(channels), nn.ReLU(), last, output_activation(domain))


class ResnetGenerator(nn.Module):
    """z (N, z_dim), y (N,) to images: a linear map to a small grid, a block per doubling, and one 3x3 convolution."""

    def __init__(
        self,
        domain: Domain,
        *,
        z_dim: int,
        width: int,
        attention: bool,
        wrap: Wrap,
        name: str,
        conditioning: str = "batch-norm",
    ) -> None:
        super().__init__()
        require_images(domain, name, SIZES)
        shape, way = SHAPES[domain.size], way_of(conditioning, IN_G, domain.classes)
        self.z_dim, self.given = z_dim, with_class(z_dim, domain.classes, way)
        inputs = z_dim if self.given is None else self.given.outputs
        self.grid = (shape.start * width, shape.grid, shape.grid)
        self.start = wrap(glorot(Linear(inputs, math.prod(self.grid))))

        def norm(features: int) -> nn.Module:
            return ClassNorm(features, domain.classes if way == "batch-norm" else None)

        self.blocks = up_blocks(shape, width, norm, wrap, attention=attention)
        self.end = to_image(shape.up[-1] * width, domain, wrap)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        x = to_maps(self.start(z if self.given is None else self.given(z, y)), self.grid)
        for block in self.blocks:
            x = block(x, y) if isinstance(block, UpBlock) else block(x)
        images: Tensor = self.end(x)
        return images


class ResnetDiscriminator(nn.Module):
    """Images, y (N,) to logits (N,): spectrally normalized blocks, the sum over pixels, a linear map, a projection."""

    def __init__(
        self,
        domain: Domain,
        *,
        width: int,
        attention: bool,
        name: str,
        shapes: Mapping[int, Shape] = SHAPES,
        conditioning: str = "projection",
        wide: bool = True,
    ) -> None:
        super().__init__()
        require_images(domain, name, tuple(shapes))
        shape, classes = shapes[domain.size], domain.classes or 0
        way = way_of(conditioning, IN_D, domain.classes)
        self.maps = ClassMaps(classes) if way == "concatenation" else None
        channels, size = domain.channels + (0 if self.maps is None else classes), domain.size
        blocks: list[nn.Module] = []
        for index, times in enumerate(shape.down):
            halves = index < shape.halves
            blocks.append(DownBlock(channels, times * width, spectral_norm, halves=halves, first=index == 0, wide=wide))
            channels, size = times * width, size // 2 if halves else size
            if attention and halves and size == shape.attended:
                blocks.append(SelfAttention(channels, spectral_norm))
        self.blocks = nn.Sequential(*blocks, nn.ReLU())
        self.end = spectral_norm(glorot(Linear(channels, classes if way == "own-logit" else 1)))
        self.projection = Projection(channels, classes, spectral_norm) if way == "projection" else None

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        features = self.blocks(x if self.maps is None else self.maps(x, y)).sum((2, 3))
        logits = own_logit(self.end(features), y)
        return logits if self.projection is None else logits + self.projection(features, y)
