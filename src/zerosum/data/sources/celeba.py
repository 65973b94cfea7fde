"""`celeba:PATH`: CelebA's faces with a domain for each combination of attributes, as StarGAN was trained on them.

`celeba:PATH#Smiling,Eyeglasses` takes other attributes than the paper's five: three colours of hair, Male and Young.
"""

from __future__ import annotations

from dataclasses import replace

from zerosum.data.attributes import CHOSEN, TABLES, read_attributes
from zerosum.data.convert import open_images
from zerosum.data.dataset import Dataset
from zerosum.data.sources import SOURCES, Request, Source
from zerosum.data.sources.folder import path_of


def open_celeba(request: Request) -> Dataset:
    """The domains as classes, named by the attributes that a face has."""
    argument, mark, told = request.argument.rpartition("#")
    if not mark or {"/", "\\"} & set(told):  # a path may have the mark in it, too
        argument, told = request.argument, ""
    path = path_of(replace(request, argument=argument))
    form = read_attributes(path, [name.strip() for name in told.split(",")] if told else CHOSEN).form()
    found = open_images(path, request.source, request.size, request.sizes, request.channels, form)
    skipped = tuple(one for one in found.skipped if one.name.rpartition("/")[2] not in TABLES)
    return replace(found, skipped=skipped)


SOURCES.register("celeba")(
    Source(
        title="CelebA's faces and tables, a domain for each combination of attributes",
        open=open_celeba,
        argument="PATH",
    )
)
