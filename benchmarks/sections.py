"""docs/benchmarks.md is made of sections, each written by a script of its own into docs/benchmarks/NAME.md."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "benchmarks"
ORDER = (
    "speed",
    "speed-avx2",
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


def write_section(name: str, about: dict[str, Any], lines: list[str]) -> None:
    """Keep what was measured as NAME.json, its section as NAME.md, and make the page of the sections there are."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(about, indent=1) + "\n")
    (FOLDER / f"{name}.md").write_text("\n".join(lines) + "\n")
    parts = [path.read_text() for name in ORDER if (path := FOLDER / f"{name}.md").exists()]
    FOLDER.with_suffix(".md").write_text("\n".join(["# Benchmarks\n", contents(parts), *parts]))


def contents(parts: list[str]) -> str:
    """A list of links to the headings of the second level, as GitHub names them."""
    lines = []
    for heading in re.findall(r"^## (.+)$", "\n".join(parts), re.MULTILINE):
        anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        lines.append(f"- [{heading}](#{anchor})")
    return "\n".join([*lines, ""])
