"""G against D, the game of Goodfellow et al. (arXiv 1406.2661), with the schedules that its descendants play."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from zerosum.augment import augment, numbers
from zerosum.errors import UserError
from zerosum.games import GAMES
from zerosum.games.ada import AdaptiveP
from zerosum.games.base import Draws, Game, Move, Shown, Terms, Turn, evaluated
from zerosum.games.rules import AdversarialRules
from zerosum.games.verdict import before_update, verdict
from zerosum.losses.adversarial import LOSSES
from zerosum.losses.penalties import gradient_penalty, orthogonality, perturbed, r1
from zerosum.networks.layers.norms import ranks

CROSS_ENTROPY = ("saturating", "non-saturating")  # the losses that have targets

Critic = Callable[[Tensor, Tensor | None], Tensor]  # D as it is asked: samples and their classes to logits (N,)
View = Callable[[Critic, "Batch", "Batch"], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Batch:
    """Samples and their classes, and of fakes the z that they were drawn from."""

    x: Tensor
    y: Tensor | None
    z: Tensor | None = None

    def head(self, count: int) -> Batch:
        return Batch(self.x[:count], *(None if part is None else part[:count] for part in (self.y, self.z)))

    def detach(self) -> Batch:
        return Batch(self.x.detach(), self.y, self.z)


def see_joined(D: Critic, real: Batch, fake: Batch) -> tuple[Tensor, Tensor]:
    """D judges real and fake in one batch, so its batch norm sees the mixture."""
    y = None if real.y is None or fake.y is None else torch.cat([real.y, fake.y])
    logits = D(torch.cat([real.x, fake.x]), y)
    return logits[: len(real.x)], logits[len(real.x) :]


def see_apart(D: Critic, real: Batch, fake: Batch) -> tuple[Tensor, Tensor]:
    """D judges real and fake in two passes, so its batch norm sees each alone."""
    return D(real.x, real.y), D(fake.x, fake.y)


VIEWS: dict[str, View] = {"one-batch": see_joined, "two-batches": see_apart}


def judges_each_alone(D: nn.Module) -> bool:
    """Whether a sample's logit does not depend on the batch around it, so that two passes are one with less work."""
    return not any(getattr(module, "mixes_samples", False) for module in D.modules())


@GAMES.register("adversarial")
class Adversarial(Game):
    """Two players, "G" and "D"; every variation is a field of `AdversarialRules`."""

    generator = "G"
    rules: AdversarialRules

    def __init__(self, networks: Mapping[str, nn.Module], rules: AdversarialRules) -> None:
        super().__init__(networks, rules)
        self.d_turns = 0  # taken so far: lazy penalties count them
        self.adaptive = AdaptiveP()
        self.joins = judges_each_alone(networks["D"])
        self.alike = not any(
            getattr(module, "decides_on_host", False) for network in networks.values() for module in network.modules()
        )
        self.retell(rules)

    def retell(self, rules: AdversarialRules) -> None:
        """Go on under other rules (a new stage); `UserError` where they contradict each other."""
        self.loss = LOSSES[rules.loss]
        if rules.view == "two-steps" and not self.loss.separable:
            raise UserError(f"loss {rules.loss} compares real with fake, so view cannot be two-steps: use two-batches")
        if rules.view == "two-steps" and (rules.r1 or rules.r2 or rules.gp):
            raise UserError("r1, r2 and gp are played with one update of D: view cannot be two-steps, use two-batches")
        if rules.loss not in CROSS_ENTROPY and (rules.target_real, rules.target_fake, rules.target_g) != (
            1.0,
            0.0,
            1.0,
        ):
            raise UserError(
                f"loss {rules.loss} has no targets to smooth: set target_real=1, target_fake=0 and target_g=1 with it"
            )
        if rules.fakes == "same" and rules.fakes_mode == "eval":
            raise UserError("fakes=same are made once, in train mode, so fakes_mode cannot be eval: use fakes=same-z")
        if rules.ada_target and not rules.augment:
            raise UserError("ada_target says how often images are augmented, and nothing is: set augment, too")
        if rules.ada_target and rules.augment_p != 1.0:
            raise UserError("ada_target moves the probability of augmentation by itself: leave augment_p out")
        self.rules = rules

    @property
    def period(self) -> int:
        return self.rules.d_every

    def phase(self, step: int) -> tuple[bool, ...] | None:
        """Which of D's turns in the round have their penalties; none where D does not play."""
        if self.rules.ada_target or not self.alike:
            return None  # p moves by its own count, and a network may decide anew in each round what it does
        return tuple(self.penalty_due(self.d_turns + turn) for turn in range(1, self.d_plays(step) + 1))

    def skip(self, step: int) -> None:
        self.d_turns += len(self.phase(step) or ())

    def d_plays(self, step: int) -> int:
        """D's turns in round `step`."""
        return self.rules.n_critic if step % self.rules.d_every == 0 else 0

    def penalty_due(self, turn: int) -> bool:
        """Whether D's turn of that number, from 1, has the penalties."""
        rules = self.rules
        return bool(rules.r1 or rules.r2 or rules.gp) and turn % rules.penalty_every == 0

    def state_dict(self) -> dict[str, Any]:
        adaptive = {"ada": self.adaptive.state_dict()} if self.rules.ada_target else {}
        return {"d_turns": self.d_turns, **adaptive}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.d_turns = int(state["d_turns"])
        if "ada" in state:
            self.adaptive.load_state_dict(state["ada"])

    def gauges(self) -> dict[str, float]:
        return {"augment_p": float(self.adaptive.p)} if self.rules.ada_target else {}

    def logits(self, x: Tensor, y: Tensor | None) -> Tensor:
        """D's logits (N,)."""
        found: Tensor = self.networks["D"](x, y)
        return found

    @torch.no_grad()
    def judge(self, shown: Shown) -> Terms:
        """D's means and accuracies over real and fake samples, two batches apart."""
        return self.verdict(self.logits(shown.real, shown.y), self.logits(shown.fake, shown.fake_y))

    def verdict(self, real_logits: Tensor, fake_logits: Tensor) -> Terms:
        """See `games.verdict`."""
        return verdict(self.loss, self.rules, real_logits, fake_logits)

    def table(self, batch: int, draws: Draws, observe: bool) -> Table:
        """Where a round is played."""
        return Table(self, batch, draws, observe)

    def turns(self, step: int, batch: int, draws: Draws, observe: bool) -> Iterator[Turn]:
        """D's turns and G's, in the order of the rules; neighbours share what the rules let them share."""
        rules = self.rules
        plays = {"D": self.d_plays(step), "G": rules.g_turns}
        second = "G" if rules.first == "D" else "D"
        table = self.table(batch, draws, observe)
        if plays["D"] and rules.fakes == "same":
            table.deal_fakes()
        for name in (rules.first, second):
            for index in range(plays[name]):
                # Fakes are shared by the two turns on either side of the change of players, and by no others.
                shares = plays["D"] > 0 and index == (plays[name] - 1 if name == rules.first else 0)
                yield Turn(player=name, moves=partial(table.play_d if name == "D" else table.play_g, shares))


class Table:
    """What lies on the table in one round: the fakes that both players see, and the real batch of D's last turn.

    It is gone with the round, and so holds no method of its own: a cycle would keep a round's tensors until they are
    looked for, and with them the graph that a captured round must not meet.
    """

    def __init__(self, game: Adversarial, batch: int, draws: Draws, observe: bool) -> None:
        self.G, self.D = game.networks["G"], game.networks["D"]
        self.game, self.rules, self.loss = game, game.rules, game.loss
        self.draws, self.observe = draws, observe
        self.batch = batch
        self.d_batch = game.rules.d_batch(batch)
        self.real: Batch | None = None
        self.beside: Batch | None = None  # real samples that D sees beside the shared fakes, where both are paired
        self.z: tuple[Tensor, Tensor | None] | None = None
        self.fake: Batch | None = None

    def ask(self, x: Tensor, y: Tensor | None) -> Tensor:
        """D's logits (N,)."""
        logits: Tensor = self.D(x, y)
        return logits

    def deal_fakes(self) -> None:
        """Draw the round's shared fakes before any network is frozen, so that G's turn can go on with their graph."""
        if self.loss.needs_real or self.mixes:
            self.real = self.beside = self.draw_real(self.d_batch)
        self.fake = self.draw_fakes(self.batch, paired=self.mixes)

    @property
    def mixes(self) -> bool:
        """Whether a penalty asks D between a real and a fake sample."""
        return bool(self.rules.gp) and self.rules.gp_at == "between"

    @property
    def dealt(self) -> int:
        """The real samples that lie on the table, of all processes."""
        return 0 if self.real is None else len(self.real.x) * ranks()

    def draw_real(self, count: int) -> Batch:
        """The next real samples, as D is to see them."""
        return Batch(*self.draws.real(count))

    def draw_fakes(self, count: int, *, paired: bool = False) -> Batch:
        """Fresh fakes; of the real batch's classes where the loss, or who asks, pairs both: a pair is of one class."""
        real = self.real if (paired or self.loss.needs_real) and count == self.dealt else None
        labels = self.draws.labels(count) if real is None else real.y
        self.z = z, _ = self.draws.noise(count), labels
        return Batch(self.G(*self.z), labels, z)

    def play_d(self, shares: bool) -> Iterator[Move]:
        self.real = real = self.beside if shares and self.beside is not None else self.draw_real(self.d_batch)
        fake = self.fakes_for_d(shares, len(real.x))
        self.game.d_turns += 1
        if self.rules.view == "two-steps":
            yield from self.judge_in_two_steps(real, fake)
        else:
            yield self.judge(real, fake)
        if self.rules.first == "G" and self.observe:
            yield Move(terms={}, seen=self.seen_after(fake))

    def see(self, side: Batch, count: int) -> Tensor:
        """D's logits of a batch, `count` over all processes, as D gets to see it."""
        shown = self.augmented(side, count)
        return self.ask(shown.x, shown.y)

    def see_both(self, real: Batch, fake: Batch, view: str) -> tuple[Tensor, Tensor]:
        """The same of D's real and fake batch, joined or apart."""
        return VIEWS[view](self.ask, self.augmented(real, self.d_batch), self.augmented(fake, self.d_batch))

    def see_between(self, x: Tensor, y: Tensor | None) -> Tensor:
        """The same for a gradient penalty, which is of D and the augmentation together."""
        return self.see(Batch(x, y), self.d_batch)

    def augmented(self, side: Batch, count: int) -> Batch:
        """The batch after the augmentation of the rules."""
        policy = self.rules.augment
        if not policy:
            return side
        uniform = torch.stack([self.draws.uniform(count) for _ in range(numbers(policy))], dim=1)
        p = self.game.adaptive.on(side.x.device) if self.rules.ada_target else self.rules.augment_p
        return Batch(augment(side.x, policy, uniform, p, value_range=self.game.value_range), side.y)

    @torch.no_grad()
    def adapt(self, real_logits: Tensor, fake_logits: Tensor) -> None:
        """Let ADA's p follow what D says of real images."""
        rules = self.rules
        if rules.ada_target:
            right = (real_logits > self.loss.threshold(real_logits, fake_logits, rules)).float().mean()
            self.game.adaptive.see(right, self.d_batch, rules.ada_target, rules.ada_images)

    def fakes_for_d(self, shares: bool, count: int) -> Batch:
        if shares and self.fake is not None:
            return self.fake.head(count).detach()
        with evaluated(self.G) if self.rules.fakes_mode == "eval" else nullcontext():
            return self.draw_fakes(self.d_batch, paired=self.mixes).detach()

    def judge(self, real: Batch, fake: Batch) -> Move:
        """One update of D on the sum of its real part, its fake part and the penalties that are due."""
        rules = self.rules
        due = self.game.penalty_due(self.game.d_turns)
        real.x.requires_grad_(due and rules.r1 > 0)
        fake.x.requires_grad_(due and rules.r2 > 0)
        joined = self.game.joins and not due  # a penalty's gradient would go through the other half as well
        real_logits, fake_logits = self.see_both(real, fake, "one-batch" if joined else rules.view)
        self.adapt(real_logits, fake_logits)
        real_part, fake_part = self.loss.d_terms(real_logits, fake_logits, rules)
        terms = {"D/adv": rules.d_scale * (real_part.mean() + fake_part.mean())}
        if rules.drift:
            terms["D/drift"] = rules.drift * real_logits.square().mean()
        if due:
            terms.update(self.penalties(real, fake, real_logits, fake_logits))
        return Move(terms=terms, seen=self.seen_by_d(real_logits, fake_logits))

    def judge_in_two_steps(self, real: Batch, fake: Batch) -> Iterator[Move]:
        """D learns from the real batch, and then, already changed, from the fakes."""
        real_logits = self.see(real, self.d_batch)
        yield Move(terms={"D/real": self.rules.d_scale * self.loss.d_real(real_logits, self.rules).mean()})
        fake_logits = self.see(fake, self.d_batch)
        self.adapt(real_logits, fake_logits)
        fake_part = self.loss.d_fake(fake_logits, self.rules).mean()
        yield Move(terms={"D/fake": self.rules.d_scale * fake_part}, seen=self.seen_by_d(real_logits, fake_logits))

    def penalties(self, real: Batch, fake: Batch, real_logits: Tensor, fake_logits: Tensor) -> Terms:
        """Those with a weight, each times the interval at which it is played (lazy regularization, 1912.04958)."""
        rules, terms = self.rules, {}
        if rules.r1:
            terms["D/r1"] = rules.penalty_every * r1(real_logits, real.x, rules.r1).mean()
        if rules.r2:
            terms["D/r2"] = rules.penalty_every * r1(fake_logits, fake.x, rules.r2).mean()
        if rules.gp:
            epsilon = self.draws.uniform(self.d_batch)
            x = real.x.detach()
            other = fake.x.detach() if rules.gp_at == "between" else perturbed(x)
            penalty = gradient_penalty(self.see_between, x, other, epsilon, real.y)
            terms["D/gp"] = rules.penalty_every * rules.gp * penalty.mean()
        return terms

    def play_g(self, shares: bool) -> Iterator[Move]:
        real_logits = self.real_logits() if self.loss.needs_real else None
        fake = self.fakes_for_g(shares)
        logits = self.see(fake, self.batch)
        loss = self.loss.g_term(logits, real_logits, self.rules).mean()
        yield Move(terms={"G/adv": loss, **self.g_terms()}, seen=self.seen_by_g(logits.detach(), real_logits))

    def g_terms(self) -> Terms:
        """What G's loss has besides."""
        if not self.rules.ortho:
            return {}
        classes = {
            id(own) for layer in self.G.modules() if isinstance(layer, nn.Embedding) for own in layer.parameters()
        }
        weights = [own for own in self.game.weights["G"] if id(own) not in classes]  # as BigGAN's authors: not these
        return {"G/ortho": self.rules.ortho * orthogonality(weights)}

    def fakes_for_g(self, shares: bool) -> Batch:
        if shares and self.fake is not None:
            fake, self.fake = self.fake, self.fake.detach()  # the graph serves one backward pass
            if fake.x.requires_grad:
                return fake
        if self.rules.fakes == "same-z" and shares and self.z is not None and self.d_batch == self.batch:
            return Batch(self.G(*self.z), self.z[1], self.z[0])
        return self.draw_fakes(self.batch)

    @torch.no_grad()
    def real_logits(self) -> Tensor:
        """D's view of as many real samples as G plays, for losses that compare: constant in G's turn."""
        if self.real is None or self.dealt != self.batch:
            self.real = self.draw_real(self.batch)
        return self.see(self.real, self.batch)

    @torch.no_grad()
    def seen_by_d(self, real_logits: Tensor, fake_logits: Tensor) -> Terms:
        """D's verdict in its turn, before its update."""
        if not self.observe:
            return {}
        return before_update(self.game.verdict(real_logits, fake_logits))

    @torch.no_grad()
    def seen_after(self, fake: Batch) -> Terms:
        """Mean D(G(z)) after D's last update, where G had its turn before; looking on changes nothing in D."""
        with evaluated(self.D):
            logits = self.D(fake.x.detach(), fake.y)
        return {"d_fake_after": self.loss.shown(logits, logits).mean()}

    def seen_by_g(self, logits: Tensor, real_logits: Tensor | None) -> Terms:
        """Mean D(G(z)) in G's turn, where that is after D's."""
        if not self.observe or self.rules.first == "G":
            return {}
        other = logits if real_logits is None else real_logits  # only a loss of pairs looks at it, and that has them
        return {"d_fake_after": self.loss.shown(logits, other).mean()}
