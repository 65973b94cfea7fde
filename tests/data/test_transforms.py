"""Every mode, size and orientation becomes the right uint8 square; what can't is refused with a reason."""

from __future__ import annotations

import contextlib
import io
import resource
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from zerosum.data.transforms import ImageError, choose_size, decode, decode_whole, fit, inspect, quiet, whole


def saved(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format=format, **options)
    return file.getvalue()


def flat(mode: str, colour: object, size: tuple[int, int] = (4, 4)) -> Image.Image:
    return Image.new(mode, size, colour)  # type: ignore[arg-type]


def png(width: int, height: int, rows: bytes, bits: int = 8, kind: int = 0) -> bytes:
    """A PNG written by hand: its header claims what it is told to."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def palette(transparent: bool) -> bytes:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    return saved(image, transparency=1) if transparent else saved(image)


GREY16 = png(1, 1, zlib.compress(b"\0" + (128 * 257).to_bytes(2, "big")), bits=16)
COLOUR16 = png(1, 1, zlib.compress(b"\0" + b"\x40\x40\x80\x80\xff\xff"), bits=16, kind=2)


@pytest.mark.parametrize(
    ("data", "colour", "grey"),
    [
        (saved(flat("L", 77)), (77, 77, 77), True),
        (saved(flat("1", 1)), (255, 255, 255), True),
        (saved(flat("1", 0)), (0, 0, 0), True),
        (saved(flat("RGB", (10, 20, 30))), (10, 20, 30), False),
        (saved(flat("RGBA", (10, 20, 30, 255))), (10, 20, 30), False),
        (saved(flat("RGBA", (10, 20, 30, 0))), (255, 255, 255), False),  # over white
        (saved(flat("RGBA", (0, 0, 0, 51))), (204, 204, 204), False),  # a fifth of black
        (saved(flat("LA", (100, 255))), (100, 100, 100), True),
        (saved(flat("LA", (100, 0))), (255, 255, 255), True),
        (palette(transparent=False), (10, 20, 30), False),
        (palette(transparent=True), (255, 255, 255), False),
        (GREY16, (128, 128, 128), True),
        (COLOUR16, (64, 128, 255), False),
        (saved(flat("I;16", 65_535), "TIFF"), (255, 255, 255), True),
        (saved(flat("I;16", 257), "TIFF"), (1, 1, 1), True),
        (saved(flat("I", 32_896), "TIFF"), (128, 128, 128), True),
        (saved(flat("F", 0.5), "TIFF"), (128, 128, 128), True),
        (saved(flat("F", 200.0), "TIFF"), (200, 200, 200), True),
        (saved(flat("CMYK", (0, 0, 0, 0)), "TIFF"), (255, 255, 255), False),
        (saved(flat("CMYK", (0, 255, 255, 0)), "TIFF"), (255, 0, 0), False),
        (saved(flat("RGB", (10, 20, 30)), "BMP"), (10, 20, 30), False),
        (saved(flat("RGB", (10, 20, 30)), "WEBP", lossless=True), (10, 20, 30), False),
        (saved(flat("RGB", (10, 20, 30)), "PPM"), (10, 20, 30), False),
    ],
)
def test_each_mode_becomes_the_right_colour(data: bytes, colour: tuple[int, int, int], grey: bool) -> None:
    assert inspect(data).grey == grey
    pixels = decode(data, 2, 3)
    assert (pixels.shape, pixels.dtype) == ((2, 2, 3), np.uint8)
    assert pixels.reshape(-1, 3).tolist() == [list(colour)] * 4
    luma = round(0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2])
    assert np.abs(decode(data, 2, 1).astype(int) - luma).max() <= 1
    _, pixels = whole(data)
    assert pixels.shape[2] == (1 if grey else 3)


def test_a_cmyk_jpeg_keeps_its_colours() -> None:
    red = saved(flat("CMYK", (0, 255, 255, 0), (16, 16)), "JPEG", quality=100)
    assert np.abs(decode(red, 4, 3).astype(int) - [255, 0, 0]).max() < 8


def test_16_bits_keep_their_order_and_both_ends() -> None:
    ramp = np.arange(65_536, dtype=np.uint16).reshape(256, 256)
    pixels = decode(saved(Image.fromarray(ramp), "TIFF"), 256, 1)[..., 0].astype(int)
    assert np.array_equal(pixels, np.rint(ramp / 257))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 256.0])
def test_floats_of_an_unknown_range_are_refused(value: float) -> None:
    with pytest.raises(ImageError, match="floats"):
        decode(saved(flat("F", value), "TIFF"), 2, 1)


@pytest.mark.parametrize("value", [-1, 65_536])
def test_integers_beyond_16_bits_are_refused(value: int) -> None:
    with pytest.raises(ImageError, match="16 bits"):
        decode(saved(flat("I", value), "TIFF"), 2, 1)


def test_the_centre_square_is_taken_without_a_change_where_it_fits() -> None:
    pixels = np.random.RandomState(0).randint(0, 256, (10, 16, 3), dtype=np.uint8)
    assert np.array_equal(decode(saved(Image.fromarray(pixels)), 10, 3), pixels[:, 3:13])
    tall = np.ascontiguousarray(pixels.transpose(1, 0, 2))
    assert np.array_equal(decode(saved(Image.fromarray(tall)), 10, 3), tall[3:13])


def test_one_resize_from_the_full_picture() -> None:
    pixels = np.random.RandomState(0).randint(0, 256, (90, 50, 3), dtype=np.uint8)
    square = Image.fromarray(pixels[20:70])
    expected = np.asarray(square.resize((32, 32), Image.Resampling.LANCZOS))
    assert np.array_equal(decode(saved(Image.fromarray(pixels)), 32, 3), expected)


@pytest.mark.parametrize(
    ("orientation", "turned"),
    [
        (1, lambda a: a),
        (2, lambda a: a[:, ::-1]),
        (3, lambda a: a[::-1, ::-1]),
        (4, lambda a: a[::-1]),
        (5, lambda a: a.transpose(1, 0, 2)),
        (6, lambda a: np.rot90(a, -1)),
        (7, lambda a: np.rot90(a, 2).transpose(1, 0, 2)),
        (8, lambda a: np.rot90(a, 1)),
        (99, lambda a: a),
    ],
)
def test_exif_says_which_side_is_up(orientation: int, turned: Callable[[np.ndarray], np.ndarray]) -> None:
    pixels = np.random.RandomState(0).randint(0, 256, (8, 12, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(Image.fromarray(pixels), exif=exif)
    assert np.array_equal(decode(data, 8, 3), turned(pixels[:, 2:10]))
    assert np.array_equal(whole(data)[1], turned(pixels))
    header = inspect(data)
    assert (header.height, header.width) == turned(pixels).shape[:2]  # landmarks are told in the image as it is seen


def test_a_long_strip_is_made_small_before_it_becomes_a_square() -> None:
    """The square of its longer side would have 324 million pixels."""
    strip = np.zeros((20, 18_000, 1), np.uint8)
    strip[:, 9_000:] = 200
    before = peak()
    found = decode_whole(saved(Image.fromarray(strip[:, :, 0])), 32, 1)
    assert found[16, :15].max() <= 2
    assert found[16, 17:].min() >= 198
    assert peak() - before < 2**27


def peak() -> int:
    """The most memory that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def test_damaged_exif_does_not_lose_the_picture() -> None:
    data = saved(flat("RGB", (1, 2, 3)), "JPEG", quality=100, exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    with quiet():
        assert decode(data, 2, 3).shape == (2, 2, 3)


def test_one_pixel_fills_the_square() -> None:
    assert decode(saved(flat("RGB", (9, 8, 7), (1, 1))), 64, 3).reshape(-1, 3).tolist() == [[9, 8, 7]] * 4096
    assert decode(saved(flat("L", 5, (1, 9000))), 8, 1).max() == 5


def test_the_first_frame_of_an_animation_is_taken() -> None:
    frames = [flat("RGB", colour, (8, 8)) for colour in ("red", "lime", "blue")]
    for format in ("GIF", "WEBP", "TIFF"):
        options = {"lossless": True} if format == "WEBP" else {}
        data = saved(frames[0], format, save_all=True, append_images=frames[1:], **options)
        assert decode(data, 2, 3)[0, 0].tolist() == [255, 0, 0], format


def test_a_large_jpeg_is_decoded_at_a_lower_scale_that_looks_the_same() -> None:
    y, x = np.mgrid[0:1024, 0:1024]
    waves = (127 + 60 * np.sin(x / 90) + 60 * np.cos(y / 70)).astype(np.uint8)
    data = saved(Image.fromarray(waves), "JPEG", quality=95)
    exact = np.asarray(Image.open(io.BytesIO(data)).resize((32, 32), Image.Resampling.LANCZOS))
    assert np.abs(decode(data, 32, 1)[..., 0].astype(int) - exact).max() <= 2


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "an empty file"),
        (b"hello, this is a text", "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),  # no Ghostscript is started
        (saved(flat("RGB", "red", (64, 64)), "JPEG")[:400], "damaged"),
        (saved(Image.effect_noise((64, 64), 50), "JPEG")[:-300], "truncated"),
        (saved(Image.effect_noise((64, 64), 50))[:900], "damaged"),
        (png(60_000, 60_000, zlib.compress(b"\0" * 60_000)), "bomb"),
        (png(10_000, 10_000, zlib.compress(b"\0" * 10_001)), "100 million pixels"),
        (b"\xff\xd8" + b"\xff\xda\0\0" * 101, "scans"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_picture_is_refused_with_its_reason(data: bytes, reason: str) -> None:
    with quiet(), pytest.raises(ImageError, match=reason) as error:
        decode(data, 8, 3)
    assert "\n" not in str(error.value)


BOMB = r"""
import io, re, resource, sys, time
import numpy
from zerosum.data.transforms import ImageError, decode, inspect
resource.setrlimit(resource.RLIMIT_AS, (600 * 2**20, 600 * 2**20))
data = sys.stdin.buffer.read()
start = time.monotonic()
for use in (inspect, lambda data: decode(data, 64, 3)):
    try:
        use(data)
    except ImageError as error:
        print(error)
assert time.monotonic() - start < 2
print(re.search(r"VmHWM:\s*(\d+) kB", open("/proc/self/status").read())[1])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads its peak memory from /proc")
def test_a_phones_own_format_is_named() -> None:
    with pytest.raises(ImageError, match="HEIC, as phones write it: save it as JPEG first"):
        inspect(b"\0\0\0\x24ftypheic" + bytes(40))


def test_a_bomb_is_refused_by_its_header_alone() -> None:
    squeeze = zlib.compressobj(1)
    row = bytes(30_001)
    rows = b"".join(squeeze.compress(row) for _ in range(12_000)) + squeeze.flush()  # 360 MB of grey
    data = png(30_000, 12_000, rows)
    assert len(data) < 2_000_000
    done = subprocess.run([sys.executable, "-c", BOMB], input=data, capture_output=True, timeout=30)
    assert done.returncode == 0, done.stderr.decode()
    *lines, peak = done.stdout.decode().splitlines()
    assert len(lines) == 2
    assert all("bomb" in line for line in lines)
    assert int(peak) < 150_000  # KiB, Python, numpy and Pillow included


MORE = [("WEBP", "RGB"), ("TIFF", "RGBA"), ("PPM", "L"), ("AVIF", "RGB"), ("TIFF", "1")]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_gives_a_picture_or_a_reason(picture: Callable[..., bytes], data: st.DataObject) -> None:
    format, mode = data.draw(
        st.sampled_from(
            [("PNG", "RGB"), ("PNG", "P"), ("JPEG", "RGB"), ("JPEG", "CMYK"), ("GIF", "P"), ("BMP", "RGB"), *MORE]
        )
    )
    damaged = bytearray(picture(seed=data.draw(st.integers(0, 3)), mode=mode, format=format))
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(damaged) - 1) | st.integers(0, min(120, len(damaged) - 1)))
        damaged[place] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        damaged = damaged[: data.draw(st.integers(0, len(damaged)))]
    start = time.monotonic()
    with quiet():
        for use in (inspect, whole, lambda data: decode(data, 8, 3)):
            with contextlib.suppress(ImageError):  # and no other one
                use(bytes(damaged))
    assert time.monotonic() - start < 5


@settings(max_examples=50, deadline=None)
@given(width=st.integers(1, 70), height=st.integers(1, 70), size=st.integers(1, 70), channels=st.sampled_from([1, 3]))
def test_any_shape_becomes_the_square_asked_for(width: int, height: int, size: int, channels: int) -> None:
    image = flat("RGB", (200, 100, 50), (width, height))
    pixels = decode(saved(image), size, channels)
    assert pixels.shape == (size, size, channels)
    assert (pixels == pixels[0, 0]).all()


def test_the_size_is_the_one_asked_for_else_the_largest_that_the_data_has() -> None:
    assert choose_size(48, (32, 64), 100) == 48
    assert choose_size(None, (32, 64, 128), 100) == 64
    assert choose_size(None, (32, 64, 128), 64) == 64
    assert choose_size(None, (64, 32), 20) == 32
    assert choose_size(None, (), 100) == 100
    assert choose_size(None, (), 4000) == 256


def test_fit_gives_what_pillow_gives_for_each_image() -> None:
    images = np.random.RandomState(0).randint(0, 256, (5, 20, 20, 3), dtype=np.uint8)
    for row, image in zip(fit(images, 13, 3), images, strict=True):
        assert np.array_equal(row, Image.fromarray(image).resize((13, 13), Image.Resampling.LANCZOS))
    for row, image in zip(fit(images, 20, 1), images, strict=True):
        assert np.array_equal(row[..., 0], Image.fromarray(image).convert("L"))
    grey = images[..., :1]
    assert np.array_equal(fit(grey, 20, 3), np.concatenate([grey] * 3, axis=3))
    assert fit(images, 20, 3) is images
