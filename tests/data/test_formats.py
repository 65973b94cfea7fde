"""What Pillow knows of image formats in a process that has used it for little or nothing before."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Picture = Callable[..., bytes]


def write(root: Path, content: dict[str, bytes]) -> Path:
    root.mkdir()
    for name, data in content.items():
        (root / name).write_bytes(data)
    return root


def opened(path: Path, size: int, before: str = "") -> str:
    """What a process of its own finds in a folder, which has used Pillow for nothing but `before`."""
    code = (
        f"import io; from PIL import Image; {before}\n"
        "from zerosum.data import open_dataset\n"
        f"data = open_dataset({str(path)!r}, size={size})\n"
        "print(len(data.train) + len(data.held_out), [one.reason for one in data.skipped])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()


def test_formats_are_known_whatever_pillow_did_before(tmp_path: Path, picture: Picture) -> None:
    content = {f"{kind}{seed}": picture(seed, format=kind) for kind in ("WEBP", "TIFF") for seed in range(2)}
    root = write(tmp_path / "x", content)
    assert opened(root, 8, "Image.new('L', (1, 1)).save(io.BytesIO(), 'PNG')") == "4 []"


@pytest.mark.parametrize("attempt", range(3))
def test_no_thread_meets_a_format_that_is_not_known_yet(tmp_path: Path, picture: Picture, attempt: int) -> None:
    """The scan, in one thread, comes from the cache; the first that Pillow sees is then the pool."""
    content = {
        f"{seed:02d}": picture(seed, format=kind) for seed, kind in enumerate(8 * ("WEBP", "TIFF", "PNG", "GIF"))
    }
    root = write(tmp_path / "x", content)
    assert opened(root, 8) == "32 []"
    assert opened(root, 9) == "32 []", attempt
