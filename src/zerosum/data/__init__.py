"""Data: every source by name, read into uint8 images or float32 points, and the feed that draws batches of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zerosum.data.dataset import Dataset, Skipped, Split, open_dataset

if TYPE_CHECKING:
    from zerosum.data.loader import Feed

__all__ = ["Dataset", "Feed", "Skipped", "Split", "open_dataset"]


def __getattr__(name: str) -> Any:
    if name == "Feed":  # the only part that needs torch
        from zerosum.data.loader import Feed

        return Feed
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
