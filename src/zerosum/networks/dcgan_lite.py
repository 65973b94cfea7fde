"""The networks of `dcgan-lite`, a Keras tutorial's DCGAN on MNIST without batch norm.

Layers, kernels and strides are the tutorial's, with Keras' initialisation; `width` and `batch_norm`
are there for its author's suggestions. The discriminator gives a logit, the tutorial's its sigmoid.
"""

from __future__ import annotations

from torch import Tensor, nn

from zerosum.networks import NETWORKS
from zerosum.networks.layers.domains import output_activation, require_images
from zerosum.networks.layers.dropout import Dropout
from zerosum.networks.layers.keras import KERAS_EPS, KERAS_MOMENTUM, SameConv, SameConvTranspose, keras_init
from zerosum.networks.layers.norms import BatchNorm
from zerosum.networks.layers.product import Linear
from zerosum.networks.layers.shapes import Flatten, Unflatten
from zerosum.types import Domain

SIZES = (28,)


def _norm(width: int, wanted: bool) -> list[nn.Module]:
    return [BatchNorm(width, eps=KERAS_EPS, momentum=KERAS_MOMENTUM)] if wanted else []


@NETWORKS.register("dcgan-lite-generator")
class DcganLiteGenerator(nn.Module):
    """z (N, z_dim) to images (N, C, 28, 28) in the domain's range."""

    def __init__(self, domain: Domain, *, z_dim: int = 100, width: int = 128, batch_norm: bool = False) -> None:
        super().__init__()
        require_images(domain, "dcgan-lite-generator", SIZES)
        self.z_dim = z_dim
        layers: list[nn.Module] = [
            Linear(z_dim, 7 * 7 * width),
            nn.LeakyReLU(0.2),
            Unflatten(1, (width, 7, 7)),
        ]
        for _ in range(2):
            layers += [SameConvTranspose(width, width, 4, 2), *_norm(width, batch_norm), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, SameConv(width, domain.channels, 7), output_activation(domain))
        keras_init(self)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        images: Tensor = self.layers(z)
        return images


@NETWORKS.register("dcgan-lite-discriminator")
class DcganLiteDiscriminator(nn.Module):
    """Images (N, C, 28, 28) to logits (N,)."""

    def __init__(self, domain: Domain, *, width: int = 64, dropout: float = 0.4, batch_norm: bool = False) -> None:
        super().__init__()
        require_images(domain, "dcgan-lite-discriminator", SIZES)
        layers: list[nn.Module] = []
        for inputs in (domain.channels, width):
            layers += [SameConv(inputs, width, 3, 2), *_norm(width, batch_norm)]
            layers += [nn.LeakyReLU(0.2), Dropout(dropout)]
        self.layers = nn.Sequential(*layers, Flatten(), Linear(7 * 7 * width, 1))
        keras_init(self)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        logits: Tensor = self.layers(x)
        return logits.flatten()
