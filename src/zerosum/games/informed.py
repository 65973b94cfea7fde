"""G against D with codes to find again (InfoGAN, Chen et al. 2016, arXiv 1606.03657).

Part of z are codes; Q, a head of D, guesses them from the fake image. Both players descend what Q gets wrong, a bound
on the mutual information of codes and images (Eq. 4 and 5): the cross-entropy of the category, and the squared error of
the continuous codes, which is Q's log-likelihood with a fixed deviation of 1 but for a constant.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from zerosum.errors import UserError
from zerosum.games import GAMES
from zerosum.games.adversarial import Adversarial, Batch, Table
from zerosum.games.base import Draws, Move
from zerosum.games.rules import InformedRules


@GAMES.register("informed")
class Informed(Adversarial):
    """The adversarial game with codes; G has `codes(z)`, D has `both(x)` with Q's guesses."""

    rules: InformedRules

    def retell(self, rules: InformedRules) -> None:  # type: ignore[override]  # this game's rules are these
        super().retell(rules)
        if rules.view == "two-steps":
            raise UserError("codes are guessed in one update of D: view cannot be two-steps")
        G, D = (cast(Any, self.networks[name]) for name in ("G", "D"))
        if not hasattr(G, "codes") or not hasattr(D, "both"):
            raise UserError("game informed wants networks with codes, such as infogan-generator and its discriminator")
        theirs, ours = ((network.categories, network.continuous) for network in (D, G))
        if theirs != ours:
            raise UserError(
                f"G has {ours[0]} categories and {ours[1]} continuous codes, and D guesses {theirs[0]} and {theirs[1]}"
                ": set categories and continuous, which reach both"
            )

    def table(self, batch: int, draws: Draws, observe: bool) -> Table:
        return InformedTable(self, batch, draws, observe)


class InformedTable(Table):
    """Keeps what Q guesses while D's turns and G's are played."""

    rules: InformedRules

    def __init__(self, game: Informed, batch: int, draws: Draws, observe: bool) -> None:
        super().__init__(game, batch, draws, observe)
        self.guesses: list[Tensor] = []

    def ask(self, x: Tensor, y: Tensor | None) -> Tensor:
        """D's logits; Q's guesses are kept."""
        both: tuple[Tensor, Tensor] = cast(Any, self.D).both(x)
        self.guesses.append(both[1])
        return both[0]

    def missed(self, guess: Tensor, z: Tensor | None) -> Tensor:
        """What Q gets wrong of z's codes, as a scalar."""
        category, continuous = cast(Any, self.G).codes(z)
        count = guess.shape[1] - continuous.shape[1]
        rules = self.rules
        cross = F.cross_entropy(guess[:, :count], category)
        error = (guess[:, count:] - continuous).square().sum(1).mean() / 2
        missed: Tensor = rules.category_weight * cross + rules.continuous_weight * error
        return missed

    def see(self, side: Batch, count: int) -> Tensor:
        self.seen_z = side.z
        return super().see(side, count)

    def see_both(self, real: Batch, fake: Batch, view: str) -> tuple[Tensor, Tensor]:
        self.guesses = []
        logits = super().see_both(real, fake, view)
        self.term = self.missed(torch.cat(self.guesses)[len(real.x) :], fake.z)  # real images have no codes
        return logits

    def judge(self, real: Batch, fake: Batch) -> Move:
        move = super().judge(real, fake)
        return Move(terms={**move.terms, "D/info": self.term}, seen=move.seen)

    def play_g(self, shares: bool) -> Iterator[Move]:
        for move in super().play_g(shares):
            yield Move(terms={**move.terms, "G/info": self.missed(self.guesses[-1], self.seen_z)}, seen=move.seen)
