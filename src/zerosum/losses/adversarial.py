"""The adversarial losses by name: what D and G each minimise, per sample, from D's logits.

Sources stand beside each entry of `LOSSES`. Cross-entropy is written from logits, with `logsigmoid`, so that
it stays exact where a probability would round to 0 or 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from zerosum.errors import UserError


class Aims(Protocol):
    """What the players aim at; a game's rules with these fields fit as they are."""

    @property
    def labels(self) -> tuple[float, float, float]: ...  # least squares: a (fake), b (real), c (what G wants)
    @property
    def target_real(self) -> float: ...  # cross-entropy: the probability that D should give a real image
    @property
    def target_fake(self) -> float: ...  # and a fake one
    @property
    def target_g(self) -> float: ...  # and the one that G wants for its fakes


@dataclass(frozen=True, kw_only=True)
class Targets:
    """The published aims: no smoothing, and least squares with (a, b, c) = (0, 1, 1)."""

    labels: tuple[float, float, float] = (0.0, 1.0, 1.0)
    target_real: float = 1.0
    target_fake: float = 0.0
    target_g: float = 1.0


Term = Callable[[Tensor, Aims], Tensor]
PairTerm = Callable[[Tensor, Tensor], Tensor]
Shown = Callable[[Tensor, Tensor], Tensor]
Threshold = Callable[[Tensor, Tensor, Aims], Tensor | float]


@dataclass(frozen=True, kw_only=True)
class AdversarialLoss:
    """One loss: either three terms of one side's logits each, or two terms of (real, fake) pairs.

    Logits and terms are (N,). Each side is averaged on its own, so D's loss is mean(real part) +
    mean(fake part), and the two sides of a separable loss may differ in N.
    """

    name: str
    source: str
    real: Term | None = None  # D's, on real logits
    fake: Term | None = None  # D's, on fake logits
    g: Term | None = None  # G's, on fake logits
    d_pair: PairTerm | None = None
    g_pair: PairTerm | None = None
    shown: Shown = lambda logits, other: logits.clone()  # logits as D(x) in the logs, beside the other side's
    threshold: Threshold = lambda real, fake, aims: 0.0  # D says "real" to a logit above this

    @property
    def separable(self) -> bool:
        """Whether D's loss is a part of the real logits alone plus a part of the fake ones alone."""
        return self.d_pair is None

    @property
    def needs_real(self) -> bool:
        """Whether G's turn needs D's logits on real images."""
        return self.g_pair is not None

    def d_real(self, real: Tensor, aims: Aims) -> Tensor:
        """D's part on real logits (N,); `UserError` where the loss compares pairs."""
        if self.real is None:
            raise self._inseparable()
        return self.real(real, aims)

    def d_fake(self, fake: Tensor, aims: Aims) -> Tensor:
        """D's part on fake logits (N,); `UserError` where the loss compares pairs."""
        if self.fake is None:
            raise self._inseparable()
        return self.fake(fake, aims)

    def d_terms(self, real: Tensor, fake: Tensor, aims: Aims) -> tuple[Tensor, Tensor]:
        """D's real part and fake part; a loss of pairs is all in the real part, and its fake part is zero."""
        if self.d_pair is None:
            return self.d_real(real, aims), self.d_fake(fake, aims)
        value = self.d_pair(*_pairs(real, fake))
        return value, torch.zeros_like(value)

    def g_term(self, fake: Tensor, real: Tensor | None, aims: Aims) -> Tensor:
        """What G minimises (N,); `real` is used, and must be given, only where `needs_real`."""
        if self.g_pair is None:
            assert self.g is not None
            return self.g(fake, aims)
        if real is None:
            raise ValueError(f"{self.name} needs D's logits on real images in G's turn too")
        return self.g_pair(*_pairs(real, fake))

    def _inseparable(self) -> UserError:
        return UserError(
            f"loss {self.name} compares each real image with a fake one, so D can't step on one side alone; "
            "expected view one-batch or two-batches"
        )


def cross_entropy(logits: Tensor, target: float) -> Tensor:
    """-t log sigmoid(l) - (1 - t) log(1 - sigmoid(l)), each term left out where it weighs nothing."""
    if target == 1:
        return -functional.logsigmoid(logits)
    if target == 0:
        return -functional.logsigmoid(-logits)
    return -target * functional.logsigmoid(logits) - (1 - target) * functional.logsigmoid(-logits)


def _ce_real(logits: Tensor, aims: Aims) -> Tensor:
    return cross_entropy(logits, aims.target_real)


def _ce_fake(logits: Tensor, aims: Aims) -> Tensor:
    return cross_entropy(logits, aims.target_fake)


def _ce_g(logits: Tensor, aims: Aims) -> Tensor:
    return cross_entropy(logits, aims.target_g)


def _minimax_g(logits: Tensor, aims: Aims) -> Tensor:
    # The zero-sum game to the letter: what D loses on the fakes, G wins.
    return -_ce_fake(logits, aims)


def _half_square(logits: Tensor, label: float) -> Tensor:
    return 0.5 * (logits - label).square()


def _least_squares_fake(logits: Tensor, aims: Aims) -> Tensor:
    return _half_square(logits, aims.labels[0])


def _least_squares_real(logits: Tensor, aims: Aims) -> Tensor:
    return _half_square(logits, aims.labels[1])


def _least_squares_g(logits: Tensor, aims: Aims) -> Tensor:
    return _half_square(logits, aims.labels[2])


def _label_midpoint(real: Tensor, fake: Tensor, aims: Aims) -> float:
    return (aims.labels[0] + aims.labels[1]) / 2


def _midpoint(real: Tensor, fake: Tensor, aims: Aims) -> Tensor:
    # A critic's zero means nothing: only how far real and fake lie apart.
    return (real.mean() + fake.mean()) / 2


def _probability(logits: Tensor, other: Tensor) -> Tensor:
    return torch.sigmoid(logits)


def _probability_beside(logits: Tensor, other: Tensor) -> Tensor:
    # Of being more real than the other side is on average (1807.00734, section 4).
    return torch.sigmoid(logits - other.mean())


def _hinge_real(logits: Tensor, aims: Aims) -> Tensor:
    return functional.relu(1 - logits)


def _hinge_fake(logits: Tensor, aims: Aims) -> Tensor:
    return functional.relu(1 + logits)


def _lower(logits: Tensor, aims: Aims) -> Tensor:
    return logits.clone()


def _raise(logits: Tensor, aims: Aims) -> Tensor:
    return -logits


def _real_above_fake(real: Tensor, fake: Tensor) -> Tensor:
    return cross_entropy(real - fake, 1.0)  # softplus(-(D(x) - D(G(z))))


def _fake_above_real(real: Tensor, fake: Tensor) -> Tensor:
    return cross_entropy(fake - real, 1.0)


def _pairs(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    # Broadcasting would make every real image meet every fake one, or one of them meet all.
    if real.shape != fake.shape:
        raise ValueError(f"pairs need as many real logits as fake ones, not {len(real)} and {len(fake)}")
    return real, fake


_ALL = (
    AdversarialLoss(
        name="saturating",
        source="Goodfellow et al. 2014, arXiv 1406.2661, Eq. 1",
        real=_ce_real,
        fake=_ce_fake,
        g=_minimax_g,
        shown=_probability,
    ),
    AdversarialLoss(
        name="non-saturating",
        source="Goodfellow et al. 2014, arXiv 1406.2661, section 3",
        real=_ce_real,
        fake=_ce_fake,
        g=_ce_g,
        shown=_probability,
    ),
    AdversarialLoss(
        name="least-squares",
        source="Mao et al. 2017, arXiv 1611.04076, Eq. 2",
        real=_least_squares_real,
        fake=_least_squares_fake,
        g=_least_squares_g,
        threshold=_label_midpoint,
    ),
    AdversarialLoss(
        name="hinge",
        source="Lim & Ye 2017, arXiv 1705.02894; Miyato et al. 2018, arXiv 1802.05957, Eq. 16 and 17",
        real=_hinge_real,
        fake=_hinge_fake,
        g=_raise,
    ),
    AdversarialLoss(
        name="wasserstein",
        source="Arjovsky et al. 2017, arXiv 1701.07875, Algorithm 1",
        real=_raise,
        fake=_lower,
        g=_raise,
        threshold=_midpoint,
    ),
    AdversarialLoss(
        name="relativistic",
        source="Jolicoeur-Martineau 2018, arXiv 1807.00734; in pairs: Huang et al. 2024, arXiv 2501.05441",
        d_pair=_real_above_fake,
        g_pair=_fake_above_real,
        shown=_probability_beside,
        threshold=_midpoint,
    ),
)

LOSSES: Mapping[str, AdversarialLoss] = MappingProxyType({loss.name: loss for loss in _ALL})
