"""Persons and their poses in files: images, a table of pairs and a table of keypoints, as DeepFashion's are published.

The tables are CSV files known by their first lines: `from,to` names two images of one person, and
`name:keypoints_y:keypoints_x` has two lists for each image, with -1 for a joint that is not seen.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from zerosum.data import archive, transforms
from zerosum.data.archive import File
from zerosum.data.dataset import Skipped
from zerosum.data.keypoints import Points
from zerosum.errors import UserError

PAIRS, KEYPOINTS = "from,to", "name:keypoints_y:keypoints_x"
EXPECTED = f"expected images, a CSV that begins with {PAIRS}, and one that begins with {KEYPOINTS}"
TEST = re.compile(r"(?<![a-z])test(?![a-z])")

# OpenPose's 18 joints: nose, neck, right arm, left arm, right leg, left leg, eyes, ears.
BODY = 18
SWAPPED = (0, 1, 5, 6, 7, 2, 3, 4, 11, 12, 13, 8, 9, 10, 15, 14, 17, 16)
ARMS = ((1, 2), (2, 3), (3, 4), (1, 5), (5, 6), (6, 7))
LEGS = ((1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13))
TRUNK, HEAD = ((2, 8), (5, 11), (8, 11)), ((1, 0), (0, 14), (14, 16), (0, 15), (15, 17))


def limbs_of(joints: int) -> tuple[tuple[int, int], ...]:
    """The limbs of a body of 18 joints; any other number of points is joined one after the other."""
    if joints == BODY:
        return (*ARMS, *LEGS, *TRUNK, *HEAD)
    return tuple((k, k + 1) for k in range(joints - 1))


def swapped_of(joints: int) -> tuple[int, ...]:
    """The joint that each one is in a mirror; of other than 18 points itself."""
    return SWAPPED if joints == BODY else tuple(range(joints))


@dataclass(frozen=True)
class Seen:
    """An image's header, and the SHA-256 of its file."""

    width: int
    height: int
    digest: bytes


@dataclass(frozen=True)
class Pair:
    """Two images of one person by their names in a table; held: by a test table. `line` says where it stands."""

    given: str
    target: str
    held: bool
    line: str


@dataclass
class Poses:
    """What lies in a folder or an archive: images by their full names, poses by the tables' names, and pairs."""

    images: dict[str, Seen] = field(default_factory=dict)
    poses: dict[str, Points] = field(default_factory=dict)
    pairs: list[Pair] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    places: dict[str, str] = field(default_factory=dict)  # of each end of an image's path the path

    @property
    def joints(self) -> int:
        """Keypoints of each image."""
        return len(next(iter(self.poses.values())))

    def image(self, name: str, line: str) -> str:
        """The full name of an image that a table names; `UserError` where it is not there or can't be read."""
        place = self.places.get(name)
        if place is None:
            raise UserError(f"{line} names {name}, which is no image that can be read here: add it, or cut the line")
        return place

    def pose(self, name: str, line: str) -> Points:
        """(K, 2), NaN where a joint is not seen; `UserError` where the image has no keypoints."""
        if name not in self.poses:
            raise UserError(f"{line} names {name}, which has no keypoints: add its line to the table {KEYPOINTS}")
        return self.poses[name]


def read_poses(path: Path) -> Poses:
    """Everything below a path but the pixels; `UserError` names the first line of a table that is wrong."""
    found, tables = Poses(), []
    with transforms.quiet():
        for item in archive.read_files(path):
            if isinstance(item, Skipped):
                found.skipped.append(item)
            elif item.name.lower().endswith(".csv"):
                tables.append(item)
            else:
                _note_image(found, item)
    for table in tables:
        _read_table(found, table)
    if not (found.images and found.poses and found.pairs):
        raise UserError(f"{archive.shown(path)} has no poses: {EXPECTED}")
    return found


def _note_image(found: Poses, item: File) -> None:
    try:
        header = transforms.inspect(item.data)
    except transforms.ImageError as error:
        found.skipped.append(Skipped(name=item.name, reason=str(error)))
        return
    found.images[item.name] = Seen(header.width, header.height, hashlib.sha256(item.data).digest())
    parts = item.name.split("/")
    for start in range(len(parts)):
        found.places.setdefault("/".join(parts[start:]), item.name)


def _read_table(found: Poses, table: File) -> None:
    lines = table.data.decode("utf-8-sig", "replace").splitlines()
    head = "".join(lines[0].split()) if lines else ""
    held = TEST.search(table.name.lower()) is not None
    if head not in (PAIRS, KEYPOINTS):
        raise UserError(f"{table.name} begins with {head[:60]!r}; {EXPECTED}")
    for number, line in enumerate(lines[1:], 2):
        if not line.strip():
            continue
        where = f"{table.name}, line {number},"
        if head == KEYPOINTS:
            _note_pose(found, line, where)
            continue
        names = [name.strip() for name in line.split(",")]
        if len(names) != 2:
            raise UserError(f"{where} is {line[:60]!r}; expected the names of two images, such as one.jpg,other.jpg")
        found.pairs.append(Pair(names[0], names[1], held, where))


def _note_pose(found: Poses, line: str, where: str) -> None:
    """A line of keypoints; as many as those of the lines before it."""
    name, *told = line.split(":")
    down, across = (_numbers(text, where) for text in told) if len(told) == 2 else ([], [0.0])
    wanted = found.joints if found.poses else len(across)
    if not (len(down) == len(across) == wanted):
        raise UserError(f"{where} has {len(down)} and {len(across)} keypoints; expected {wanted} of y and of x")
    points = np.array([across, down], np.float32).T
    points[(points < 0).any(axis=1)] = np.nan
    found.poses[name.strip()] = points


def _numbers(text: str, where: str) -> list[float]:
    try:
        values = json.loads(text)
        return [float(value) for value in values]
    except (ValueError, TypeError):
        raise UserError(
            f"{where} has keypoints {text.strip()[:60]!r}; expected numbers such as [12, 40, -1], -1 for one not seen"
        ) from None
