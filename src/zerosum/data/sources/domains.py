"""`domains:PATH`: a folder, tar or zip with a subfolder of images for each domain."""

from __future__ import annotations

from zerosum.data.convert import open_images
from zerosum.data.dataset import Dataset
from zerosum.data.sources import SOURCES, Request, Source
from zerosum.data.sources.folder import path_of
from zerosum.errors import UserError


def open_domains(request: Request) -> Dataset:
    """The domains as classes; `UserError` for fewer than two, for an empty one, and for sets named otherwise."""
    found = open_images(path_of(request), request.source, request.size, request.sizes, request.channels)
    if found.empty_classes:
        raise UserError(
            f"domain {found.empty_classes[0]!r} of {request.source} has no image that can be read: add some"
        )
    if found.classes is None:
        raise UserError(f"{request.source} has one domain; expected a subfolder of images for each of at least two")
    if {"trainA", "trainB"} <= set(found.classes):
        raise UserError(f"{request.source} has trainA and trainB, two sets of images: name it unpaired:PATH")
    return found


SOURCES.register("domains")(Source(title="a subfolder of images for each domain", open=open_domains, argument="PATH"))
