"""Faces from the side and from the front in files: five landmarks beside each image, identities in names.

As crops of Multi-PIE are commonly laid out: 007_01_01_190_05.png with 007_01_01_190_05.5pt or .txt, five lines of x and
y in the image's pixels: both eyes, nose and both corners of the mouth, the left of the picture first.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zerosum.data import archive, transforms
from zerosum.data.archive import File, stem
from zerosum.data.dataset import Skipped
from zerosum.data.keypoints import Points
from zerosum.errors import UserError

LANDMARKS = 5
SWAPPED = (1, 0, 2, 4, 3)  # in a mirror
ENDINGS = (".5pt", ".txt")
CAMERA, FRONT = 3, "051"  # the part of a Multi-PIE name that is the camera, and the one in front
FRONTAL = "frontal"  # a part of any other name, or a folder's


@dataclass(frozen=True)
class Face:
    """An image's header, the SHA-256 of its file, and its landmarks (5, 2) in its own pixels; NaN: not seen."""

    name: str
    width: int
    height: int
    digest: bytes
    points: Points

    @property
    def parts(self) -> list[str]:
        """What its name is made of."""
        return stem(self.name).rpartition("/")[2].split("_")

    @property
    def identity(self) -> str:
        """Whose face it is: the first part of the name."""
        return self.parts[0]

    @property
    def frontal(self) -> bool:
        """Whether it is seen from the front."""
        parts = self.parts
        by_camera = len(parts) > CAMERA + 1 and parts[CAMERA] == FRONT
        return by_camera or FRONTAL in parts or FRONTAL in self.name.split("/")[:-1]

    def likeness(self, other: Face) -> int:
        """How many parts of the two names are the same at the same place: session, recording, light."""
        return sum(mine == theirs for mine, theirs in zip(self.parts, other.parts, strict=False))


def read_faces(path: Path) -> tuple[list[Face], list[Skipped]]:
    """Every face below a path in order of names, without its pixels, and the files that are none.

    `UserError` names the first image without landmarks and the first line that is no point.
    """
    texts: dict[str, File] = {}
    images: list[tuple[str, transforms.Header, bytes]] = []
    skipped = []
    with transforms.quiet():
        for item in archive.read_files(path):
            if isinstance(item, Skipped):
                skipped.append(item)
            elif item.name.lower().endswith(ENDINGS):
                texts[stem(item.name)] = item
            else:
                try:
                    header = transforms.inspect(item.data)
                except transforms.ImageError as error:
                    skipped.append(Skipped(name=item.name, reason=str(error)))
                    continue
                images.append((item.name, header, hashlib.sha256(item.data).digest()))
    faces = []
    for name, header, digest in sorted(images, key=lambda image: image[0]):
        if stem(name) not in texts:
            expected = f"{stem(name)}{ENDINGS[0]}: five lines of x and y, both eyes, nose and both corners of the mouth"
            raise UserError(f"{name} has no landmarks; expected beside it {expected}")
        faces.append(Face(name, header.width, header.height, digest, _points(texts[stem(name)])))
    if not faces:
        raise UserError(f"{archive.shown(path)} has no face; expected images with five landmarks beside each")
    return faces, skipped


def _points(file: File) -> Points:
    lines = [line for line in file.data.decode("utf-8-sig", "replace").splitlines() if line.strip()]
    if len(lines) != LANDMARKS:
        raise UserError(f"{file.name} has {len(lines)} lines; expected five, of x and y each")
    found = np.full((LANDMARKS, 2), np.nan, np.float32)
    for number, line in enumerate(lines):
        try:
            x, y = (float(part) for part in line.replace(",", " ").split())
        except ValueError:
            raise UserError(
                f"{file.name}, line {number + 1}, is {line[:60]!r}; expected x and y, as in 40.5 61"
            ) from None
        if x >= 0 and y >= 0:
            found[number] = x, y
    return found
