"""When which verdict is right: one function for each, asked in the order of `RULES`; the first that finds wins.

What is an alarm needs two kinds of evidence: a sign in the game itself (accuracies, separation, gradients, variety)
and the score, which must not be improving, since a game may look lopsided while its images get better (the tutorials'
anime faces end with D right on 97%). Thresholds were set on the runs of benchmarks/watching.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from zerosum.watch.signals import Signals
from zerosum.watch.verdict import Evidence, Name

YOUNG_IMAGES, YOUNG_STEPS = 25_000, 1_000  # before either is reached nothing is alarming but a divergence
FEW_STEPS = 200  # and before these neither: large batches see many images in few updates
YOUNG_SECONDS = 20.0  # and before these only what is plain: a divergence, a player that gets no updates, a wrong range
SURE_OF_ALL = 0.97  # D's accuracy on both sides: it tells nearly all apart
FAR_APART = 3.5  # separation, in deviations, that goes with it: 96% right on both sides
FALLEN = 1e-3  # of G's gradient at the beginning: nothing is left to learn from
REVERSED = -0.3  # separation: D takes fakes for more real than real images
BLIND = 0.05  # separation, either way: D tells nothing, which is well as long as the score is
NO_BETTER = 0.9  # both accuracies together: worse than guessing
SAME = 0.3  # spread of the samples, of that of real ones
REPEATED = 0.2  # the distance to the nearest other sample, of that among real ones
ALIKE = 0.4  # the same distance, which is a collapse where the score stands still beside it: within each class, say
VARIED = 0.4  # spread that a run must have had to have lost it,
LATE_IMAGES = 200_000  # or be so late without it: `gan` draws a single digit for its first 100,000 images
EQUAL = 0.005  # the same distance where there is nothing that could vary
IDENTICAL = 0.02  # the same distance, from where the samples are one image
OUT_OF_RANGE = 0.1  # of the range of real values: no image has so little contrast
BY_HEART = 1.0  # deviations between D's logits on seen and on unseen images
NO_LABELS = 0.1  # deviations between D's logits under right and wrong classes, for as long as exams count together,
HEARD = 0.5  # and in a single one, from which D once knew them: it may forget what its G has learned to obey
STALE = 0.4  # share of the images since the best score, from which it does not count as improving
GAINING = 0.1  # share of the first score that must be gained to count as improving,
GAINING_BESIDE_PARTNERS = 0.02  # of an L1 distance, most of which is learned before it is first measured,
LOSING = 1.3  # and how many times the best score the last two may be
MANY = 6  # scores, before a run can be said to learn nothing
STUCK = 0.25  # share of the first score that has to be gained by a run that learns;
STUCK_BESIDE_PARTNERS = 0.05  # of an L1 distance
SWINGING = 0.4  # by how much of itself a score gets worse where it does, if it does so every second time
BURST = 100.0  # times a gradient has grown
UNCHANGED = 0.1  # of the distance between domains, by which a translation differs from its input,
STAYED = 0.85  # and the share of the domains' distance that it still has before it
DIFFERENT = 1.3  # times the distance of real images of one domain, from where two domains differ at all
EXACT = 0.2  # of the distance between domains, by which a cycle misses where it comes back nearly exactly
HIDDEN = 3.0  # times a disturbance that nobody sees, by which that error grows; honest short runs: 0.03 at most
UNHEARD = 0.05  # of the logits' deviation, or of the distance between domains, that a condition changes; honest: 0.2 on


@dataclass(frozen=True)
class Finding:
    """A verdict's name with its evidence; strength from 0 to 1: how far beyond its thresholds it lies."""

    name: Name
    evidence: tuple[Evidence, ...]
    strength: float = 0.5


Rule = Callable[[Signals], Finding | None]


def diverged(now: Signals) -> Finding | None:
    """A number was not finite, or gradients have burst."""
    if now.ended == "diverged":
        return Finding("diverged", (Evidence("ended", {}),), 1.0)
    for player in ("D", "G"):
        then, size = now.gradient_then[player], now.gradient[player]
        if then > 0 and size > BURST * then and size > BURST and not improving(now):
            return Finding("diverged", (Evidence("gradient.burst", {"player": player, "now": size, "then": then}),))
    return None


def too_early(now: Signals) -> Finding | None:
    """Too little was seen to say anything."""
    if now.images < YOUNG_IMAGES and now.step < YOUNG_STEPS:
        values: dict[str, float | str] = {"images": now.images, "enough": float(YOUNG_IMAGES)}
        return Finding("too early", (Evidence("young", values),), 1.0)
    if now.step < FEW_STEPS:
        return Finding("too early", (Evidence("few", {"steps": float(now.step), "enough": float(FEW_STEPS)}),), 1.0)
    return None


def frozen(now: Signals) -> Finding | None:
    """One of the two gets no updates, so the other one wins."""
    if now.silent == ("D",):
        return Finding("G winning", (Evidence("silent", {"player": "D"}), *outputs(now)), 1.0)
    if "G" in now.silent:
        return Finding("D winning", (Evidence("silent", {"player": "G"}), *outputs(now)), 1.0)
    return None


def out_of_range(now: Signals) -> Finding | None:
    """The fakes' values span a small part of the real ones', which is all that D needs to know.

    Within their range they differ from each other; where they don't, they are one flat image: a collapse.
    """
    varied = now.nearest > IDENTICAL * now.reach
    if varied and now.reach < OUT_OF_RANGE and sure_of_all(now):
        return Finding("D winning", (Evidence("range", {"reach": now.reach}), *outputs(now)), 0.9)
    return None


def never_begun(now: Signals) -> Finding | None:
    """D was sure of everything before G had learned anything: its samples may look alike, and D is the reason.

    Samples that are the same to the last pixel have another one.
    """
    way = now.progress
    sure = not now.critic and sure_of_all(now) and now.separation > FAR_APART
    if sure and way.count >= 3 and way.gained < gaining(now) and now.nearest > IDENTICAL and not now.spread_rising:
        return Finding("D winning", (*outputs(now), *score(now)), _beyond(now.separation, FAR_APART))
    return None


def too_soon(now: Signals) -> Finding | None:
    """Points train at thousands of steps a minute: what is wrong after seconds may be right before one can read it."""
    if now.seconds < YOUNG_SECONDS:
        values: dict[str, float | str] = {"seconds": now.seconds, "enough": YOUNG_SECONDS}
        return Finding("too early", (Evidence("soon", values),), 1.0)
    return None


def mode_collapse(now: Signals) -> Finding | None:
    """The samples repeat each other, and once did not; a run that begins with one image gets more time.

    So they may within each class or kind alone, far from one another otherwise; a run that still gets better may yet
    get over that, and one whose score stands still doesn't.
    """
    if now.exams < 3 or now.spread_rising:
        return None
    lost = now.spread_best > VARIED or now.images > LATE_IMAGES or now.nearest < EQUAL
    repeated = now.nearest < REPEATED or (now.nearest < ALIKE and not improving(now))
    if lost and (now.spread < SAME or repeated):
        strength = max(1 - now.spread / SAME, 1 - now.nearest / REPEATED, 0.5)
        values: dict[str, float | str] = {"spread": now.spread, "nearest": now.nearest}
        told = Evidence("variety.alone", values)
        if not math.isnan(now.coverage):  # translators have none
            told = Evidence("variety", values | {"coverage": now.coverage})
        return Finding("mode collapse", (told, *score(now)), strength)
    return None


def memorising(now: Signals) -> Finding | None:
    """D knows the training images by heart: it tells them from others of the same kind."""
    if now.gap > BY_HEART:
        return Finding("memorising", (Evidence("gap", {"gap": now.gap}), *score(now)), _beyond(now.gap, BY_HEART))
    return None


def identity_collapse(now: Signals) -> Finding | None:
    """A translator gives back what it was given, though its domains differ."""
    seen = now.probe
    if now.exams >= 3 and seen["apart"] > DIFFERENT and seen["change"] < UNCHANGED and seen["arrived"] > STAYED:
        values: dict[str, float | str] = {name: seen[name] for name in ("change", "arrived")}
        return Finding("identity collapse", (Evidence("unchanged", values),), 1 - 0.5 * seen["change"] / UNCHANGED)
    return None


def condition_ignored(now: Signals) -> Finding | None:
    """D's word does not depend on what an image was made of, or G's image not on the domain it is asked for."""
    if now.exams < 3:
        return None
    heard = {name: now.probe[name] for name in ("condition", "asked")}
    subtle = now.probe["apart"] <= DIFFERENT  # domains that hardly differ are led into each other by small changes
    if heard["condition"] < UNHEARD:
        found = Evidence("unheard.D", {"change": heard["condition"]})
        return Finding("condition ignored", (found, *score(now)), 1 - 0.5 * heard["condition"] / UNHEARD)
    if heard["asked"] < UNHEARD and not subtle:
        found = Evidence("unheard.G", {"change": heard["asked"]})
        return Finding("condition ignored", (found, *score(now)), 1 - 0.5 * heard["asked"] / UNHEARD)
    return None


def steganographic(now: Signals) -> Finding | None:
    """Cycles come back nearly exactly, by what the translations hide: a disturbance that nobody sees destroys it."""
    seen = now.probe
    if now.exams >= 3 and seen["cycle"] < EXACT and seen["fragile"] > HIDDEN:
        values: dict[str, float | str] = {name: seen[name] for name in ("cycle", "fragile")}
        return Finding("steganographic", (Evidence("fragile", values),), _beyond(seen["fragile"], HIDDEN))
    return None


def d_winning(now: Signals) -> Finding | None:
    """D is sure of everything, or nothing of its verdict reaches G; and the images do not get better or more varied."""
    if improving(now) or now.spread_rising:
        return None
    vanished = now.gradient_then["G"] > 0 and now.gradient["G"] < FALLEN * now.gradient_then["G"]
    if vanished:
        values: dict[str, float | str] = {"player": "G", "now": now.gradient["G"], "then": now.gradient_then["G"]}
        return Finding("D winning", (Evidence("gradient.gone", values), *outputs(now), *score(now)), 0.9)
    if sure_of_all(now) and not now.critic:  # a critic may be sure: its gradient does not vanish
        return Finding("D winning", (*outputs(now), *score(now)), _beyond(now.separation, FAR_APART))
    return None


def g_winning(now: Signals) -> Finding | None:
    """D takes fakes for real ones more than real ones, is worse than guessing, or is blind while images get worse."""
    if improving(now):
        return None
    if now.separation < REVERSED or now.acc_real + now.acc_fake < NO_BETTER or gone_blind(now):
        return Finding("G winning", (*outputs(now), *score(now)))
    return None


def gone_blind(now: Signals) -> bool:
    """Whether D tells nothing any more, although images are worse than they were."""
    return abs(now.separation) < BLIND and now.progress.count >= MANY and now.progress.lost > LOSING


def oscillating(now: Signals) -> Finding | None:
    """The score goes up and down and gets nowhere."""
    way = now.progress
    if way.count >= 4 and way.swing > SWINGING and way.since_best > STALE / 2:
        values: dict[str, float | str] = {"swing": way.swing, "score": str(way.name)}
        return Finding("oscillating", (Evidence("swing", values), *score(now)), _beyond(way.swing, SWINGING))
    return None


def not_learning(now: Signals) -> Finding | None:
    """The score is where it was, or the classes mean nothing to D."""
    if now.labels and now.exams >= 3 and now.label_gap_best < NO_LABELS and now.label_gap_most < HEARD:
        return Finding("not learning", (Evidence("labels", {"gap": now.label_gap}),), 0.8)
    way = now.progress
    least = STUCK_BESIDE_PARTNERS if way.name == "l1" else STUCK
    if way.count >= MANY and way.gained < least and way.since_best > STALE and way.after_best >= 2:
        return Finding("not learning", (*score(now), *outputs(now)), 0.6)
    return None


def learning(now: Signals) -> Finding | None:
    """The score gets better."""
    return Finding("learning", (*score(now), *outputs(now)), 0.8) if improving(now) else None


def balanced(now: Signals) -> Finding:
    """Neither side wins, and the score stays where it is."""
    return Finding("balanced", (*outputs(now), *score(now)), 0.5)


RULES: tuple[Rule, ...] = (
    diverged,
    too_early,
    frozen,
    out_of_range,
    too_soon,
    never_begun,
    mode_collapse,
    identity_collapse,
    memorising,
    condition_ignored,
    steganographic,
    d_winning,
    g_winning,
    oscillating,
    not_learning,
    learning,
    balanced,
)


def judge(now: Signals) -> Finding:
    """The first finding of the rules."""
    return next(found for rule in RULES if (found := rule(now)) is not None)


def sure_of_all(now: Signals) -> bool:
    """Whether D tells nearly all apart, on both sides."""
    return min(now.acc_real, now.acc_fake) >= SURE_OF_ALL


def improving(now: Signals) -> bool:
    """Whether the best score is recent; with too few scores to know, it is taken to be."""
    way = now.progress
    fresh = way.since_best <= STALE or way.after_best < 2  # scores are far apart at first
    return way.count < 3 or (fresh and way.gained > gaining(now) and way.lost < LOSING)


def gaining(now: Signals) -> float:
    """The share of the first score that must be gained to count as improving."""
    return GAINING_BESIDE_PARTNERS if now.progress.name == "l1" else GAINING


def outputs(now: Signals) -> tuple[Evidence, ...]:
    """How D judges both sides, as evidence, where it is known."""
    if math.isnan(now.acc_real) or math.isnan(now.acc_fake):
        return ()
    apart: dict[str, float | str] = {"separation": now.separation, "window": float(now.window)}
    if now.critic:
        return (Evidence("critic", apart),)
    found = [Evidence("accuracy", {"real": now.acc_real, "fake": now.acc_fake, **apart})]
    if now.rest and not any(math.isnan(now.loss[player]) for player in now.rest):
        rest = {f"rest_{player}": value for player, value in now.rest.items()}
        found.append(Evidence("loss", {**now.loss, **rest}))
    return tuple(found)


def score(now: Signals) -> tuple[Evidence, ...]:
    """How the score went, as evidence, where there are some."""
    way = now.progress
    if way.count < 2:
        return ()
    values: dict[str, float | str] = {"score": str(way.name), "first": way.first, "last": way.last, "best": way.best}
    return (Evidence("score", {**values, "since": way.since_best}),)


def _beyond(value: float, threshold: float) -> float:
    """0.5 at the threshold, towards 1 far beyond it."""
    return 0.5 if math.isnan(value) else min(1.0, max(0.5, 1 - 0.5 * threshold / max(value, threshold)))
