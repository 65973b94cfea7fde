"""SRGAN's networks: a residual network that enlarges, and a judge of the result (arXiv 1609.04802, figure 4).

G: k9n64 with PReLU, residual blocks of 3x3 convolutions with batch norm and PReLU, a way around all of them, then a
convolution to four times the channels, a pixel shuffle and PReLU for each doubling, and k9n3. D: eight 3x3 convolutions
from 64 to 512 maps, every second one with stride 2, LeakyReLU 0.2 and batch norm but in the first, then 1,024 units and
one logit. The paper's G ends linearly; so does this one in train mode, and in eval mode it keeps to the range.
"""

from __future__ import annotations

from torch import Tensor, nn

from zerosum.errors import UserError
from zerosum.networks import NETWORKS
from zerosum.networks.layers.convolution import Conv2d
from zerosum.networks.layers.domains import clipped, require_images, require_source
from zerosum.networks.layers.norms import BatchNorm
from zerosum.networks.layers.product import Linear
from zerosum.networks.layers.residual import Residual
from zerosum.networks.layers.shapes import Flatten
from zerosum.types import Domain

SIZES = (32, 64, 96, 128, 256)


class Block(Residual):
    """(N, C, H, W) to the same: two 3x3 convolutions with batch norm beside the way past them."""

    def __init__(self, channels: int) -> None:
        first, second = (Conv2d(channels, channels, 3, 1, 1, bias=False) for _ in range(2))
        super().__init__(first, BatchNorm(channels), nn.PReLU(), second, BatchNorm(channels))


@NETWORKS.register("srgan-generator")
class SrGanGenerator(nn.Module):
    """Images (N, c, h, w) to (N, C, f h, f w), f a power of two from the domain's sizes; any h and w."""

    translates = True
    granularity = 1
    linear_end = True

    def __init__(self, domain: Domain, *, width: int = 64, blocks: int = 16) -> None:
        super().__init__()
        require_images(domain, "srgan-generator", SIZES)
        channels = require_source(domain, "srgan-generator")
        assert domain.source is not None
        self.factor, rest = divmod(domain.size, domain.source[1])
        if rest or self.factor not in (2, 4, 8):
            sizes = f"{domain.source[1]} to {domain.size} pixels"
            raise UserError(
                f"srgan-generator enlarges 2, 4 or 8 times, which {sizes} is not: name --data upscale:SOURCE"
            )
        self.low, self.high = domain.value_range
        self.begins = nn.Sequential(Conv2d(channels, width, 9, 1, 4), nn.PReLU())
        middle = [Block(width) for _ in range(blocks)]
        self.blocks = nn.Sequential(*middle, Conv2d(width, width, 3, 1, 1, bias=False), BatchNorm(width))
        doublings: list[nn.Module] = []
        for _ in range(self.factor.bit_length() - 1):
            doublings += [Conv2d(width, 4 * width, 3, 1, 1), nn.PixelShuffle(2), nn.PReLU()]
        self.ends = nn.Sequential(*doublings, Conv2d(width, domain.channels, 9, 1, 4))

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        x = self.begins(x)
        made: Tensor = self.ends(x + self.blocks(x))
        return made if self.training else clipped(made, (self.low, self.high))


@NETWORKS.register("srgan-discriminator")
class SrGanDiscriminator(nn.Module):
    """Images (N, C, S, S) to logits (N,)."""

    def __init__(self, domain: Domain, *, width: int = 64, units: int = 1024) -> None:
        super().__init__()
        require_images(domain, "srgan-discriminator", SIZES)
        layers: list[nn.Module] = [Conv2d(domain.channels, width, 3, 1, 1), nn.LeakyReLU(0.2)]
        inputs, side = width, domain.size
        for outputs, stride in [(width * level, stride) for level in (1, 2, 4, 8) for stride in (1, 2)][1:]:
            layers += [Conv2d(inputs, outputs, 3, stride, 1, bias=False), BatchNorm(outputs), nn.LeakyReLU(0.2)]
            inputs, side = outputs, -(-side // stride)
        ends = [Linear(inputs * side * side, units), nn.LeakyReLU(0.2), Linear(units, 1)]
        self.layers = nn.Sequential(*layers, Flatten(), *ends)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        logits: Tensor = self.layers(x)
        return logits.flatten()
