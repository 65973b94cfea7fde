"""The floors of the house: an import goes down, never up, and never sideways between folders of one floor."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "zerosum"
FLOORS = (
    ("errors", "types", "spec", "registry", "eventlog", "runinfo", "shell"),
    ("data", "networks", "losses", "augment"),
    ("games",),
    ("engine", "metrics", "watch", "sampling", "export", "reporting"),
    ("recipes",),
    ("api",),
    ("bench",),
    ("cli", "studio"),
)
FLOOR = {part: level for level, parts in enumerate(FLOORS) for part in parts}
DOORS = {"__init__.py", "__main__.py"}  # of the package itself: they open onto every floor
FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if path.relative_to(PACKAGE).as_posix() not in DOORS]


def imported(path: Path) -> Iterator[str]:
    """The parts of zerosum that a file imports, wherever in the file it does so."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import hides its floor"
            names = [node.module or ""]
            if node.module == "zerosum":
                names = [f"zerosum.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        yield from (name.split(".")[1] for name in names if name.startswith("zerosum."))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_go_down(path: Path) -> None:
    part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    assert part in FLOOR, f"{part} has no floor yet"
    for other in set(imported(path)) - {part, "__version__"}:
        within = FLOOR[part] == FLOOR[other] == 0  # the words of floor 0 may use each other
        assert within or FLOOR[other] < FLOOR[part], f"{path.name}: {part} may not import {other}"


NETWORKS = PACKAGE / "networks"
SHARED = {path.stem: path for path in (NETWORKS / "layers").glob("[!_]*.py")}
OWN = {path.stem: path for path in NETWORKS.glob("[!_]*.py") if "@NETWORKS.register" in path.read_text()}


def used(path: Path, package: str) -> set[str]:
    """The modules of a package that a file imports, by name."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == package:
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{package}."):
            found.add(str(node.module).removeprefix(f"{package}.").split(".")[0])
    return found


def test_what_three_networks_share_lives_in_layers_and_nothing_else_does() -> None:
    users: dict[str, set[str]] = {name: set() for name in (*SHARED, *OWN)}
    for name, path in OWN.items():
        for other in used(path, "zerosum.networks") & OWN.keys():
            users[other].add(name)
        seen, waiting = set(), used(path, "zerosum.networks.layers")
        while waiting := waiting & SHARED.keys() - seen:
            seen |= waiting
            waiting = set().union(*(used(SHARED[layer], "zerosum.networks.layers") for layer in waiting))
        for layer in seen:
            users[layer].add(name)
    assert {name: users[name] for name in SHARED if len(users[name]) < 3} == {}
    assert {name: users[name] for name in OWN if len(users[name]) >= 3} == {}
