"""docs/benchmarks.md is made of sections, each written by a script of its own into docs/benchmarks/NAME.md."""

from __future__ import annotations

import json
import re
import statistics
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "benchmarks"
ORDER = (
    "speed",
    "speed-avx2",
    "paths",
    "gpu",
    "quality",
    "costs",
    "parameters",
    "attention",
    "public",
    "few",
    "growth",
    "logging",
    "watch",
)


def kept(name: str, here: dict[str, Any], rows: str) -> dict[str, Any]:
    """What NAME.json holds, by the same machine and torch as `here`; of another one it is dropped, and no row is there.

    A table compares its rows, so one machine measures all of them. rows: the key that they are under.
    """
    path = FOLDER / f"{name}.json"
    about = json.loads(path.read_text()) if path.exists() else {rows: {}}
    if any(about.get(key, value) != value for key, value in here.items()):
        print(f"{path.name} is of another machine: all of it is measured anew", flush=True)
        about = {rows: {}}
    return {**about, **here}


def said(turns: list[float]) -> str:
    """`142 (139-144)`."""
    digits = 0 if min(turns) >= 10 else 1
    middle, low, high = (f"{value:,.{digits}f}" for value in (statistics.median(turns), min(turns), max(turns)))
    return f"{middle} ({low}-{high})"


def by_round(ours: list[float], theirs: list[float]) -> str:
    """`(1.17-1.26)`: how many times as fast we were than they in the same round, at least and at most."""
    rounds = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    return f"({min(rounds):.2f}-{max(rounds):.2f})"


def write_section(name: str, about: dict[str, Any], lines: list[str]) -> None:
    """Keep what was measured as NAME.json, its section as NAME.md, and make the page of the sections there are."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(about, indent=1) + "\n")
    (FOLDER / f"{name}.md").write_text("\n".join(lines) + "\n")
    parts = [path.read_text() for name in ORDER if (path := FOLDER / f"{name}.md").exists()]
    FOLDER.with_suffix(".md").write_text("\n".join(["# Benchmarks\n", machines(), contents(parts), *parts]))


def machines() -> str:
    """Which machines the numbers are of, and how many times as fast the one is as the other, by both races."""
    here, other = (json.loads((FOLDER / f"{name}.json").read_text()) for name in ("speed", "speed-other"))
    times = [
        statistics.median(race["results"]["zerosum"]["rates"])
        / statistics.median(here["races"][name]["results"]["zerosum"]["rates"])
        for name, race in other["races"].items()
        if name in here["races"]
    ]
    said_so = f', which is {min(times):.1f} to {max(times):.1f} times as fast as "{here["machine"]}"' if times else ""
    return (
        "Each section names its machine, and its numbers are of that one alone. There were others before the first "
        f'table\'s: "{other["machine"]}"{said_so}.\n'
    )


def contents(parts: list[str]) -> str:
    """A list of links to the headings of the second level, as GitHub names them."""
    lines = []
    for heading in re.findall(r"^## (.+)$", "\n".join(parts), re.MULTILINE):
        anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        lines.append(f"- [{heading}](#{anchor})")
    return "\n".join([*lines, ""])
