"""What the data tests share: a cache of their own, no ZEROSUM_DATA from outside, and small image files."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder that this test alone uses; no data but what a test names."""
    folder = tmp_path / "own-cache"
    monkeypatch.setenv("ZEROSUM_CACHE", str(folder))
    monkeypatch.delenv("ZEROSUM_DATA", raising=False)
    return folder


@pytest.fixture
def picture() -> Callable[..., bytes]:
    """Makes an image file's bytes: noise of a seed, of any mode, size and format."""

    def make(seed: int = 0, mode: str = "RGB", size: tuple[int, int] = (16, 16), format: str = "PNG") -> bytes:
        noise = np.random.RandomState(seed).randint(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        file = io.BytesIO()
        Image.fromarray(noise).convert(mode).save(file, format=format)
        return file.getvalue()

    return make
