"""`ages:PATH`: faces whose file names tell an age, in groups.

As UTKFace's `[age]_[gender]_[race]_[date].jpg`, or IMDB-WIKI's `nm…_rm…_[date of birth]_[year].jpg`.

The groups are those of Antipov et al. 2017 (arXiv 1702.01983).
"""

from __future__ import annotations

from zerosum.data.convert import open_images
from zerosum.data.dataset import Dataset
from zerosum.data.forms import AGES
from zerosum.data.sources import SOURCES, Request, Source
from zerosum.data.sources.folder import path_of


def open_ages(request: Request) -> Dataset:
    """The groups that have an image as classes, from the youngest on; `UserError` for fewer than two."""
    return open_images(path_of(request), request.source, request.size, request.sizes, request.channels, AGES)


SOURCES.register("ages")(
    Source(title="faces whose file names tell their age, in groups of ages", open=open_ages, argument="PATH")
)
