"""DiscoGAN's networks: encoder-decoders between two domains, and a judge of each (arXiv 1703.05192, section 3.1).

Convolutions of 4x4 with stride 2 and LeakyReLU 0.2 down to a sixteenth, transposed ones with ReLU back; batch norm but
for the first and the last layer. The judge ends with one logit of the whole image. A player holds both domains'
networks.
"""

from __future__ import annotations

from torch import Tensor, nn

from zerosum.networks import NETWORKS
from zerosum.networks.cyclegan import EachDomain
from zerosum.networks.layers.convolution import Conv2d, ConvTranspose2d
from zerosum.networks.layers.domains import output_activation, require_images, require_source
from zerosum.networks.layers.norms import BatchNorm
from zerosum.networks.layers.weights import dcgan_init
from zerosum.types import Domain

SIZES = (32, 64, 128)
LEVELS = (1, 2, 4, 8)  # channels of the four halvings, in multiples of the width


def encoder(channels: int, width: int) -> list[nn.Module]:
    """(N, channels, S, S) to (N, 8 width, S / 16, S / 16)."""
    layers: list[nn.Module] = []
    inputs = channels
    for level in LEVELS:
        layers.append(Conv2d(inputs, level * width, 4, 2, 1, bias=False))
        layers += [*([BatchNorm(level * width)] if layers[1:] else []), nn.LeakyReLU(0.2)]
        inputs = level * width
    return layers


class EncoderDecoder(nn.Module):
    """(N, channels, S, S) to (N, C, S, S) in the domain's range."""

    def __init__(self, channels: int, domain: Domain, width: int) -> None:
        super().__init__()
        layers = encoder(channels, width)
        for level in reversed(LEVELS[1:]):
            outputs = level // 2 * width
            layers += [ConvTranspose2d(level * width, outputs, 4, 2, 1, bias=False), BatchNorm(outputs), nn.ReLU()]
        last = ConvTranspose2d(width, domain.channels, 4, 2, 1, bias=False)
        self.layers = nn.Sequential(*layers, last, output_activation(domain))

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.layers(x)
        return made


@NETWORKS.register("discogan-generators")
class DiscoGanGenerators(EachDomain):
    """Images (N, C, S, S) to the domain of their labels y (N,)."""

    translates = True
    granularity = 16

    def __init__(self, domain: Domain, *, width: int = 64) -> None:
        require_images(domain, "discogan-generators", SIZES)
        channels = require_source(domain, "discogan-generators")
        super().__init__(domain, "discogan-generators", [EncoderDecoder(channels, domain, width) for _ in range(2)])
        dcgan_init(self)


class Judge(nn.Sequential):
    """(N, C, S, S) to logits (N, 1, 1, 1)."""

    def __init__(self, domain: Domain, width: int) -> None:
        last = Conv2d(LEVELS[-1] * width, 1, domain.size // 16, bias=False)
        super().__init__(*encoder(domain.channels, width), last)

    def features(self, x: Tensor) -> list[Tensor]:
        """What each layer makes of it, the logits last."""
        found = []
        for layer in self:
            x = layer(x)
            if isinstance(layer, nn.LeakyReLU):
                found.append(x)
        return [*found, x]


@NETWORKS.register("discogan-discriminators")
class DiscoGanDiscriminators(EachDomain):
    """Images (N, C, S, S) and the domains y (N,) that they are to be of, to logits (N, 1, 1, 1)."""

    def __init__(self, domain: Domain, *, width: int = 64) -> None:
        require_images(domain, "discogan-discriminators", SIZES)
        super().__init__(domain, "discogan-discriminators", [Judge(domain, width) for _ in range(2)])
        dcgan_init(self)
