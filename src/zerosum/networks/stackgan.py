"""StackGAN's networks: from a text to a small image, and from both to a large one (arXiv 1612.03242, section 3).

Stage I makes an image of a quarter of the size from z and the text, Stage II looks at it with the text in mind and
draws it anew at the full size. Each draws its condition from a Gaussian whose mean and deviation are linear maps of the
text's embedding (conditioning augmentation); the numbers for that are the end of z, so that a z and a text make one
image. The embedding is learned with the image encoder in D to tell which caption belongs to which image, after
structured joint embedding (1605.05396, Eq. 2); that paper reads characters by a convolutional and recurrent network and
sees by a pretrained GoogLeNet, here a GRU reads words, and a small network looks at images of a quarter of the size.
An embedding has mean 0 and variance 1, and the layers that hear it start as torch starts them: with numbers as small as
DCGAN's, which all others have, a text would be lost in the noise of its condition.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zerosum.errors import UserError
from zerosum.networks import NETWORKS
from zerosum.networks.layers.convolution import Conv2d
from zerosum.networks.layers.domains import output_activation, require_images, require_text
from zerosum.networks.layers.norms import BatchNorm
from zerosum.networks.layers.product import Linear
from zerosum.networks.layers.resample import enlarge
from zerosum.networks.layers.shapes import Flatten, Unflatten
from zerosum.networks.layers.weights import dcgan_init
from zerosum.types import Domain

SIZES = (64, 128, 256)
LEAST = 4  # pixels along a side of the smallest maps
READING, FIRST, SECOND = 0, 1, 2  # what is learned by now: to read, Stage I, Stage II


def normed(inputs: int, outputs: int) -> list[nn.Module]:
    """A 3x3 convolution and its norm."""
    return [Conv2d(inputs, outputs, 3, 1, 1, bias=False), BatchNorm(outputs)]


def up(inputs: int, outputs: int) -> list[nn.Module]:
    """A doubling: each pixel four times, then a 3x3 convolution."""
    return [nn.Upsample(scale_factor=2.0, mode="nearest"), *normed(inputs, outputs), nn.ReLU()]


def down(inputs: int, outputs: int, *, norm: bool = True) -> list[nn.Module]:
    """A halving by a 4x4 convolution."""
    conv = Conv2d(inputs, outputs, 4, 2, 1, bias=not norm)
    return [conv, *([BatchNorm(outputs)] if norm else []), nn.LeakyReLU(0.2)]


def halvings(channels: int, width: int, side: int) -> tuple[list[nn.Module], int]:
    """Layers from images of that side to 4x4 maps, and how many maps: at most eight times the width."""
    layers, outputs = down(channels, width, norm=False), width
    side //= 2
    while side > LEAST:
        inputs, outputs, side = outputs, min(2 * outputs, 8 * width), side // 2
        layers += down(inputs, outputs)
    return layers, outputs


class Reader(nn.Module):
    """Rows of words (N, L) to embeddings (N, embedding): the mean of a GRU's states over the words there are.

    What follows the last word changes nothing.
    """

    def __init__(self, words: int, units: int, embedding: int) -> None:
        super().__init__()
        self.words = nn.Embedding(words, units, padding_idx=0)
        self.reads = nn.GRU(units, units, batch_first=True)
        self.embeds = nn.Sequential(Linear(units, embedding), nn.LayerNorm(embedding, elementwise_affine=False))

    def forward(self, y: Tensor) -> Tensor:
        states: Tensor = self.reads(self.words(y))[0]
        there = (y > 0).to(states.dtype)[:, :, None]
        mean: Tensor = self.embeds((states * there).sum(1) / there.sum(1).clamp_min(1))
        return mean


class Conditioning(nn.Module):
    """Embeddings (N, embedding) and normal numbers (N, condition) to conditions (N, condition) and divergences (N,).

    The divergence is that of the condition's Gaussian from N(0, 1), a mean over its numbers (section 3.2, Eq. 2).
    """

    def __init__(self, embedding: int, condition: int) -> None:
        super().__init__()
        self.layer = Linear(embedding, 2 * condition)

    def forward(self, embedded: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.layer(embedded).chunk(2, dim=1)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean(1)
        return mean + noise * (0.5 * log_variance).exp(), divergence


class Block(nn.Module):
    """(N, C, H, W) to the same: two 3x3 convolutions beside the way past them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*normed(channels, channels), nn.ReLU(), *normed(channels, channels))
        self.end = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        summed: Tensor = self.end(x + self.layers(x))
        return summed


class StageOne(nn.Module):
    """z, the noise of the condition and the embedding to images (N, C, side, side) and divergences (N,)."""

    def __init__(self, domain: Domain, side: int, z_dim: int, width: int, embedding: int, condition: int) -> None:
        super().__init__()
        self.condition = Conditioning(embedding, condition)
        maps = max(width * side // 8, 1)
        begins = Linear(condition + z_dim, maps * LEAST**2, bias=False)
        layers = [begins, BatchNorm(maps * LEAST**2), nn.ReLU(), Unflatten(1, (maps, LEAST, LEAST))]
        for _ in range((side // LEAST).bit_length() - 1):
            layers += up(maps, max(maps // 2, 1))
            maps = max(maps // 2, 1)
        self.layers = nn.Sequential(*layers, Conv2d(maps, domain.channels, 3, 1, 1), output_activation(domain))
        dcgan_init(self.layers)

    def forward(self, z: Tensor, noise: Tensor, embedded: Tensor) -> tuple[Tensor, Tensor]:
        condition, divergence = self.condition(embedded, noise)
        return self.layers(torch.cat([condition, z], dim=1)), divergence


class StageTwo(nn.Module):
    """Images of Stage I, the noise of the condition and the embedding to images four times as large and divergences."""

    def __init__(self, domain: Domain, width: int, blocks: int, embedding: int, condition: int) -> None:
        super().__init__()
        self.condition = Conditioning(embedding, condition)
        begins = [Conv2d(domain.channels, width, 3, 1, 1), nn.LeakyReLU(0.2)]
        self.looks = nn.Sequential(*begins, *down(width, 2 * width), *down(2 * width, 4 * width))
        self.joins = nn.Sequential(*normed(4 * width + condition, 4 * width), nn.ReLU())
        maps = 4 * width
        layers: list[nn.Module] = [Block(maps) for _ in range(blocks)]
        for _ in range(4):
            layers += up(maps, max(maps // 2, 1))
            maps = max(maps // 2, 1)
        self.layers = nn.Sequential(*layers, Conv2d(maps, domain.channels, 3, 1, 1), output_activation(domain))
        for part in (self.looks, self.joins, self.layers):
            dcgan_init(part)

    def forward(self, x: Tensor, noise: Tensor, embedded: Tensor) -> tuple[Tensor, Tensor]:
        condition, divergence = self.condition(embedded, noise)
        seen = self.looks(x)
        everywhere = condition[:, :, None, None].expand(-1, -1, *seen.shape[2:])
        return self.layers(self.joins(torch.cat([seen, everywhere], dim=1))), divergence


@NETWORKS.register("stackgan-generator")
class StackGanGenerator(nn.Module):
    """z (N, z_dim + 2 condition) and rows of words (N, L) to images (N, C, S, S).

    In train mode those before Stage II are of S / 4; in eval mode they are enlarged. The two
    ends of z are the noise of the stages' conditions. units: of the reader; width: of both stages.
    """

    staged: Tensor

    def __init__(
        self,
        domain: Domain,
        *,
        z_dim: int = 100,
        width: int = 128,
        blocks: int = 4,
        condition: int = 128,
        units: int = 256,
        embedding: int = 1024,
    ) -> None:
        super().__init__()
        require_images(domain, "stackgan-generator", SIZES)
        words, _ = require_text(domain, "stackgan-generator")
        self.side, self.size, self.embedding = domain.size // 4, domain.size, embedding
        self.parts, self.z_dim = [z_dim, condition, condition], z_dim + 2 * condition
        self.first = StageOne(domain, self.side, z_dim, width, embedding, condition)
        self.second = StageTwo(domain, width, blocks, embedding, condition)
        self.read = Reader(words, units, embedding)
        self.register_buffer("staged", torch.tensor(float(SECOND)))
        self._stage = SECOND

    def at(self, stage: int) -> None:
        """Go on with what is learned at this stage: 0 reading, 1 Stage I, 2 Stage II, where Stage I stays as it is."""
        self._stage = stage
        self.staged.fill_(float(stage))
        self.train(self.training)

    def train(self, mode: bool = True) -> StackGanGenerator:
        """Stage I keeps its averages, and draws by them, while Stage II learns."""
        super().train(mode)
        self.first.train(mode and self._stage < SECOND)
        return self

    def drawn(self, z: Tensor, embedded: Tensor) -> tuple[Tensor, Tensor]:
        """Images, before Stage II of a quarter of the size, and the divergences of their conditions (N,)."""
        z, noise, more = torch.split(z, self.parts, dim=1)
        # A checkpoint brings the buffer, a stage the number; in the loop nothing is read from the device.
        stage = self._stage if self.training or self.staged.is_meta else int(self.staged)
        if stage < SECOND:
            made: tuple[Tensor, Tensor] = self.first(z, noise, embedded)
            return made
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.training):
            rough, _ = self.first(z, noise, embedded)
        large: tuple[Tensor, Tensor] = self.second(rough, more, embedded)
        return large

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        assert y is not None, "a generator that draws what a text says is called with words"
        made = self.drawn(z, self.read(y))[0]
        return made if self.training else enlarge(made, self.size)


class Judge(nn.Module):
    """Images (N, C, side, side) and embeddings (N, embedding) to logits (N,): real, and of that text, or not."""

    def __init__(self, channels: int, side: int, width: int, embedding: int, compressed: int) -> None:
        super().__init__()
        layers, maps = halvings(channels, width, side)
        self.looks = nn.Sequential(*layers)
        self.compresses = nn.Sequential(Linear(embedding, compressed), nn.LeakyReLU(0.2))
        conv = Conv2d(maps + compressed, maps, 1, bias=False)
        self.joins = nn.Sequential(conv, BatchNorm(maps), nn.LeakyReLU(0.2))
        self.end = nn.Sequential(Flatten(), Linear(maps * LEAST**2, 1))
        for part in (self.looks, self.joins, self.end):
            dcgan_init(part)

    def forward(self, x: Tensor, embedded: Tensor) -> Tensor:
        seen = self.looks(x)
        everywhere = self.compresses(embedded)[:, :, None, None].expand(-1, -1, *seen.shape[2:])
        logits: Tensor = self.end(self.joins(torch.cat([seen, everywhere], dim=1)))
        return logits.flatten()


@NETWORKS.register("stackgan-discriminator")
class StackGanDiscriminator(nn.Module):
    """Images (N, C, S, S), or of a quarter of that size, and embeddings (N, embedding) to logits (N,).

    Each of the two sizes has a judge of its own. `look` is the image encoder that the embedding is learned with.
    """

    def __init__(self, domain: Domain, *, width: int = 64, compressed: int = 128, embedding: int = 1024) -> None:
        super().__init__()
        require_images(domain, "stackgan-discriminator", SIZES)
        require_text(domain, "stackgan-discriminator")
        self.size, self.hears = domain.size, embedding
        sides = (domain.size // 4, domain.size)
        self.judges = nn.ModuleList(Judge(domain.channels, side, width, embedding, compressed) for side in sides)
        layers, maps = halvings(domain.channels, width, sides[0])
        self.encoder = nn.Sequential(*layers, Flatten(), Linear(maps * LEAST**2, embedding))
        dcgan_init(self.encoder)

    def look(self, x: Tensor) -> Tensor:
        """Images (N, C, S / 4, S / 4) to embeddings (N, embedding)."""
        found: Tensor = self.encoder(x)
        return found

    def forward(self, x: Tensor, embedded: Tensor) -> Tensor:
        if x.shape[-1] not in (self.size, self.size // 4):
            raise UserError(f"images have {x.shape[-1]} pixels; expected {self.size}, or {self.size // 4}")
        logits: Tensor = self.judges[int(x.shape[-1] == self.size)](x, embedded)
        return logits
