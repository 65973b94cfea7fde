"""The networks of ACGAN (Odena, Olah and Shlens 2016, arXiv 1610.09585, the two tables of appendix A).

G: z and the class, one-hot, to maps on a small grid, then transposed convolutions 5x5; D: six convolutions 3x3 with
dropout, which end in the logit of "real" and those of the classes. 32 pixels are CIFAR-10's table, from 384 maps of
4x4; 28 begin at 7x7, 64 have one doubling more; 128 are ImageNet's, from 768 maps of 8x8, with the same D. `width` 96
gives the paper's channels in G, `width` 16 in D.
"""

from __future__ import annotations

from torch import Tensor, nn

from zerosum.networks import NETWORKS
from zerosum.networks.layers.conditioning import WithClass
from zerosum.networks.layers.convolution import Conv2d, ConvTranspose2d
from zerosum.networks.layers.domains import output_activation, require_classes, require_images
from zerosum.networks.layers.dropout import Dropout
from zerosum.networks.layers.norms import BatchNorm
from zerosum.networks.layers.product import Linear
from zerosum.networks.layers.shapes import Flatten, Unflatten
from zerosum.networks.layers.weights import dcgan_init
from zerosum.types import Domain

GRIDS = {28: 7, 32: 4, 64: 4, 128: 8}  # the side that G begins at
MAPS = {28: (4, 2), 32: (4, 2, 1), 64: (4, 2, 1, 1 / 2), 128: (8, 4, 8 / 3, 2)}  # of its inner layers, in widths
WIDTHS, STRIDES = (1, 2, 4, 8, 16, 32), (2, 1, 2, 1, 2, 1)  # of D's six convolutions


@NETWORKS.register("acgan-generator")
class AcganGenerator(nn.Module):
    """z (N, z_dim), y (N,) to images (N, C, H, H)."""

    def __init__(self, domain: Domain, *, z_dim: int = 100, width: int = 96) -> None:
        super().__init__()
        require_images(domain, "acgan-generator", tuple(GRIDS))
        self.z_dim = z_dim
        self.given = WithClass(z_dim, require_classes(domain, "acgan-generator"), learned=False)
        size, (channels, *later) = GRIDS[domain.size], (max(1, int(width * times)) for times in MAPS[domain.size])
        layers: list[nn.Module] = [
            Linear(self.given.outputs, channels * size * size),
            nn.ReLU(),
            Unflatten(1, (channels, size, size)),
        ]
        for maps in later:
            layers += [ConvTranspose2d(channels, maps, 5, 2, 2, 1, bias=False), BatchNorm(maps), nn.ReLU()]
            channels = maps
        layers += [ConvTranspose2d(channels, domain.channels, 5, 2, 2, 1), output_activation(domain)]
        self.layers = nn.Sequential(*layers)
        dcgan_init(self)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        assert y is not None, "a conditional generator is called with labels"
        images: Tensor = self.layers(self.given(z, y))
        return images


@NETWORKS.register("acgan-discriminator")
class AcganDiscriminator(nn.Module):
    """Images (N, C, H, H) to logits (N,); `both` has the logits of the classes (N, classes) beside them."""

    def __init__(self, domain: Domain, *, width: int = 16, dropout: float = 0.5) -> None:
        super().__init__()
        require_images(domain, "acgan-discriminator", tuple(GRIDS))
        classes = require_classes(domain, "acgan-discriminator")
        channels, size = domain.channels, domain.size
        layers: list[nn.Module] = []
        for index, (times, stride) in enumerate(zip(WIDTHS, STRIDES, strict=True)):
            layers.append(Conv2d(channels, times * width, 3, stride, 1, bias=index == 0))
            channels, size = times * width, (size - 1) // stride + 1
            layers += [*([BatchNorm(channels)] if index else []), nn.LeakyReLU(0.2), Dropout(dropout)]
        self.layers = nn.Sequential(*layers, Flatten())
        self.source = Linear(channels * size * size, 1)
        self.classifier = Linear(channels * size * size, classes)
        dcgan_init(self)

    def both(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The logit of "real" (N,) and the logits of the classes (N, classes)."""
        features = self.layers(x)
        return self.source(features).squeeze(1), self.classifier(features)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        return self.both(x)[0]
