"""StarGAN's networks: one translator into every domain, and a judge that names domains (arXiv 1711.09020, section 7.2).

G sees the image beside a map for each domain, all ones for the one that is asked for: two halvings, residual blocks and
two doublings, with instance norms that are scaled and shifted. D halves down to two pixels, by six convolutions at
most, with LeakyReLU 0.01 and no norm, and ends in a map of logits and a logit for each domain. Convolutions start as
torch starts them, as the authors' do.
"""

from __future__ import annotations

from torch import Tensor, nn

from zerosum.errors import UserError
from zerosum.networks import NETWORKS
from zerosum.networks.layers.conditioning import ClassMaps
from zerosum.networks.layers.convolution import Conv2d, ConvTranspose2d
from zerosum.networks.layers.domains import output_activation, require_classes, require_images, require_source
from zerosum.networks.layers.norms import InstanceNorm
from zerosum.networks.layers.residual import Residual
from zerosum.types import Domain

SIZES = (28, 32, 64, 128, 256)
HALVINGS = 6  # of D, at most


def normed(layer: nn.Module, channels: int) -> list[nn.Module]:
    """A convolution, its norm and ReLU."""
    return [layer, InstanceNorm(channels, affine=True), nn.ReLU()]


class Block(Residual):
    """(N, C, H, W) to the same: two 3x3 convolutions beside the way past them."""

    def __init__(self, channels: int) -> None:
        first, second = (Conv2d(channels, channels, 3, 1, 1, bias=False) for _ in range(2))
        super().__init__(*normed(first, channels), second, InstanceNorm(channels, affine=True))


@NETWORKS.register("stargan-generator")
class StarGanGenerator(nn.Module):
    """Images (N, C, H, W) to the domain of their labels y (N,); of any size that is a multiple of 4."""

    translates = True
    granularity = 4

    def __init__(self, domain: Domain, *, width: int = 64, blocks: int = 6) -> None:
        super().__init__()
        require_images(domain, "stargan-generator", SIZES)
        self.maps = ClassMaps(require_classes(domain, "stargan-generator"))
        channels = require_source(domain, "stargan-generator") + self.maps.classes
        layers = normed(Conv2d(channels, width, 7, 1, 3, bias=False), width)
        for inputs in (width, 2 * width):
            layers += normed(Conv2d(inputs, 2 * inputs, 4, 2, 1, bias=False), 2 * inputs)
        layers += [Block(4 * width) for _ in range(blocks)]
        for inputs in (4 * width, 2 * width):
            layers += normed(ConvTranspose2d(inputs, inputs // 2, 4, 2, 1, bias=False), inputs // 2)
        last = Conv2d(width, domain.channels, 7, 1, 3, bias=False)
        self.layers = nn.Sequential(*layers, last, output_activation(domain))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        made: Tensor = self.layers(self.maps(x, y))
        return made


@NETWORKS.register("stargan-discriminator")
class StarGanDiscriminator(nn.Module):
    """Images (N, C, S, S) to a map of logits (N, 1, h, w); `both` gives the domains' logits (N, classes) as well."""

    def __init__(self, domain: Domain, *, width: int = 64) -> None:
        super().__init__()
        require_images(domain, "stargan-discriminator", SIZES)
        classes = require_classes(domain, "stargan-discriminator")
        side, inputs, outputs = domain.size, domain.channels, width
        layers: list[nn.Module] = []
        while side > 3 and len(layers) < 2 * HALVINGS:
            layers += [Conv2d(inputs, outputs, 4, 2, 1), nn.LeakyReLU(0.01)]
            side, inputs, outputs = side // 2, outputs, 2 * outputs
        if not layers:
            raise UserError(f"size {domain.size} is too small for stargan-discriminator: expected 28 or more")
        self.layers = nn.Sequential(*layers)
        self.real = Conv2d(inputs, 1, 3, 1, 1, bias=False)
        self.classifier = Conv2d(inputs, classes, side, bias=False)

    def both(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The map of logits of "real", and the logits of the domains."""
        features = self.layers(x)
        return self.real(features), self.classifier(features).flatten(1)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        return self.both(x)[0]
