"""TransGAN: two transformers and no convolution (Jiang, Chang and Wang 2021, arXiv 2102.07074).

G maps z to 8x8 tokens of `width` numbers, and through stages of encoder blocks with a pixel shuffle between two, which
doubles the side and leaves a quarter of the numbers; each pixel of the last stage is mapped to its colours by a plain
linear map, whose values are clipped to the range in use. D sees the image as 8x8 patches behind a [cls] token.
Positions are learned, absolute where tokens enter and relative as a bias of every attention. Layer norm and a D of one
scale are the paper's first version's; its later ones divide tokens by their mean square, and show D patches of several
sizes. Beyond 32x32 tokens attention stays within windows of 16x16 (the paper's grid self-attention), so that its memory
grows with the pixels and not their square. 28 pixels begin at 7x7, 48 at 12x12. From 128 pixels on the doublings up to
32x32 are bicubic and leave all numbers, as the authors have it at 256. D's patches are of 8x8 pixels at most, so there
are more of them beyond 64 pixels.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zerosum.errors import UserError
from zerosum.networks import NETWORKS
from zerosum.networks.layers.domains import clipped, require_images
from zerosum.networks.layers.product import Linear
from zerosum.types import Domain

SIZES = (28, 32, 48, 64, 128, 256)
WINDOW, WHOLE = 16, 32  # the side of a window, and up to which side all tokens see each other
EXPANSION = 4  # of the hidden layer in a block
LARGE, KEPT = 128, 2  # pixels from which on so many doublings leave all numbers
LARGEST = 8  # pixels of a side of D's patches
FEWEST = 4  # numbers of a token in the last stage: a layer norm leaves nothing of one


def grid_of(size: int) -> int:
    """The side of the first map of tokens."""
    return {28: 7, 48: 12}.get(size, 8)


class Attention(nn.Module):
    """Tokens (N, T, width) to the same, T = side * side, or one more for [cls], which is first.

    The relative positions of two tokens add a learned bias to how much one looks at the other, for each head.
    """

    places: Tensor

    def __init__(self, width: int, heads: int, side: int, *, cls: bool = False) -> None:
        super().__init__()
        self.heads, self.side, self.cls = heads, side, cls
        self.window = side if side <= WHOLE else WINDOW
        self.qkv, self.out = Linear(width, 3 * width, bias=False), Linear(width, width)
        reach = 2 * self.window - 1
        self.bias = nn.Parameter(torch.zeros(heads, reach * reach + 1))  # the last is that of [cls] with anything
        self.register_buffer("places", _relative_places(self.window, cls), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.window == self.side:
            return self.attend(x)
        count, _, width = x.shape
        parts = self.side // self.window
        split = (count, parts, self.window, parts, self.window, width)
        inside = x.view(split).transpose(2, 3).reshape(-1, self.window**2, width)
        found = self.attend(inside).view(count, parts, parts, self.window, self.window, width)
        return found.transpose(2, 3).reshape(x.shape)

    def attend(self, x: Tensor) -> Tensor:
        """Every token of a window looks at every other one."""
        count, tokens, width = x.shape
        q, k, v = self.qkv(x).view(count, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        scores = q / math.sqrt(q.shape[3]) @ k.transpose(2, 3) + self.bias[:, self.places]
        # Written out: torch's fused attention can't be differentiated twice, as a gradient penalty needs it.
        mixed: Tensor = self.out((scores.softmax(3) @ v).transpose(1, 2).reshape(x.shape))
        return mixed


def _relative_places(side: int, cls: bool) -> Tensor:
    """(T, T): which entry of the bias two tokens have."""
    row, column = (place.flatten() for place in torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij"))
    down, right = row[:, None] - row[None] + side - 1, column[:, None] - column[None] + side - 1
    places = down * (2 * side - 1) + right
    return F.pad(places, (1, 0, 1, 0), value=(2 * side - 1) ** 2) if cls else places


class Block(nn.Module):
    """An encoder block: attention and a hidden layer, each behind a norm and beside what goes in."""

    def __init__(self, width: int, heads: int, side: int, *, cls: bool = False) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads, side, cls=cls)
        self.hidden = nn.Sequential(Linear(width, EXPANSION * width), nn.GELU(), Linear(EXPANSION * width, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        deeper: Tensor = x + self.hidden(self.norm2(x))
        return deeper


class Stage(nn.Module):
    """Tokens of one map through its encoder blocks, behind their learned positions."""

    def __init__(self, width: int, heads: int, side: int, depth: int) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.zeros(1, side * side, width))
        self.blocks = nn.Sequential(*(Block(width, heads, side) for _ in range(depth)))

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.blocks(x + self.position)
        return found


def shuffled(x: Tensor, side: int) -> Tensor:
    """Tokens (N, side * side, C) to (N, 4 * side * side, C / 4): four neighbours out of each."""
    maps = F.pixel_shuffle(x.transpose(1, 2).reshape(len(x), -1, side, side), 2)
    return maps.flatten(2).transpose(1, 2)


def enlarged(x: Tensor, side: int) -> Tensor:
    """Tokens (N, side * side, C) to (N, 4 * side * side, C), between them by bicubic interpolation."""
    maps = x.transpose(1, 2).reshape(len(x), -1, side, side)
    return F.interpolate(maps, scale_factor=2.0, mode="bicubic", align_corners=False).flatten(2).transpose(1, 2)


@NETWORKS.register("transgan-generator")
class TransganGenerator(nn.Module):
    """z (N, z_dim) to images; `first`, `later` and `last`: blocks of the first stage, those between, and the last."""

    linear_end = True
    most_at_once = 32  # attention keeps a number for each two tokens

    def __init__(
        self,
        domain: Domain,
        *,
        z_dim: int = 128,
        width: int = 384,
        first: int = 5,
        later: int = 2,
        last: int = 2,
        heads: int = 4,
    ) -> None:
        super().__init__()
        require_images(domain, "transgan-generator", SIZES)
        side, stages = grid_of(domain.size), round(math.log2(domain.size / grid_of(domain.size))) + 1
        self.kept = KEPT if domain.size >= LARGE else 0  # doublings that leave all numbers
        each = 4 ** (stages - 1 - self.kept)
        if width % each or width < FEWEST * each:
            raise UserError(
                f"width is {width}; expected a multiple of {each}, at least {FEWEST * each}, since each stage has a "
                f"quarter of it"
            )
        if width % heads:
            raise UserError(f"width is {width}; expected a multiple of the {heads} heads")
        self.z_dim, self.first, self.value_range = z_dim, (side * side, width), domain.value_range
        self.start = Linear(z_dim, side * side * width)
        self.stages = nn.ModuleList()
        for stage in range(stages):
            depth = first if stage == 0 else last if stage == stages - 1 else later
            own = width // 4 ** max(0, stage - self.kept)
            self.stages.append(Stage(own, math.gcd(heads, own), side << stage, depth))  # narrow ones have fewer heads
        self.end, self.places = Linear(own, domain.channels), nn.Unflatten(2, domain.shape[1:])
        transformer_init(self)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        x = self.start(z).view(-1, *self.first)
        for index, stage in enumerate(self.stages):
            if index:
                double = enlarged if index <= self.kept else shuffled
                x = double(x, math.isqrt(x.shape[1]))
            x = stage(x)
        images: Tensor = self.places(self.end(x).transpose(1, 2))
        return images if self.training else clipped(images, self.value_range)


@NETWORKS.register("transgan-discriminator")
class TransganDiscriminator(nn.Module):
    """Images to logits (N,): patches, [cls], `depth` encoder blocks, and a linear map of what [cls] has become."""

    def __init__(self, domain: Domain, *, width: int = 384, depth: int = 7, heads: int = 4) -> None:
        super().__init__()
        require_images(domain, "transgan-discriminator", SIZES)
        if width % heads:
            raise UserError(f"width is {width}; expected a multiple of the {heads} heads")
        side = max(grid_of(domain.size), domain.size // LARGEST)
        self.patch = domain.size // side
        self.start = Linear(domain.channels * self.patch**2, width)
        self.cls = nn.Parameter(torch.zeros(1, 1, width))
        self.position = nn.Parameter(torch.zeros(1, side * side + 1, width))
        self.blocks = nn.Sequential(*(Block(width, heads, side, cls=True) for _ in range(depth)))
        self.norm, self.end = nn.LayerNorm(width), Linear(width, 1)
        transformer_init(self)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        tokens = self.start(F.unfold(x, self.patch, stride=self.patch).transpose(1, 2))
        tokens = torch.cat([self.cls.expand(len(x), -1, -1), tokens], dim=1) + self.position
        logits: Tensor = self.end(self.norm(self.blocks(tokens)[:, 0])).squeeze(1)
        return logits


def transformer_init(network: nn.Module) -> None:
    """Glorot-uniform linear maps without biases at first; positions and [cls] from N(0, 0.02)."""
    for name, value in network.named_parameters():
        if name.endswith("weight") and value.dim() == 2:
            nn.init.xavier_uniform_(value)
        elif "position" in name or name.endswith("cls"):
            nn.init.normal_(value, std=0.02)
        elif name.endswith("bias") and value.dim() == 1:
            nn.init.zeros_(value)
