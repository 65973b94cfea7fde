"""A conditional GAN, and then an encoder that finds z again (Age-cGAN, Antipov et al. 2017, arXiv 1702.01983).

The encoder E learns from pairs (G(z, y), z) that G, by then at rest, makes without end: section 2, with fresh pairs
instead of 100,000 fixed ones. G and E together lead images into other classes; see `networks.encoded`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, cast

import torch
from torch import nn

from zerosum.errors import UserError
from zerosum.games import GAMES
from zerosum.games.adversarial import Adversarial
from zerosum.games.base import Draws, Move, Turn, evaluated
from zerosum.games.rules import EncodingRules
from zerosum.networks.encoded import Encoded


@GAMES.register("encoding")
class Encoding(Adversarial):
    """The adversarial game of "G" and "D", or turns of "E", which gives z (N, z_dim) of images."""

    beside = ("E",)
    rules: EncodingRules

    def __init__(self, networks: Mapping[str, nn.Module], rules: EncodingRules) -> None:
        super().__init__(networks, rules)
        G, E = (cast(Any, networks[name]) for name in ("G", "E"))
        if not hasattr(E, "finds") or not hasattr(G, "classes"):
            raise UserError("game encoding wants a conditional G, and an E such as age-cgan-encoder")
        if E.finds != G.z_dim:
            raise UserError(f"E finds {E.finds} numbers and G takes {G.z_dim}: set z_dim, which reaches both")

    @classmethod
    def joined(cls, networks: Mapping[str, nn.Module]) -> nn.Module:
        return Encoded(networks["G"], networks["E"], cast(Any, networks["G"]).classes)

    @property
    def making(self) -> int | str | None:
        return int(self.rules.encoding)

    def phase(self, step: int) -> tuple[bool, ...] | None:
        return () if self.rules.encoding else super().phase(step)

    def turns(self, step: int, batch: int, draws: Draws, observe: bool) -> Iterator[Turn]:
        """The turns of G and D, or E's."""
        if self.rules.encoding:
            yield Turn(player="E", moves=partial(self.play_e, batch, draws))
        else:
            yield from super().turns(step, batch, draws, observe)

    def play_e(self, batch: int, draws: Draws) -> Iterator[Move]:
        """E on fresh images of G as it is used: the mean squared error of z, which is 1 for a guess of zero."""
        G, z, y = self.networks["G"], draws.noise(batch), draws.labels(batch)
        with torch.no_grad(), evaluated(G):
            x = G(z, y)
        yield Move(terms={"E/z": (self.networks["E"](x) - z).square().mean()})
