"""Games by name: who plays against whom, for what loss; nothing is imported until a name is looked up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zerosum.games import rules as rules  # whoever reads a recipe from JSON needs its game's rules to be known
from zerosum.registry import Registry

if TYPE_CHECKING:
    from zerosum.games.base import Game

__all__ = ["GAMES", "rules"]

GAMES: Registry[type[Game]] = Registry("game", "zerosum.games")
