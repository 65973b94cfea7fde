"""The adversarial game of networks that grow: real images are shown as G makes them by now (arXiv 1710.10196).

How far they have grown is a rule, `growth`, which the recipe's stages move: what a fade needs to be resumed lies in the
plan of the run and in the networks' own state.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zerosum.errors import UserError
from zerosum.games import GAMES
from zerosum.games.adversarial import Adversarial, Batch, Table
from zerosum.games.base import Draws
from zerosum.games.rules import GrowingRules
from zerosum.networks.growing import Growing, faded


@GAMES.register("growing")
class GrowingGame(Adversarial):
    """G and D, both of them `Growing`."""

    rules: GrowingRules

    def __init__(self, networks: Mapping[str, Any], rules: GrowingRules) -> None:
        for name, network in networks.items():
            if not isinstance(network, Growing):
                raise UserError(f"game growing needs networks that grow, and {name} does not")
        super().__init__(networks, rules)

    def retell(self, rules: GrowingRules) -> None:  # type: ignore[override]  # this game's rules are these
        super().retell(rules)
        for network in self.networks.values():
            assert isinstance(network, Growing)
            network.grow(rules.growth)

    def phase(self, step: int) -> None:
        """None: networks change while they grow."""
        return

    def table(self, batch: int, draws: Draws, observe: bool) -> Table:
        return GrowingTable(self, batch, draws, observe)


class GrowingTable(Table):
    """Real images come in the size that G has reached, and as blurred as its own while layers fade in."""

    def draw_real(self, count: int) -> Batch:
        real = super().draw_real(count)
        assert isinstance(self.G, Growing)
        return Batch(faded(real.x, self.G.side, self.G.level[1]), real.y)
