"""What all tests share: where the real data lies, and one thread, so that results are the same everywhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with mnist/, fashion-mnist/, faces/: a visible skip where it is absent, a failure under CI."""
    folder = Path(os.environ.get("ZEROSUM_DATA") or SHARED)
    if not (folder / "mnist").is_dir():
        message = f"no real data in {folder}: set ZEROSUM_DATA to a folder with mnist/, fashion-mnist/, faces/"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return folder
