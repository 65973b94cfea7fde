"""Networks that begin at 4x4 pixels and grow (Karras et al. 2018, arXiv 1710.10196, figures 1 and 2).

Growth is one number: 0 is the first map, each whole step doubles its side, and a fraction is how far the newest layers
have faded in. In training images have the side that growth has reached; in eval mode G repeats their pixels to the full
size, and D takes images of any larger size, so that whoever looks at a run need not know.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from zerosum.networks.layers.domains import clipped, require_images
from zerosum.networks.layers.equalized import EqualConv2d, EqualLinear, MinibatchStd, leaky
from zerosum.networks.layers.resample import enlarge, shrink
from zerosum.networks.layers.shapes import flat
from zerosum.networks.layers.styled import ClassLogit
from zerosum.types import Domain

SIZES = (28, 32, 64, 128, 256, 512, 1024)

FULL_WIDTH = 32  # the largest map that has all channels; each doubling beyond halves them


def first_side(size: int) -> int:
    """The side of the first map: 4, or 7 on the way to 28."""
    return 7 if size == 28 else 4


def doublings(size: int) -> int:
    """From the first map to `size`."""
    return round(math.log2(size / first_side(size)))


def sides(size: int) -> list[int]:
    """Of all maps, from the first to the full size."""
    return [first_side(size) << level for level in range(doublings(size) + 1)]


def channels(width: int, side: int, full: int = FULL_WIDTH) -> int:
    """Of a map: the width, and a half of it for each doubling beyond `full` pixels; at least 1."""
    return max(1, width * full // max(side, full))


def maps_of(width: int, size: int, full: int = FULL_WIDTH) -> list[int]:
    """The channels of all maps, from the first to the full size."""
    return [channels(width, side, full) for side in sides(size)]


class Growing(nn.Module):
    """What both players share: how far they have grown, which is part of their state."""

    grown: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size, self.first, self.top = size, first_side(size), doublings(size)
        self.register_buffer("grown", torch.tensor(float(self.top)))
        self._growth = float(self.top)

    def grow(self, growth: float) -> None:
        """Go on at this growth; what is beyond the full size is the full size."""
        self._growth = min(growth, float(self.top))
        self.grown.fill_(self._growth)

    def images(self, x: Tensor, before: Tensor, to_image: nn.ModuleList, domain: Domain) -> Tensor:
        """What G draws of its newest map, and, while that fades in, of the one before.

        In eval mode what others see: of the full size and within the range of values.
        """
        level, fade = self.level
        images: Tensor = to_image[level](x)
        if fade < 1:
            images = torch.lerp(enlarge(to_image[level - 1](before), images.shape[2]), images, fade)
        return images if self.training else clipped(enlarge(images, self.size), domain.value_range)

    @property
    def level(self) -> tuple[int, float]:
        """The newest level that takes part, from 0, and how far it has faded in, from above 0 to 1."""
        # In training the game has just said it; elsewhere the state may be a loaded one, or an average's.
        growth = self._growth if self.training or self.grown.is_meta else float(self.grown)
        level = math.ceil(growth)
        return level, growth - level + 1

    @property
    def side(self) -> int:
        """Of the images in training."""
        return self.first << self.level[0]


def faded(x: Tensor, side: int, fade: float) -> Tensor:
    """Real images (N, C, H, H) at `side` pixels as G makes them there: `fade` of them, the rest at half the side."""
    x = shrink(x, side)
    return x if fade == 1 else torch.lerp(enlarge(shrink(x, side // 2), side), x, fade)


class GrowingDiscriminator(Growing):
    """Images (N, C, H, H), H as far as it has grown or more, y (N,) to logits (N,).

    block: from its inputs and outputs to a layer (N, inputs, H, H) to (N, outputs, H / 2, H / 2).
    """

    def __init__(
        self, domain: Domain, *, width: int, full_to: int, block: Callable[[int, int], nn.Module], name: str
    ) -> None:
        require_images(domain, name, SIZES)
        super().__init__(domain.size)
        maps = maps_of(width, domain.size, full_to)
        self.from_image = nn.ModuleList(EqualConv2d(domain.channels, own, 1) for own in maps)
        self.blocks = nn.ModuleList(map(block, maps[1:], maps))  # number k leads from level k + 1 to level k
        self.deviation = MinibatchStd()
        self.conv = EqualConv2d(maps[0] + 1, maps[0], 3)
        self.whole = EqualLinear(maps[0] * self.first**2, maps[0])
        self.end = ClassLogit(domain, maps[0])

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        level, fade = self.level
        x = shrink(x, self.side)
        h = leaky(self.from_image[level](x))
        for number in range(level - 1, -1, -1):
            h = self.blocks[number](h)
            if number == level - 1 and fade < 1:
                h = torch.lerp(leaky(self.from_image[number](shrink(x, self.side // 2))), h, fade)
        h = leaky(self.whole(flat(leaky(self.conv(self.deviation(h))))))
        logits: Tensor = self.end(h, y)
        return logits
