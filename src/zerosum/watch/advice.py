"""What to try next under each verdict, as commands with this run's own numbers, the most promising first.

From what the literature says of GAN training: rates and their balance (TTUR, arXiv 1706.08500), the non-saturating loss
(1406.2661), one-sided smoothing (1606.03498), R1 (1801.04406), beta1 of 0.5 and less (1511.06434, 1704.00028), the
average of G (1806.04498), and of what cycles hide (1712.02950).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from zerosum.shell import typed
from zerosum.spec import SANE_RATES, lowered
from zerosum.watch.rules import STUCK, Finding, gone_blind
from zerosum.watch.signals import Signals
from zerosum.watch.verdict import Advice

USUAL_BETA1 = 0.9  # Adam's own; more is never meant for a GAN
GENTLE = "shift,scale,stretch,brightness,contrast"  # operations after which most images are still possible ones
FAR_APART = 8  # times one player's rate the other's, from where it is the first suspect
CROSS_ENTROPY = ("saturating", "non-saturating")
BALANCED = {"r1", "r2", "gp", "drift", "ada_target"}  # what a game with a balance of its own (BEGAN) refuses
Fields = Mapping[str, Any]


def advice(finding: Finding, now: Signals, recipe: Fields) -> tuple[Advice, ...]:
    """At most three things to try. recipe: as run.json has it."""
    tried = (one for one in ADVISERS[finding.name](finding, now, recipe) if _known(one, recipe))
    return tuple(islice(tried, 3))


def _known(tried: Advice, recipe: Fields) -> bool:
    """Whether the run has all settings that the command changes; true of a recipe that is not known."""
    there = {*recipe, *(recipe.get("game") or {})}
    if _game(recipe, "k_rate") is not None:
        there -= BALANCED
    return not there or there.issuperset(re.findall(r"--set ([^=\s.]+)=", tried.command or ""))


def _diverged(finding: Finding, now: Signals, recipe: Fields) -> Iterator[Advice]:
    absurd = any(_lr(recipe, name) > SANE_RATES[_optimizer(recipe, name)] for name in ("G", "D"))
    yield Advice("lower.both", f"zerosum resume RUN {'--from start ' if absurd else ''}{_rates(recipe, 0.1)}")
    if not _game(recipe, "r1") and not _game(recipe, "gp"):
        yield Advice("penalty", "zerosum resume RUN --set r1=1")


def _settings(now: Signals, recipe: Fields) -> Iterator[Advice]:
    """What stands out in the run's own settings, which comes before anything else."""
    if _beta1(recipe) > USUAL_BETA1:
        yield Advice("beta1", _branch(now, "--beta1 0.5"))
    rate = {player: _lr(recipe, player) for player in ("D", "G")}
    if rate["D"] >= FAR_APART * rate["G"]:
        yield Advice("apart.D", _branch(now, f"--set D.lr={rate['G']:.2g}"))
    if rate["G"] >= FAR_APART * rate["D"]:
        yield Advice("apart.G", _branch(now, f"--set G.lr={rate['D']:.2g}"))


def _d_winning(finding: Finding, now: Signals, recipe: Fields) -> Iterator[Advice]:
    if "G" in now.silent:
        yield Advice("wake.G", f"zerosum resume RUN --from start --set G.frozen=false{_awake(recipe, 'G')}")
        return
    if any(found.key == "range" for found in finding.evidence):
        yield Advice("range", f"zerosum data show {_data(recipe)}")
        return
    yield from _settings(now, recipe)
    if _game(recipe, "loss") == "saturating":
        yield Advice("non-saturating", _branch(now, "--set loss=non-saturating"))
    if _game(recipe, "n_critic", 1) > 1 and _game(recipe, "loss") != "wasserstein":
        yield Advice("fewer.turns", _branch(now, "--set n_critic=1"))
    yield Advice("lower.D", _branch(now, f"--set D.lr={_lr(recipe, 'D') / 10:.2g}"))
    if _game(recipe, "loss") in CROSS_ENTROPY and _game(recipe, "target_real", 1.0) == 1:
        yield Advice("smooth", _branch(now, "--set target_real=0.9"))
    yield Advice("look", f"zerosum data show {_data(recipe)}")


def _g_winning(finding: Finding, now: Signals, recipe: Fields) -> Iterator[Advice]:
    if "D" in now.silent:
        yield Advice("wake.D", f"zerosum resume RUN --from start --set D.frozen=false{_awake(recipe, 'D')}")
        return
    if gone_blind(now):
        yield Advice("lower.both", _branch(now, _rates(recipe, 0.25)))
        return
    yield Advice("lower.G", _branch(now, f"--set G.lr={_lr(recipe, 'G') / 4:.2g}"))
    if _game(recipe, "d_every", 1) > 1:
        yield Advice("more.turns", "zerosum resume RUN --set d_every=1")
    else:
        yield Advice("more.turns", f"zerosum resume RUN --set n_critic={_game(recipe, 'n_critic', 1) + 1}")


def _mode_collapse(finding: Finding, now: Signals, recipe: Fields) -> Iterator[Advice]:
    yield from _settings(now, recipe)
    yield Advice("lower.both", _branch(now, _rates(recipe, 0.25)))
    if not _game(recipe, "r1") and not _game(recipe, "gp"):
        yield Advice("penalty", _branch(now, "--set r1=1"))
    if recipe.get("inputs", "noise") == "noise":
        yield Advice("another", f"zerosum train quick --data {_data(recipe)}")


def _calmer(now: Signals, recipe: Fields) -> Iterator[Advice]:
    """What brings rest into a game that gets nowhere."""
    yield from _settings(now, recipe)
    if 0.5 < _beta1(recipe) <= USUAL_BETA1:
        yield Advice("beta1", _branch(now, "--beta1 0.5"))
    yield Advice("lower.both", _branch(now, _rates(recipe, 0.25)))


def _oscillating(finding: Finding, now: Signals, recipe: Fields) -> Iterator[Advice]:
    yield from _calmer(now, recipe)
    if not recipe.get("ema"):
        yield Advice("average", "zerosum resume RUN --set ema=0.999")


def _not_learning(finding: Finding, now: Signals, recipe: Fields) -> Iterator[Advice]:
    if any(found.key == "labels" for found in finding.evidence):
        yield Advice("labels", f"zerosum data show {_data(recipe)}")
        return
    yield from _calmer(now, recipe)
    yield Advice("look", f"zerosum data show {_data(recipe)}")


def _memorising(finding: Finding, now: Signals, recipe: Fields) -> Iterator[Advice]:
    if not _game(recipe, "augment"):
        yield Advice("augment", "zerosum resume RUN --from best --set augment=colour,translation,cutout")
    elif not _game(recipe, "ada_target"):
        yield Advice("adaptive", f"zerosum resume RUN --from best --set augment={GENTLE} --set ada_target=0.6")
    yield Advice("more.data", f"zerosum data show {_data(recipe)}")
    yield Advice("penalty", f"zerosum resume RUN --from best --set r1={max(1.0, 10 * float(_game(recipe, 'r1', 0))):g}")
    if not recipe.get("flip"):
        yield Advice("flip", "zerosum resume RUN --set flip=true")


def _identity_collapse(finding: Finding, now: Signals, recipe: Fields) -> Iterator[Advice]:
    if _game(recipe, "identity"):
        yield Advice("identity", "zerosum resume RUN --from start --set identity=0")
    yield _less_cycle(now, recipe, 4)
    yield Advice("look", f"zerosum data show {_data(recipe)}")


def _condition_ignored(finding: Finding, now: Signals, recipe: Fields) -> Iterator[Advice]:
    if any(found.key == "unheard.D" for found in finding.evidence):
        yield Advice("pairs", f"zerosum data show {_data(recipe)}")
        yield Advice("raise.D", _branch(now, f"--set D.lr={2 * _lr(recipe, 'D'):.2g}"))
        return
    if _game(recipe, "class_weight") is not None:
        weight = 4 * float(_game(recipe, "class_weight")) or 1.0
        yield Advice("class", _branch(now, f"--set class_weight={weight:g}"))
    yield _less_cycle(now, recipe, 4)
    yield Advice("look", f"zerosum data show {_data(recipe)}")


def _steganographic(finding: Finding, now: Signals, recipe: Fields) -> Iterator[Advice]:
    yield _less_cycle(now, recipe, 4)
    yield Advice("less.to.hide", f"zerosum data show {_data(recipe)}")
    yield Advice("with.pairs", "zerosum train pix2pix --data pairs:PATH")


def _less_cycle(now: Signals, recipe: Fields, times: float) -> Advice:
    return Advice("cycle", _branch(now, f"--set cycle={float(_game(recipe, 'cycle', 10.0)) / times:g}"))


def _learning(finding: Finding, now: Signals, recipe: Fields) -> Iterator[Advice]:
    yield Advice("go.on", "zerosum resume RUN --minutes +5")


def _balanced(finding: Finding, now: Signals, recipe: Fields) -> Iterator[Advice]:
    draws = recipe.get("inputs", "noise") == "noise"
    yield Advice("use", "zerosum sample RUN" if draws else "zerosum translate RUN IMAGES --out DIR")
    yield Advice("finer", f"zerosum resume RUN --from best {_rates(recipe, 0.1)} --minutes +5")


def _too_early(finding: Finding, now: Signals, recipe: Fields) -> Iterator[Advice]:
    yield Advice("wait")


ADVISERS: Mapping[str, Callable[[Finding, Signals, Fields], Iterator[Advice]]] = {
    "diverged": _diverged,
    "too early": _too_early,
    "D winning": _d_winning,
    "G winning": _g_winning,
    "mode collapse": _mode_collapse,
    "memorising": _memorising,
    "identity collapse": _identity_collapse,
    "condition ignored": _condition_ignored,
    "steganographic": _steganographic,
    "oscillating": _oscillating,
    "not learning": _not_learning,
    "learning": _learning,
    "balanced": _balanced,
}


def _game(recipe: Fields, name: str, usual: Any = None) -> Any:
    return (recipe.get("game") or {}).get(name, usual)


def _data(recipe: Fields) -> str:
    """The run's data, as a shell reads it."""
    return typed(recipe.get("data"))


def _player(recipe: Fields, name: str) -> Fields:
    found = (recipe.get("players") or {}).get(name)
    return found if isinstance(found, Mapping) else {}


def _branch(now: Signals, change: str) -> str:
    """From the best checkpoint; anew where even that is no better than the first, for its weights may be damaged."""
    way = now.progress
    worked = way.count > 1 and way.best < (1 - STUCK) * way.first
    return f"zerosum resume RUN --from {'best' if worked else 'start'} {change}"


def _lr(recipe: Fields, player: str) -> float:
    return float(_player(recipe, player).get("lr") or 2e-4)


def _optimizer(recipe: Fields, player: str) -> str:
    return str(_player(recipe, player).get("optimizer") or "adam")


def _awake(recipe: Fields, player: str) -> str:
    """A rate for a player that was held still by a rate of 0."""
    return "" if _player(recipe, player).get("lr") else f" --set {player}.lr=2e-4"


def _beta1(recipe: Fields) -> float:
    """The largest of the players that use it."""
    adam = [_player(recipe, name) for name in ("D", "G") if _optimizer(recipe, name) == "adam"]
    return max((float((player.get("betas") or [0.5])[0]) for player in adam), default=0.0)


def _rates(recipe: Fields, factor: float) -> str:
    """Options that lower both rates, one where they are equal."""
    rates = {name: lowered(_lr(recipe, name), factor, _optimizer(recipe, name)) for name in ("G", "D")}
    if rates["G"] == rates["D"]:
        return f"--lr {rates['G']:.2g}"
    return " ".join(f"--set {name}.lr={rate:.2g}" for name, rate in rates.items())
