"""G makes of each image its partner, D tells real from made: pix2pix (arXiv 1611.07004), SRGAN (1609.04802)."""

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
from zerosum.games.rules import PairedRules
from zerosum.games.verdict import before_update, verdict
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
        """Go on under other rules; `UserError` where G would learn nothing, or can't do what they say."""
        if not (rules.adversarial or rules.l1 or rules.l2 or rules.content):
            raise UserError("adversarial, l1, l2 and content are all 0: G would learn nothing")
        if rules.matching and not hasattr(self.networks["D"], "scales"):
            raise UserError("matching compares D's layers, and this D does not show them: set matching=0")
        G = cast(Any, self.networks["G"])
        if rules.coarse and not hasattr(G, "at"):
            raise UserError("this generator makes images of one size: set coarse=0")
        if hasattr(G, "at"):
            G.at(rules.coarse)
        self.loss, self.rules = LOSSES[rules.loss], rules

    @property
    def making(self) -> int | str | None:
        return self.rules.coarse

    def scales(self, x: Tensor, given: Tensor) -> list[list[Tensor]]:
        """What D's layers make of it at each of its scales, the logits last."""
        D = cast(Any, self.networks["D"])
        return cast(list[list[Tensor]], D.scales(x, given)) if hasattr(D, "scales") else [[D(x, given)]]

    def as_played(self, x: Tensor) -> Tensor:
        """Images (N, C, S, S) of full size, as this stage trains on them: halved as often as its rules say."""
        for _ in range(self.rules.coarse):
            x = F.avg_pool2d(x, 2)
        return x

    @torch.no_grad()
    def judge(self, shown: Shown) -> Terms:
        """D's means and accuracies over the patches of real and made partners of the images given."""
        given = None if shown.given is None else self.as_played(shown.given)
        logits = (self.networks["D"](self.as_played(x), given) for x in (shown.real, shown.fake))
        return verdict(self.loss, self.rules, *(found.flatten() for found in logits))

    @torch.no_grad()
    def probes(self, shown: Shown) -> Terms:
        """condition: by how much D's logits of real images change beside what others were made of, in their deviations.

        Nothing where D has no turn, or is not shown what an image was made of, and none of two that were made of one.
        """
        D = self.networks["D"]
        if not self.rules.adversarial or shown.given is None or not getattr(D, "sees_source", False):
            return {}
        given, real = self.as_played(shown.given), self.as_played(shown.real)
        other = given.roll(1, dims=0)
        image = slice(real.shape[1])  # and beside it what says where to lead it, such as a pose
        others = (given[:, image] != other[:, image]).flatten(1).any(dim=1)
        if others.sum() < 2:
            return {}
        right, wrong = (D(real[others], beside[others]).cpu().double() for beside in (given, other))
        return {"condition": (right - wrong).abs().mean() / right.std(correction=0).clamp_min(1e-12)}

    def turns(self, step: int, batch: int, draws: Draws, observe: bool) -> Iterator[Turn]:
        """D's turn and G's, on the same images and what G makes of them."""
        given, real = draws.pairs(batch)
        fake = self.networks["G"](given)  # drawn before any network is frozen, so that G's turn goes on with its graph
        given, real = self.as_played(given), self.as_played(real)
        if self.rules.adversarial:
            yield Turn(player="D", moves=partial(self.play_d, given, real, fake.detach(), observe))
        yield Turn(player="G", moves=partial(self.play_g, given, real, fake, observe))

    def play_d(self, given: Tensor, real: Tensor, fake: Tensor, observe: bool) -> Iterator[Move]:
        rules, seen = self.rules, {}
        sides = [(a[-1], b[-1]) for a, b in zip(self.scales(real, given), self.scales(fake, given), strict=True)]
        parts = [self.loss.d_terms(*logits, rules) for logits in sides]
        if observe:
            with torch.no_grad():
                seen = before_update(verdict(self.loss, rules, *(logits.flatten() for logits in sides[0])))
        total = torch.stack([real_part.mean() + fake_part.mean() for real_part, fake_part in parts]).sum()
        yield Move(terms={"D/adv": rules.d_scale * total}, seen=seen)

    def play_g(self, given: Tensor, real: Tensor, fake: Tensor, observe: bool) -> Iterator[Move]:
        terms, seen = self.by_d(given, real, fake, observe) if self.rules.adversarial else ({}, {})
        yield Move(terms={**terms, **self.distances(given, real, fake)}, seen=seen)

    def distances(self, given: Tensor, real: Tensor, fake: Tensor) -> Terms:
        """G's terms of how far its images are from the partners."""
        rules, terms = self.rules, {}
        if rules.l1:
            terms["G/l1"] = rules.l1 * (fake - real).abs().mean()
        if rules.l2:
            terms["G/l2"] = rules.l2 * (fake - real).square().mean()
        if rules.content:
            assert self.features is not None
            with torch.no_grad():
                wanted = self.features(real)
            terms["G/content"] = rules.content * (self.features(fake) - wanted).square().mean()
        return terms

    def by_d(self, given: Tensor, real: Tensor, fake: Tensor, observe: bool) -> tuple[Terms, Terms]:
        """G's terms that D has a word in, and what was seen."""
        rules, terms = self.rules, {}
        found, wanted = self.scales(fake, given), None
        if self.loss.needs_real or rules.matching:
            with torch.no_grad():
                wanted = self.scales(real, given)
        losses = [
            self.loss.g_term(layers[-1], wanted[scale][-1] if wanted and self.loss.needs_real else None, rules).mean()
            for scale, layers in enumerate(found)
        ]
        terms["G/adv"] = rules.adversarial * torch.stack(losses).sum()
        if rules.matching and wanted:
            # Every layer but the last, and the mean of the scales: 1711.11585, Eq. 4, as its authors weigh them, by the
            # number of layers: four of them count as they are.
            gaps = [
                (one - other).abs().mean() * 4 / (len(layers) - 1) / len(found)
                for layers, real_layers in zip(found, wanted, strict=True)
                for one, other in zip(layers[:-1], real_layers[:-1], strict=True)
            ]
            terms["G/matching"] = rules.matching * torch.stack(gaps).sum()
        if not observe:
            return terms, {}
        logits, other = found[0][-1].detach(), wanted[0][-1] if wanted else found[0][-1].detach()
        return terms, {"d_fake_after": self.loss.shown(logits, other).mean()}
