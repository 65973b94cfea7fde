"""Animated WebP and GIF from frames, and the evolution of a run's sample grids.

WebP frames are encoded one at a time and put into the container here (RIFF with VP8X, ANIM and ANMF chunks, as
Google's "WebP Container Specification" describes), because Pillow's writer keeps all of them in memory.
"""

from __future__ import annotations

import io
import itertools
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

from PIL import Image

from zerosum.errors import UserError
from zerosum.sampling.files import grids, replacing
from zerosum.sampling.grid import BACKGROUND
from zerosum.types import PathLike

SUFFIXES = (".webp", ".gif")
MOST_FRAMES = 100


def animation(
    frames: Iterable[Image.Image], path: PathLike, ms_per_frame: int = 80, *, last_ms: int | None = None
) -> Path:
    """Frames of one size as an endless loop, .webp or .gif by the suffix of `path`; returns the path.

    last_ms: how long the last frame stays. WebP holds one frame in memory at a time, GIF one byte for each
    pixel of all of them. `UserError` for another suffix, or without a frame.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"can't write an animation as {path.name!r}; expected a name that ends in .webp or .gif")
    timed = _timed(frames, ms_per_frame, ms_per_frame if last_ms is None else last_ms)
    first = next(timed, None)
    if first is None:
        raise UserError(f"no frames for {path.name}; expected at least one picture")
    checked = _one_size(itertools.chain([first], timed), first[0].size)
    with replacing(path) as partial:
        if path.suffix.lower() == ".gif":
            _write_gif(checked, partial)
        else:
            _write_webp(checked, partial)
    return path


def evolution(samples: PathLike, out: PathLike, ms_per_frame: int = 120) -> Path:
    """The PNG grids of a folder in the order of their steps, evenly thinned to 100, as an animation.

    Grids of different sizes are enlarged to the largest and centred; the last one stays for two seconds.
    """
    paths = evenly(grids(Path(samples)), MOST_FRAMES)
    if not paths:
        raise UserError(f"no sample grids in {samples}; expected files such as 000500.png")
    sizes = [_size(path) for path in paths]
    canvas = max(width for width, _ in sizes), max(height for _, height in sizes)
    return animation((_fitted(path, canvas) for path in paths), out, ms_per_frame, last_ms=2000)


def evenly(paths: list[Path], most: int) -> list[Path]:
    """At most `most` of them, evenly spread, the first and the last among them."""
    if len(paths) <= most:
        return paths
    return [paths[round(index * (len(paths) - 1) / (most - 1))] for index in range(most)]


def _timed(frames: Iterable[Image.Image], each: int, last: int) -> Iterator[tuple[Image.Image, int]]:
    held: Image.Image | None = None
    for frame in frames:
        if held is not None:
            yield held, each
        held = frame
    if held is not None:
        yield held, last


def _one_size(timed: Iterable[tuple[Image.Image, int]], size: tuple[int, int]) -> Iterator[tuple[Image.Image, int]]:
    for frame, duration in timed:
        if frame.size != size:
            raise ValueError(f"a frame of {frame.size} among frames of {size}")
        yield frame, duration


def _size(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def _fitted(path: Path, canvas: tuple[int, int]) -> Image.Image:
    with Image.open(path) as picture:
        frame = picture.convert("RGB")
    factor = min(canvas[0] / frame.width, canvas[1] / frame.height)
    if factor >= 2:
        factor = int(factor)  # pixels stay square
    if factor != 1:
        size = round(frame.width * factor), round(frame.height * factor)
        frame = frame.resize(size, Image.Resampling.NEAREST if factor == int(factor) else Image.Resampling.BICUBIC)
    if frame.size == canvas:
        return frame
    full = Image.new("RGB", canvas, (BACKGROUND,) * 3)
    full.paste(frame, ((canvas[0] - frame.width) // 2, (canvas[1] - frame.height) // 2))
    return full


def _write_gif(timed: Iterator[tuple[Image.Image, int]], path: Path) -> None:
    def indexed() -> Iterator[Image.Image]:
        for frame, duration in timed:
            small = frame if frame.mode == "L" else _dithered(frame.convert("RGB"))
            small.info["duration"] = duration
            yield small

    frames = indexed()
    next(frames).save(path, format="GIF", save_all=True, append_images=frames, loop=0, disposal=1)


def _dithered(frame: Image.Image) -> Image.Image:
    # Its own 256 colours for each frame, and dithering: without it rare hues (pink hair) turn into common ones.
    palette = frame.quantize(256, method=Image.Quantize.FASTOCTREE)
    return frame.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)


def _chunk(name: bytes, payload: bytes) -> bytes:
    return name + struct.pack("<I", len(payload)) + payload + b"\0" * (len(payload) % 2)


def _u24(value: int) -> bytes:
    return struct.pack("<I", value)[:3]


def _write_webp(timed: Iterator[tuple[Image.Image, int]], path: Path) -> None:
    first, duration = next(timed)
    width, height = first.size
    animated = 0x02
    with path.open("wb") as file:
        file.write(b"RIFF\0\0\0\0WEBP")
        file.write(_chunk(b"VP8X", bytes([animated, 0, 0, 0]) + _u24(width - 1) + _u24(height - 1)))
        file.write(_chunk(b"ANIM", struct.pack("<IH", 0xFF000000, 0)))  # black behind, and loop for ever
        for frame, milliseconds in itertools.chain([(first, duration)], timed):
            opaque_whole = 0x02  # drawn over the frame before without blending
            place = _u24(0) + _u24(0) + _u24(width - 1) + _u24(height - 1) + _u24(milliseconds) + bytes([opaque_whole])
            file.write(_chunk(b"ANMF", place + _encoded(frame)))
        end = file.tell()
        file.seek(4)
        file.write(struct.pack("<I", end - 8))


def _encoded(frame: Image.Image) -> bytes:
    """One frame's bitstream chunk (VP8), without the file header of a still WebP."""
    buffer = io.BytesIO()
    frame.convert("RGB").save(buffer, format="WEBP", quality=85, method=4)
    found = buffer.getvalue()[12:]
    assert found[:4] in (b"VP8 ", b"VP8L"), "Pillow wrote an extended still WebP"
    return found
