"""`unpaired:PATH`: two sets of images in the folders trainA and trainB, and testA and testB where there are such."""

from __future__ import annotations

from zerosum.data.convert import open_images
from zerosum.data.dataset import Dataset
from zerosum.data.forms import UNPAIRED
from zerosum.data.sources import SOURCES, Request, Source
from zerosum.data.sources.folder import path_of


def open_unpaired(request: Request) -> Dataset:
    """The two sets as classes A and B; the test folders are held out."""
    return open_images(path_of(request), request.source, request.size, request.sizes, request.channels, UNPAIRED)


SOURCES.register("unpaired")(
    Source(title="two sets: trainA, trainB, testA, testB", open=open_unpaired, argument="PATH")
)
