"""pix2pixHD's networks: a generator from coarse to fine, and a judge at three scales (arXiv 1711.11585, section 3.2).

The global network is CycleGAN's residual translator with more halvings; the enhancer around it works at twice the size:
its features are added to the global one's last, after which its own residual blocks and doubling follow. In the first
stage of training the global network learns alone, on images of half the size. D is three PatchGANs with instance norm,
on the image, its half and its quarter.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zerosum.errors import UserError
from zerosum.networks import NETWORKS
from zerosum.networks.cyclegan import Block, Reflected
from zerosum.networks.layers.convolution import Conv2d, ConvTranspose2d
from zerosum.networks.layers.domains import output_activation, require_images, require_source
from zerosum.networks.layers.norms import InstanceNorm
from zerosum.networks.layers.weights import dcgan_init
from zerosum.networks.patchgan import PatchGan
from zerosum.types import Domain

SIZES = (64, 128, 256, 512, 1024)


def down(inputs: int) -> list[nn.Module]:
    """A halving to twice the channels."""
    return [Conv2d(inputs, 2 * inputs, 3, 2, 1), InstanceNorm(2 * inputs), nn.ReLU()]


def up(inputs: int) -> list[nn.Module]:
    """A doubling to half the channels."""
    return [ConvTranspose2d(inputs, inputs // 2, 3, 2, 1, 1), InstanceNorm(inputs // 2), nn.ReLU()]


@NETWORKS.register("pix2pixhd-generator")
class Pix2PixHdGenerator(nn.Module):
    """Images (N, c, S, S) to (N, C, S, S); while the global network learns alone to (N, C, S / 2, S / 2) in train mode.

    In eval mode that is enlarged to the full size. width: of the enhancer; the global network has twice as many maps.
    """

    translates = True
    coarsely: Tensor

    def __init__(
        self, domain: Domain, *, width: int = 32, halvings: int = 4, blocks: int = 9, local_blocks: int = 3
    ) -> None:
        super().__init__()
        require_images(domain, "pix2pixhd-generator", SIZES)
        channels = require_source(domain, "pix2pixhd-generator")
        self.granularity = 2 ** (halvings + 1)
        self.smallest = 2 * self.granularity  # the last blocks mirror their edges, which one pixel has not
        if domain.size < 4 * self.granularity:
            raise UserError(f"size {domain.size} is too small for {halvings} halvings: set halvings lower")
        wide = 2 * width
        layers: list[nn.Module] = [Reflected(channels, wide, 7), InstanceNorm(wide), nn.ReLU()]
        for level in range(halvings):
            layers += down(wide * 2**level)
        layers += [Block(wide * 2**halvings) for _ in range(blocks)]
        for level in reversed(range(halvings)):
            layers += up(wide * 2 ** (level + 1))
        self.coarse = nn.Sequential(*layers)
        self.coarse_end = nn.Sequential(Reflected(wide, domain.channels, 7), output_activation(domain))
        self.enters = nn.Sequential(Reflected(channels, width, 7), InstanceNorm(width), nn.ReLU(), *down(width))
        ends = [Reflected(width, domain.channels, 7), output_activation(domain)]
        self.leaves = nn.Sequential(*[Block(wide) for _ in range(local_blocks)], *up(wide), *ends)
        self.register_buffer("coarsely", torch.zeros(()))  # 1 while the global network is alone
        self._alone = False
        dcgan_init(self)

    def at(self, coarse: int) -> None:
        """Make images that are halved so often: once, and the global network is alone; or not at all."""
        if coarse not in (0, 1):
            raise UserError(f"coarse is {coarse}; pix2pixhd-generator knows 0 and 1")
        self._alone = coarse == 1
        self.coarsely.fill_(float(self._alone))

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        # A checkpoint brings the buffer, a stage the number; in the loop nothing is read from the device.
        if self._alone if self.training or self.coarsely.is_meta else bool(self.coarsely):
            made: Tensor = self.coarse_end(self.coarse(half(x)))
            return made if self.training else F.interpolate(made, scale_factor=2.0, mode="nearest")
        fine: Tensor = self.leaves(self.enters(x) + self.coarse(half(x)))
        return fine


@NETWORKS.register("pix2pixhd-discriminator")
class Pix2PixHdDiscriminator(nn.Module):
    """Images (N, C, S, S), and what they were made of, to a map of logits of each of three scales."""

    sees_source = True

    def __init__(self, domain: Domain, *, width: int = 64, layers: int = 3, scales: int = 3) -> None:
        super().__init__()
        require_images(domain, "pix2pixhd-discriminator", SIZES)
        if domain.size >> (scales + layers) < 3:  # of the coarse stage's smallest image
            raise UserError(
                f"size {domain.size} is too small for {scales} scales of {layers} layers: set one of them lower"
            )
        self.judges = nn.ModuleList(
            [PatchGan(domain, width=width, halvings=layers, norm="instance") for _ in range(scales)]
        )

    def scales(self, x: Tensor, source: Tensor | None = None) -> list[list[Tensor]]:
        """What each layer of each judge makes of it, the logits last."""
        found = []
        for judge in self.judges:
            assert isinstance(judge, PatchGan)
            found.append(judge.features(x, source))
            x, source = half(x), None if source is None else half(source)
        return found

    def forward(self, x: Tensor, source: Tensor | None = None) -> Tensor:
        """The logits of the finest scale."""
        return self.scales(x, source)[0][-1]


def half(x: Tensor) -> Tensor:
    """(N, C, H, W) to (N, C, H / 2, W / 2): the mean of 3x3 pixels at every second one, as the authors take it."""
    return F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
