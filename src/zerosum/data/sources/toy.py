"""`ring` and `grid`: mixtures of 2-D Gaussians, as in VEEGAN (1705.07761) and PacGAN (1712.04086)."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zerosum.data.dataset import Dataset, Split, fingerprint
from zerosum.data.sources import SOURCES, Request, Source

POINTS = 100_000
HELD_OUT = 10_000


@dataclass(frozen=True, kw_only=True)
class Modes:
    """A mixture of equal Gaussians: where they are, and how wide each one is in every direction."""

    centres: npt.NDArray[np.float32]  # (K, 2)
    sigma: float


def _ring() -> Modes:
    angles = 2 * np.pi * np.arange(8) / 8
    return Modes(centres=np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32), sigma=0.01)


def _grid() -> Modes:
    steps = np.arange(-4, 5, 2)
    return Modes(centres=np.array([(x, y) for x in steps for y in steps], dtype=np.float32), sigma=0.05)


MODES = {"ring": _ring(), "grid": _grid()}


def draw(modes: Modes, count: int, seed: int) -> npt.NDArray[np.float32]:
    """`count` points (N, 2), float32, each from a mode drawn evenly."""
    # RandomState: numpy promises never to change what it draws, so the points are the same everywhere.
    random = np.random.RandomState(seed)
    centres = modes.centres[random.randint(len(modes.centres), size=count)]
    return (centres + modes.sigma * random.standard_normal((count, 2))).astype(np.float32)


def _opener(name: str) -> Callable[[Request], Dataset]:
    def open_points(request: Request) -> Dataset:
        points = draw(MODES[name], POINTS, seed=zlib.crc32(name.encode()))
        train, held_out = Split(samples=points[:-HELD_OUT]), Split(samples=points[-HELD_OUT:])
        return Dataset(
            name=name,
            kind="points",
            train=train,
            held_out=held_out,
            classes=None,
            fingerprint=fingerprint(train, held_out),
        )

    return open_points


for _name, _title in (
    ("ring", "100,000 points around 8 places on a circle"),
    ("grid", "100,000 points around 25 places in a square"),
):
    SOURCES.register(_name)(Source(title=_title, open=_opener(_name)))
