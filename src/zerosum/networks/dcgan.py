"""DCGAN (Radford, Metz and Chintala 2015, arXiv 1511.06434) in the form that PyTorch's tutorial made common.

Kernels are 4x4 instead of the paper's 5x5, and the widest map has 512 channels at 64 pixels instead of 1024. At 64
pixels the networks are those of the tutorial; other sizes drop or add stages: the base is 4x4 for 32 and 64 pixels and
7x7 for 28. The papers have no classes; where the recipe takes them, G has the class beside z and D as maps beside the
image.
"""

from __future__ import annotations

from torch import Tensor, nn

from zerosum.errors import UserError
from zerosum.networks import NETWORKS
from zerosum.networks.layers.conditioning import ClassMaps, way_of, with_class
from zerosum.networks.layers.convolution import Conv2d, ConvTranspose2d
from zerosum.networks.layers.domains import output_activation, require_images
from zerosum.networks.layers.norms import BatchNorm
from zerosum.networks.layers.weights import dcgan_init
from zerosum.types import Domain

NORMS = ("batch", "layer", "none")


def pyramid(size: int) -> tuple[int, int]:
    """(base, stages) with size = base * 2^stages and a base of 4 to 7 pixels; `UserError` where there is none."""
    base, stages = size, 0
    while base > 7 and base % 2 == 0:
        base, stages = base // 2, stages + 1
    if not 4 <= base <= 7 or stages == 0:
        raise UserError(f"size {size} is not one that DCGAN can make: 4, 5, 6 or 7 doubled, such as 28, 32, 48, 64")
    return base, stages


@NETWORKS.register("dcgan-generator")
class DcganGenerator(nn.Module):
    """z (N, z_dim), with classes y (N,), to images (N, C, H, H) in the domain's range.

    `width` is that of the last hidden map. A class is a vector as long as z, or one-hot (`conditioning`).
    """

    def __init__(self, domain: Domain, *, z_dim: int = 100, width: int = 64, conditioning: str = "embedding") -> None:
        super().__init__()
        require_images(domain, "dcgan-generator")
        base, stages = pyramid(domain.size)
        way = way_of(conditioning, ("concatenation", "embedding"), domain.classes)
        self.z_dim, self.given = z_dim, with_class(z_dim, domain.classes, way)
        inputs = z_dim if self.given is None else self.given.outputs
        channels = width * 2 ** (stages - 1)
        layers: list[nn.Module] = [
            nn.Unflatten(1, (inputs, 1, 1)),
            ConvTranspose2d(inputs, channels, base, bias=False),
        ]
        for _ in range(stages - 1):
            layers += [BatchNorm(channels), nn.ReLU()]
            layers.append(ConvTranspose2d(channels, channels // 2, 4, 2, 1, bias=False))
            channels //= 2
        layers += [BatchNorm(channels), nn.ReLU(), ConvTranspose2d(channels, domain.channels, 4, 2, 1, bias=False)]
        self.layers = nn.Sequential(*layers, output_activation(domain))
        dcgan_init(self)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        images: Tensor = self.layers(z if self.given is None else self.given(z, y))
        return images


def _norm(kind: str, channels: int) -> list[nn.Module]:
    if kind not in NORMS:
        raise UserError(f"norm is {kind!r}; expected one of {', '.join(NORMS)}")
    if kind == "batch":
        return [BatchNorm(channels)]
    return [nn.GroupNorm(1, channels)] if kind == "layer" else []


@NETWORKS.register("dcgan-discriminator")
class DcganDiscriminator(nn.Module):
    """Images (N, C, H, H), with classes y (N,), to logits (N,).

    `norm` follows every hidden convolution but the first: "batch", "layer" (over channels and pixels, as
    in 1704.00028), or "none", which gives those convolutions the biases that a norm makes needless.
    """

    def __init__(self, domain: Domain, *, width: int = 64, norm: str = "batch") -> None:
        super().__init__()
        require_images(domain, "dcgan-discriminator")
        base, stages = pyramid(domain.size)
        self.maps = None if domain.classes is None else ClassMaps(domain.classes)
        layers: list[nn.Module] = [
            Conv2d(domain.channels + (domain.classes or 0), width, 4, 2, 1, bias=False),
            nn.LeakyReLU(0.2),
        ]
        channels = width
        for _ in range(stages - 1):
            layers.append(Conv2d(channels, 2 * channels, 4, 2, 1, bias=norm == "none"))
            channels *= 2
            layers += [*_norm(norm, channels), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, Conv2d(channels, 1, base, bias=False), nn.Flatten())
        dcgan_init(self)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        logits: Tensor = self.layers(x if self.maps is None else self.maps(x, y))
        return logits.flatten()
