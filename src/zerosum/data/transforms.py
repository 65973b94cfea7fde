"""From a file's bytes to a square uint8 image: checked, upright, eight bits, cropped and resized once."""

from __future__ import annotations

import io
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

# Part of the cache's key: raise it with any change below that changes a pixel.
VERSION = 2

MAX_PIXELS = 89_478_485  # Pillow's own limit: a quarter of a gibibyte in 24 bits
LARGE_PIXELS = 2**24  # such images are decoded one at a time, whatever the number of threads: each takes up to 1 GiB
MAX_SCANS = 100  # of a progressive JPEG; each one is a pass over the whole image, and real ones have ten
NATIVE_MOST = 256  # pixels, where neither a size nor the sizes that fit are given

# EPS would start Ghostscript, and formats without a magic number take any file for an image.
FORMATS = ("PNG", "JPEG", "MPO", "GIF", "BMP", "WEBP", "TIFF", "PPM", "AVIF")
# Pillow fills its table of formats at the first use, a few of them or all: here all, before a thread looks into it.
Image.init()
READABLE = [name for name in FORMATS if name in Image.OPEN]
DECODE_ERRORS = (  # what Pillow's decoders raise on damaged files
    OSError,
    SyntaxError,
    ValueError,
    ArithmeticError,
    LookupError,
    TypeError,
    AttributeError,
    RuntimeError,
    EOFError,
    MemoryError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
ORIENTATIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

HEIF = "HEIC, as phones write it: save it as JPEG first (on a Mac: sips -s format jpeg)"
HEIF_BRANDS = {b"ftyp" + brand for brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")}
TURNED = (5, 6, 7, 8)  # of these width and height change places
_ONE_LARGE = threading.Lock()


class ImageError(Exception):
    """Why a file is not used as an image, in a few words."""


class UnequalError(ImageError):
    """Why an image is no pair."""


@dataclass(frozen=True)
class Header:
    """What a file says of itself before a pixel is decoded; its sides as they are seen."""

    width: int
    height: int
    mode: str
    grey: bool


@contextmanager
def quiet() -> Iterator[None]:
    """Pillow's warnings about odd files, silenced: each such file is refused or converted here.

    Python's filters belong to the process, so this goes around threads, not inside them.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def inspect(data: bytes) -> Header:
    """The header of an image file; `ImageError` where it is none, or too large to decode."""
    image = _opened(data)
    try:
        return Header(*_as_seen(image), image.mode, _is_grey(image))
    except DECODE_ERRORS as error:
        raise ImageError(f"damaged: {_few_words(error)}") from None


def decode(data: bytes, size: int, channels: int) -> npt.NDArray[np.uint8]:
    """The image (size, size, channels), uint8: the centre square of the first frame, upright, resized once.

    Transparency lies over white; 16 bits are scaled to 8; colour profiles are ignored. A JPEG more than
    eight times too large is decoded at a half, quarter or eighth of its scale, never below four times `size`.
    """
    image = _opened(data)
    with _ONE_LARGE if image.width * image.height > LARGE_PIXELS else nullcontext():
        try:
            orientation = _orientation(image)
            image.draft(None, (4 * size, 4 * size))
            image.load()
            square = _eight_bits(_centre(image))
            square = _upright(square.resize((size, size), Image.Resampling.LANCZOS), orientation)
            return np.asarray(square.convert("L" if channels == 1 else "RGB")).reshape(size, size, channels)
        except DECODE_ERRORS as error:
            raise ImageError(f"damaged: {_few_words(error)}") from None


def decode_whole(data: bytes, size: int, channels: int) -> npt.NDArray[np.uint8]:
    """The whole image (size, size, channels), uint8: upright, in the middle of a square that repeats its edges."""
    _, pixels = whole(data)
    if max(pixels.shape) ** 2 > MAX_PIXELS:  # the square of a long strip would have no room
        scale = 4 * size / max(pixels.shape)
        sides = [max(1, round(scale * length)) for length in (pixels.shape[1], pixels.shape[0])]
        small = np.asarray(picture(pixels).resize((sides[0], sides[1]), Image.Resampling.LANCZOS))
        pixels = small.reshape(sides[1], sides[0], -1)
    height, width = pixels.shape[:2]
    side = max(height, width)
    rows, columns = ((side - length) // 2 for length in (height, width))
    borders = ((rows, side - height - rows), (columns, side - width - columns), (0, 0))
    square = picture(np.pad(pixels, borders, mode="edge")).resize((size, size), Image.Resampling.LANCZOS)
    return np.asarray(square.convert("L" if channels == 1 else "RGB")).reshape(size, size, channels)


def decode_halves(data: bytes, size: int, channels: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """The left and the right half of an image, each as `decode` makes it; `UnequalError` where there are none."""
    _, pixels = whole(data)
    height, width = pixels.shape[:2]
    if width % 2 or 5 * width < 6 * height:
        raise UnequalError(f"{width}x{height} pixels are no two equal halves side by side")
    made = []
    for half in (pixels[:, : width // 2], pixels[:, width // 2 :]):
        square = _centre(picture(half))
        square = square.resize((size, size), Image.Resampling.LANCZOS).convert("L" if channels == 1 else "RGB")
        made.append(np.asarray(square).reshape(size, size, channels))
    return made[0], made[1]


def require_one_shape(a: bytes, b: bytes) -> None:
    """`UnequalError` where one of two images is not the other enlarged: their middles would not belong together."""
    one, other = (sides(data) for data in (a, b))
    scale = max(one) / max(other)
    if any(abs(mine - scale * theirs) > max(1, scale) for mine, theirs in zip(one, other, strict=True)):
        shapes = " and ".join("x".join(map(str, sides)) for sides in (one, other))
        raise UnequalError(f"{shapes} pixels are no two halves of one shape")


def sides(data: bytes) -> tuple[int, int]:
    """Width and height as they are seen."""
    return _as_seen(_opened(data))


def _as_seen(image: Image.Image) -> tuple[int, int]:
    return (image.height, image.width) if _orientation(image) in TURNED else (image.width, image.height)


def whole(data: bytes) -> tuple[str, npt.NDArray[np.uint8]]:
    """The mode in the file, and the whole first frame (H, W, C) as `decode` sees it before crop and resize."""
    image = _opened(data)
    try:
        mode, orientation = image.mode, _orientation(image)
        image.load()
        pixels = np.asarray(_upright(_eight_bits(image), orientation))
    except DECODE_ERRORS as error:
        raise ImageError(f"damaged: {_few_words(error)}") from None
    return mode, pixels.reshape(*pixels.shape[:2], -1)


def choose_size(size: int | None, sizes: tuple[int, ...], native: int) -> int:
    """The size asked for, else the largest of `sizes` up to `native`, else the smallest of them.

    Without either it is `native`, but at most 256.
    """
    if size is not None:
        return size
    if sizes:
        return max((one for one in sizes if one <= native), default=min(sizes))
    return max(1, min(native, NATIVE_MOST))


def picture(pixels: npt.NDArray[np.uint8]) -> Image.Image:
    """uint8 (H, W, C), C 1 or 3, as Pillow's image, grey or in colour."""
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def pictures(images: npt.NDArray[np.uint8], channels: int) -> list[npt.NDArray[np.uint8]]:
    """What (N, H, H, c) can be looked at as: itself, or its first channels and all maps after them in one.

    Each map is half as bright, so that two which overlap can be told.
    """
    if images.shape[3] in (1, 3):
        return [images]
    maps = images[..., channels:].sum(axis=3, keepdims=True, dtype=np.uint32) // 2
    return [images[..., :channels], np.minimum(maps, 255).astype(np.uint8)]


def fit(
    images: npt.NDArray[np.uint8], size: int, channels: int, how: Image.Resampling = Image.Resampling.LANCZOS
) -> npt.NDArray[np.uint8]:
    """Square images (N, H, H, C) as (N, size, size, channels); without a copy where they fit already.

    Those that have `size` rows already only change their channels, and may be oblong.
    """
    if images.shape[1] != size:
        resized = np.empty((len(images), size, size, images.shape[3]), dtype=np.uint8)
        for index, image in enumerate(images):
            resized[index] = np.asarray(picture(image).resize((size, size), how)).reshape(size, size, -1)
        images = resized
    if images.shape[3] == channels:
        return images
    if channels == 3:
        return np.broadcast_to(images, (*images.shape[:3], 3))  # a view: no memory, no time
    return np.stack([np.asarray(Image.fromarray(image).convert("L"))[..., None] for image in images])


def _opened(data: bytes) -> Image.Image:
    if not data:
        raise ImageError("an empty file")
    if data.startswith(b"\xff\xd8") and data.count(b"\xff\xda") > MAX_SCANS:
        raise ImageError(f"a decompression bomb: a JPEG in more than {MAX_SCANS} scans")
    try:
        image = Image.open(io.BytesIO(data), formats=READABLE)
    except UnidentifiedImageError:
        raise ImageError(HEIF if data[4:12] in HEIF_BRANDS else "not an image") from None
    except Image.DecompressionBombError:
        raise ImageError(_too_many(None)) from None
    except DECODE_ERRORS as error:
        raise ImageError(f"damaged: {_few_words(error)}") from None
    if image.width * image.height > MAX_PIXELS:
        raise ImageError(_too_many(image.width * image.height))
    if not (image.width and image.height):
        raise ImageError("an image without a pixel")
    return image


def _too_many(pixels: int | None) -> str:
    claim = "more" if pixels is None else f"{pixels / 1e6:.0f} million"
    return f"a decompression bomb: its header claims {claim} pixels, the limit is {MAX_PIXELS / 1e6:.0f} million"


def _few_words(error: BaseException) -> str:
    return " ".join((str(error) or type(error).__name__).split())[:120]


def _is_grey(image: Image.Image) -> bool:
    if image.mode == "P":
        palette = image.getpalette("RGB") or [0, 0, 1]
        return palette[0::3] == palette[1::3] == palette[2::3]
    return image.mode in ("1", "L", "LA", "La", "I", "F") or image.mode.startswith("I;16")


def _orientation(image: Image.Image) -> int:
    """EXIF's word on which side is up; damaged EXIF data says nothing, and is no reason to lose the image."""
    try:
        return int(image.getexif().get(0x0112, 1))
    except DECODE_ERRORS:
        return 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    method = ORIENTATIONS.get(orientation)
    return image if method is None else image.transpose(method)


def _centre(image: Image.Image) -> Image.Image:
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image if image.width == image.height else image.crop((left, top, left + side, top + side))


def _eight_bits(image: Image.Image) -> Image.Image:
    """Any mode as L or RGB."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _from_numbers(image)
    grey = _is_grey(image)
    if image.mode == "La":
        image = image.convert("LA")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image)
        image = white
    return image.convert("L" if grey else "RGB")


def _from_numbers(image: Image.Image) -> Image.Image:
    """16-bit integers by 257, so that 65,535 is white; floats by their range, 0 to 1 or 0 to 255."""
    values = np.asarray(image)
    low, high = values.min(), values.max()
    if image.mode == "F":
        if not (low >= 0 and high <= 255):  # also where they are not numbers
            raise ImageError("its floats are neither in 0 to 1 nor in 0 to 255")
        scaled = values * np.float32(255) if high <= 1 else values
    else:
        if low < 0 or high > 65_535:
            raise ImageError("its integers are not in the 16 bits from 0 to 65,535")
        scaled = values.astype(np.float32) / np.float32(257)
    return Image.fromarray(np.rint(scaled).astype(np.uint8))
