"""`zerosum data`: look at a source, or check every file of it, before anything is trained on it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zerosum.cli import options
from zerosum.cli.app import app
from zerosum.cli.output import document, say, table, tell, undisturbed

if TYPE_CHECKING:
    from zerosum.data import Dataset

IMAGES, POINTS = 10, 2000  # shown in the terminal
LISTED = 20  # files named in the terminal; --json has them all

family = typer.Typer(context_settings={"help_option_names": ["-h", "--help"]})
app.add_typer(family, name="data", rich_help_panel="Look", help="Look at a source, or check every file of it.")

Source = Annotated[
    str,
    typer.Argument(
        help="digits, mnist, fashion-mnist, stacked, ring, grid; or folder:, pairs:, unpaired:, domains:, celeba:, "
        "ages:, upscale:, captions:, poses: or profiles: and PATH.",
        metavar="SOURCE",
    ),
]


@family.command("show")
def show_source(
    source: Source,
    out: Annotated[
        Path | None, typer.Option(help="The picture, a 5x5 grid (default: SOURCE.png here).", metavar="FILE.png")
    ] = None,
    size: options.Size = None,
    json: options.Json = False,
) -> None:
    """Show samples with their shape, range of values and classes, and write a 5x5 grid."""
    from zerosum.data import open_dataset
    from zerosum.data.show import show

    with undisturbed(json):
        dataset = open_dataset(source, size=size)
        facts = show(dataset, out or Path(f"{_stem(source)}.png"))
    if json:
        document(facts)
        return

    from zerosum.cli.outcome import show as preview

    preview(spread(dataset))
    tell(_described(facts))


@family.command("check")
def check_source(source: Source, json: options.Json = False) -> None:
    """Read every file of a source and list what is wrong: unreadable files, copies, blanks, small classes."""
    from zerosum.data.show import check

    with undisturbed(json):
        found = check(source)
    if json:
        document(found)
        return
    if found["note"]:
        say(found["note"])
    tell(f"{source}: {found['images']:,} {'images' if found['sizes'] else 'points'}, {_parts(found)}")
    for name in ("sizes", "modes", "classes"):
        if found[name]:
            tell(f"{name:<11} {_listed(found[name])}")
    tell(f"{'problems':<11} {', '.join(found['problems']) or 'none'}")
    _tell_problems(found)


def spread(dataset: Dataset) -> Any:
    """A few samples, evenly spaced, so that a source sorted by class shows several of its classes."""
    import numpy as np

    split, count = dataset.train, IMAGES if dataset.kind == "images" else POINTS
    chosen = np.linspace(0, len(split) - 1, min(count, len(split))).astype(int)
    return np.asarray(split.samples[chosen])


def _stem(source: str) -> str:
    return Path(source.partition(":")[2] or source).resolve().name.partition(".")[0] or "data"


def _described(facts: Mapping[str, Any]) -> str:
    low, high = facts["range"]
    lines = [
        f"source      {facts['name']}: {_parts(facts)}",
        f"shape       {_shape(facts)}",
        f"values      {facts['dtype']}, {low:g} to {high:g}",
        f"classes     {_listed(facts['classes']) if facts['classes'] else 'none'}",
    ]
    if facts["captions"]:
        told = "; ".join(facts["captions"]["first"])
        lines.append(f"captions    of {facts['captions']['words']:,} words, such as: {told}")
    if facts["skipped"]:
        lines.append(f"skipped     {len(facts['skipped']):,} files, which `zerosum data check` names")
    if facts["note"]:
        lines.append(f"note        {facts['note']}")
    return "\n".join([*lines, f"picture     {facts['picture']}"])


def _parts(facts: Mapping[str, Any]) -> str:
    return f"{facts['train']:,} to train on and {facts['held_out']:,} held out"


def _shape(facts: Mapping[str, Any]) -> str:
    if facts["kind"] == "points":
        return "points in the plane (N, 2)"
    channels, height, width = facts["shape"]
    colours = "grey" if channels == 1 else "colour"
    return f"images of {height}x{width} pixels, {colours} (N, {height}, {width}, {channels})"


def _listed(counts: Mapping[str, int]) -> str:
    """`10: 0 (991), 1 (1,127), …`, twenty of them at most."""
    shown = [f"{name} ({count:,})" for name, count in list(counts.items())[:LISTED]]
    more = ["…"] if len(counts) > LISTED else []
    return f"{len(counts)}: {', '.join(shown + more)}" if len(counts) > 1 else shown[0]


def _tell_problems(found: Mapping[str, Any]) -> None:
    rows = [(one["name"], one["reason"]) for one in found["unreadable"]]
    rows += [(copy, f"the same pixels as {first}") for first, *copies in found["duplicates"] for copy in copies]
    rows += [(name, "a single colour") for name in found["blank"]]
    rows += [(name, f"a class of {count}") for name, count in found["few"].items()]
    if rows:
        tell("\n" + table(("what", "why"), rows[:LISTED]))
    if len(rows) > LISTED:
        tell(f"… and {len(rows) - LISTED:,} more: --json lists them")
