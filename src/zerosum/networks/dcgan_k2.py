"""The networks of `dcgan-k2`, a Keras tutorial's DCGAN on MNIST whose last kernel is as large as the image.

Layers, kernels and strides are the tutorial's, with Keras' initialisation. The discriminator gives a
logit, the tutorial's its sigmoid. The 28x28 convolution runs as one matrix product, the same sums in
another order: torch's own takes many times as long on a CPU.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zerosum.networks import NETWORKS
from zerosum.networks.layers.domains import output_activation, require_images
from zerosum.networks.layers.dropout import Dropout
from zerosum.networks.layers.keras import SameConv, SameConvTranspose, keras_init, same_pad
from zerosum.networks.layers.paths import wanted
from zerosum.networks.layers.product import Linear
from zerosum.networks.layers.shapes import Flatten, Unflatten
from zerosum.types import Domain

SIZES = (28,)
SLOPE = 0.3  # Keras' default


class WideConv(SameConv):
    """A "same" convolution of stride 1 for a kernel about as large as the image.

    Each row of pixels meets each row of the kernel in a product with a Toeplitz matrix; what belongs
    to one row of the output is then summed.
    """

    def own_path(self, device: torch.device, *, autocast: bool) -> str | None:
        """See `own_paths`."""
        return "a wide kernel, as products"

    def forward(self, input: Tensor) -> Tensor:
        if not wanted():
            return super().forward(input)
        rows, columns = input.shape[2:]
        tall, wide = self.kernel_size
        # The matrix takes pixel j to output q with the kernel's column j - q + left.
        left, right = columns - 1 - same_pad(columns, wide, 1)[0], columns - 1 - same_pad(columns, wide, 1)[1]
        matrix = F.pad(self.weight, (left, right)).unfold(3, columns, 1).flip(4)  # (out, in, tall, j, q)
        matrix = matrix.permute(1, 3, 0, 2, 4).reshape(self.in_channels * columns, -1)
        pixels = input.permute(0, 2, 1, 3).reshape(-1, self.in_channels * columns)
        met = (pixels @ matrix).view(-1, rows, self.out_channels, tall, columns)
        # Output row p is the sum of kernel rows a on pixel rows p + a - top: a diagonal, made a column by
        # giving each row one element more.
        met = F.pad(met.permute(0, 2, 4, 3, 1), same_pad(rows, tall, 1)).flatten(3)
        met = F.pad(met, (0, tall)).view(*met.shape[:3], tall, rows + tall)
        out = met[..., :rows].sum(3).transpose(2, 3)
        return out if self.bias is None else out + self.bias[:, None, None]


@NETWORKS.register("dcgan-k2-generator")
class DcganK2Generator(nn.Module):
    """z (N, z_dim) to images (N, C, 28, 28) in the domain's range."""

    def __init__(self, domain: Domain, *, z_dim: int = 100) -> None:
        super().__init__()
        require_images(domain, "dcgan-k2-generator", SIZES)
        self.z_dim = z_dim
        self.layers = nn.Sequential(
            Linear(z_dim, 7 * 7 * 64),
            nn.LeakyReLU(SLOPE),
            Unflatten(1, (64, 7, 7)),
            SameConvTranspose(64, 64, 3, 2),
            nn.LeakyReLU(SLOPE),
            SameConvTranspose(64, 32, 3, 2),
            nn.LeakyReLU(SLOPE),
            WideConv(32, domain.channels, 28),
            output_activation(domain),
        )
        keras_init(self)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        images: Tensor = self.layers(z)
        return images


@NETWORKS.register("dcgan-k2-discriminator")
class DcganK2Discriminator(nn.Module):
    """Images (N, C, 28, 28) to logits (N,)."""

    def __init__(self, domain: Domain, *, dropout: float = 0.4) -> None:
        super().__init__()
        require_images(domain, "dcgan-k2-discriminator", SIZES)
        self.layers = nn.Sequential(
            SameConv(domain.channels, 32, 3, 2),
            nn.LeakyReLU(SLOPE),
            Dropout(dropout),
            SameConv(32, 64, 3, 2),
            nn.LeakyReLU(SLOPE),
            Flatten(),
            Linear(7 * 7 * 64, 1),
        )
        keras_init(self)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        logits: Tensor = self.layers(x)
        return logits.flatten()
