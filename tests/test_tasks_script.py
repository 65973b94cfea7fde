"""The data that benchmarks make of real images: how wide strokes are measured, and into which group they fall."""

from __future__ import annotations

import importlib
import math
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    for name in ("results", "tasks"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return importlib.import_module("tasks")


def stroke(width: float, turned: float = 0.0) -> np.ndarray:
    """A bright stroke 20 pixels long with soft edges, turned by so many radians."""
    y, x = np.mgrid[:40, :40] - 19.5
    along, across = (x * math.cos(turned) + y * math.sin(turned), y * math.cos(turned) - x * math.sin(turned))
    inside = np.minimum(10 - np.abs(along), width / 2 - np.abs(across))
    return (255 * np.clip(inside + 0.5, 0, 1)).round().astype(np.uint8)


def test_the_width_of_a_stroke_is_twice_its_area_by_its_edge_however_it_is_turned(tasks: ModuleType) -> None:
    for width in (2.0, 3.0, 5.0):
        expected = 2 * 20 * width / (2 * (20 + width))  # of a rectangle
        for turned in (0.0, 0.3, math.pi / 4, math.pi / 2):
            assert tasks.thickness(stroke(width, turned)) == pytest.approx(expected, rel=0.11)
    assert tasks.thickness(np.zeros((28, 28), np.uint8)) == 0


def test_brightness_does_not_make_a_stroke_wider_and_groups_rise_with_the_width(tasks: ModuleType) -> None:
    assert tasks.thickness(stroke(3.0) // 2) == pytest.approx(tasks.thickness(stroke(3.0)), rel=0.01)
    edges = (1.0, 2.0, 3.0, 4.0)
    assert [tasks.group_of(width, edges) for width in (0.5, 1.0, 2.5, 3.9, 9.0)] == [0, 1, 2, 3, 4]
    assert list(tasks.THICKNESS) == sorted(tasks.THICKNESS)


def test_edges_are_the_ink_that_has_a_neighbour_without(tasks: ModuleType) -> None:
    image = np.zeros((6, 6), np.uint8)
    image[1:5, 1:5] = 200
    image[0, 0] = 100  # too faint
    expected = np.zeros((6, 6), np.uint8)
    expected[1:5, 1:5] = 255
    expected[2:4, 2:4] = 0
    assert (tasks.edges_of(image) == expected).all()


def test_pairs_hold_the_digit_beside_its_edges_and_two_sets_hold_both_kinds(
    tasks: ModuleType, real_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZEROSUM_DATA", str(real_data))
    path, both = next(tasks.edged())
    _, _, label, image = next(tasks.digits())
    assert path.startswith(f"train/{label}-")
    assert (both[:, 28:] == image).all()
    assert (both[:, :28] == tasks.edges_of(image)).all()
    pairs = tasks.clothes()
    (digit, a), (piece, b) = next(pairs), next(pairs)
    assert digit.startswith("trainA/")
    assert piece.startswith("trainB/")
    assert (a == image).all()
    assert a.shape == b.shape
    assert (a != b).any()
