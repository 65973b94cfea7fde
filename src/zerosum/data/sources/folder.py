"""`folder:PATH`: a folder, tar or zip of images of any kind; the immediate subfolders are the classes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from zerosum.data import archive, transforms
from zerosum.data.convert import open_images
from zerosum.data.dataset import Dataset, Skipped
from zerosum.data.sources import SOURCES, Request, Source, Surveyed
from zerosum.errors import UserError


def path_of(request: Request) -> Path:
    """The path that a request names, with ~ for the user's home."""
    try:
        return Path(request.argument).expanduser()
    except RuntimeError as error:
        raise UserError(f"can't open {archive.shown(request.argument)}: {error}; write the path in full") from None


def open_folder(request: Request) -> Dataset:
    """The images below a path as train and held out, converted once; see `convert`."""
    return open_images(path_of(request), request.source, request.size, request.sizes, request.channels)


def survey(request: Request) -> Iterator[Surveyed | Skipped]:
    """Every file below the path: decoded whole, or named with the reason why not."""
    with transforms.quiet():
        for item in archive.read_files(path_of(request)):
            if isinstance(item, Skipped):
                yield item
                continue
            try:
                mode, pixels = transforms.whole(item.data)
            except transforms.ImageError as error:
                yield Skipped(name=item.name, reason=str(error))
                continue
            yield Surveyed(name=item.name, mode=mode, pixels=pixels, digest=hashlib.sha256(item.data).digest())


SOURCES.register("folder")(
    Source(title="images in a folder, tar or zip", open=open_folder, argument="PATH", survey=survey)
)
