"""CycleGAN's networks: residual translators between two domains, and a PatchGAN for each (arXiv 1703.10593).

Translators as in the paper's section 7.2, after Johnson et al. (1603.08155): c7s1-64, d128, d256, residual blocks of
256, u128, u64, c7s1-3, with reflection padding around the image and in the blocks, and instance norm. A player holds
both domains' networks: the two translators are learned in one step, and so are the two judges.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zerosum.errors import UserError
from zerosum.networks import NETWORKS
from zerosum.networks.layers.convolution import Conv2d, ConvTranspose2d
from zerosum.networks.layers.domains import output_activation, require_images, require_source
from zerosum.networks.layers.norms import InstanceNorm
from zerosum.networks.layers.residual import Residual
from zerosum.networks.layers.weights import dcgan_init
from zerosum.networks.patchgan import PatchGan
from zerosum.types import Domain


class Reflected(Conv2d):
    """A convolution of stride 1 that keeps the size, over an image that goes on as its own mirror image."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__(inputs, outputs, kernel)

    def forward(self, input: Tensor) -> Tensor:
        return self.convolve(F.pad(input, (self.kernel_size[0] // 2,) * 4, mode="reflect"), (0, 0))


class Block(Residual):
    """(N, C, H, W) to the same: two 3x3 convolutions beside the way past them."""

    def __init__(self, channels: int) -> None:
        first = [Reflected(channels, channels, 3), InstanceNorm(channels), nn.ReLU()]
        super().__init__(*first, Reflected(channels, channels, 3), InstanceNorm(channels))


class Translator(nn.Module):
    """(N, channels, H, W) to (N, C, H, W) in the domain's range; H and W are multiples of 4, at least 8."""

    def __init__(self, channels: int, domain: Domain, width: int, blocks: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [Reflected(channels, width, 7), InstanceNorm(width), nn.ReLU()]
        for inputs in (width, 2 * width):
            layers += [Conv2d(inputs, 2 * inputs, 3, 2, 1), InstanceNorm(2 * inputs), nn.ReLU()]
        layers += [Block(4 * width) for _ in range(blocks)]
        for inputs in (4 * width, 2 * width):
            layers += [ConvTranspose2d(inputs, inputs // 2, 3, 2, 1, 1), InstanceNorm(inputs // 2), nn.ReLU()]
        self.layers = nn.Sequential(*layers, Reflected(width, domain.channels, 7), output_activation(domain))

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.layers(x)
        return made


class EachDomain(nn.Module):
    """A network for each of two domains; called with labels (N,), each sample goes through that of its own."""

    def __init__(self, domain: Domain, network: str, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        require_images(domain, network)
        if domain.classes != len(networks):
            raise UserError(
                f"network {network} is for two domains, and the data have {domain.classes or 'no'} classes; "
                "name --data unpaired:PATH, or a folder of two"
            )
        self.of = nn.ModuleList(networks)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        if not y.is_meta and bool((y == y[0]).all()):
            alike: Tensor = self.of[int(y[0])](x)
            return alike
        first, second = (network(x) for network in self.of)
        return torch.where((y == 1)[:, None, None, None], second, first)


@NETWORKS.register("cyclegan-generators")
class CycleGanGenerators(EachDomain):
    """Images (N, C, H, W) to the domain of their labels y (N,); of any size that is a multiple of 4."""

    translates = True
    granularity = 4

    def __init__(self, domain: Domain, *, width: int = 64, blocks: int = 9) -> None:
        channels = require_source(domain, "cyclegan-generators")
        if domain.size % 4 or domain.size < 8:
            raise UserError(
                f"size {domain.size} is not one that cyclegan-generators can make: a multiple of 4, from 8 on"
            )
        super().__init__(domain, "cyclegan-generators", [Translator(channels, domain, width, blocks) for _ in range(2)])
        dcgan_init(self)


@NETWORKS.register("cyclegan-discriminators")
class CycleGanDiscriminators(EachDomain):
    """Images (N, C, H, W) and the domains y (N,) that they are to be of, to maps of logits (N, 1, h, w)."""

    def __init__(self, domain: Domain, *, width: int = 64, halvings: int = 3, norm: str = "instance") -> None:
        judges = [PatchGan(domain, width=width, halvings=halvings, norm=norm, paired=False) for _ in range(2)]
        super().__init__(domain, "cyclegan-discriminators", judges)
