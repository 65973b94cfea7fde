"""Games by name: who plays against whom, for what loss; nothing is imported until a name is looked up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zerosum.registry import Registry

if TYPE_CHECKING:
    from zerosum.games.base import Game

__all__ = ["GAMES"]

GAMES: Registry[type[Game]] = Registry("game", "zerosum.games")
