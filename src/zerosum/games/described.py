"""G draws what a text says, D tells whether an image is real and of its text: StackGAN (arXiv 1612.03242).

First words and images learn to meet, by structured joint embedding (1605.05396, Eq. 2), then Stage I is trained on
small images, and then, with all of that as it is, Stage II on large ones. D is shown real images with their captions as
real, and as fake what G drew and real images with the caption of another one (matching-aware, 1605.05396, section 4.2).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F

from zerosum.errors import UserError
from zerosum.games import GAMES
from zerosum.games.base import Draws, Game, Move, Shown, Terms, Turn
from zerosum.games.rules import DescribedRules
from zerosum.games.verdict import before_update, verdict
from zerosum.losses.adversarial import LOSSES
from zerosum.networks.layers.norms import all_sum, ranks

READING, SECOND = 0, 2  # stages
SMALLER = 4  # times, that Stage I's images are


@GAMES.register("described")
class Described(Game):
    """Two players: "G", which can `read` words and has stages, and "D", which can `look` at images as well."""

    generator = "G"
    rules: DescribedRules

    def __init__(self, networks: Mapping[str, nn.Module], rules: DescribedRules) -> None:
        super().__init__(networks, rules)
        self.G, self.D = (cast(Any, networks[name]) for name in ("G", "D"))
        for name, skill in (("G", "read"), ("D", "look")):
            if not hasattr(networks[name], skill):
                raise UserError(f"{name} knows no texts: game described wants networks such as stackgan's")
        if self.G.embedding != self.D.hears:
            raise UserError(f"G.embedding is {self.G.embedding} and D.embedding {self.D.hears}; expected the same")
        self.retell(rules)

    def retell(self, rules: DescribedRules) -> None:
        """Go on at another stage; `UserError` for a loss of pairs, since an image is shown with two captions."""
        self.loss, self.rules = LOSSES[rules.loss], rules
        if not self.loss.separable:
            raise UserError(f"loss {rules.loss} compares real with fake one by one, which described does not do")
        self.G.at(rules.stage)

    @property
    def drawing(self) -> bool:
        return self.rules.stage > READING

    @property
    def making(self) -> int | str | None:
        return self.rules.stage

    def seen(self, x: Tensor) -> Tensor:
        """Images in the size that is learned by now."""
        return x if self.rules.stage == SECOND else F.avg_pool2d(x, SMALLER)

    def logits(self, x: Tensor, y: Tensor | None) -> Tensor | None:
        """D's logits (N,) on images of the full size and captions; None while nobody draws."""
        if not self.drawing:
            return None
        found: Tensor = self.D(self.seen(x), self.G.read(y))
        return found

    @torch.no_grad()
    def judge(self, shown: Shown) -> Terms:
        """D's means and accuracies on real and drawn images with their captions."""
        real, fake = self.logits(shown.real, shown.y), self.logits(shown.fake, shown.fake_y)
        return {} if real is None or fake is None else verdict(self.loss, self.rules, real, fake)

    def turns(self, step: int, batch: int, draws: Draws, observe: bool) -> Iterator[Turn]:
        """D's turn and G's, on the same images and captions."""
        x, y = draws.real(batch)
        assert y is not None
        x = self.seen(x)
        if not self.drawing:
            yield from (Turn(player=player, moves=partial(self.meet, player, x, y)) for player in ("D", "G"))
            return
        other, z = draws.labels(batch), draws.noise(batch)
        assert other is not None
        with torch.no_grad():
            embedded, wrong = self.G.read(y), (self.G.read(other), y.ne(other).any(1))
        fake, divergence = self.G.drawn(z, embedded)  # before any network is frozen, so that G's turn has its graph
        yield Turn(player="D", moves=partial(self.play_d, x, fake.detach(), embedded, wrong, observe))
        yield Turn(player="G", moves=partial(self.play_g, fake, divergence, embedded, observe))

    def meet(self, player: str, x: Tensor, y: Tensor) -> Iterator[Move]:
        """One side of the embedding learns: D to see, G to read."""
        seen, read = of_all(self.D.look(x)), of_all(self.G.read(y))
        loss = joint_loss(seen, read, alike(all_rows(y)), self.rules.margin)
        yield Move(terms={f"{player}/meet": loss})

    def play_d(
        self, x: Tensor, fake: Tensor, embedded: Tensor, wrong: tuple[Tensor, Tensor], observe: bool
    ) -> Iterator[Move]:
        """wrong: captions of others (N, E), and which of them are not by chance the image's own (N,)."""
        rules, share = self.rules, self.rules.mismatch
        real_logits, fake_logits = self.D(x, embedded), self.D(fake, embedded)
        real, drawn = self.loss.d_terms(real_logits, fake_logits, rules)
        fake_part = (1 - share) * drawn.mean()
        if share:
            others, apart = wrong
            fake_part = fake_part + share * (self.loss.d_fake(self.D(x, others), rules) * apart).mean()
        seen: Terms = {}
        if observe:
            with torch.no_grad():
                seen = before_update(verdict(self.loss, rules, real_logits, fake_logits))
        yield Move(terms={"D/adv": real.mean() + fake_part}, seen=seen)

    def play_g(self, fake: Tensor, divergence: Tensor, embedded: Tensor, observe: bool) -> Iterator[Move]:
        logits = self.D(fake, embedded)
        terms = {"G/adv": self.loss.g_term(logits, None, self.rules).mean(), "G/kl": self.rules.kl * divergence.mean()}
        seen = {"d_fake_after": self.loss.shown(logits.detach(), logits.detach()).mean()} if observe else {}
        yield Move(terms=terms, seen=seen)


def joint_loss(seen: Tensor, read: Tensor, same: Tensor, margin: float) -> Tensor:
    """How far captions are from being nearer to their own image than another's is, and images likewise.

    seen, read: (N, E), embeddings of images and their captions; same: (N, N), pairs that no margin is asked of. The
    mean over all other pairs of both hinges, in place of the largest (1605.05396, Eq. 2).
    """
    scores = seen @ read.T
    own = scores.diagonal()
    asked = (~same).to(scores.dtype)
    hinges = F.relu(margin + scores - own[:, None]) + F.relu(margin + scores - own[None])
    return (hinges * asked).sum() / asked.sum().clamp_min(1)


def alike(y: Tensor) -> Tensor:
    """(N, L) to (N, N): which rows are the same."""
    return (y[:, None] == y[None]).all(2)


def of_all(values: Tensor) -> Tensor:
    """What all processes have, (N, E) in their order, so that gradients find their way back."""
    if ranks() == 1:
        return values
    parts = [values if rank == dist.get_rank() else torch.zeros_like(values) for rank in range(ranks())]
    return all_sum(torch.cat(parts))


def all_rows(y: Tensor) -> Tensor:
    """The same of rows of words."""
    return of_all(y.double()).round().long() if ranks() > 1 else y
