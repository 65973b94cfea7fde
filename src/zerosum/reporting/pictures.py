"""Grids as data URIs, so that a report is one file: the latest grid, a strip of the training, the animation."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from zerosum.reporting.history import History, step_of

LARGEST_ANIMATION = 3_000_000  # bytes
LARGEST_GRID = 1_500_000
FRAMES = 6


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture inside the page: its data URI, its size in pixels, and the step it is from."""

    uri: str
    width: int
    height: int
    step: int
    pixelated: bool  # drawn larger than it is, where smoothing would only blur it


def grid_files(run_folder: Path, history: History) -> list[tuple[int, Path]]:
    """The grids that are there, in order: those of the events, else whatever lies in samples/."""
    told = [(step_of(grid), run_folder / grid["path"]) for grid in history.grids]
    inside = [(step, path) for step, path in told if _inside(path, run_folder) and path.is_file()]
    if inside:
        return inside
    return sorted((int(path.stem), path) for path in run_folder.glob("samples/*.png") if path.stem.isdecimal())


def latest_grid(grids: Sequence[tuple[int, Path]]) -> Picture | None:
    """The last grid that can be read; None where there is none."""
    for step, path in reversed(grids):
        picture = _read(step, path, share=1.0, most=1024)
        if picture:
            return picture
    return None


def strip(grids: Sequence[tuple[int, Path]], recipe: Mapping[str, Any]) -> list[Picture]:
    """Up to six grids, from the first to the last, closer together early on, where most changes.

    Of a large square grid only the upper left samples are shown, so that each can be made out.
    """
    if len(grids) < 2:
        return []
    count = min(FRAMES, len(grids))
    places = sorted({round((len(grids) - 1) * (index / (count - 1)) ** 2) for index in range(count)})
    places = places if len(grids) > FRAMES else list(range(len(grids)))
    share = _share(recipe)
    pictures = [_read(*grids[place], share=share, most=256) for place in places]
    return [picture for picture in pictures if picture]


def animation(run_folder: Path, step: int) -> Picture | None:
    """The run's evolution.webp where it is there and under 3 MB."""
    for path in (run_folder / "samples" / "evolution.webp", run_folder / "evolution.webp"):
        try:
            if path.stat().st_size <= LARGEST_ANIMATION:
                with Image.open(path) as image:
                    width, height = image.size
                return _picture("image/webp", path.read_bytes(), width, height, step)
        except OSError:
            continue
    return None


def _inside(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def _share(recipe: Mapping[str, Any]) -> float:
    """How much of a grid's side a frame of the strip shows: four samples of the six or more that it has."""
    count = recipe.get("grid")
    if recipe.get("kind") == "points" or not isinstance(count, int) or count < 36:
        return 1.0
    return 4 / math.ceil(math.sqrt(count))


def _read(step: int, path: Path, *, share: float, most: int) -> Picture | None:
    try:
        with Image.open(path) as image:
            image.load()
            shown = image.convert("L" if image.mode in ("1", "L", "I;16") else "RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    if share < 1 and shown.width == shown.height:  # else it has a row for each class
        shown = shown.crop((0, 0, round(shown.width * share), round(shown.height * share)))
    if max(shown.size) > most:
        scale = most / max(shown.size)
        shown = shown.resize((max(1, round(shown.width * scale)), max(1, round(shown.height * scale))))
    data, kind = _encoded(shown)
    return _picture(kind, data, *shown.size, step)


def _encoded(image: Image.Image) -> tuple[bytes, str]:
    """PNG, or WebP where that would be heavy."""
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    if out.tell() <= LARGEST_GRID / 10:
        return out.getvalue(), "image/png"
    out = io.BytesIO()
    image.save(out, "WEBP", quality=90)
    return out.getvalue(), "image/webp"


def _picture(kind: str, data: bytes, width: int, height: int, step: int) -> Picture:
    uri = f"data:{kind};base64,{base64.b64encode(data).decode()}"
    return Picture(uri=uri, width=width, height=height, step=step, pixelated=max(width, height) < 420)
