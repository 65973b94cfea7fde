"""TP-GAN's networks: a face from the front, by a pathway for the whole and one for its landmarks (arXiv 1704.04086).

As in section 3.1 and tables 1 to 3: the global pathway is an encoder of 7x7, 5x5 and 3x3 convolutions, a residual block
after each and four after the last, to a vector that is the larger half of a fully connected layer's numbers; z joins
it, and a decoder with ways across leads back. Four local pathways, one for each eye, the nose and the mouth, are small
U-Nets without a bottleneck on patches around the landmarks; their maps are put where those lie in a frontal face, the
largest one where they overlap, and join the global ones at full size. The vector also names the identity. D judges four
regions. At 64 pixels all but the kernels is half as large, and there is one halving less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zerosum.errors import UserError
from zerosum.networks import NETWORKS
from zerosum.networks.layers.convolution import Conv2d, ConvTranspose2d
from zerosum.networks.layers.domains import output_activation, require_classes, require_images, require_source
from zerosum.networks.layers.norms import BatchNorm
from zerosum.networks.layers.product import Linear
from zerosum.networks.layers.shapes import Flatten, Unflatten
from zerosum.networks.layers.weights import dcgan_init
from zerosum.networks.srgan import Block
from zerosum.types import Domain

SIZES = (64, 128)
LANDMARKS = 5
INNERMOST = 8  # pixels of a side
PATCHES = ((40, 40), (40, 40), (32, 40), (32, 48))  # height and width at 128 pixels: left eye, right eye, nose, mouth


@dataclass(frozen=True)
class Views:
    """What G makes of a face: the frontal image, those of a quarter and a half of its size, patches, an identity."""

    image: Tensor  # (N, C, S, S)
    smaller: list[Tensor]
    patches: list[Tensor]
    corners: list[tuple[int, int]]  # the upper left pixel of each patch in a frontal face
    named: Tensor  # logits (N, classes)


def conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """A convolution with batch norm and ReLU."""
    layer = Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(layer, BatchNorm(outputs), nn.ReLU())


def deconv(inputs: int, outputs: int, factor: int = 2) -> nn.Sequential:
    """A transposed convolution to `factor` times the side, with batch norm and ReLU."""
    layer = ConvTranspose2d(inputs, outputs, 2 * factor, factor, factor // 2, bias=False)
    return nn.Sequential(layer, BatchNorm(outputs), nn.ReLU())


class LocalPathway(nn.Module):
    """A patch (N, C, h, w), h and w multiples of 8, to maps (N, width, h, w) and a patch of the frontal face."""

    def __init__(self, domain: Domain, width: int) -> None:
        super().__init__()
        self.down = nn.ModuleList([conv(domain.channels, width, 3)])
        for level in range(3):
            self.down.append(conv(width << level, 2 * width << level, 3, 2))
        self.up = nn.ModuleList([deconv(8 * width, 4 * width), deconv(8 * width, 2 * width), deconv(4 * width, width)])
        self.joins = conv(2 * width, width, 3)
        self.ends = nn.Sequential(Conv2d(width, domain.channels, 3, 1, 1), output_activation(domain))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        across = []
        for layer in self.down:
            x = layer(x)
            across.append(x)
        x = self.up[0](across.pop())
        for layer in self.up[1:]:
            x = layer(torch.cat([x, across.pop()], dim=1))
        maps: Tensor = self.joins(torch.cat([x, across.pop()], dim=1))
        return maps, self.ends(maps)


class Encoder(nn.Module):
    """(N, C, S, S) to the maps at every size down to 8 pixels, and a vector (N, 4 width)."""

    def __init__(self, domain: Domain, width: int) -> None:
        super().__init__()
        count = (domain.size // INNERMOST).bit_length()
        self.maps = [width, *(width << level for level in range(count - 1))]
        self.layers = nn.ModuleList()
        inputs = domain.channels
        for level, outputs in enumerate(self.maps):
            first = conv(inputs, outputs, max(7 - 2 * level, 3), 2 if level else 1)
            self.layers.append(nn.Sequential(first, *[Block(outputs) for _ in range(4 if level == count - 1 else 1)]))
            inputs = outputs
        self.vector = nn.Sequential(Flatten(), Linear(inputs * INNERMOST**2, 8 * width))

    def forward(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        found = []
        for layer in self.layers:
            x = layer(x)
            found.append(x)
        return found, self.vector(x).unflatten(1, (2, -1)).amax(1)


class Decoder(nn.Module):
    """The vector with z (N, n), and an encoder's maps, to maps at full size, and images of a quarter and a half."""

    def __init__(self, domain: Domain, maps: Sequence[int], numbers: int, width: int) -> None:
        super().__init__()
        self.begins = nn.Sequential(
            Linear(numbers, width * INNERMOST**2), nn.ReLU(), Unflatten(1, (width, INNERMOST, INNERMOST))
        )
        factors = (domain.size // 4 // INNERMOST, 2, 2)
        thin = [width, *(max(width >> level, 1) for level in (1, 2, 3))]
        self.spread = nn.ModuleList([deconv(thin[k], thin[k + 1], factors[k]) for k in range(3)])
        self.quarter = len(maps) - 3  # the doublings that lead to a quarter of the size
        self.up, self.small = nn.ModuleList(), nn.ModuleList()
        for level, skipped in enumerate(reversed(maps[1:])):
            arrives = width if level == 0 else maps[-1] >> (level - 1)
            spread = thin[level - self.quarter + 1] if level >= self.quarter else 0
            self.up.append(deconv(arrives + skipped + spread, maps[-1] >> level))
            if level >= self.quarter:
                ends = Conv2d(arrives + skipped + spread, domain.channels, 3, 1, 1)
                self.small.append(nn.Sequential(ends, output_activation(domain)))
        self.outputs = (maps[-1] >> (len(maps) - 2)) + thin[3] + maps[0]

    def forward(self, vector: Tensor, maps: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        x = noisy = self.begins(vector)
        spread = []
        for layer in self.spread:
            noisy = layer(noisy)
            spread.append(noisy)
        smaller = []
        for level, layer in enumerate(self.up):
            parts = [x, maps[-1 - level]]
            if level >= self.quarter:
                parts.append(spread[level - self.quarter])
                smaller.append(self.small[level - self.quarter](torch.cat(parts, dim=1)))
            x = layer(torch.cat(parts, dim=1))
        return torch.cat([x, spread[-1], maps[0]], dim=1), smaller


@NETWORKS.register("tp-gan-generator")
class TpGanGenerator(nn.Module):
    """A face and the maps of its landmarks, (N, C + 5, S, S), to the face from the front, (N, C, S, S).

    eyes_apart, eyes_at, nose_at, mouth_at: where a frontal face has them, as shares of the side: between the eyes, and
    from above. z is drawn inside, from torch's own random numbers.
    """

    translates = True

    usual: Tensor

    def __init__(
        self,
        domain: Domain,
        *,
        width: int = 64,
        noise: int = 100,
        eyes_apart: float = 0.34,
        eyes_at: float = 0.4,
        nose_at: float = 0.58,
        mouth_at: float = 0.77,
    ) -> None:
        super().__init__()
        require_images(domain, "tp-gan-generator", SIZES)
        if require_source(domain, "tp-gan-generator") != domain.channels + LANDMARKS:
            raise UserError("tp-gan-generator is given landmarks beside the face: name --data profiles:PATH")
        classes = require_classes(domain, "tp-gan-generator")
        self.channels, self.noise, self.low, self.high = domain.channels, noise, *domain.value_range
        self.sides = [tuple(-(-side * domain.size // 128 // 8) * 8 for side in patch) for patch in PATCHES]
        left = 0.5 - eyes_apart / 2
        middles = ((eyes_at, left), (eyes_at, 1 - left), (nose_at, 0.5), (mouth_at, 0.5))
        self.corners = [corner(middle, sides, domain.size) for middle, sides in zip(middles, self.sides, strict=True)]
        home = [
            (left + (width - 1) / 2, top + (height - 1) / 2)
            for (top, left), (height, width) in zip(self.corners, self.sides, strict=True)
        ]
        self.register_buffer("usual", torch.tensor([*home, home[-1]]), persistent=False)
        self.encoder = Encoder(domain, width)
        self.decoder = Decoder(domain, self.encoder.maps, 4 * width + noise, width)
        self.local = nn.ModuleList([LocalPathway(domain, width) for _ in PATCHES])
        joined = self.decoder.outputs + width + 2 * domain.channels
        last = Conv2d(width // 2, domain.channels, 3, 1, 1)
        self.fuses = nn.Sequential(conv(joined, width, 5), Block(width), conv(width, width // 2, 3))
        self.ends = nn.Sequential(last, output_activation(domain))
        self.names = Linear(4 * width, classes)
        dcgan_init(self)

    def views(self, x: Tensor) -> Views:
        """All that losses look at."""
        face, size = x[:, : self.channels], x.shape[-1]
        maps, vector = self.encoder(face)
        z = vector.new_empty(len(x), self.noise).normal_()
        whole, smaller = self.decoder(torch.cat([vector, z], dim=1), maps)
        made = [
            pathway(patch_at(face, middle, *sides))
            for pathway, middle, sides in zip(self.local, self.middles(x), self.sides, strict=True)
        ]
        put = [  # where a patch is not, maps are 0 and pictures black, so that the largest is that of a patch
            [
                F.pad(one, (left, size - left - one.shape[3], top, size - top - one.shape[2]), value=nothing)
                for one, nothing in zip(pair, (0.0, self.low), strict=True)
            ]
            for pair, (top, left) in zip(made, self.corners, strict=True)
        ]
        features, pictures = (torch.stack(layers).amax(0) for layers in zip(*put, strict=True))
        image = self.ends(self.fuses(torch.cat([whole, features, pictures, face], dim=1)))
        return Views(image, smaller, [patch for _, patch in made], self.corners, self.names(vector))

    def middles(self, x: Tensor) -> list[Tensor]:
        """(N, 2) of each patch, x and y in pixels: of its landmark's disc, of the mouth between its two corners.

        A landmark that is not seen lies where it does in a frontal face.
        """
        weights = (x[:, self.channels :] - self.low) / (self.high - self.low)
        grid = torch.arange(x.shape[-1], dtype=x.dtype, device=x.device)
        total = weights.sum(dim=(2, 3))
        at = torch.stack([(weights.sum(dim=2) * grid).sum(2), (weights.sum(dim=3) * grid).sum(2)], dim=2)
        at = at / total.clamp(min=1e-6)[:, :, None]
        at = torch.where((total > 0.5)[:, :, None], at, self.usual.to(x.dtype))
        return [at[:, 0], at[:, 1], at[:, 2], at[:, 3:].mean(1)]

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        return self.views(x).image


def corner(middle: Sequence[float], sides: Sequence[int], size: int) -> tuple[int, int]:
    """The upper left pixel of a patch around a place told as shares of the side, inside the image; down and across."""
    top, left = (
        min(max(round(share * size - side / 2), 0), size - side) for share, side in zip(middle, sides, strict=True)
    )
    return top, left


def patch_at(x: Tensor, middle: Tensor, height: int, width: int) -> Tensor:
    """(N, C, height, width) around pixels (N, 2), x and y; what lies outside repeats the edge."""
    size = x.shape[-1]
    rows, columns = (torch.arange(side, dtype=x.dtype, device=x.device) - (side - 1) / 2 for side in (height, width))
    across = (columns + middle[:, :1] + 0.5) * (2 / size) - 1
    down = (rows + middle[:, 1:] + 0.5) * (2 / size) - 1
    shape = (len(x), height, width)
    grid = torch.stack([across[:, None, :].expand(shape), down[:, :, None].expand(shape)], dim=3)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)


@NETWORKS.register("tp-gan-discriminator")
class TpGanDiscriminator(nn.Module):
    """Images (N, C, S, S) to logits (N, 1, 2, 2), one for each quarter."""

    def __init__(self, domain: Domain, *, width: int = 64) -> None:
        super().__init__()
        require_images(domain, "tp-gan-discriminator", SIZES)
        layers: list[nn.Module] = [Conv2d(domain.channels, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        inputs, side = width, domain.size // 2
        while side > 2:
            outputs = min(2 * inputs, 8 * width)
            layers += [Conv2d(inputs, outputs, 4, 2, 1, bias=False), BatchNorm(outputs), nn.LeakyReLU(0.2)]
            inputs, side = outputs, side // 2
        self.layers = nn.Sequential(*layers, Conv2d(inputs, 1, 1))
        dcgan_init(self)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        logits: Tensor = self.layers(x)
        return logits
