"""PG2's networks: a coarse person in the target pose, what is to be added to it, and a judge (arXiv 1705.09368).

As in section 3 and 4.2: a U-Net of residual blocks of two 3x3 convolutions and ReLU; the maps grow by `width` with each
block, and between two blocks they are halved by a convolution of stride 2 on the way down and doubled on the way up. G1
has a fully connected bottleneck, through which distant parts of the body speak with each other, and takes the pose; G2
has none, takes the image and the coarse result, and makes a map of differences. G1 has as many blocks as lead down to
eight pixels: six for 256, as in the paper; G2 two fewer, as in the authors' code, and at least two. D is DCGAN's, on an
image beside the one that is given.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zerosum.errors import UserError
from zerosum.networks import NETWORKS
from zerosum.networks.dcgan import DcganDiscriminator
from zerosum.networks.layers.convolution import Conv2d
from zerosum.networks.layers.domains import clipped, require_images, require_source
from zerosum.networks.layers.product import Linear
from zerosum.networks.layers.residual import Residual
from zerosum.networks.layers.shapes import Flatten, Unflatten
from zerosum.types import Domain

SIZES = (32, 64, 128, 256)
INNERMOST = 8  # pixels of a side
COARSE, FINE = 1, 2


class Block(Residual):
    """(N, C, H, W) to the same: two 3x3 convolutions, each with a ReLU, beside the way past them."""

    def __init__(self, channels: int) -> None:
        first, second = (Conv2d(channels, channels, 3, 1, 1) for _ in range(2))
        super().__init__(first, nn.ReLU(), second, nn.ReLU())


class PoseUNet(nn.Module):
    """(N, inputs, S, S) to (N, outputs, S, S), linear, by `count` blocks each way.

    z_dim: numbers in the bottleneck, to which the blocks must lead; 0 for none.
    """

    def __init__(self, inputs: int, outputs: int, *, count: int, width: int, z_dim: int = 0) -> None:
        super().__init__()
        wide = [width * (level + 1) for level in range(count)]
        self.begins = nn.Sequential(Conv2d(inputs, width, 3, 1, 1), nn.ReLU())
        self.down = nn.ModuleList([Block(maps) for maps in wide])
        self.halve = nn.ModuleList(
            [nn.Sequential(Conv2d(maps, maps + width, 3, 2, 1), nn.ReLU()) for maps in wide[:-1]]
        )
        flat = wide[-1] * INNERMOST**2
        self.middle = nn.Sequential()
        if z_dim:
            back = Unflatten(1, (wide[-1], INNERMOST, INNERMOST))
            self.middle = nn.Sequential(Flatten(), Linear(flat, z_dim), Linear(z_dim, flat), back)
        self.up = nn.ModuleList([Block(2 * maps) for maps in reversed(wide)])
        self.narrow = nn.ModuleList(
            [nn.Sequential(Conv2d(2 * maps, maps - width, 3, 1, 1), nn.ReLU()) for maps in reversed(wide[1:])]
        )
        self.ends = Conv2d(2 * width, outputs, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        x, across = self.begins(x), []
        for level, block in enumerate(self.down):
            x = block(x)
            across.append(x)
            x = self.halve[level](x) if level < len(self.halve) else x
        x = self.middle(x)
        for level, block in enumerate(self.up):
            x = block(torch.cat([x, across.pop()], dim=1))
            if level < len(self.narrow):
                x = self.narrow[level](F.interpolate(x, scale_factor=2.0, mode="nearest"))
        made: Tensor = self.ends(x)
        return made


@NETWORKS.register("pg2-generator")
class Pg2Generator(nn.Module):
    """An image, the maps of a pose and a mask of the body, (N, C + K + 1, S, S), to the image in that pose.

    The mask is for the game alone. What comes is linear in train mode, as in the paper, and kept to the range in eval
    mode.
    """

    translates = True
    linear_end = True
    refined: Tensor

    def __init__(self, domain: Domain, *, width: int = 128, z_dim: int = 64) -> None:
        super().__init__()
        require_images(domain, "pg2-generator", SIZES)
        maps = require_source(domain, "pg2-generator")
        if maps < domain.channels + 2:
            raise UserError("pg2-generator is given a pose beside the image: name --data poses:PATH")
        self.channels, (self.low, self.high) = domain.channels, domain.value_range
        count = (domain.size // INNERMOST).bit_length()
        self.coarse = PoseUNet(maps - 1, domain.channels, count=count, width=width, z_dim=z_dim)
        self.fine = PoseUNet(2 * domain.channels, domain.channels, count=max(2, count - 2), width=width)
        self.register_buffer("refined", torch.zeros(()))  # 1 from when the fine network learns
        self._refines = False

    def play(self, part: int) -> None:
        """Let the coarse network (1) learn alone, or the fine one (2) on what the coarse one, frozen, makes."""
        self._refines = part == FINE
        self.refined.fill_(float(self._refines))

    def body(self, x: Tensor) -> Tensor:
        """(N, 1, S, S): 1 where the person will be, else 0."""
        return (x[:, -1:] - self.low) / (self.high - self.low)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        # A checkpoint brings the buffer, a stage the number; in the loop nothing is read from the device.
        refines = self._refines if self.training else self.refined.is_meta or bool(self.refined)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not refines):
            made: Tensor = self.coarse(x[:, :-1])
        if refines:
            made = made + self.fine(torch.cat([x[:, : self.channels], made], dim=1))
        return made if self.training else clipped(made, (self.low, self.high))


@NETWORKS.register("pg2-discriminator")
class Pg2Discriminator(nn.Module):
    """Images (N, C, S, S) beside the first C channels of what they were made of, (N, c, S, S), to logits (N,)."""

    sees_source = True

    def __init__(self, domain: Domain, *, width: int = 64) -> None:
        super().__init__()
        require_images(domain, "pg2-discriminator", SIZES)
        require_source(domain, "pg2-discriminator")
        both = (2 * domain.channels, *domain.shape[1:])
        self.judge = DcganDiscriminator(dataclasses.replace(domain, shape=both), width=width)

    def forward(self, x: Tensor, source: Tensor | None = None) -> Tensor:
        assert source is not None
        logits: Tensor = self.judge(torch.cat([source[:, : x.shape[1]], x], dim=1))
        return logits
