"""Boundary equilibrium (BEGAN, Berthelot et al. 2017, arXiv 1703.10717): fakes weigh in D's loss as the balance asks.

D's logit is minus its error L. D descends L(x) - k L(G(z)), G descends L(G(z)), and k follows, section 3.4:
k <- k + lambda (gamma L(x) - L(G(z))), from 0 and within [0, 1]: gamma is how much better D may know the real images.
The paper's measure of convergence, section 3.4.1, is L(x) + |gamma L(x) - L(G(z))|.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from zerosum.errors import UserError
from zerosum.games import GAMES
from zerosum.games.adversarial import Adversarial, Batch, Table
from zerosum.games.base import Draws, Move
from zerosum.games.rules import BoundaryRules
from zerosum.networks.layers.norms import mean_over_ranks


@GAMES.register("boundary")
class Boundary(Adversarial):
    """The adversarial game with a balance k, which is state."""

    rules: BoundaryRules

    def __init__(self, networks: Mapping[str, Any], rules: BoundaryRules) -> None:
        super().__init__(networks, rules)
        self.k = torch.zeros(())
        self.convergence = torch.zeros(())

    def retell(self, rules: BoundaryRules) -> None:  # type: ignore[override]  # this game's rules are these
        super().retell(rules)
        if rules.loss != "wasserstein" or rules.view == "two-steps":
            raise UserError("game boundary adds errors up: loss must be wasserstein, in one update of D")
        if rules.r1 or rules.r2 or rules.gp:
            raise UserError("game boundary has its balance instead of penalties: leave r1, r2 and gp at 0")
        if rules.drift or rules.ada_target:
            raise UserError(
                "game boundary has errors, and no logits that drift or tell overfitting: leave drift and "
                "ada_target at 0"
            )

    def phase(self, step: int) -> None:
        """None: k moves in every round."""
        return

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "k": self.k, "convergence": self.convergence}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self.k, self.convergence = state["k"], state.get("convergence", self.convergence)  # none before it was kept

    def gauges(self) -> dict[str, float]:
        return {**super().gauges(), "k": float(self.k), "convergence": float(self.convergence)}

    def table(self, batch: int, draws: Draws, observe: bool) -> Table:
        return BoundaryTable(self, batch, draws, observe)

    @torch.no_grad()
    def balance(self, real_error: Tensor, fake_error: Tensor) -> None:
        """Let k follow the mean errors of a turn of D, and say how far both have come."""
        real, off = mean_over_ranks(torch.stack([real_error, self.rules.gamma * real_error - fake_error])).unbind()
        self.convergence = real + off.abs()
        self.k = (self.k.to(off.device) + self.rules.k_rate * off).clamp(0, 1)


class BoundaryTable(Table):
    """D's fakes weigh k."""

    game: Boundary

    def judge(self, real: Batch, fake: Batch) -> Move:
        k = self.game.k.to(real.x.device)
        real_logits, fake_logits = self.see_both(real, fake, "one-batch" if self.game.joins else self.rules.view)
        real_error, fake_error = -real_logits.mean(), -fake_logits.mean()
        terms = {"D/adv": self.rules.d_scale * (real_error - k * fake_error)}
        self.game.balance(real_error.detach(), fake_error.detach())
        return Move(terms=terms, seen=self.seen_by_d(real_logits, fake_logits))
