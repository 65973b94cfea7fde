"""Two translators that lead back to where they began, and a judge of each domain: CycleGAN (arXiv 1703.10593)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from zerosum.errors import UserError
from zerosum.games import GAMES
from zerosum.games.base import Draws, Game, Move, Shown, Terms, Turn, evaluated
from zerosum.games.pool import Pool
from zerosum.games.rules import CycleRules
from zerosum.games.verdict import before_update, verdict
from zerosum.losses.adversarial import LOSSES

A, B = 0, 1
BOTH, NAMES = (A, B), ("A", "B")


@GAMES.register("cycle")
class Cycle(Game):
    """Two players: "G", whose `of[k]` leads into domain k, and "D", whose `of[k]` judges images of domain k.

    DiscoGAN (1703.05192) is the same game with other numbers. G plays first, and D on the images that it made then,
    or on older ones from a pool.
    """

    generator = "G"
    rules: CycleRules

    def __init__(self, networks: Mapping[str, nn.Module], rules: CycleRules) -> None:
        super().__init__(networks, rules)
        self.into, self.judges = (cast(nn.ModuleList, networks[name].of) for name in ("G", "D"))
        self.pools = [Pool(rules.pool) for _ in BOTH]
        self.retell(rules)

    def retell(self, rules: CycleRules) -> None:
        """Go on under other rules; a pool of another size keeps what it has room for.

        `UserError` where these Ds can't do what the rules say.
        """
        if rules.matching and not all(hasattr(judge, "features") for judge in self.judges):
            raise UserError("matching compares D's layers, and this D does not show them: set matching=0")
        self.loss, self.rules = LOSSES[rules.loss], rules
        for pool in self.pools:
            pool.size = rules.pool
            pool.images = None if pool.images is None or not rules.pool else pool.images[: rules.pool]

    @property
    def period(self) -> int:
        return self.rules.d_every

    def state_dict(self) -> dict[str, Any]:
        return {name: pool.state_dict() for name, pool in zip(NAMES, self.pools, strict=True)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for name, pool in zip(NAMES, self.pools, strict=True):
            pool.load_state_dict(state[name], self.weights["G"][0])

    @torch.no_grad()
    def judge(self, shown: Shown) -> Terms:
        """The judges' means and accuracies over the patches of real and made images of their domains."""
        logits = (self.networks["D"](*side) for side in ((shown.real, shown.y), (shown.fake, shown.fake_y)))
        return verdict(self.loss, self.rules, *(found.flatten() for found in logits))

    def turns(self, step: int, batch: int, draws: Draws, observe: bool) -> Iterator[Turn]:
        """G's turn, then D's where it has one in this round."""
        real = [draws.of(domain, batch) for domain in BOTH]
        made: dict[int, Tensor] = {}
        yield Turn(player="G", moves=partial(self.play_g, real, made))
        if step % self.rules.d_every:
            return
        older = [self.pools[domain].exchange(made[domain].detach(), draws.dice(2 * batch)) for domain in BOTH]
        yield Turn(player="D", moves=partial(self.play_d, real, older, made, observe))

    def play_g(self, real: list[Tensor], made: dict[int, Tensor]) -> Iterator[Move]:
        """There, back again, and an image of the domain itself left as it is."""
        rules = self.rules
        terms: Terms = {}
        for domain, name in ((B, "B"), (A, "A")):
            other = real[1 - domain]
            made[domain] = fake = self.into[domain](other)
            terms |= self.by_d(self.judges[domain], fake, real[domain], name)
            back = self.into[1 - domain](fake)
            terms[f"G/cycle_{name}"] = rules.cycle * distance(back, other, rules.distance)
            if rules.identity:
                same = distance(self.into[domain](real[domain]), real[domain], rules.distance)
                terms[f"G/identity_{name}"] = rules.identity * rules.cycle * same
        yield Move(terms=terms)

    def by_d(self, judge: nn.Module, fake: Tensor, real: Tensor, name: str) -> Terms:
        """G's terms that the judge of a domain has a word in."""
        rules, looks = self.rules, cast(Any, judge).features if self.rules.matching else lambda x: [judge(x)]
        found, wanted = looks(fake), None
        if self.loss.needs_real or rules.matching:
            with torch.no_grad():
                wanted = looks(real)
        logits = wanted[-1] if wanted and self.loss.needs_real else None
        terms = {f"G/adv_{name}": rules.adversarial * self.loss.g_term(found[-1], logits, rules).mean()}
        if wanted and rules.matching:  # all layers but the first and the last, as DiscoGAN's authors do
            gaps = [
                (one.mean(0) - other.mean(0)).square().mean()
                for one, other in zip(found[1:-1], wanted[1:-1], strict=True)
            ]
            terms[f"G/matching_{name}"] = rules.matching * torch.stack(gaps).sum()
        return terms

    def play_d(self, real: list[Tensor], shown: list[Tensor], made: dict[int, Tensor], observe: bool) -> Iterator[Move]:
        terms: Terms = {}
        logits: list[list[Tensor]] = [[], []]
        for domain, name in ((A, "A"), (B, "B")):
            sides = self.judges[domain](real[domain]), self.judges[domain](shown[domain])
            real_part, fake_part = self.loss.d_terms(*sides, self.rules)
            terms[f"D/adv_{name}"] = self.rules.d_scale * (real_part.mean() + fake_part.mean())
            for side, found in zip(logits, sides, strict=True):
                side.append(found.detach().flatten())
        yield Move(terms=terms, seen=self.seen(logits) if observe else {})
        if observe:
            yield Move(terms={}, seen=self.seen_after(made))

    @torch.no_grad()
    def seen(self, logits: list[list[Tensor]]) -> Terms:
        """The judges' verdict before their update, of both domains together."""
        return before_update(verdict(self.loss, self.rules, *(torch.cat(side) for side in logits)))

    @torch.no_grad()
    def seen_after(self, made: dict[int, Tensor]) -> Terms:
        """What the judges say of the same round's images after it; looking on changes nothing in them."""
        with evaluated(self.networks["D"]):
            logits = torch.cat([self.judges[domain](made[domain].detach()).flatten() for domain in BOTH])
        return {"d_fake_after": self.loss.shown(logits, logits).mean()}


def distance(x: Tensor, y: Tensor, kind: str) -> Tensor:
    """The mean absolute ("l1") or squared ("l2") difference."""
    return (x - y).abs().mean() if kind == "l1" else (x - y).square().mean()
