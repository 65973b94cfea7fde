"""One translator into many domains: D judges and names the domain, and every image finds its way back (StarGAN).

Choi et al. 2017, arXiv 1711.09020, section 3.1. A batch is led into domains drawn as the data's are; D names those of
real images, G is to have its images named as what was asked for, and to lead them back to where they came from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zerosum.errors import UserError
from zerosum.games import GAMES
from zerosum.games.base import Draws, Game, Move, Shown, Terms, Turn
from zerosum.games.rules import DomainRules
from zerosum.games.verdict import before_update, verdict
from zerosum.losses.adversarial import LOSSES
from zerosum.losses.penalties import gradient_penalty


@GAMES.register("domains")
class Domains(Game):
    """Two players, "G" and "D"; D has a method `both(x)` that gives its logits and those of the domains."""

    generator = "G"
    rules: DomainRules

    def __init__(self, networks: Mapping[str, nn.Module], rules: DomainRules) -> None:
        super().__init__(networks, rules)
        if not hasattr(networks["D"], "both"):
            raise UserError("D names no domains: game domains wants a network such as stargan-discriminator")
        self.retell(rules)

    def retell(self, rules: DomainRules) -> None:
        """Go on under other rules; `UserError` for a loss of pairs, since real and made images are of other domains."""
        self.loss, self.rules = LOSSES[rules.loss], rules
        if self.loss.needs_real:
            raise UserError(f"loss {rules.loss} compares real with fake of one domain, which domains does not have")

    def both(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """D's logits, and the logits of the domains."""
        found: tuple[Tensor, Tensor] = cast(Any, self.networks["D"]).both(x)
        return found

    @torch.no_grad()
    def judge(self, shown: Shown) -> Terms:
        """D's means and accuracies over the patches of real and made images."""
        return verdict(self.loss, self.rules, *(self.both(x)[0].flatten() for x in (shown.real, shown.fake)))

    def turns(self, step: int, batch: int, draws: Draws, observe: bool) -> Iterator[Turn]:
        """D's turns, each on a batch of its own, and G's on the last one."""
        table: list[Tensor] = []
        for index in range(self.rules.n_critic):
            last = index == self.rules.n_critic - 1
            yield Turn(player="D", moves=partial(self.play_d, batch, draws, table, observe and last))
        yield Turn(player="G", moves=partial(self.play_g, table, observe))

    def play_d(self, batch: int, draws: Draws, table: list[Tensor], observe: bool) -> Iterator[Move]:
        rules = self.rules
        x, y = draws.real(batch)
        into = draws.labels(batch)
        assert y is not None
        assert into is not None
        table[:] = x, y, into
        with torch.no_grad():
            fake = self.networks["G"](x, into)
        real_logits, named = self.both(x)
        fake_logits = self.networks["D"](fake)
        real_part, fake_part = self.loss.d_terms(real_logits, fake_logits, rules)
        terms = {
            "D/adv": real_part.mean() + fake_part.mean(),
            "D/class": rules.class_weight * F.cross_entropy(named, y),
        }
        if rules.gp:
            penalty = gradient_penalty(lambda x, _: self.networks["D"](x), x, fake, draws.uniform(batch))
            terms["D/gp"] = rules.gp * penalty.mean()
        seen: Terms = {}
        if observe:
            with torch.no_grad():
                seen = before_update(verdict(self.loss, rules, real_logits.flatten(), fake_logits.flatten()))
        yield Move(terms=terms, seen=seen)

    def play_g(self, table: list[Tensor], observe: bool) -> Iterator[Move]:
        x, y, into = table
        rules, G = self.rules, self.networks["G"]
        fake = G(x, into)
        logits, named = self.both(fake)
        terms = {
            "G/adv": self.loss.g_term(logits, None, rules).mean(),
            "G/class": rules.class_weight * F.cross_entropy(named, into),
            "G/cycle": rules.cycle * (G(fake, y) - x).abs().mean(),
        }
        seen = {"d_fake_after": self.loss.shown(logits.detach(), logits.detach()).mean()} if observe else {}
        yield Move(terms=terms, seen=seen)
