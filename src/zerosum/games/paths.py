"""The adversarial game with path length regularization (StyleGAN2, Karras et al. 2020, arXiv 1912.04958, section 3.2).

A step in w should move the image as far wherever it is taken: |J_w^T y|, for random images y, is kept near its own
running mean, which is state.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from zerosum.errors import UserError
from zerosum.games import GAMES
from zerosum.games.adversarial import Adversarial, Table
from zerosum.games.base import Draws, Terms
from zerosum.games.rules import PathRules
from zerosum.networks.layers.norms import mean_over_ranks
from zerosum.networks.layers.styled import Styled


@GAMES.register("paths")
class Paths(Adversarial):
    """G, which is `Styled`, and D."""

    rules: PathRules

    def __init__(self, networks: Mapping[str, Any], rules: PathRules) -> None:
        if not isinstance(networks["G"], Styled):
            raise UserError("game paths needs a generator by styles, such as stylegan2-generator")
        super().__init__(networks, rules)
        self.g_turns = 0
        self.path_mean = torch.zeros(())

    def phase(self, step: int) -> None:
        """None: G decides anew in each batch where styles are mixed."""
        return

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "g_turns": self.g_turns, "path_mean": self.path_mean}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self.g_turns, self.path_mean = int(state["g_turns"]), state["path_mean"]

    def table(self, batch: int, draws: Draws, observe: bool) -> Table:
        return PathTable(self, batch, draws, observe)

    def path_penalty(self, lengths: Tensor) -> Tensor:
        """The mean of (length - mean so far)^2, after the mean has followed these lengths (N,)."""
        seen = mean_over_ranks(lengths.detach().mean())
        self.path_mean = torch.lerp(self.path_mean.to(seen), seen, self.rules.path_decay)
        return (lengths - self.path_mean).square().mean()


class PathTable(Table):
    """G's loss has the penalty in every so many of its turns."""

    game: Paths
    rules: PathRules

    def g_terms(self) -> Terms:
        terms, rules, game = super().g_terms(), self.rules, self.game
        game.g_turns += 1
        if rules.path_weight and game.g_turns % rules.path_every == 0:
            count = rules.path_batch(self.batch)
            assert isinstance(self.G, Styled)
            lengths = path_lengths(self.G, self.draws.noise(count), self.draws.labels(count))
            terms["G/path"] = rules.path_weight * rules.path_every * game.path_penalty(lengths)
        return terms


def path_lengths(G: Styled, z: Tensor, y: Tensor | None) -> Tensor:
    """|J_w^T y| (N,): how far images move with each layer's w, in the mean square over the layers, y from N(0, 1 / HW).

    Differentiable once more.
    """
    ws = G.mixed(G.map(z, y)[:, None].expand(-1, G.styles, -1), z, y)
    images = G.synthesize(ws)
    noise = torch.randn_like(images) / math.sqrt(images.shape[2] * images.shape[3])
    (slope,) = torch.autograd.grad((images * noise).sum(), ws, create_graph=True)
    return slope.square().sum(dim=2).mean(dim=1).sqrt()
