"""What D says of real and fake samples, in numbers that mean the same for every loss."""

from __future__ import annotations

from torch import Tensor

from zerosum.games.base import Terms
from zerosum.losses.adversarial import AdversarialLoss, Aims

FARTHEST = 1000.0  # no separation is told as larger: of logits that are all the same it would have no bound


def verdict(loss: AdversarialLoss, aims: Aims, real_logits: Tensor, fake_logits: Tensor) -> Terms:
    """Mean D(x), mean D(G(z)), the shares that D judges rightly, and how far apart the two sides' logits lie.

    margin: mean real logit minus mean fake logit; separation: that over the two sides' common deviation (the
    d' of signal detection), which has the same meaning for every loss: 0 is guessing, from 4 on hardly any overlap.
    """
    margin = real_logits.mean() - fake_logits.mean()
    deviation = ((real_logits.var(correction=0) + fake_logits.var(correction=0)) / 2).sqrt()
    threshold = loss.threshold(real_logits, fake_logits, aims)
    return {
        "d_real": loss.shown(real_logits, fake_logits).mean(),
        "d_fake": loss.shown(fake_logits, real_logits).mean(),
        "acc_real": (real_logits > threshold).float().mean(),
        "acc_fake": (fake_logits <= threshold).float().mean(),
        "margin": margin,
        "separation": (margin / deviation.clamp_min(1e-12)).clamp(-FARTHEST, FARTHEST),
    }


def before_update(found: Terms) -> Terms:
    """The same, as D says it in its own turn: what it says of fakes is that before its update."""
    return {"d_fake_before" if name == "d_fake" else name: value for name, value in found.items()}
