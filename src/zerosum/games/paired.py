"""G makes of each image its partner, D tells real from made: pix2pix (arXiv 1611.07004), SRGAN (1609.04802)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from zerosum.errors import UserError
from zerosum.games import GAMES
from zerosum.games.base import Draws, Game, Move, Terms, Turn
from zerosum.games.rules import PairedRules
from zerosum.games.verdict import verdict
from zerosum.losses.adversarial import LOSSES


@GAMES.register("paired")
class Paired(Game):
    """Two players, "G" and "D"; without an adversarial weight D has no turn."""

    generator = "G"
    rules: PairedRules

    def __init__(self, networks: Mapping[str, nn.Module], rules: PairedRules) -> None:
        super().__init__(networks, rules)
        self.retell(rules)

    def retell(self, rules: PairedRules) -> None:
        """Go on under other rules; `UserError` where G would learn nothing."""
        if not (rules.adversarial or rules.l1 or rules.l2 or rules.content):
            raise UserError("adversarial, l1, l2 and content are all 0: G would learn nothing")
        self.loss, self.rules = LOSSES[rules.loss], rules

    @torch.no_grad()
    def judge(
        self,
        real: Tensor,
        y: Tensor | None,
        fake: Tensor,
        fake_y: Tensor | None,
        given: Tensor | None = None,
    ) -> Terms:
        """D's means and accuracies over the patches of real and made partners of the images given."""
        D = self.networks["D"]
        return verdict(self.loss, self.rules, D(real, given).flatten(), D(fake, given).flatten())

    def turns(self, step: int, batch: int, draws: Draws, observe: bool) -> Iterator[Turn]:
        """D's turn and G's, on the same images and what G makes of them."""
        given, real = draws.pairs(batch)
        fake = self.networks["G"](given)  # drawn before any network is frozen, so that G's turn goes on with its graph
        if self.rules.adversarial:
            yield Turn(player="D", moves=partial(self.play_d, given, real, fake.detach(), observe))
        yield Turn(player="G", moves=partial(self.play_g, given, real, fake, observe))

    def play_d(self, given: Tensor, real: Tensor, fake: Tensor, observe: bool) -> Iterator[Move]:
        D, rules = self.networks["D"], self.rules
        real_logits, fake_logits = D(real, given), D(fake, given)
        real_part, fake_part = self.loss.d_terms(real_logits, fake_logits, rules)
        seen: Terms = {}
        if observe:
            with torch.no_grad():
                seen = verdict(self.loss, rules, real_logits.flatten(), fake_logits.flatten())
                seen["d_fake_before"] = seen.pop("d_fake")
        yield Move(terms={"D/adv": rules.d_scale * (real_part.mean() + fake_part.mean())}, seen=seen)

    def play_g(self, given: Tensor, real: Tensor, fake: Tensor, observe: bool) -> Iterator[Move]:
        terms, seen = {}, {}
        if self.rules.adversarial:
            D = self.networks["D"]
            with torch.no_grad():
                real_logits = D(real, given) if self.loss.needs_real else None
            logits = D(fake, given)
            terms["G/adv"] = self.rules.adversarial * self.loss.g_term(logits, real_logits, self.rules).mean()
            if observe:
                other = logits if real_logits is None else real_logits
                seen["d_fake_after"] = self.loss.shown(logits.detach(), other.detach()).mean()
        if self.rules.l1:
            terms["G/l1"] = self.rules.l1 * (fake - real).abs().mean()
        if self.rules.l2:
            terms["G/l2"] = self.rules.l2 * (fake - real).square().mean()
        if self.rules.content:
            assert self.features is not None
            with torch.no_grad():
                wanted = self.features(real)
            terms["G/content"] = self.rules.content * (self.features(fake) - wanted).square().mean()
        yield Move(terms=terms, seen=seen)
