"""`zerosum recipes`: the list of published systems, or one of them with every number and every layer."""

from __future__ import annotations

import dataclasses
import json as json_format
import shutil
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zerosum.cli import options
from zerosum.cli.app import app
from zerosum.cli.output import document, table, tell, undisturbed
from zerosum.errors import UserError
from zerosum.types import Domain

if TYPE_CHECKING:
    from zerosum.networks.describe import Layer
    from zerosum.spec import Recipe

DIGIT, FACE, PHOTO = 28, 64, 256  # pixels
TEXT = (36, 10)  # words that the captions of digits are made of, and of one caption
NAMELESS = {
    "pairs": "pairs of images",
    "domains": "sets of images",
    "codes": "sets of images",
    "poses": "pairs of images with poses",
    "profiles": "faces with landmarks",
}
MAPS = {"poses": 19, "profiles": 5}  # beside an image's channels: 18 joints and the body; five landmarks


@app.command(rich_help_panel="Look")
def recipes(
    name: Annotated[str | None, typer.Argument(help="Show this one in full.")] = None,
    json: options.Json = False,
    diagram: Annotated[
        Path | None, typer.Option(help="Write the networks as a picture, with NAME.", metavar="FILE.svg")
    ] = None,
) -> None:
    """List the recipes; with NAME, every parameter and both networks layer by layer."""
    if name is None:
        if diagram is not None:
            raise UserError("--diagram draws one recipe: name it, as in `zerosum recipes dcgan-lite --diagram a.svg`")
        _list(json)
    else:
        _show(name, json, diagram)


def _list(json: bool) -> None:
    from zerosum.recipes import names, recipe

    found = [recipe(name) for name in names()]
    if json:
        document([{"name": one.name, "title": one.title, "source": one.source, "needs": needs(one)} for one in found])
    else:
        tell(_listing([(one.name, one.title, needs(one), one.source) for one in found]))
        tell("\n`zerosum recipes NAME` shows one in full, `zerosum train NAME` runs it.")


def _listing(rows: list[tuple[str, str, str, str]]) -> str:
    """A line for each recipe in a pipe; in a terminal, which is narrower, the source stands beneath."""
    if not sys.stdout.isatty():
        return table(("recipe", "what", "needs", "source"), rows)
    left = max(len(row[0]) for row in rows) + 2
    width = max(shutil.get_terminal_size().columns - left, 30)
    lines = []
    for name, title, needed, source in rows:
        beneath = textwrap.wrap(f"needs {needed}; {source}", width)
        lines += [f"{name:<{left}}{title}", *(" " * left + line for line in beneath)]
    return "\n".join(lines)


def needs(recipe: Recipe) -> str:
    """What a recipe must be given: its source of data, and what it asks of it."""
    if recipe.kind == "points":
        return recipe.data or "points in the plane"
    nameless = NAMELESS.get(recipe.inputs, "a folder of images")
    parts = [recipe.data or nameless]
    if recipe.kind == "any":
        parts.append("or points")
    if recipe.size is not None:
        parts.append(f"{recipe.size}x{recipe.size}")
    if recipe.channels is not None:
        parts.append("grey" if recipe.channels == 1 else "colour")
    if recipe.captions == "required":
        parts.append("with captions")
    if recipe.classes == "required" and recipe.inputs == "noise":
        parts.append("with labels")
    return ", ".join(parts)


def _show(name: str, json: bool, diagram: Path | None) -> None:
    from zerosum.recipes import recipe

    found = recipe(name)
    with undisturbed(json):
        networks = _networks(found)
        if diagram is not None:
            _draw(found, networks, diagram)
    if json:
        document({**found.to_dict(), "needs": needs(found), "settings": values(found), "networks": _plain(networks)})
        return
    tell(f"{found.name}: {found.title}\n\nsource    {found.source}\nneeds     {needs(found)}")
    for note in found.notes:
        tell(f"note      {note}")
    tell(f"\nSettings, each for --set KEY=VALUE; the game is {found.game.kind}\n")
    for key, value in values(found).items():
        tell(f"  {key:<22} {_written(value)}")
    for player, layers in networks.items():
        tell(f"\n{_layers(player, found, layers)}")
    if diagram is not None:
        tell(f"\n{diagram}")
    tell(f"\nzerosum train {name}")


def values(recipe: Recipe) -> dict[str, Any]:
    """Every setting by the dotted name that `--set` takes, with its value."""
    fields = recipe.to_dict()
    names = recipe.keys()
    found = {}
    for key in names:
        player, _, rest = key.partition(".")
        if not rest:
            found[key] = fields[key] if key in fields else fields["game"][key]
        else:
            side = fields["players"][player]
            found[key] = side["args"][rest] if rest in side["args"] else side[rest]
    return found


def _written(value: Any) -> str:
    """A value as `--set` takes it: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json_format.dumps(value, ensure_ascii=False)


def _domain(recipe: Recipe) -> Domain:
    """What the networks are shown for: the recipe's own data, or colour images: 64x64, to translate 256x256."""
    if recipe.kind == "points":
        return Domain(shape=(2,), value_range=recipe.value_range)
    named = recipe.data is not None
    usual = DIGIT if named else FACE if recipe.inputs in ("noise", "codes") else PHOTO
    fitting = sorted(size for size in recipe.sizes if size >= usual) or sorted(recipe.sizes)
    size = recipe.size or (fitting[0] if fitting else usual)
    classes = 10 if named and recipe.classes != "ignored" else None
    shape = (recipe.channels or (1 if named else 3), size, size)
    return Domain(
        shape=shape,
        classes=2 if recipe.inputs in ("domains", "codes", "profiles") else classes,
        value_range=recipe.value_range,
        source=source_of(recipe, shape),
        text=TEXT if recipe.captions == "required" else None,
    )


def source_of(recipe: Recipe, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """What G is given where it makes images of that shape; None where that is noise."""
    if recipe.inputs == "noise":
        return None
    if recipe.inputs in MAPS:
        return shape[0] + MAPS[recipe.inputs], *shape[1:]
    return shape if recipe.inputs != "small" else (shape[0], shape[1] // 4, shape[2] // 4)


def _networks(recipe: Recipe) -> dict[str, list[Layer]]:
    from zerosum.networks.describe import describe_player

    return {name: describe_player(player, _domain(recipe)) for name, player in recipe.players.items()}


def _layers(player: str, recipe: Recipe, layers: list[Layer]) -> str:
    from zerosum.networks.describe import totals

    parameters, multiply_adds = totals(layers)
    network = recipe.players[player].network
    head = f"{player}  {network}: {parameters:,} parameters, {multiply_adds:,} multiply-adds a sample"
    rows = [
        (
            layer.name,
            f"{layer.kind} {layer.settings}".strip(),
            "x".join(map(str, layer.output)),
            f"{layer.parameters:,}" if layer.parameters else "",
            f"{layer.multiply_adds:,}" if layer.multiply_adds else "",
        )
        for layer in layers
    ]
    return f"{head}\n\n{table(('layer', 'what', 'output', 'parameters', 'multiply-adds'), rows)}"


def _draw(recipe: Recipe, networks: dict[str, list[Layer]], path: Path) -> None:
    from zerosum.networks.diagram import diagram
    from zerosum.sampling.files import replacing

    if path.suffix.lower() != ".svg":
        raise UserError(f"--diagram {path}: the picture is an SVG, so give a name that ends in .svg")
    with replacing(path) as partial:
        partial.write_text(diagram(recipe.name, networks), encoding="utf-8")


def _plain(networks: dict[str, list[Layer]]) -> dict[str, Any]:
    from zerosum.networks.describe import totals

    return {
        player: {
            "parameters": totals(layers)[0],
            "multiply_adds": totals(layers)[1],
            "layers": [dataclasses.asdict(layer) for layer in layers],
        }
        for player, layers in networks.items()
    }
