"""The preview: sizes that fit, colours that are those of the pixels, plain text where there is no colour."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from zerosum.sampling.terminal import SHADES, UPPER_HALF, preview, show


def plain(count: int, size: int, channels: int = 1, value: int = 255) -> np.ndarray:
    return np.full((count, size, size, channels), value, np.uint8)


@pytest.mark.parametrize("width", [20, 40, 80, 120, 200])
@pytest.mark.parametrize(("count", "size", "channels"), [(8, 28, 1), (5, 64, 3), (1, 28, 1), (3, 8, 3)])
def test_every_line_fits_the_width(width, count, size, channels):
    for colour in (True, False):
        lines = preview(plain(count, size, channels), width=width, colour=colour).plain.splitlines()
        assert lines
        assert max(map(len, lines)) <= width


def test_eight_digits_are_two_rows_of_four_in_eighty_columns():
    lines = preview(plain(8, 28), width=80, colour=False).plain.splitlines()
    assert len(lines) == 2 * 10  # 19 pixels wide: 20 high, two in a character
    assert [len(part) for part in lines[0].split(" ")] == [19] * 4


def test_a_wide_terminal_shows_the_pixels_themselves():
    text = preview(plain(8, 28), width=240)
    lines = text.plain.splitlines()
    assert len(lines) == 14
    assert lines[0] == " ".join([UPPER_HALF * 28] * 8)


def test_a_half_block_has_the_upper_pixel_before_the_lower():
    image = np.zeros((1, 2, 2, 3), np.uint8)
    image[0, 0, 0], image[0, 1, 0] = (200, 10, 20), (30, 40, 250)
    text = preview(image, width=80)
    style = text.spans[0].style
    assert style.color.triplet == (200, 10, 20)
    assert style.bgcolor.triplet == (30, 40, 250)
    assert text.plain == f"{UPPER_HALF * 2}\n"


def test_shades_grow_with_brightness():
    ramp = np.repeat(np.linspace(0, 255, 28).astype(np.uint8)[None, None, :, None], 28, axis=1)
    line = preview(ramp, width=80, colour=False).plain.splitlines()[0]
    levels = [SHADES.index(character) for character in line]
    assert levels == sorted(levels)
    assert (levels[0], levels[-1]) == (0, len(SHADES) - 1)


def printed(**options) -> str:
    output = io.StringIO()
    show(plain(2, 28, value=200), Console(file=output, width=60, **options))
    return output.getvalue()


def test_colour_only_where_the_console_has_it():
    assert "\x1b[38;2;200;200;200;48;2;200;200;200m" in printed(force_terminal=True, color_system="truecolor")
    bare = {"force_terminal": True, "color_system": None}
    refused = {"force_terminal": True, "color_system": "truecolor", "no_color": True}
    for options in ({}, bare, refused):
        text = printed(**options)
        assert "\x1b[38" not in text
        assert text.isascii()
        assert text.splitlines() == [f"{'#' * 28} {'#' * 28}"] * 14
