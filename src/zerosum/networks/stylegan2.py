"""StyleGAN2 (Karras et al. 2020, arXiv 1912.04958): styles as modulated kernels, a generator of skips, a residual D.

Configuration F: no growing; weights modulated and demodulated by w (section 2.2), images summed over all sizes
(figure 7), residual blocks in D. A kernel that differs by sample is applied as scaled inputs and scaled outputs, the
same sum (Eq. 1 to 3), so that a batch needs one convolution.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from zerosum.networks import NETWORKS
from zerosum.networks.layers.convolution import convolve, spread
from zerosum.networks.layers.domains import clipped, require_images
from zerosum.networks.layers.equalized import EqualConv2d, EqualLinear, MinibatchStd, leaky
from zerosum.networks.layers.growing import SIZES, first_side, maps_of, sides
from zerosum.networks.layers.resample import binomial, downsample, upsample
from zerosum.networks.layers.shapes import flat
from zerosum.networks.layers.styled import ClassLogit, Noise, Styled
from zerosum.types import Domain

FULL_WIDTH = 64  # the largest map that has all channels


class Doubling(nn.ConvTranspose2d):
    """(N, inputs, H, H) to (N, outputs, 2H, 2H): a transposed convolution with equalized weights, then the filter."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__(inputs, outputs, kernel, stride=2, bias=False)
        self.scale = 1 / math.sqrt(inputs * kernel * kernel)
        nn.init.normal_(self.weight)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        x = spread(input, self.weight * self.scale, stride=2)  # the side is 2H + 1
        return convolve(x, 4 * binomial(x, 4), padding=1, groups=x.shape[1])


class Modulated(nn.Module):
    """x (N, inputs, H, H), w (N, w_dim) to (N, outputs, H, H), or of twice the side: each sample has its own kernel.

    The style scales a kernel's inputs; to `demodulate`, its outputs have length 1 again.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, w_dim: int, *, demodulate: bool = True, doubles: bool = False
    ) -> None:
        super().__init__()
        self.style = EqualLinear(w_dim, inputs, gain=1, bias=1.0)
        self.conv: Doubling | EqualConv2d
        if doubles:
            self.conv = Doubling(inputs, outputs, kernel)
        else:
            self.conv = EqualConv2d(inputs, outputs, kernel, gain=1, bias=False)
        self.demodulate = demodulate

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        style: Tensor = self.style(w)
        made: Tensor = self.conv(x * style[:, :, None, None])
        if not self.demodulate:
            return made
        squares = (self.conv.weight * self.conv.scale).square().sum(dim=(2, 3))
        if isinstance(self.conv, EqualConv2d):  # a transposed kernel has its inputs first
            squares = squares.t()
        length = (style.square() @ squares + 1e-8).rsqrt()
        return made * length[:, :, None, None]


class Layer(nn.Module):
    """A modulated convolution, noise, bias and LeakyReLU with gain."""

    def __init__(self, inputs: int, outputs: int, side: int, w_dim: int, *, doubles: bool = False) -> None:
        super().__init__()
        self.conv = Modulated(inputs, outputs, 3, w_dim, doubles=doubles)
        self.noise = Noise(1, side)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        return gained(self.noise(self.conv(x, w)) + self.bias.view(1, -1, 1, 1))


class ToImage(nn.Module):
    """(N, inputs, H, H) and w to what a map adds to the image."""

    def __init__(self, inputs: int, outputs: int, w_dim: int) -> None:
        super().__init__()
        self.conv = Modulated(inputs, outputs, 1, w_dim, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        images: Tensor = self.conv(x, w) + self.bias.view(1, -1, 1, 1)
        return images


def gained(x: Tensor) -> Tensor:
    """LeakyReLU times the square root of 2, which keeps the scale of what goes through."""
    return leaky(x) * math.sqrt(2)


@NETWORKS.register("stylegan2-generator")
class Stylegan2Generator(Styled):
    """z (N, z_dim) to images; those of training may leave the range of values."""

    linear_end = True

    def __init__(
        self,
        domain: Domain,
        *,
        z_dim: int = 512,
        w_dim: int = 512,
        width: int = 512,
        full_to: int = FULL_WIDTH,
        depth: int = 8,
        mixing: float = 0.9,
    ) -> None:
        super().__init__()
        require_images(domain, "stylegan2-generator", SIZES)
        self.begin(domain, z_dim, w_dim, depth, mixing)
        self.domain = domain
        maps, first = maps_of(width, domain.size, full_to), first_side(domain.size)
        inputs = maps[0]
        self.styles = 2 * len(maps)
        self.constant = nn.Parameter(torch.randn(1, inputs, first, first))
        self.layers = nn.ModuleList([Layer(inputs, inputs, first, w_dim)])
        self.to_image = nn.ModuleList([ToImage(inputs, domain.channels, w_dim)])
        for own, side in zip(maps[1:], sides(domain.size)[1:], strict=True):
            self.layers += [Layer(inputs, own, side, w_dim, doubles=True), Layer(own, own, side, w_dim)]
            self.to_image.append(ToImage(own, domain.channels, w_dim))
            inputs = own

    def synthesize(self, ws: Tensor) -> Tensor:
        x = self.layers[0](self.constant.expand(len(ws), -1, -1, -1), ws[:, 0])
        images: Tensor = self.to_image[0](x, ws[:, 1])
        for number in range(1, len(self.to_image)):
            x = self.layers[2 * number - 1](x, ws[:, 2 * number - 1])
            x = self.layers[2 * number](x, ws[:, 2 * number])
            # The image's style is that of the next map's first layer.
            images = upsample(images) + self.to_image[number](x, ws[:, 2 * number + 1])
        return images if self.training else clipped(images, self.domain.value_range)


class ResidualDown(nn.Module):
    """(N, inputs, H, H) to (N, outputs, H / 2, H / 2): two convolutions beside a filtered 1x1, over the root of 2."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = EqualConv2d(inputs, inputs, 3, gain=1)
        self.conv2 = EqualConv2d(inputs, outputs, 3, gain=1, padding=0, stride=2)
        self.skip = EqualConv2d(inputs, outputs, 1, gain=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        h = gained(self.conv1(x))
        h = convolve(h, binomial(h, 4), padding=2, groups=h.shape[1])  # the side is H + 1
        deeper: Tensor = gained(self.conv2(h)) + self.skip(downsample(x))
        return deeper / math.sqrt(2)


@NETWORKS.register("stylegan2-discriminator")
class Stylegan2Discriminator(nn.Module):
    """Images, y (N,) to logits (N,)."""

    def __init__(self, domain: Domain, *, width: int = 512, full_to: int = FULL_WIDTH) -> None:
        super().__init__()
        require_images(domain, "stylegan2-discriminator", SIZES)
        widths = maps_of(width, domain.size, full_to)[::-1]
        self.from_image = EqualConv2d(domain.channels, widths[0], 1, gain=1)
        self.blocks = nn.Sequential(*map(ResidualDown, widths, widths[1:]))
        self.deviation = MinibatchStd()
        self.conv = EqualConv2d(widths[-1] + 1, widths[-1], 3, gain=1)
        self.whole = EqualLinear(widths[-1] * first_side(domain.size) ** 2, widths[-1], gain=1)
        self.end = ClassLogit(domain, widths[-1])

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        h = self.blocks(gained(self.from_image(x)))
        h = gained(self.conv(self.deviation(h)))
        h = gained(self.whole(flat(h)))
        logits: Tensor = self.end(h, y)
        return logits
