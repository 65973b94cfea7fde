"""docs/settings.md names every setting that there is, and none that there is not."""

import dataclasses
import re
from pathlib import Path

import pytest

import zerosum.games.rules  # noqa: F401  (the games' rules register themselves)
from zerosum.networks import NETWORKS, arguments
from zerosum.spec import ALIASES, Player, Recipe, Rules, Stage

PAGE = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")


def fields(kind):
    return {field.name for field in dataclasses.fields(kind)}


def named(heading):
    """The keys in the first cells of a section's tables."""
    part = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    (text,) = (one for one in part if one.startswith(heading))
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return {key for cell in cells for key in re.findall(r"`(\w+)`", cell)}


def every_rule():
    return set().union(*map(fields, Rules.kinds.values()))


def every_argument():
    return set().union(*(arguments(name) for name in NETWORKS))


@pytest.mark.parametrize(
    ("heading", "keys"),
    [
        ("The run", fields(Recipe) - {"name", "title", "source", "notes", "players", "game"}),
        ("A player", fields(Player) - {"args"} | {*ALIASES}),
        ("A stage", fields(Stage)),
        ("The game", every_rule()),
        ("Networks", every_argument()),
    ],
)
def test_the_page_names_exactly_the_settings_that_there_are(heading, keys):
    assert named(heading) == keys
