"""The adversarial game of networks that grow: real images are shown as G makes them by now (arXiv 1710.10196).

How far they have grown is a rule, `growth`, which the recipe's stages move: what a fade needs to be resumed lies in the
plan of the run and in the networks' own state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from zerosum.errors import UserError
from zerosum.games import GAMES
from zerosum.games.adversarial import Adversarial, Batch, Table
from zerosum.games.base import Draws
from zerosum.games.rules import GrowingRules
from zerosum.networks.layers.growing import Growing, doublings, faded
from zerosum.spec import Stage


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

    @staticmethod
    def staged(stages: tuple[Stage, ...], size: int) -> tuple[Stage, ...]:
        """Without what those change that grow beyond the size: as many images more at the full one, in one stage."""
        kept: list[Stage] = []
        growth, top = 0.0, doublings(size)
        for stage in stages:
            told = {**stage.changes, **stage.gradually}
            if growth >= top and (not told or "growth" in told):
                stage = replace(stage, changes={}, gradually={})
                before = kept[-1]
                if not (before.changes or before.gradually) and stage.images and before.images:
                    kept[-1] = replace(before, images=before.images + stage.images)
                    continue
            growth = max(growth, told.get("growth", 0.0))
            kept.append(stage)
        return tuple(kept)

    def as_shown(self, x: Tensor) -> Tensor:
        """In the size that G has reached, and as blurred as its own images while layers fade in."""
        G = self.networks["G"]
        assert isinstance(G, Growing)
        return faded(x, G.side, G.level[1])

    def table(self, batch: int, draws: Draws, observe: bool) -> Table:
        return GrowingTable(self, batch, draws, observe)


class GrowingTable(Table):
    """Real images come as the game shows them."""

    def draw_real(self, count: int) -> Batch:
        real = super().draw_real(count)
        return Batch(self.game.as_shown(real.x), real.y)
