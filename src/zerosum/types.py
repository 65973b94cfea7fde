"""Words that every floor speaks: what the data looks like, and what a step leaves behind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PathLike = str | Path


@dataclass(frozen=True, kw_only=True)
class Domain:
    """What networks have to fit: the shape of one sample, its classes and its range of values."""

    shape: tuple[int, ...]  # (C, H, W), H = W; or (2,) for points
    classes: int | None = None  # None: unconditional
    value_range: tuple[float, float] = (-1.0, 1.0)
    source: tuple[int, ...] | None = None  # (C, H, W) of the image that G translates; None: it draws from noise
    text: tuple[int, int] | None = None  # (words known, the empty one among them; words of a row); None: it hears none

    @property
    def conditional(self) -> bool:
        """Whether G is told what to draw: a class or a caption."""
        return self.classes is not None or self.text is not None

    @property
    def channels(self) -> int:
        return self.shape[0]

    @property
    def size(self) -> int:
        """Pixels along one side; `ValueError` for points."""
        if len(self.shape) != 3:
            raise ValueError("points have no size in pixels")
        return self.shape[-1]
