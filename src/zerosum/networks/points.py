"""For 2-D points, such as `ring` and `grid`: multilayer perceptrons of ReLU layers."""

from __future__ import annotations

import math

from torch import Tensor, nn

from zerosum.networks import NETWORKS
from zerosum.networks.gan import relu_layers
from zerosum.networks.layers.domains import require_points
from zerosum.types import Domain


@NETWORKS.register("points-generator")
class PointsGenerator(nn.Module):
    """z (N, z_dim) to points (N, dimensions), by `depth` hidden layers of `width`.

    z is multiplied by `z_scale`: the larger, the steeper is what leads from one mode to the next, and the harder it is
    to move a mode that lies wrong.
    """

    def __init__(
        self, domain: Domain, *, z_dim: int = 2, z_scale: float = 1.0, width: int = 128, depth: int = 3
    ) -> None:
        super().__init__()
        require_points(domain, "points-generator")
        self.z_dim, self.z_scale = z_dim, z_scale
        self.layers = relu_layers(z_dim, *[width] * depth, math.prod(domain.shape))

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        points: Tensor = self.layers(self.z_scale * z)
        return points


@NETWORKS.register("points-discriminator")
class PointsDiscriminator(nn.Module):
    """Points (N, dimensions) to logits (N,), by `depth` hidden layers of `width`."""

    def __init__(self, domain: Domain, *, width: int = 128, depth: int = 3) -> None:
        super().__init__()
        require_points(domain, "points-discriminator")
        self.layers = relu_layers(math.prod(domain.shape), *[width] * depth, 1)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        logits: Tensor = self.layers(x)
        return logits.flatten()
