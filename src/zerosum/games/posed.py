"""A person in another pose, coarse at first and then refined: PG2 (Ma et al. 2017, arXiv 1705.09368, section 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from torch import Tensor, nn

from zerosum.errors import UserError
from zerosum.games import GAMES
from zerosum.games.base import Terms
from zerosum.games.paired import Paired
from zerosum.games.rules import PosedRules


@GAMES.register("posed")
class Posed(Paired):
    """The game of pairs; G has a method `play(part)`, and `body(given)` says where the body will be: 1, else 0.

    While the fine part learns the coarse one is frozen.
    """

    rules: PosedRules

    def __init__(self, networks: Mapping[str, nn.Module], rules: PosedRules) -> None:
        if not hasattr(networks["G"], "play"):
            raise UserError("this generator has no two parts: game posed wants a network such as pg2-generator")
        super().__init__(networks, rules)

    def retell(self, rules: PosedRules) -> None:  # type: ignore[override]  # this game's rules are these
        """Go on under other rules; `UserError` where G would learn nothing."""
        super().retell(rules)
        cast(Any, self.networks["G"]).play(rules.part)

    @property
    def making(self) -> int | str | None:
        return self.rules.part

    def distances(self, given: Tensor, real: Tensor, fake: Tensor) -> Terms:
        """G's terms of how far its images are from the partners, more so on the body (Eq. 3)."""
        terms = super().distances(given, real, fake)
        if self.rules.l1:
            weight = 1 + self.rules.mask * cast(Any, self.networks["G"]).body(given)
            terms["G/l1"] = self.rules.l1 * ((fake - real).abs() * weight).mean()
        return terms
