"""The original GAN (Goodfellow et al. 2014, arXiv 1406.2661): for images its MLPs, for points smaller ones.

For images G is of rectifiers with a sigmoid, D of maxout with dropout; the paper gives no widths, and
those here are of the code that its authors published, as is the initialisation (but that of G's last
biases), without which D soon wins. For 2-D points both have two hidden ReLU layers, as toy experiments do (1611.02163,
1705.07761), and z has two dimensions too (1712.04086): with 100 all points end on one mode of the ring.
"""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor, nn

from zerosum.networks import NETWORKS
from zerosum.networks.layers.domains import output_activation
from zerosum.networks.layers.dropout import Dropout
from zerosum.networks.layers.product import Linear
from zerosum.types import Domain


@NETWORKS.register("gan-generator")
class GanGenerator(nn.Module):
    """z (N, z_dim) to samples (N, *shape): images in the domain's range, or points anywhere.

    z_dim and `width`, that of the two hidden layers, are for images; points have their own.
    """

    def __init__(
        self,
        domain: Domain,
        *,
        z_dim: int = 100,
        width: int = 1200,
        points_z_dim: int = 2,
        points_width: int = 128,
    ) -> None:
        super().__init__()
        images = len(domain.shape) == 3
        self.z_dim = z_dim if images else points_z_dim
        hidden = width if images else points_width
        self.layers = relu_layers(self.z_dim, hidden, hidden, math.prod(domain.shape))
        if images:
            self.layers.extend([output_activation(domain), nn.Unflatten(1, domain.shape)])
            uniform_init(self, 0.05)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        samples: Tensor = self.layers(z)
        return samples


@NETWORKS.register("gan-discriminator")
class GanDiscriminator(nn.Module):
    """Samples (N, *shape) to logits (N,).

    For images two layers of `units` maxout units of `pieces` each, after dropout; for points two ReLU
    layers of `points_width`.
    """

    def __init__(
        self,
        domain: Domain,
        *,
        units: int = 240,
        pieces: int = 5,
        input_dropout: float = 0.2,
        dropout: float = 0.5,
        points_width: int = 128,
    ) -> None:
        super().__init__()
        inputs = math.prod(domain.shape)
        if len(domain.shape) == 3:
            self.layers = nn.Sequential(
                nn.Flatten(),
                Dropout(input_dropout),
                Maxout(inputs, units, pieces),
                Dropout(dropout),
                Maxout(units, units, pieces),
                Dropout(dropout),
                Linear(units, 1),
            )
            uniform_init(self, 0.005)
        else:
            self.layers = relu_layers(inputs, points_width, points_width, 1)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        logits: Tensor = self.layers(x)
        return logits.flatten()


def relu_layers(*sizes: int) -> nn.Sequential:
    """Linear layers from each size to the next, with a ReLU between two."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def uniform_init(network: nn.Module, span: float) -> None:
    """Weights from [-span, span] and zero biases, as in the code of 1406.2661: small in D, larger in G."""
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.uniform_(module.weight, -span, span)
            nn.init.zeros_(module.bias)


class Maxout(Linear):
    """The largest of `pieces` linear maps for each unit: (N, inputs) to (N, units) (arXiv 1302.4389)."""

    def __init__(self, inputs: int, units: int, pieces: int) -> None:
        super().__init__(inputs, units * pieces)
        self.units, self.pieces = units, pieces

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input).view(-1, self.units, self.pieces).amax(2)

    def extra_repr(self) -> str:
        return f"{self.in_features}, units={self.units}, pieces={self.pieces}"
