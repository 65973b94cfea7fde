"""Age-cGAN's networks: DCGAN's two, told the class, and an encoder (Antipov et al. 2017, arXiv 1702.01983, section 2).

The class is a one-hot vector beside z in G, and a map for each class, all ones for the image's own, after D's first
convolution, where Perarnau et al. found it to be heard best (1611.06355). The encoder is that paper's:
four convolutions 5x5 that halve, and two linear layers.
"""

from __future__ import annotations

from torch import Tensor, nn

from zerosum.networks import NETWORKS
from zerosum.networks.dcgan import DcganGenerator, pyramid
from zerosum.networks.layers.conditioning import ClassMaps
from zerosum.networks.layers.convolution import Conv2d
from zerosum.networks.layers.domains import require_classes, require_images
from zerosum.networks.layers.norms import BatchNorm
from zerosum.networks.layers.product import Linear
from zerosum.networks.layers.shapes import Flatten
from zerosum.networks.layers.weights import dcgan_init
from zerosum.types import Domain

SIZES = (28, 32, 64)
HALVINGS = 4  # of the encoder


@NETWORKS.register("age-cgan-generator")
class AgeCganGenerator(DcganGenerator):
    """z (N, z_dim), y (N,) to images (N, C, H, H) in the domain's range; `width` is that of the last hidden map."""

    def __init__(self, domain: Domain, *, z_dim: int = 100, width: int = 64) -> None:
        require_images(domain, "age-cgan-generator", SIZES)
        classes = require_classes(domain, "age-cgan-generator")
        super().__init__(domain, z_dim=z_dim, width=width, conditioning="concatenation")
        self.classes = classes


@NETWORKS.register("age-cgan-discriminator")
class AgeCganDiscriminator(nn.Module):
    """Images (N, C, H, H) and y (N,) to logits (N,)."""

    def __init__(self, domain: Domain, *, width: int = 64) -> None:
        super().__init__()
        require_images(domain, "age-cgan-discriminator", SIZES)
        self.maps = ClassMaps(require_classes(domain, "age-cgan-discriminator"))
        base, stages = pyramid(domain.size)
        self.first = nn.Sequential(Conv2d(domain.channels, width, 4, 2, 1, bias=False), nn.LeakyReLU(0.2))
        layers: list[nn.Module] = []
        inputs, outputs = width + self.maps.classes, 2 * width
        for _ in range(stages - 1):
            layers += [Conv2d(inputs, outputs, 4, 2, 1, bias=False), BatchNorm(outputs), nn.LeakyReLU(0.2)]
            inputs, outputs = outputs, 2 * outputs
        self.layers = nn.Sequential(*layers, Conv2d(inputs, 1, base, bias=False), nn.Flatten())
        dcgan_init(self)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        logits: Tensor = self.layers(self.maps(self.first(x), y))
        return logits.flatten()


@NETWORKS.register("age-cgan-encoder")
class AgeCganEncoder(nn.Module):
    """Images (N, C, H, H) to z (N, z_dim)."""

    def __init__(self, domain: Domain, *, z_dim: int = 100, width: int = 32, units: int = 4096) -> None:
        super().__init__()
        require_images(domain, "age-cgan-encoder", SIZES)
        self.finds = z_dim
        inputs, outputs, side = domain.channels, width, domain.size
        layers: list[nn.Module] = []
        for _ in range(HALVINGS):
            layers += [Conv2d(inputs, outputs, 5, 2, 2, bias=False), BatchNorm(outputs), nn.ReLU()]
            inputs, outputs, side = outputs, 2 * outputs, (side + 1) // 2
        layers += [Flatten(), Linear(inputs * side * side, units, bias=False), BatchNorm(units), nn.ReLU()]
        self.layers = nn.Sequential(*layers, Linear(units, z_dim))
        dcgan_init(self)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        z: Tensor = self.layers(x)
        return z
