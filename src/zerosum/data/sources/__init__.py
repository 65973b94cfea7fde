"""Sources of data by name: one file each, found when a name is first looked up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from zerosum.data.dataset import Dataset, Skipped
from zerosum.registry import Registry

__all__ = ["SOURCES", "Request", "Source", "Surveyed"]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked of a source; see `open_dataset`."""

    source: str  # as the user wrote it
    argument: str = ""  # what follows the colon
    size: int | None = None
    sizes: tuple[int, ...] = ()
    channels: int | None = None
    fallback: bool = False


@dataclass(frozen=True, kw_only=True)
class Surveyed:
    """One image as it lies in its source, before any crop or resize."""

    name: str
    mode: str  # Pillow's word for what a pixel is: L, RGB, P, I;16, CMYK …
    pixels: npt.NDArray[np.uint8]  # (H, W, C), C 1 or 3, upright
    digest: bytes  # SHA-256 of the file


def path_in_full(argument: str) -> str:
    """A path from the root on."""
    return str(Path(argument).expanduser().resolve())


@dataclass(frozen=True, kw_only=True)
class Source:
    """How to open a source. `argument` names what follows the colon; None: nothing may."""

    title: str
    open: Callable[[Request], Dataset]
    argument: str | None = None
    survey: Callable[[Request], Iterator[Surveyed | Skipped]] | None = None  # every file, for `data check`
    # Of a path, a size and channels what G can be given of it, each with a name; None: images alone.
    givens: Callable[[Path, int, int], Iterator[tuple[str, npt.NDArray[np.uint8]]]] | None = None
    in_full: Callable[[str], str] = path_in_full  # what follows the colon, as it is understood from anywhere


SOURCES: Registry[Source] = Registry("data source", "zerosum.data.sources")
