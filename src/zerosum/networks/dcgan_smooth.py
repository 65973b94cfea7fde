"""The networks of `dcgan-smooth`, a Keras tutorial's DCGAN on MNIST; its defaults are Keras' own.

Layers, kernels and strides are the tutorial's; the order ReLU, batch norm, LeakyReLU at the foot of
the generator too. The discriminator gives a logit, the tutorial's its sigmoid.
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


@NETWORKS.register("dcgan-smooth-generator")
class DcganSmoothGenerator(nn.Module):
    """z (N, z_dim) to images (N, C, 28, 28) in the domain's range."""

    def __init__(self, domain: Domain, *, z_dim: int = 100) -> None:
        super().__init__()
        require_images(domain, "dcgan-smooth-generator", SIZES)
        self.z_dim = z_dim
        self.layers = nn.Sequential(
            Linear(z_dim, 7 * 7 * 512),
            nn.ReLU(),
            Unflatten(1, (512, 7, 7)),
            BatchNorm(512, eps=KERAS_EPS, momentum=KERAS_MOMENTUM),
            nn.LeakyReLU(0.2),
            SameConvTranspose(512, 256, 3, 2, bias=False),
            nn.LeakyReLU(0.2),
            SameConvTranspose(256, 128, 4, 2, bias=False),
            BatchNorm(128, eps=KERAS_EPS, momentum=KERAS_MOMENTUM),
            nn.LeakyReLU(0.2),
            SameConv(128, domain.channels, 5, bias=False),
            output_activation(domain),
        )
        keras_init(self)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        images: Tensor = self.layers(z)
        return images


@NETWORKS.register("dcgan-smooth-discriminator")
class DcganSmoothDiscriminator(nn.Module):
    """Images (N, C, 28, 28) to logits (N,)."""

    def __init__(self, domain: Domain, *, dropout: float = 0.3) -> None:
        super().__init__()
        require_images(domain, "dcgan-smooth-discriminator", SIZES)
        self.layers = nn.Sequential(
            SameConv(domain.channels, 512, 5, 2),
            nn.LeakyReLU(0.2),
            Dropout(dropout),
            SameConv(512, 256, 3, 2),
            nn.LeakyReLU(0.2),
            SameConv(256, 128, 3),
            nn.LeakyReLU(0.2),
            Flatten(),
            Linear(7 * 7 * 128, 1),
        )
        keras_init(self)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        logits: Tensor = self.layers(x)
        return logits.flatten()
