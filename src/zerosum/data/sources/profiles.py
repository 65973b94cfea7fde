"""`profiles:PATH`: faces from the side with their landmarks, each to become one of the same identity from the front."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from zerosum.data import archive, transforms
from zerosum.data.archive import stem
from zerosum.data.convert import open_images
from zerosum.data.dataset import Dataset, Skipped, hold_out
from zerosum.data.forms import WHOLE
from zerosum.data.keypoints import Points, discs, mirrored_order, pairs_of, whole_in_square
from zerosum.data.posed import TEST
from zerosum.data.profiled import ENDINGS, LANDMARKS, SWAPPED, Face, read_faces
from zerosum.data.sources import SOURCES, Request, Source
from zerosum.data.sources.folder import path_of
from zerosum.errors import UserError

Bytes = npt.NDArray[np.uint8]


def open_profiles(request: Request) -> Dataset:
    """Frontal views as samples, their identities as classes; as partners views from the side, a map for each landmark.

    The folder test is held out, where there is one, else some identities, whole. Of several frontal views the one whose
    name is most alike is taken. `UserError` where no identity has both.
    """
    path = path_of(request)
    files = open_images(path, request.source, request.size, request.sizes, request.channels, WHOLE)
    unread = {one.name for one in files.skipped}
    faces = [face for face in read_faces(path)[0] if face.name not in unread]
    pairs, skipped = paired(faces)
    if not pairs:
        raise UserError(
            f"{request.source} has no identity with views from the side and from the front; expected names such as "
            "007_01_01_190_05.png and 007_01_01_051_05.png, or 007_side.png and 007_frontal.png"
        )
    held = np.array([TEST.search(faces[side].name.rpartition("/")[0].lower()) is not None for side, _ in pairs])
    if not held.any():
        held = hold_out([hashlib.sha256(faces[side].identity.encode()).digest() for side, _ in pairs])
    if held.all():
        raise UserError(f"every face of {request.source} lies in a folder for tests: add some to train on")
    classes = tuple(sorted({faces[side].identity for side, _ in pairs}))
    labels = np.array([classes.index(faces[side].identity) for side, _ in pairs], np.int64)
    size, places = files.shape[1], np.array(pairs)
    points = np.stack([placed(faces[side], size) for side, _ in pairs])
    told = b"".join(array.tobytes() for array in (places, points, labels, held))
    splits = [
        pairs_of(files.train.samples, places[part], points[part], with_landmarks, LANDMARKS, labels[part])
        for part in (~held, held)
    ]
    return Dataset(
        name=request.source,
        kind="images",
        train=splits[0],
        held_out=splits[1],
        classes=classes,
        fingerprint=hashlib.sha256(files.fingerprint.encode() + told).hexdigest(),
        mirrored=mirrored_order(files.shape[0], SWAPPED),
        skipped=(*(one for one in files.skipped if not one.name.lower().endswith(ENDINGS)), *skipped),
    )


def paired(faces: Sequence[Face]) -> tuple[list[tuple[int, int]], list[Skipped]]:
    """Of each view from the side its number, and that of the frontal view it is to become; those without one."""
    fronts: dict[str, list[int]] = {}
    for number, face in enumerate(faces):
        if face.frontal:
            fronts.setdefault(face.identity, []).append(number)
    pairs, skipped = [], []
    for number, face in enumerate(faces):
        if face.frontal:
            continue
        if face.identity not in fronts:
            skipped.append(Skipped(name=face.name, reason=f"there is no frontal view of {face.identity}"))
            continue
        pairs.append((number, max(fronts[face.identity], key=lambda front: face.likeness(faces[front]))))
    return pairs, skipped


def placed(face: Face, size: int) -> Points:
    """A face's landmarks in a square of `size` pixels."""
    return whole_in_square(face.points, face.width, face.height, size)


def with_landmarks(images: Bytes, points: Points) -> Bytes:
    """Images (N, S, S, C) with the maps of landmarks (N, 5, 2): (N, S, S, C + 5)."""
    return np.concatenate([images, discs(points, images.shape[1])], axis=3)


def givens(path: Path, size: int, channels: int) -> Iterator[tuple[str, Bytes]]:
    """Of each face its name, and what G is given: (S, S, C + 5). No frontal view need be there."""
    faces = {face.name: face for face in read_faces(path)[0]}
    for item in archive.read_files(path):
        if isinstance(item, Skipped) or item.name not in faces:
            continue
        try:
            with transforms.quiet():
                image = transforms.decode_whole(item.data, size, channels)
        except transforms.ImageError as error:
            raise UserError(f"can't use {item.name}: {error}; replace it, or take it out") from None
        yield stem(item.name), with_landmarks(image[None], placed(faces[item.name], size)[None])[0]


SOURCES.register("profiles")(
    Source(
        title="faces from the side and from the front, five landmarks beside each",
        open=open_profiles,
        argument="PATH",
        givens=givens,
    )
)
