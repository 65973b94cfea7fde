"""Generators in two halves: a mapping network from z to w, and a synthesis that takes one w for each of its layers.

Karras et al. 2019 (StyleGAN, arXiv 1812.04948): the mapping network (section 2), mixing regularization (3.1), and
truncation towards the mean of w (appendix B). Classes, which the paper has none of, enter as in 2006.06676: an
embedding beside z, both normalized.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import torch
from torch import Tensor, nn

from zerosum.errors import UserError
from zerosum.networks.layers.conditioning import own_logit
from zerosum.networks.layers.domains import one_hot
from zerosum.networks.layers.equalized import EqualLinear, leaky, pixel_norm
from zerosum.networks.layers.norms import mean_over_ranks
from zerosum.types import Domain

MAPPING_RATE = 0.01  # of the mapping network's learning by that of the rest
W_DECAY = 0.995  # of the running mean of w, a batch
DRAWN, SEED = 1_000, 51_511  # z for the mean of a class's w
APART = 1_000_003  # rows of two seeds have the same noise only that far from each other


class Mapping(nn.Module):
    """z (N, z_dim), y (N,) to w (N, w_dim): z over its length, `depth` linear maps, each followed by LeakyReLU."""

    def __init__(self, domain: Domain, z_dim: int, w_dim: int, depth: int) -> None:
        super().__init__()
        self.classes = domain.classes
        self.embed = None if domain.classes is None else EqualLinear(domain.classes, z_dim, gain=domain.classes**0.5)
        inputs = z_dim if domain.classes is None else 2 * z_dim
        sizes = [inputs, *[w_dim] * depth]
        self.layers = nn.ModuleList(EqualLinear(before, after, rate=MAPPING_RATE) for before, after in pairwise(sizes))

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        x = pixel_norm(z)
        if self.embed is not None:
            assert y is not None
            x = torch.cat([x, pixel_norm(self.embed(one_hot(y, self.embed.in_features, z.dtype)))], dim=1)
        for layer in self.layers:
            x = leaky(layer(x))
        return x


class Styled(nn.Module):
    """A generator by styles. A subclass has `styles`, how many layers take a w, and `synthesize`.

    forward: z (N, z_dim), y (N,) to images; in training the running mean of w follows, and a part of the batches is
    drawn from two z each, the second from a random layer on.
    """

    w_mean: Tensor
    styles: int

    def begin(self, domain: Domain, z_dim: int, w_dim: int, depth: int, mixing: float) -> None:
        """What the two halves need; called by a subclass when it is built. `UserError` for a share beyond 1."""
        if not 0 <= mixing <= 1:
            raise UserError(f"mixing is {mixing:g}; expected the share of mixed batches, 0 to 1")
        self.z_dim, self.w_dim, self.mixing = z_dim, w_dim, mixing
        self.mapping = Mapping(domain, z_dim, w_dim, depth)
        self.register_buffer("w_mean", torch.zeros(w_dim))

    @property
    def acting(self) -> int:
        """How many of the layers take part by now."""
        return self.styles

    def map(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """w (N, w_dim)."""
        w: Tensor = self.mapping(z, y)
        return w

    def synthesize(self, ws: Tensor) -> Tensor:
        """Images of ws (N, styles, w_dim)."""
        raise NotImplementedError

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        w = self.map(z, y)
        ws = w[:, None].expand(-1, self.styles, -1)
        if self.training:
            self.follow(w)
            ws = self.mixed(ws, z, y)
        return self.synthesize(ws)

    @torch.no_grad()
    def follow(self, w: Tensor) -> None:
        """Let the mean of w follow a batch."""
        self.w_mean.lerp_(mean_over_ranks(w.detach().mean(dim=0)).to(self.w_mean.dtype), 1 - W_DECAY)

    decides_on_host = True  # where styles are mixed: no two rounds do the same work

    def mixed(self, ws: Tensor, z: Tensor, y: Tensor | None) -> Tensor:
        """The styles with those of another z from a random layer on, in a share `mixing` of all batches."""
        if self.acting < 2 or torch.rand(()).item() >= self.mixing:
            return ws
        first = int(torch.randint(1, self.acting, ()).item())
        other = self.map(torch.randn_like(z), y)
        return torch.cat([ws[:, :first], other[:, None].expand(-1, self.styles - first, -1)], dim=1)

    def middle(self, y: Tensor | None) -> Tensor:
        """The mean of w, (1, w_dim); with classes, or mixtures of them, that of each one's w: (N, w_dim)."""
        if y is None or self.mapping.classes is None:
            return self.w_mean[None]
        rows, places = torch.unique(y, dim=0, return_inverse=True)
        z = torch.randn(DRAWN, self.z_dim, generator=torch.Generator().manual_seed(SEED)).to(self.w_mean)
        means = [self.map(z, row.expand(DRAWN, *row.shape)).mean(dim=0) for row in rows]
        return torch.stack(means)[places]

    def truncated(self, w: Tensor, psi: float, y: Tensor | None = None) -> Tensor:
        """w (N, …, w_dim) nearer to the middle: psi of the way from there; 1 leaves it, 0 is the middle itself."""
        middle = self.middle(y).to(w)
        return torch.lerp(middle.view(-1, *[1] * (w.dim() - 2), self.w_dim), w, psi)


class Noise(nn.Module):
    """(N, C, H, H) plus noise of one channel times learned factors, C of them or one.

    In eval mode it is always the same, so that codes alone decide what is drawn, but for `own_noise`.
    """

    fixed: Tensor
    own: Tensor | None = None  # (N, 1, H, H), that of each sample of a batch

    def __init__(self, factors: int, side: int) -> None:
        super().__init__()
        self.factors = nn.Parameter(torch.zeros(factors))
        self.register_buffer("fixed", torch.randn(1, 1, side, side))

    def forward(self, x: Tensor) -> Tensor:
        noise = torch.randn_like(x[:, :1]) if self.training else (self.fixed if self.own is None else self.own).to(x)
        return torch.addcmul(x, noise, self.factors.view(1, -1, 1, 1))


@contextmanager
def own_noise(G: nn.Module, seed: int, rows: range) -> Iterator[None]:
    """Inside, each sample that G draws has noise of its own, by the seed and the sample's row, as in training.

    So samples are drawn that are to stand for all that G makes; of other generators nothing changes.
    """
    layers = [layer for layer in G.modules() if isinstance(layer, Noise)]
    chance = torch.Generator()
    for layer in layers:
        layer.own = torch.empty(len(rows), *layer.fixed.shape[1:])
    for place, row in enumerate(rows if layers else ()):
        chance.manual_seed((seed * APART + row + 1) % 2**63)
        for layer in layers:
            assert layer.own is not None
            layer.own[place].normal_(generator=chance)
    try:
        yield
    finally:
        for layer in layers:
            layer.own = None


class ClassLogit(nn.Module):
    """features (N, F), y (N,) to logits (N,): one number, or, with classes, the product with that of the class."""

    def __init__(self, domain: Domain, features: int) -> None:
        super().__init__()
        self.end = EqualLinear(features, domain.classes or 1, gain=1)

    def forward(self, features: Tensor, y: Tensor | None = None) -> Tensor:
        return own_logit(self.end(features), y)
