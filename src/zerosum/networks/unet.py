"""pix2pix's U-Net: an encoder to one pixel and a decoder back, with a way across at every size (arXiv 1611.07004).

Layers as in the paper's section 6.1.1, all of them 4x4 with stride 2. The paper's batch norm at its batch of one is an
instance norm with learned scales, which is the default here and the same for every batch; `norm="batch"` is the other.
The innermost layer has no norm: of one pixel nothing would be left. G's noise is dropout, which stays when it is used.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from zerosum.errors import UserError
from zerosum.networks import NETWORKS
from zerosum.networks.layers.convolution import Conv2d, ConvTranspose2d
from zerosum.networks.layers.domains import output_activation, require_images, require_source
from zerosum.networks.layers.dropout import Dropout
from zerosum.networks.layers.norms import BatchNorm, InstanceNorm
from zerosum.networks.layers.weights import dcgan_init
from zerosum.types import Domain

SIZES = (32, 64, 128, 256, 512)
DROPPED = 3  # the decoder's first layers have dropout
NORMS: dict[str, Callable[[int], nn.Module]] = {"instance": partial(InstanceNorm, affine=True), "batch": BatchNorm}


def norm_of(kind: str, channels: int) -> nn.Module:
    """The norm of that name; `UserError` where there is none."""
    if kind not in NORMS:
        raise UserError(f"norm is {kind!r}; expected one of {', '.join(NORMS)}")
    return NORMS[kind](channels)


@NETWORKS.register("unet-generator")
class UNet(nn.Module):
    """An image (N, c, S, S) to its partner (N, C, S, S) in the domain's range."""

    translates = True

    def __init__(self, domain: Domain, *, width: int = 64, norm: str = "instance", dropout: float = 0.5) -> None:
        super().__init__()
        require_images(domain, "unet-generator", SIZES)
        channels = require_source(domain, "unet-generator")
        depth = domain.size.bit_length() - 1  # down to one pixel
        maps = [min(2**level, 8) * width for level in range(depth)]
        self.down = nn.ModuleList([Conv2d(channels, maps[0], 4, 2, 1, bias=False)])
        for level in range(1, depth):
            last = level == depth - 1
            layers = [nn.LeakyReLU(0.2), Conv2d(maps[level - 1], maps[level], 4, 2, 1, bias=False)]
            self.down.append(nn.Sequential(*layers, *([] if last else [norm_of(norm, maps[level])])))
        self.up = nn.ModuleList()
        for level in reversed(range(1, depth)):
            inputs = maps[level] * (1 if level == depth - 1 else 2)
            layers = [nn.ReLU(), ConvTranspose2d(inputs, maps[level - 1], 4, 2, 1, bias=False)]
            layers.append(norm_of(norm, maps[level - 1]))
            self.up.append(nn.Sequential(*layers, *([NoisyDropout(dropout)] if len(self.up) < DROPPED else [])))
        last_layer = ConvTranspose2d(2 * maps[0], domain.channels, 4, 2, 1)
        self.up.append(nn.Sequential(nn.ReLU(), last_layer, output_activation(domain)))
        dcgan_init(self)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        across: list[Tensor] = []
        for layer in self.down:
            x = layer(x)
            across.append(x)
        x = across.pop()
        for layer in self.up:
            x = layer(x)
            if across:
                x = torch.cat([x, across.pop()], dim=1)
        return x


class NoisyDropout(Dropout):
    """Dropout that is a generator's noise, and so stays when the network is used (arXiv 1611.07004, section 3.2.1)."""

    def forward(self, input: Tensor) -> Tensor:
        return self.dropped(input)
