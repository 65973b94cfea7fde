"""The residual networks of spectrally normalized GANs (Miyato et al. 2018, arXiv 1802.05957, tables 4 to 6).

At 32 pixels those of CIFAR-10, at 48 of STL-10, at 128 of ImageNet; 28 pixels begin at a grid of 7 and go up twice, 64
are the tables of 48 from a grid of 4. `width` scales all of them; classes reach both networks as in 1802.05637.
"""

from __future__ import annotations

from zerosum.networks import NETWORKS
from zerosum.networks.layers.resnet import ResnetDiscriminator, ResnetGenerator, as_it_is
from zerosum.types import Domain


@NETWORKS.register("sngan-generator")
class SnganGenerator(ResnetGenerator):
    """z (N, z_dim), y (N,) to images; `width` 64 gives 256 channels at 32 pixels."""

    def __init__(self, domain: Domain, *, z_dim: int = 128, width: int = 64, conditioning: str = "batch-norm") -> None:
        super().__init__(
            domain,
            z_dim=z_dim,
            width=width,
            attention=False,
            wrap=as_it_is,
            name="sngan-generator",
            conditioning=conditioning,
        )


@NETWORKS.register("sngan-discriminator")
class SnganDiscriminator(ResnetDiscriminator):
    """Images, y (N,) to logits (N,); `width` 64 gives 128 channels at 32 pixels."""

    def __init__(self, domain: Domain, *, width: int = 64, conditioning: str = "projection") -> None:
        super().__init__(
            domain, width=width, attention=False, name="sngan-discriminator", conditioning=conditioning, wide=False
        )
