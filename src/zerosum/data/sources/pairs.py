"""`pairs:PATH`: pairs of images, A|B side by side in one file, or two folders with files of the same names."""

from __future__ import annotations

from zerosum.data.convert import open_images
from zerosum.data.dataset import Dataset
from zerosum.data.forms import PAIRS
from zerosum.data.sources import SOURCES, Request, Source
from zerosum.data.sources.folder import path_of


def open_pairs(request: Request) -> Dataset:
    """B as samples, A as their partners; the folder test is held out, where there is one."""
    return open_images(path_of(request), request.source, request.size, request.sizes, request.channels, PAIRS)


SOURCES.register("pairs")(
    Source(title="pairs of images, A|B in a file or in two folders", open=open_pairs, argument="PATH")
)
