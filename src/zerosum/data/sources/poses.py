"""`poses:PATH`: pairs of images of a person, what is given with the target's pose beside it; see `posed`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from zerosum.data import archive, transforms
from zerosum.data.convert import open_images
from zerosum.data.dataset import Dataset, Skipped, hold_out
from zerosum.data.forms import WHOLE
from zerosum.data.keypoints import Points, body, discs, mirrored_order, pairs_of, whole_in_square
from zerosum.data.posed import Pair, Poses, limbs_of, read_poses, swapped_of
from zerosum.data.sources import SOURCES, Request, Source
from zerosum.data.sources.folder import path_of
from zerosum.errors import UserError

Bytes = npt.NDArray[np.uint8]


def open_poses(request: Request) -> Dataset:
    """Targets as samples; as partners the other image, a map for each joint of the target, and the target's body.

    What a test table names is held out, where there is one, else some of the targets by their content. `UserError` for
    tables that are wrong, that name images which are not there, and for a folder without any.
    """
    path = path_of(request)
    found = read_poses(path)
    files = open_images(path, request.source, request.size, request.sizes, request.channels, WHOLE)
    unread = {one.name for one in files.skipped}
    names = sorted(name for name in found.images if name not in unread)
    found.places = {end: name for end, name in found.places.items() if name not in unread}
    pairs, skipped = _usable(found)
    held = np.array([pair.held for pair in pairs], bool)
    targets = [found.image(pair.target, pair.line) for pair in pairs]
    if not held.any():
        held = hold_out([found.images[name].digest for name in targets])
    if held.all():
        raise UserError(f"every pair of {request.source} is of a test table: add a table of pairs to train on")
    row = {name: number for number, name in enumerate(names)}
    size = files.shape[1]
    places = np.array([(row[found.image(p.given, p.line)], row[name]) for p, name in zip(pairs, targets, strict=True)])
    points = np.stack([placed(found, pair, name, size) for pair, name in zip(pairs, targets, strict=True)])
    images = files.train.samples
    digest = hashlib.sha256(files.fingerprint.encode() + places.tobytes() + points.tobytes() + held.tobytes())
    splits = [pairs_of(images, places[part], points[part], with_pose, found.joints + 1) for part in (~held, held)]
    return Dataset(
        name=request.source,
        kind="images",
        train=splits[0],
        held_out=splits[1],
        classes=None,
        fingerprint=digest.hexdigest(),
        mirrored=mirrored_order(files.shape[0], swapped_of(found.joints), more=1),
        skipped=(*(one for one in files.skipped if not one.name.lower().endswith(".csv")), *skipped),
    )


def _usable(found: Poses) -> tuple[list[Pair], list[Skipped]]:
    """The pairs whose target has a joint that is seen, and the others."""
    kept, skipped = [], []
    for pair in found.pairs:
        if np.isfinite(found.pose(pair.target, pair.line)).any():
            kept.append(pair)
        else:
            skipped.append(Skipped(name=f"{pair.given},{pair.target}", reason="no joint of the target is seen"))
    if not kept:
        raise UserError("no target of any pair has a joint that is seen: expected keypoints other than -1")
    return kept, skipped


def placed(found: Poses, pair: Pair, image: str, size: int) -> Points:
    """The pose of a pair's target in a square of `size` pixels; image: the one in whose pixels it is told."""
    seen = found.images[image]
    return whole_in_square(found.pose(pair.target, pair.line), seen.width, seen.height, size)


def with_pose(images: Bytes, points: Points) -> Bytes:
    """Images (N, S, S, C) with the maps of poses (N, K, 2): (N, S, S, C + K + 1)."""
    size = images.shape[1]
    return np.concatenate([images, discs(points, size), body(points, limbs_of(points.shape[1]), size)], axis=3)


def givens(path: Path, size: int, channels: int) -> Iterator[tuple[str, Bytes]]:
    """Of each pair a name, and what G is given: (S, S, C + K + 1). The target's image need not be there."""
    found = read_poses(path)
    waiting: dict[str, list[Pair]] = {}
    for pair in found.pairs:
        waiting.setdefault(found.image(pair.given, pair.line), []).append(pair)
    for item in archive.read_files(path):
        if not isinstance(item, Skipped) and item.name in waiting:
            try:
                with transforms.quiet():
                    image = transforms.decode_whole(item.data, size, channels)
            except transforms.ImageError as error:
                raise UserError(f"can't use {item.name}: {error}; replace it, or cut its lines") from None
            yield from _given(found, item.name, image, waiting[item.name])


def _given(found: Poses, name: str, image: Bytes, pairs: Sequence[Pair]) -> Iterator[tuple[str, Bytes]]:
    for pair in pairs:
        points = placed(found, pair, found.places.get(pair.target, name), len(image))
        ends = (one.rpartition("/")[2].rpartition(".")[0] for one in (pair.given, pair.target))
        yield "-as-".join(ends), with_pose(image[None], points[None])[0]


SOURCES.register("poses")(
    Source(
        title="pairs of images of a person with keypoints: images and two CSV tables",
        open=open_poses,
        argument="PATH",
        givens=givens,
    )
)
