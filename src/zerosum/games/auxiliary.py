"""G against a D that also says which class an image is of (ACGAN, Odena et al. 2016, arXiv 1610.09585).

D learns to name the classes of real images and of fakes, G to be named as the class that it was asked for: both descend
the classes' cross-entropy beside their adversarial terms (section 3). For D it is L_C, the mean over real images and
that over fakes, added; for G that over its fakes.
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
from zerosum.games.rules import AuxiliaryRules


@GAMES.register("auxiliary")
class Auxiliary(Adversarial):
    """The adversarial game with classes to name; D has a method `both(x)` that gives both kinds of logits."""

    rules: AuxiliaryRules

    def retell(self, rules: AuxiliaryRules) -> None:  # type: ignore[override]  # this game's rules are these
        super().retell(rules)
        if rules.view == "two-steps":
            raise UserError("an auxiliary classifier is played with one update of D: view cannot be two-steps")
        if not hasattr(self.networks["D"], "both"):
            raise UserError("D names no classes: game auxiliary wants a network such as acgan-discriminator")

    def belief(self, x: Tensor, y: Tensor) -> Tensor:
        both: tuple[Tensor, Tensor] = cast(Any, self.networks["D"]).both(x)
        return -F.cross_entropy(both[1], y, reduction="none")

    def table(self, batch: int, draws: Draws, observe: bool) -> Table:
        return AuxiliaryTable(self, batch, draws, observe)


class AuxiliaryTable(Table):
    """Listens to what D says of classes while its turns are played."""

    rules: AuxiliaryRules

    def __init__(self, game: Auxiliary, batch: int, draws: Draws, observe: bool) -> None:
        super().__init__(game, batch, draws, observe)
        self.heard: list[Tensor] = []  # cross-entropies (N,)

    def ask(self, x: Tensor, y: Tensor | None) -> Tensor:
        """D's logits; its classes' cross-entropy is kept."""
        assert y is not None
        both: tuple[Tensor, Tensor] = cast(Any, self.D).both(x)
        self.heard.append(F.cross_entropy(both[1], y, reduction="none"))
        return both[0]

    def see_both(self, real: Batch, fake: Batch, view: str) -> tuple[Tensor, Tensor]:
        self.heard = []
        logits = super().see_both(real, fake, view)
        self.named = torch.cat(self.heard)  # before a gradient penalty asks of images that are of no class
        return logits

    def judge(self, real: Batch, fake: Batch) -> Move:
        move = super().judge(real, fake)
        of_real, of_fake = self.named.tensor_split([len(real.x)])
        term = self.rules.class_weight * (of_real.mean() + of_fake.mean())
        return Move(terms={**move.terms, "D/class": term}, seen=move.seen)

    def play_g(self, shares: bool) -> Iterator[Move]:
        for move in super().play_g(shares):
            term = self.rules.class_weight * self.heard[-1].mean()  # of the fakes, the last that D saw
            yield Move(terms={**move.terms, "G/class": term}, seen=move.seen)
