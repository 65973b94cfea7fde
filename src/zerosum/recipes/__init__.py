"""Recipes by name: one data-only file for each published system, found by its file name."""

from __future__ import annotations

import importlib

from zerosum.errors import UserError, nearest
from zerosum.registry import modules
from zerosum.spec import Recipe

__all__ = ["names", "recipe"]


def names() -> list[str]:
    """The names of all recipes, in order."""
    return [module.replace("_", "-") for module in modules(__name__)]


def recipe(name: str) -> Recipe:
    """The recipe of that name; `UserError` suggests the nearest one where there is none."""
    if name not in names():
        raise UserError(f"no recipe {name!r}; {nearest(name, names())}")
    found = importlib.import_module(f"{__name__}.{name.replace('-', '_')}").RECIPE
    assert isinstance(found, Recipe)
    assert found.name == name
    return found
