"""Self-attention GAN (Zhang et al. 2018, arXiv 1805.08318): SNGAN's networks with attention, and G normalized too.

The paper attends at 32x32 of 128 pixels, the best of its table 1; other sizes at the same quarter, and 28 at 14.
"""

from __future__ import annotations

from zerosum.networks import NETWORKS
from zerosum.networks.layers.resnet import ResnetDiscriminator, ResnetGenerator
from zerosum.networks.layers.spectral import spectral_norm
from zerosum.types import Domain


@NETWORKS.register("sagan-generator")
class SaganGenerator(ResnetGenerator):
    """z (N, z_dim), y (N,) to images."""

    def __init__(self, domain: Domain, *, z_dim: int = 128, width: int = 64, conditioning: str = "batch-norm") -> None:
        super().__init__(
            domain,
            z_dim=z_dim,
            width=width,
            attention=True,
            wrap=spectral_norm,
            name="sagan-generator",
            conditioning=conditioning,
        )


@NETWORKS.register("sagan-discriminator")
class SaganDiscriminator(ResnetDiscriminator):
    """Images, y (N,) to logits (N,)."""

    def __init__(self, domain: Domain, *, width: int = 64, conditioning: str = "projection") -> None:
        super().__init__(domain, width=width, attention=True, name="sagan-discriminator", conditioning=conditioning)
