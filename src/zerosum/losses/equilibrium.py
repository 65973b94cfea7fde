"""What the losses are where D can tell nothing, from a recipe's numbers alone: log 2 and its kin (arXiv 1406.2661)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from zerosum.eventlog import number

LOG2 = math.log(2)
PROBABILITIES = ("non-saturating", "relativistic", "saturating")  # losses under which D(x) is shown as one


def is_adversarial(term: str) -> bool:
    """Whether a logged loss of that name, after its player's, is what D says: whole, in parts, or of each judge."""
    return term in ("", "adv", "real", "fake") or term.startswith("adv_")


def gives_probabilities(recipe: Mapping[str, Any]) -> bool:
    """Whether D(x) in the log is a probability: of being real, or (relativistic) more real than the other side."""
    game = recipe.get("game")
    return isinstance(game, Mapping) and game.get("loss") in PROBABILITIES


def equilibrium(recipe: Mapping[str, Any]) -> dict[str, float]:
    """What each player's adversarial loss is where D can tell nothing, all of its judges together: see `of_one_judge`.

    Where the recipe weighs D's word in G's loss, G's is as much; without such a word there is none.
    """
    game = recipe.get("game")
    if not isinstance(game, Mapping):
        return {}
    judges = 2 if game.get("kind") == "cycle" else 1
    weights = {"D": judges, "G": judges * _setting(game, "adversarial", 1.0)}
    return {player: weights[player] * value for player, value in of_one_judge(recipe).items() if weights[player]}


def of_one_judge(recipe: Mapping[str, Any]) -> dict[str, float]:
    """What each player's adversarial loss is where D can tell nothing: of logistic losses only.

    D's best answer to everything is then the mean of its two targets, p = 1/2 without one-sided smoothing. Its
    loss is d_scale times that of the real and that of the fake part together; G's is that of its target at p.
    Without smoothing they are 2 log 2 d_scale and log 2 (-log 2 for the saturating loss). The relativistic
    loss compares, with one term for each player: log 2 d_scale and log 2 where no output differs.
    """
    game = recipe.get("game")
    if not isinstance(game, Mapping):
        return {}
    if game.get("loss") == "relativistic":
        return {"D": LOG2 * _setting(game, "d_scale", 1.0), "G": LOG2}
    if not gives_probabilities(recipe):
        return {}
    scale, real, fake, wanted = (
        _setting(game, key, usual)
        for key, usual in (("d_scale", 1.0), ("target_real", 1.0), ("target_fake", 0.0), ("target_g", 1.0))
    )
    p = (real + fake) / 2
    if not 0 < p < 1:
        return {}
    g = math.log(1 - p) if game["loss"] == "saturating" else _cross_entropy(wanted, p)
    return {"D": 2 * scale * _cross_entropy(p, p), "G": g}


def _setting(game: Mapping[str, Any], key: str, usual: float) -> float:
    value = number(game.get(key))
    return usual if math.isnan(value) else value


def _cross_entropy(target: float, p: float) -> float:
    return -target * math.log(p) - (1 - target) * math.log(1 - p)
