"""StyleGAN (Karras, Laine and Aila 2019, arXiv 1812.04948): images by styles from a learned constant, growing.

All six points of its table 1: growing, bilinear resampling, the mapping network and styles, a constant input, noise in
every layer, and mixing. D is ProGAN's with filtered downsampling. Counted layer by layer, the generator of 1024 pixels
has the published 26.2 million parameters.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zerosum.networks import NETWORKS
from zerosum.networks.layers.domains import require_images
from zerosum.networks.layers.equalized import EqualConv2d, EqualLinear, leaky
from zerosum.networks.layers.growing import FULL_WIDTH, SIZES, Growing, GrowingDiscriminator, maps_of, sides
from zerosum.networks.layers.resample import blur, upsample
from zerosum.networks.layers.styled import Noise, Styled
from zerosum.types import Domain


def adain(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """scale (x - mean) / deviation + shift, for each sample and channel (Eq. 1); x: (N, C, H, W), the others (N, C)."""
    mean = x.mean(dim=(2, 3), keepdim=True)
    centred = x - mean
    deviation = (centred.square().mean(dim=(2, 3), keepdim=True) + 1e-8).sqrt()
    return torch.addcmul(shift[:, :, None, None], centred, scale[:, :, None, None] / deviation)


class Epilogue(nn.Module):
    """What follows the constant and each convolution: noise, bias, LeakyReLU, AdaIN by w."""

    def __init__(self, features: int, side: int, w_dim: int) -> None:
        super().__init__()
        self.noise = Noise(features, side)
        self.bias = nn.Parameter(torch.zeros(features))
        self.style = EqualLinear(w_dim, 2 * features, gain=1)
        nn.init.ones_(self.style.bias[:features])  # scales begin at 1, shifts at 0

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        scale, shift = self.style(w).chunk(2, dim=1)
        return adain(leaky(self.noise(x) + self.bias.view(1, -1, 1, 1)), scale, shift)


class Synthesis(nn.Module):
    """One map: (N, inputs, H, H) to (N, outputs, 2H, 2H), or for the first None to the constant, by two styles."""

    def __init__(self, inputs: int | None, outputs: int, side: int, w_dim: int, spread: float = 0.0) -> None:
        super().__init__()
        self.constant = None
        if inputs is None:
            ones = torch.ones(1, outputs, side, side)
            self.constant = nn.Parameter(ones + spread * torch.randn_like(ones) if spread else ones)
        self.conv1 = None if inputs is None else EqualConv2d(inputs, outputs, 3, bias=False)
        self.conv2 = EqualConv2d(outputs, outputs, 3, bias=False)
        self.end1, self.end2 = (Epilogue(outputs, side, w_dim) for _ in range(2))

    def forward(self, x: Tensor | None, ws: Tensor) -> Tensor:
        if self.constant is not None:
            h = self.constant.expand(len(ws), -1, -1, -1)
        else:
            assert x is not None
            assert self.conv1 is not None
            h = self.conv1(upsample(x))
        h = self.conv2(self.end1(h, ws[:, 0]))
        ended: Tensor = self.end2(h, ws[:, 1])
        return ended


@NETWORKS.register("stylegan-generator")
class StyleganGenerator(Growing, Styled):
    """z (N, z_dim) to images (N, C, H, H): H as far as it has grown in training, the full size in eval mode.

    spread: the deviation of the constant's values around 1 at the beginning, 0 in the paper. Then AdaIN divides by the
    little that steps have made of it, so that for long each step turns the whole pattern: 1 is calmer in short runs.
    """

    linear_end = True

    def __init__(
        self,
        domain: Domain,
        *,
        z_dim: int = 512,
        w_dim: int = 512,
        width: int = 512,
        full_to: int = FULL_WIDTH,
        depth: int = 8,
        mixing: float = 0.9,
        spread: float = 0.0,
    ) -> None:
        require_images(domain, "stylegan-generator", SIZES)
        super().__init__(domain.size)
        self.begin(domain, z_dim, w_dim, depth, mixing)
        self.domain = domain
        maps = maps_of(width, domain.size, full_to)
        self.styles = 2 * len(maps)
        self.blocks = nn.ModuleList(
            Synthesis(inputs, own, side, w_dim, spread)
            for inputs, own, side in zip([None, *maps], maps, sides(domain.size), strict=False)
        )
        self.to_image = nn.ModuleList(EqualConv2d(own, domain.channels, 1, gain=1) for own in maps)

    @property
    def acting(self) -> int:
        return 2 * (self.level[0] + 1)

    def synthesize(self, ws: Tensor) -> Tensor:
        x = before = self.blocks[0](None, ws)
        for number in range(1, self.level[0] + 1):
            before, x = x, self.blocks[number](x, ws[:, 2 * number : 2 * number + 2])
        return self.images(x, before, self.to_image, self.domain)


class DownBlock(nn.Module):
    """(N, inputs, H, H) to (N, outputs, H / 2, H / 2): a convolution, the filter, one that halves."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = EqualConv2d(inputs, inputs, 3), EqualConv2d(inputs, outputs, 3, halves=True)

    def forward(self, x: Tensor) -> Tensor:
        return leaky(self.conv2(blur(leaky(self.conv1(x)))))


@NETWORKS.register("stylegan-discriminator")
class StyleganDiscriminator(GrowingDiscriminator):
    """Images (N, C, H, H), H as far as it has grown or more, y (N,) to logits (N,)."""

    def __init__(self, domain: Domain, *, width: int = 512, full_to: int = FULL_WIDTH) -> None:
        super().__init__(domain, width=width, full_to=full_to, block=DownBlock, name="stylegan-discriminator")
