"""The architecture of a recipe as a picture: one self-contained SVG, for light and dark pages.

Each layer with weights is a block, drawn from the shape that comes out of it: higher means more pixels,
deeper more channels, both on a logarithmic scale. What follows without weights stands beneath.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from xml.sax.saxutils import escape

from zerosum.networks.describe import Layer, totals

__all__ = ["diagram"]

COLUMN = 136  # px from one block to the next
MARGIN = 28
PER_ROW = 8  # blocks, then the picture goes on below
DRAWING = 148  # px of a row for the block itself
LINE = 17
GAP = 26  # between rows

ROLES = {"G": "G, the generator", "D": "D, the discriminator"}
FAMILIES = {
    "input": "data",
    "conv": "conv",
    "transposed conv": "up",
    "linear": "dense",
    "maxout": "dense",
    "embedding": "dense",
    "parameter": "dense",
}
LEGEND = (
    ("data", "input"),
    ("up", "transposed conv"),
    ("conv", "conv"),
    ("dense", "linear, maxout, embedding"),
    ("other", "other"),
)
NORMS = ("batch norm", "layer norm", "group norm")
SPOKEN = ("leaky relu", "dropout")  # kinds whose settings are worth a word

STYLE = """
text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; fill: #1c2430; }
.page { fill: #ffffff; }
.title { font-size: 20px; font-weight: 600; }
.role { font-size: 15px; font-weight: 600; }
.shape { font-size: 12px; font-weight: 600; text-anchor: middle; }
.kind { font-size: 12px; font-weight: 600; text-anchor: middle; }
.small { font-size: 11.5px; text-anchor: middle; }
.note { font-size: 12px; }
.small, .note { fill: #56616f; }
.wire { stroke: #8792a0; stroke-width: 1.5; fill: none; }
.tip { fill: #8792a0; }
.apart { stroke-dasharray: 3 4; }
.block { stroke: #1c2430; stroke-opacity: .35; stroke-width: .8; stroke-linejoin: round; }
.top { fill-opacity: .75; } .side { fill-opacity: .5; }
.data { fill: #b8c0ca; } .conv { fill: #4c8fd6; } .up { fill: #e0873a; } .dense { fill: #59a86b; }
.other { fill: #9b7fc4; }
@media (prefers-color-scheme: dark) {
  text { fill: #e8ecf1; }
  .page { fill: #12161c; }
  .small, .note { fill: #a3aebb; }
  .block { stroke: #e8ecf1; }
  .wire { stroke: #74808e; } .tip { fill: #74808e; }
  .data { fill: #7d8896; } .conv { fill: #4a8bd0; } .up { fill: #d27c33; } .dense { fill: #4f9a60; }
}
"""


def diagram(recipe_name: str, players: dict[str, list[Layer]]) -> str:
    """The networks of a recipe as SVG text; `players` maps "G", "D", … to their layers."""
    parts: list[str] = []
    groups = {name: _blocks(layers) for name, layers in players.items()}
    columns = max(min(len(blocks), PER_ROW) for blocks in groups.values())
    width = max(2 * MARGIN + columns * COLUMN, 760)
    y = MARGIN + 18.0
    parts.append(_text(MARGIN, y, recipe_name, "title"))
    for name, blocks in groups.items():
        y += 40
        parameters, cost = totals(players[name])
        parts.append(_text(MARGIN, y, ROLES.get(name, name), "role"))
        parts.append(
            _text(MARGIN, y + 20, f"{_count(parameters)} parameters, {_count(cost)} multiply-adds a sample", "note")
        )
        y += 34
        for start in range(0, len(blocks), PER_ROW):
            row = blocks[start : start + PER_ROW]
            parts += _row(row, y, first=start == 0)
            y += DRAWING + LINE * (2 + max(len(block.lines) for block in row)) + GAP
    parts += _legend(y + 4, [block for blocks in groups.values() for block in blocks])
    height = y + 64
    title = escape(f"{recipe_name}: networks layer by layer")
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:.0f}" '
            f'width="{width}" height="{height:.0f}" style="max-width:100%;height:auto" role="img" '
            f'aria-label="{title}">',
            f"<title>{title}</title>",
            f"<style>{STYLE}</style>",
            f'<rect class="page" width="{width}" height="{height:.0f}" rx="10"/>',
            *parts,
            "</svg>\n",
        ]
    )


@dataclass(frozen=True)
class Block:
    """A layer with weights, or an input, and the lines that stand beneath it."""

    shape: tuple[int, ...]  # what is drawn
    label: str  # the shape in words
    family: str
    kind: str
    lines: tuple[str, ...]
    follows: bool

    @property
    def face(self) -> tuple[float, float, float]:
        """Width, height and depth in px; an image's depth is its channels."""
        if len(self.shape) == 3:
            side = min(14 + 10 * math.log2(max(self.shape[1], 1)), 116)  # tokens may be more than any image's pixels
            return side, side, 4 + 2.2 * math.log2(max(self.shape[0], 1))
        return 14, min(14 + 7 * math.log2(max(math.prod(self.shape), 1)), 116), 4


def _blocks(layers: list[Layer]) -> list[Block]:
    """Norms, activations, dropout and reshaping belong to the block of the layer that they follow."""
    groups: list[list[Layer]] = []
    for layer in layers:
        weighs = layer.parameters > 0 and layer.kind not in NORMS
        if groups and layer.follows and layer.kind not in FAMILIES and not weighs:
            groups[-1].append(layer)
        else:
            groups.append([layer])
    return [_block(group) for group in groups]


def _block(group: list[Layer]) -> Block:
    head, *rest = group
    is_input = head.kind == "input"
    # A linear map that is reshaped into an image is drawn as that image.
    shape = head.output if is_input else max((layer.output for layer in group), key=len)
    lines = [] if is_input else _own_lines(head)
    lines += [_line(layer) for layer in rest if layer.kind != "reshape" or layer.output != shape]
    parameters = sum(layer.parameters for layer in group)
    if parameters:
        lines.append(f"{_count(parameters)} parameter{'s' if parameters > 1 else ''}")
    return Block(
        shape=shape,
        label=_shape(shape) if shape else head.settings,
        family=FAMILIES.get(head.kind, "other"),
        kind=_clip(head.name if is_input else head.kind),
        lines=tuple(_clip(line) for line in lines),
        follows=head.follows,
    )


def _own_lines(layer: Layer) -> list[str]:
    if layer.kernel is not None:
        return [f"{layer.kernel} × {layer.kernel}, stride {layer.stride}"]
    if layer.kind == "maxout":
        return [layer.settings.partition(" of ")[2]]
    return [layer.settings] if layer.kind in SPOKEN else []


def _line(layer: Layer) -> str:
    if layer.kind == "reshape":
        return f"as {_shape(layer.output)}"
    return f"{layer.kind} {layer.settings}" if layer.kind in SPOKEN else layer.kind


def _row(row: list[Block], y: float, *, first: bool) -> Iterable[str]:
    middle = y + 20 + 62
    edge: float | None = None if first else MARGIN  # where a wire comes in from
    for index, block in enumerate(row):
        x = MARGIN + COLUMN * (index + 0.5)
        width, height, depth = block.face
        left, right = x - (width + depth) / 2, x + (width + depth) / 2
        if edge is not None and block.family != "data":
            yield from _wire(edge + 6, left - 5, middle, apart=not block.follows)
        edge = right
        yield from _cuboid(left, middle - (height - depth) / 2, width, height, depth, block.family)
        yield _text(x, middle - (height + depth) / 2 - 8, block.label, "shape")
        yield _text(x, y + DRAWING + LINE, block.kind, "kind")
        for number, line in enumerate(block.lines, start=2):
            yield _text(x, y + DRAWING + LINE * number, line, "small")


def _cuboid(x: float, y: float, width: float, height: float, depth: float, family: str) -> Iterable[str]:
    """Front, top and right side; (x, y) is the front's upper left corner."""
    right, bottom = x + width, y + height
    top = [(x, y), (x + depth, y - depth), (right + depth, y - depth), (right, y)]
    side = [(right, y), (right + depth, y - depth), (right + depth, bottom - depth), (right, bottom)]
    yield _polygon(top, f"block top {family}")
    yield _polygon(side, f"block side {family}")
    yield _polygon([(x, y), (right, y), (right, bottom), (x, bottom)], f"block {family}")


def _polygon(points: list[tuple[float, float]], classes: str) -> str:
    return f'<polygon class="{classes}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>'


def _wire(start: float, end: float, y: float, *, apart: bool) -> Iterable[str]:
    yield f'<path class="wire{" apart" if apart else ""}" d="M{start:.1f} {y:.1f}H{end - 6:.1f}"/>'
    yield f'<path class="tip" d="M{end:.1f} {y:.1f}l-7 -4v8z"/>'


def _legend(y: float, blocks: list[Block]) -> Iterable[str]:
    families = {block.family for block in blocks}
    joined = any(not block.follows and block.family != "data" for block in blocks)
    x = float(MARGIN)
    for family, meaning in LEGEND:
        if family in families:
            yield f'<rect class="block {family}" x="{x:.1f}" y="{y:.1f}" width="14" height="14" rx="2"/>'
            yield _text(x + 21, y + 12, meaning, "note")
            x += 21 + 6.6 * len(meaning) + 24
    if joined:
        yield from _wire(x, x + 34, y + 7, apart=True)
        yield _text(x + 42, y + 12, "joined, or from further back", "note")
    scale = "Shapes: channels × height × width. Heights are logarithms of pixels or features, depths of channels."
    yield _text(MARGIN, y + 36, scale, "note")


def _text(x: float, y: float, text: str, css: str) -> str:
    return f'<text class="{css}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'


def _shape(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))


def _clip(text: str) -> str:
    return text if len(text) <= 22 else f"{text[:21]}…"


def _count(number: int) -> str:
    """Three figures: 940, 13.3 K, 2.53 M."""
    for size, unit in ((1_000_000_000, " G"), (1_000_000, " M"), (1_000, " K")):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return str(number)
