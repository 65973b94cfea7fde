"""ProGAN: both networks grow from 4x4 pixels, new layers fading in (Karras et al. 2018, arXiv 1710.10196, table 2).

Nearest-neighbour upsampling, mean pooling, pixel norm in G, minibatch deviation in D, equalized learning rate. G ends
linearly, so that its images may leave the range of values in training. 28 pixels begin at 7x7.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zerosum.networks import NETWORKS
from zerosum.networks.layers.domains import require_images
from zerosum.networks.layers.equalized import LEAKY, EqualConv2d, EqualLinear, leaky, pixel_norm
from zerosum.networks.layers.growing import FULL_WIDTH, SIZES, Growing, GrowingDiscriminator, maps_of
from zerosum.networks.layers.resample import enlarge
from zerosum.networks.layers.shapes import to_maps
from zerosum.types import Domain


class UpBlock(nn.Module):
    """(N, inputs, H, H) to (N, outputs, 2H, 2H): pixels repeated, two convolutions."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = EqualConv2d(inputs, outputs, 3), EqualConv2d(outputs, outputs, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = pixel_norm(leaky(self.conv1(enlarge(x, 2 * x.shape[2]))))
        return pixel_norm(leaky(self.conv2(x)))


class DownBlock(nn.Module):
    """(N, inputs, H, H) to (N, outputs, H / 2, H / 2): two convolutions, the mean of 2x2 pixels."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = EqualConv2d(inputs, inputs, 3), EqualConv2d(inputs, outputs, 3)

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(leaky(self.conv2(leaky(self.conv1(x)))), 2)


@NETWORKS.register("progan-generator")
class ProganGenerator(Growing):
    """z (N, z_dim) to images (N, C, H, H): H as far as it has grown in training, the full size in eval mode."""

    linear_end = True

    def __init__(self, domain: Domain, *, z_dim: int = 512, width: int = 512, full_to: int = FULL_WIDTH) -> None:
        require_images(domain, "progan-generator", SIZES)
        super().__init__(domain.size)
        self.z_dim, self.domain = z_dim, domain
        maps = maps_of(width, domain.size, full_to)
        self.map = (maps[0], self.first, self.first)
        self.start = EqualLinear(z_dim, maps[0] * self.first**2, gain=LEAKY / 4, bias=None)
        self.bias = nn.Parameter(torch.zeros(maps[0], 1, 1))  # of the first map's channels, as of every other map's
        self.conv = EqualConv2d(maps[0], maps[0], 3)
        self.blocks = nn.ModuleList(map(UpBlock, maps, maps[1:]))
        self.to_image = nn.ModuleList(EqualConv2d(own, domain.channels, 1, gain=1) for own in maps)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        x = to_maps(self.start(pixel_norm(z)), self.map) + self.bias
        x = before = pixel_norm(leaky(self.conv(pixel_norm(leaky(x)))))
        for block in self.blocks[: self.level[0]]:
            before, x = x, block(x)
        return self.images(x, before, self.to_image, self.domain)


@NETWORKS.register("progan-discriminator")
class ProganDiscriminator(GrowingDiscriminator):
    """Images (N, C, H, H), H as far as it has grown or more, to logits (N,)."""

    def __init__(self, domain: Domain, *, width: int = 512, full_to: int = FULL_WIDTH) -> None:
        super().__init__(domain, width=width, full_to=full_to, block=DownBlock, name="progan-discriminator")
