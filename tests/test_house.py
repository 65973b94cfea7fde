"""The house style where a machine can read it: short functions, docstrings, nothing printed, nothing of one machine."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = sorted((ROOT / "src").rglob("*.py"))
RECIPES = [path for path in sorted((ROOT / "src/zerosum/recipes").glob("*.py")) if path.name != "__init__.py"]
EVERYTHING = [path for folder in ("src", "tests", "examples", "benchmarks") for path in (ROOT / folder).rglob("*.py")]

LONGEST_FUNCTION, LONGEST_FILE = 40, 400
EXCEPTIONS: dict[str, str] = {}  # "file.py" or "file.py:function" -> why it may be longer

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("path", EVERYTHING, ids=name_of)
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE or path.name in EXCEPTIONS


@pytest.mark.parametrize("path", SOURCE, ids=name_of)
def test_functions_are_short(path: Path) -> None:
    long = []
    for node in ast.walk(tree(path)):
        if isinstance(node, Function) and f"{path.name}:{node.name}" not in EXCEPTIONS:
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            long += [f"{path.name}:{node.name}: {length} lines"] if length > LONGEST_FUNCTION else []
    assert not long


def test_exceptions_are_still_needed_and_say_why() -> None:
    known = {path.name for path in SOURCE}
    assert all(name.partition(":")[0] in known and reason for name, reason in EXCEPTIONS.items())
    assert len(EXCEPTIONS) <= 5


@pytest.mark.parametrize("path", SOURCE, ids=name_of)
def test_what_is_public_has_a_docstring(path: Path) -> None:
    module = tree(path)
    silent = [] if not module.body or ast.get_docstring(module) else [path.name]
    named = [node for node in module.body if isinstance(node, Function | ast.ClassDef)]
    silent += [node.name for node in named if not node.name.startswith("_") and not ast.get_docstring(node)]
    assert not silent


@pytest.mark.parametrize("path", SOURCE, ids=name_of)
def test_nothing_is_printed_and_nothing_is_excepted_blindly(path: Path) -> None:
    for node in ast.walk(tree(path)):
        called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
        assert not called, f"{path.name} prints"
        assert not (isinstance(node, ast.ExceptHandler) and node.type is None), f"{path.name} has a bare except"


def test_torchvision_and_pickle_are_never_imported() -> None:
    banned = {"torchvision", "pickle", "dill", "joblib"}
    guilty = [name_of(path) for path in SOURCE if banned & {name.split(".")[0] for name in imported(path)}]
    guilty += [name_of(path) for path in EVERYTHING if any(name.startswith("torchvision") for name in imported(path))]
    assert not guilty


@pytest.mark.parametrize("path", RECIPES, ids=name_of)
def test_a_recipe_is_data_only(path: Path) -> None:
    allowed = ast.Expr | ast.Import | ast.ImportFrom | ast.Assign | ast.AnnAssign
    module = tree(path)
    assert all(isinstance(node, allowed) for node in module.body)
    assert set(imported(path)) <= {"__future__", "zerosum.spec", "zerosum.games.rules"}
    assert any(isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "RECIPE" for node in module.body)


def tracked() -> list[Path]:
    found = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if found.returncode:
        pytest.skip("not a git checkout, so there are no tracked files")
    return [ROOT / name for name in found.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_tracked_file_knows_one_machine_or_one_registry() -> None:
    # Put together here, so that this file does not find itself.
    places = re.compile(
        r"/(?:wo" r"rk|ro" r"ot|op" r"t/(?:wheels|pypi))\b/?|file:/" r"//|pyp" r"i\.org|pythonhost" r"ed"
    )
    guilty = []
    for path in tracked():
        raw = path.read_bytes()
        if b"\0" in raw:
            continue
        guilty += [f"{name_of(path)}: {match}" for match in places.findall(raw.decode("utf-8", "replace"))]
    assert not guilty


@pytest.mark.parametrize("page", [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")], ids=name_of)
def test_links_between_the_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    lost = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not lost
