"""`upscale:SOURCE`: the images of any source as what is to be made, and the same ones made small as what is given."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from zerosum.data.dataset import Dataset, Split, fingerprint, open_dataset, resolve
from zerosum.data.degrade import Degradation, parse
from zerosum.data.sources import SOURCES, Request, Source
from zerosum.errors import UserError


def open_small(request: Request) -> Dataset:
    """Each image with its small one as partner; `UserError` for points, and for a size that is no multiple."""
    degradation, source = parse(request.argument)
    sizes = tuple(size for size in request.sizes if size % degradation.factor == 0)
    found = open_dataset(source, size=request.size, sizes=sizes, channels=request.channels)
    if found.kind == "points":
        raise UserError(f"{source} is made of points, which can't be made small: name a source of images")
    train, held_out = (_with_partners(split, degradation) for split in (found.train, found.held_out))
    return replace(
        found,
        name=request.source,
        train=train,
        held_out=held_out,
        classes=None,
        fingerprint=fingerprint(train, held_out),
    )


def _with_partners(split: Split, degradation: Degradation) -> Split:
    if not len(split):
        side = split.samples.shape[1] // degradation.factor
        return Split(samples=split.samples, partners=np.empty((0, side, side, split.samples.shape[3]), np.uint8))
    return Split(samples=split.samples, partners=degradation(np.asarray(split.samples)))


def in_full_small(argument: str) -> str:
    """The argument with the path inside it written in full."""
    _, source = parse(argument)
    name, path = resolve(source)
    inner = f"{name}:{SOURCES[name].in_full(path)}" if path else name
    return argument.removesuffix(source) + inner


SOURCES.register("upscale")(
    Source(
        title="any images, and the same made small: factor=4,blur=0,noise=0,jpeg=0:SOURCE",
        open=open_small,
        argument="SOURCE",
        in_full=in_full_small,
    )
)
