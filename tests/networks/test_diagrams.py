"""The picture of a recipe's networks: well formed, self-contained, and readable: no text on another, none outside."""

from __future__ import annotations

from itertools import combinations
from xml.etree import ElementTree

import pytest

from zerosum.cli.commands.recipes import source_of
from zerosum.networks.describe import Layer, describe_player
from zerosum.networks.diagram import diagram
from zerosum.recipes import names, recipe
from zerosum.types import Domain

SVG = "{http://www.w3.org/2000/svg}"
SIZES = {"title": 20.0, "role": 15.0, "shape": 12.0, "kind": 12.0, "small": 11.5, "note": 12.0}
CENTRED = ("shape", "kind", "small")
Box = tuple[float, float, float, float, str]


def picture(name: str) -> str:
    told = recipe(name)
    classes = 2 if told.inputs == "domains" else None if told.classes == "ignored" else 10
    size = told.size or (told.sizes or [0])[-1]
    shape = (2,) if told.kind == "points" else (told.channels or 3, size, size)
    text = (36, 10) if told.captions == "required" else None
    domain = Domain(
        shape=shape, classes=classes, value_range=told.value_range, source=source_of(told, shape), text=text
    )
    return diagram(name, {key: describe_player(player, domain) for key, player in told.players.items()})


def text_boxes(root: ElementTree.Element) -> list[Box]:
    """Left, top, right, bottom of each text, letters taken as 0.58 of their height wide."""
    boxes = []
    for text in root.iter(f"{SVG}text"):
        css = text.attrib["class"]
        size, said = SIZES[css], text.text or ""
        width = 0.58 * size * len(said)
        left = float(text.attrib["x"]) - (width / 2 if css in CENTRED else 0)
        base = float(text.attrib["y"])
        boxes.append((left, base - 0.8 * size, left + width, base + 0.2 * size, said))
    return boxes


def overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def polygons(root: ElementTree.Element) -> list[tuple[float, float, float, float]]:
    found = []
    for polygon in root.iter(f"{SVG}polygon"):
        pairs = [tuple(map(float, pair.split(","))) for pair in polygon.attrib["points"].split()]
        xs, ys = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        found.append((min(xs), min(ys), max(xs), max(ys)))
    return found


@pytest.mark.parametrize("name", names())
def test_no_text_overlaps_another_or_a_block_and_all_is_inside(name: str) -> None:
    root = ElementTree.fromstring(picture(name))
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    boxes = text_boxes(root)
    assert len(boxes) > 10
    for a, b in combinations(boxes, 2):
        assert not overlap(a, b), (a, b)
    for box in boxes:
        assert box[0] >= 0, box
        assert box[1] >= 0, box
        assert box[2] <= width, box
        assert box[3] <= height, box
        for block in polygons(root):
            assert not overlap(box, (*block, "")), (box, block)


def test_picture_says_shapes_kernels_and_totals() -> None:
    said = [text[4] for text in text_boxes(ElementTree.fromstring(picture("dcgan-faces")))]
    assert {"dcgan-faces", "512 × 4 × 4", "3 × 64 × 64", "4 × 4, stride 2", "batch norm", "tanh"} <= set(said)
    assert "3.58 M parameters, 105 M multiply-adds a sample" in said
    assert "2.77 M parameters, 104 M multiply-adds a sample" in said
    assert "transposed conv" in said


def test_picture_needs_nothing_from_outside_and_knows_the_dark() -> None:
    text = picture("cgan")
    assert "prefers-color-scheme: dark" in text
    for outside in ("href", "url(", "@import", "<script", "<image"):
        assert outside not in text


def test_wires_are_dashed_where_branches_join_and_only_there() -> None:
    assert picture("cgan").count("wire apart") == 2 * 2 + 1  # into y's branch, into the join, in the legend
    assert picture("dcgan-lite").count("wire apart") == 0


def test_long_networks_go_on_in_a_second_row() -> None:
    layers = [Layer(name="z", kind="input", output=(8,))]
    layers += [Layer(name=str(i), kind="linear", output=(8,), parameters=72) for i in range(11)]
    root = ElementTree.fromstring(diagram("long <&>", {"G": layers}))
    rows = {text.attrib["y"] for text in root.iter(f"{SVG}text") if text.text == "linear"}
    assert len(rows) == 2
    assert sum(text.text == "linear" for text in root.iter(f"{SVG}text")) == 11
    assert float(root.attrib["width"]) < 1200
    assert root.find(f"{SVG}text").text == "long <&>"  # type: ignore[union-attr]
