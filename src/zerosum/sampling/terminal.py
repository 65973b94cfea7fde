"""A preview in the terminal: two pixels a character in 24-bit colour, or plain shades where that can't be shown."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from PIL import Image
from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.text import Text

Bytes = npt.NDArray[np.uint8]

SHADES = " .:-=+*#%@"
NARROWEST = 14  # pixels: below this a digit can't be read
UPPER_HALF = "▀"


def show(images: Bytes, console: Console) -> None:
    """Print images (N, H, W, C) as large as the console's width allows, in the best way it can show."""
    colour = console.color_system in ("truecolor", "256") and not console.no_color
    blocks = colour and console.encoding.lower().startswith("utf")
    console.print(preview(images, width=console.width, colour=blocks), no_wrap=True, crop=True, end="")


def preview(images: Bytes, *, width: int = 80, colour: bool = True) -> Text:
    """images: uint8 (N, H, W, C), C = 1 or 3; rows of equal length, no image narrower than 14 pixels if it can be.

    A character stands for two pixels, one above the other: with colour a half block that shows both, else an
    ASCII shade of their mean.
    """
    count = len(images)
    fitting = max(1, (width + 1) // (min(NARROWEST, images.shape[2]) + 1))
    columns = math.ceil(count / math.ceil(count / min(fitting, count)))
    side = max(1, min(images.shape[2], (width + 1) // columns - 1))
    text = Text()
    for start in range(0, count, columns):
        row = [_shrunk(image, side) for image in images[start : start + columns]]
        (_blocks if colour else _shades)(text, row)
    return text


def _shrunk(image: Bytes, side: int) -> npt.NDArray[np.uint8]:
    """(height, side, 3), height even and in proportion."""
    picture = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image).convert("RGB")
    height = max(2, 2 * round(side * image.shape[0] / image.shape[1] / 2))
    return np.asarray(picture.resize((side, height), Image.Resampling.BOX))


def _blocks(text: Text, row: list[npt.NDArray[np.uint8]]) -> None:
    for line in range(0, row[0].shape[0], 2):
        for index, image in enumerate(row):
            text.append(" " if index else "")
            for top, bottom in zip(image[line].tolist(), image[line + 1].tolist(), strict=True):
                text.append(UPPER_HALF, Style(color=Color.from_rgb(*top), bgcolor=Color.from_rgb(*bottom)))
        text.append("\n")


def _shades(text: Text, row: list[npt.NDArray[np.uint8]]) -> None:
    grey = [image.astype(float).mean(axis=2) for image in row]
    for line in range(0, grey[0].shape[0], 2):
        lines = [(image[line] + image[line + 1]) / 2 for image in grey]
        text.append(" ".join("".join(SHADES[int(v * (len(SHADES) - 1) / 255 + 0.5)] for v in part) for part in lines))
        text.append("\n")
