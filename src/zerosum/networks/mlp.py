"""The fully connected GAN of `mlp`, a PyTorch course exercise on MNIST and Fashion-MNIST.

The text names the kinds of layers; their widths come from the code that it followed (see the recipe).
The discriminator gives a logit, the exercise's its sigmoid.
"""

from __future__ import annotations

from torch import Tensor, nn

from zerosum.networks import NETWORKS
from zerosum.networks.layers.domains import output_activation, require_images
from zerosum.networks.layers.norms import BatchNorm
from zerosum.networks.layers.product import Linear
from zerosum.types import Domain


@NETWORKS.register("mlp-generator")
class MlpGenerator(nn.Module):
    """z (N, z_dim) to images (N, C, H, W) in the domain's range; four hidden layers, each twice the last."""

    def __init__(self, domain: Domain, *, z_dim: int = 100, width: int = 128, bn_eps: float = 1e-5) -> None:
        super().__init__()
        require_images(domain, "mlp-generator")
        self.z_dim = z_dim
        layers: list[nn.Module] = [Linear(z_dim, width), nn.LeakyReLU(0.2)]
        for _ in range(3):
            layers += [Linear(width, 2 * width), BatchNorm(2 * width, eps=bn_eps), nn.LeakyReLU(0.2)]
            width *= 2
        pixels = domain.channels * domain.size**2
        layers += [Linear(width, pixels), output_activation(domain), nn.Unflatten(1, domain.shape)]
        self.layers = nn.Sequential(*layers)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        images: Tensor = self.layers(z)
        return images


@NETWORKS.register("mlp-discriminator")
class MlpDiscriminator(nn.Module):
    """Images (N, C, H, W) to logits (N,); two hidden layers, the second half as wide."""

    def __init__(self, domain: Domain, *, width: int = 512) -> None:
        super().__init__()
        require_images(domain, "mlp-discriminator")
        self.layers = nn.Sequential(
            nn.Flatten(),
            Linear(domain.channels * domain.size**2, width),
            nn.LeakyReLU(0.2),
            Linear(width, width // 2),
            nn.LeakyReLU(0.2),
            Linear(width // 2, 1),
        )

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        logits: Tensor = self.layers(x)
        return logits.flatten()
