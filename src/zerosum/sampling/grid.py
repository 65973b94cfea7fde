"""Still pictures: square grids of images, rows by class, and points over points; numpy and Pillow alone."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from zerosum.errors import TrainingError

if TYPE_CHECKING:
    from torch import Tensor

    Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

Bytes = npt.NDArray[np.uint8]
Limits = tuple[float, float]

BACKGROUND = 56  # a grey that sets off black images as well as white ones
INK = 235
CELL = 64  # pixels: a smaller image is enlarged towards this by a whole factor
LARGEST = 2048  # pixels: no enlargement makes a grid wider or higher than this


def to_uint8(batch: Tensor, value_range: tuple[float, float] = (-1.0, 1.0)) -> Bytes:
    """float (N, C, H, W) in `value_range` to uint8 (N, H, W, C): clamped, halves rounded to even.

    `TrainingError` where a value is not finite, since no colour stands for that.
    """
    low, high = value_range
    levels = (batch.detach().float() - low) * (255 / (high - low))
    if not bool(levels.isfinite().all()):
        raise TrainingError(
            "the generator makes values that are not finite: it has diverged; use an earlier checkpoint"
        )
    found: Bytes = levels.clamp(0, 255).round().byte().permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return found


def columns_for(count: int) -> int:
    """The columns of the smallest square grid that holds `count` images."""
    return max(1, math.isqrt(count - 1) + 1)


def montage(
    images: Bytes,
    columns: int | None = None,
    *,
    scale: int | None = None,
    gutter: int = 2,
    row_labels: Sequence[str] | None = None,
) -> Image.Image:
    """One picture of images (N, H, W, C) with C = 1 or 3, row by row; mode L or RGB.

    columns: a square grid where None; scale: whole factor of enlargement, chosen for readable digits where
    None; gutter: pixels between images and around them; row_labels: a name to the left of each row.
    `ValueError` where the shapes or the number of labels are wrong.
    """
    if images.ndim != 4 or images.shape[3] not in (1, 3) or not len(images) or images.dtype != np.uint8:
        raise ValueError(f"expected images as uint8 (N, H, W, 1 or 3), not {images.dtype} {images.shape}")
    count, height, width, channels = images.shape
    columns = columns or columns_for(count)
    rows = -(-count // columns)
    if row_labels is not None and len(row_labels) != rows:
        raise ValueError(f"{len(row_labels)} labels for {rows} rows")
    if scale is None:
        scale = max(1, min(CELL // max(height, width), LARGEST // max(columns * width, rows * height)))
    cell_h, cell_w = height * scale, width * scale
    font = _font(min(20, max(9, cell_h // 3)))
    left = 0 if row_labels is None else gutter + 9 + math.ceil(max(font.getlength(text) for text in row_labels))
    shape = (gutter + rows * (cell_h + gutter), left + gutter + columns * (cell_w + gutter), channels)
    canvas = np.full(shape, BACKGROUND, np.uint8)
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        top, start = gutter + row * (cell_h + gutter), left + gutter + column * (cell_w + gutter)
        canvas[top : top + cell_h, start : start + cell_w] = image.repeat(scale, axis=0).repeat(scale, axis=1)
    picture = Image.fromarray(canvas[:, :, 0] if channels == 1 else canvas)
    draw = ImageDraw.Draw(picture)
    for row, text in enumerate(row_labels or ()):
        middle = gutter + row * (cell_h + gutter) + cell_h // 2
        draw.text((left - 3, middle), text, fill=INK if channels == 1 else (INK,) * 3, font=font, anchor="rm")
    return picture


def _font(size: int) -> Font:
    """DejaVu Sans, which comes with matplotlib and has Vietnamese letters; Pillow's own font has few accents."""
    found = importlib.util.find_spec("matplotlib")  # finds the files, imports nothing
    if found is not None and found.origin is not None:
        path = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
        if path.exists():
            return ImageFont.truetype(str(path), size)
    return ImageFont.load_default(size=size)


def limits_of(points: npt.NDArray[Any]) -> tuple[Limits, Limits]:
    """Square axes ((x low, x high), (y low, y high)) around points (N, 2), with a margin of a tenth each side."""
    low, high = points.min(axis=0), points.max(axis=0)
    half = 0.6 * max(float((high - low).max()), 1e-6)
    x, y = ((low + high) / 2).tolist()
    return (x - half, x + half), (y - half, y + half)


def scatter(
    fakes: npt.NDArray[Any],
    reals: npt.NDArray[Any] | None = None,
    *,
    limits: tuple[Limits, Limits] | None = None,
    size: int = 480,
) -> Image.Image:
    """Fake points (N, 2) over real ones (M, 2), RGB, size x size pixels.

    limits: the axes, of the reals where None, so that pictures over the same reals have the same axes.
    Fakes outside the axes are counted in the picture, since a lost mode must not look like an empty one.
    """
    if limits is None:
        limits = limits_of(fakes if reals is None else reals)
    big = 2 * size  # drawn at twice the size and reduced: round dots
    picture = Image.new("RGB", (big, big), (250, 250, 248))
    draw = ImageDraw.Draw(picture, "RGBA")  # fakes let the reals under them shine through
    font = _font(22)
    _axes(draw, limits, big, font)
    legend = []
    for name, points, radius, colour in (("real", reals, 5, (120, 132, 152)), ("fake", fakes, 4, (222, 76, 28, 170))):
        if points is None:
            continue
        inside = _place(points, limits, big)
        for x, y in inside:
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
        outside = len(points) - len(inside)
        legend.append((f"{name} ({outside} outside)" if outside else name, colour))
    for line, (text, colour) in enumerate(legend):
        draw.text((16, 12 + 30 * line), text, fill=colour, font=font)
    return picture.resize((size, size), Image.Resampling.LANCZOS)


def _place(points: npt.NDArray[Any], limits: tuple[Limits, Limits], big: int) -> list[list[float]]:
    """Pixel positions of the points that lie inside; y grows upwards."""
    low, high = np.array(limits, dtype=np.float64).T
    share = (np.asarray(points, dtype=np.float64) - low) / (high - low)
    share = share[((share >= 0) & (share <= 1)).all(axis=1)]  # what is not finite is outside too
    share[:, 1] = 1 - share[:, 1]
    placed: list[list[float]] = (share * (big - 1)).tolist()
    return placed


def _axes(draw: ImageDraw.ImageDraw, limits: tuple[Limits, Limits], big: int, font: Font) -> None:
    (x_low, x_high), (y_low, y_high) = limits
    step = _step(x_high - x_low)
    for value in np.arange(math.ceil(x_low / step), math.floor(x_high / step) + 1) * step:
        x = (value - x_low) / (x_high - x_low) * (big - 1)
        draw.line((x, 0, x, big), fill=(226, 226, 222), width=2)
        draw.text((x + 6, big - 8), f"{value:g}", fill=(120, 120, 116), font=font, anchor="ls")
    for value in np.arange(math.ceil(y_low / step), math.floor(y_high / step) + 1) * step:
        y = (1 - (value - y_low) / (y_high - y_low)) * (big - 1)
        draw.line((0, y, big, y), fill=(226, 226, 222), width=2)
        draw.text((big - 8, y - 4), f"{value:g}", fill=(120, 120, 116), font=font, anchor="rs")


def _step(span: float) -> float:
    """1, 2 or 5 times a power of ten, so that 3 to 8 lines cross the span."""
    power = 10.0 ** math.floor(math.log10(span / 3))
    return next(power * factor for factor in (5, 2, 1) if span / (power * factor) >= 3)
