"""Data made of real images for a benchmark: a folder in runs/tasks, made when it is first asked for.

`inverted`, `colours` and `bent` are of MNIST, and the right answer is known; `thickness` is MNIST in five ordered
folders by the measured width of the strokes, in place of ages; `edged` is its digits beside their edges, `clothes` it
and Fashion-MNIST, unpaired. `hair` is the anime faces in a folder for each colour of hair, as measured; `turned` is the
same faces as they might look from the side, beside themselves, and `greyed` the faces in grey beside their colours.
"""

from __future__ import annotations

import colorsys
import functools
import io
import os
import shutil
import tarfile
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from results import ROOT
from zerosum.data import open_dataset, posed, profiled

TASKS = ROOT / "runs" / "tasks"
Bytes = npt.NDArray[np.uint8]
TRAIN, TEST = 12_000, 1_000  # digits of a task
COLOURS = {"blue": (90, 90, 255), "green": (60, 255, 60), "red": (255, 60, 60), "yellow": (255, 230, 50)}
THICKNESS = ("1-fine", "2-thin", "3-middle", "4-thick", "5-heavy")
BENT = {"train": 6_000, "test": 1_000}  # digits that are turned
POINTS, MIDDLE = 12, 13.5  # along a digit; the middle of its 28 pixels
TURNED = {"train": 4_000, "test": 500}  # faces
LANDMARKS = np.array([[21.0, 38.0], [43.0, 38.0], [32.0, 46.0], [28.0, 52.0], [36.0, 52.0]])  # usual in anime faces
FACES = "$ZEROSUM_DATA/faces/anime64.tar"
STREETS = "pairs:$ZEROSUM_DATA/pairs/camvid128.tar"
FLOWERS = "unpaired:$ZEROSUM_DATA/unpaired/daisy2sunflower128.tar"


def source(task: str) -> str:
    """The source that a task such as unpaired:inverted is; one that is none of these keeps its name."""
    kind, _, name = task.partition(":")
    if name not in MAKERS:
        return os.path.expandvars(task)
    folder = TASKS / name
    if not folder.exists():
        beside = folder.with_name(f".{name}")
        shutil.rmtree(beside, ignore_errors=True)
        for path, image in MAKERS[name]():
            (beside / path).parent.mkdir(parents=True, exist_ok=True)
            if isinstance(image, str):
                (beside / path).write_text(image)
            else:
                Image.fromarray(image).save(beside / path)
        beside.rename(folder)
    return f"{kind}:{folder}"


def digits() -> Iterator[tuple[str, int, int, Bytes]]:
    """MNIST's digits for a task, in an order by chance: the split, a number, the class and the image (28, 28)."""
    mnist = open_dataset("mnist")
    for split, part, count in (("train", mnist.train, TRAIN), ("test", mnist.held_out, TEST)):
        assert part.labels is not None
        for number, row in enumerate(np.random.default_rng(0).permutation(len(part))[:count]):
            yield split, number, int(part.labels[row]), np.asarray(part.samples[row, :, :, 0])


def inverted() -> Iterator[tuple[str, Bytes]]:
    """A: digits. B: other digits, inverted. The right answer is 255 minus the image."""
    for split, number, label, image in digits():
        side = "AB"[number % 2]
        yield f"{split}{side}/{label}-{number:05d}.png", 255 - image if side == "B" else image


def coloured() -> Iterator[tuple[str, Bytes]]:
    """Digits in four colours, each in one of them. The right answer is the same digit in the colour asked for."""
    for split, number, label, image in digits():
        if split == "train":
            name = sorted(COLOURS)[number % len(COLOURS)]
            yield f"{name}/{label}-{number:05d}.png", dyed(image, name)


def dyed(image: Bytes, name: str) -> Bytes:
    """(28, 28) in that colour, (28, 28, 3)."""
    return (image[:, :, None] / 255 * np.array(COLOURS[name])).round().astype(np.uint8)


def by_thickness() -> Iterator[tuple[str, Bytes]]:
    """Digits in five folders of as many digits each, from the finest strokes to the heaviest."""
    edges = thickness_edges()
    for split, number, label, image in digits():
        if split == "train":
            yield f"{THICKNESS[group_of(thickness(image), edges)]}/{label}-{number:05d}.png", image


def thickness(image: Bytes) -> float:
    """The mean width in pixels of the strokes of a bright image (H, W): twice the ink by the length of its edges.

    That length is the total variation, of slopes between four pixels each, so that a stroke is as wide in every
    direction; a blurred edge is as long as a sharp one. A blank image has width 0.
    """
    ink = np.pad(image / 255, 1)
    down, right = np.diff(ink, axis=0), np.diff(ink, axis=1)
    length = np.hypot(down[:, 1:] + down[:, :-1], right[1:] + right[:-1]).sum() / 2
    return float(2 * ink.sum() / length) if length else 0.0


@functools.cache
def thickness_edges() -> tuple[float, ...]:
    """The four widths between the five groups: quantiles of the digits to train on."""
    widths = [thickness(image) for split, _, _, image in digits() if split == "train"]
    shares = np.arange(1, len(THICKNESS)) / len(THICKNESS)
    return tuple(float(edge) for edge in np.quantile(widths, shares))


def group_of(width: float, edges: tuple[float, ...]) -> int:
    """The number of the group, from 0, that a width lies in."""
    return int(np.searchsorted(edges, width, side="right"))


def faces() -> Iterator[tuple[str, Bytes]]:
    """The anime faces in the archive's order, with the names of their files."""
    with tarfile.open(os.path.expandvars(FACES)) as archive:
        for member in archive:
            if member.isfile() and (file := archive.extractfile(member)) is not None:
                image = np.asarray(Image.open(io.BytesIO(file.read())).convert("RGB"))
                yield f"{Path(member.name).stem}.png", image


def hair() -> Iterator[tuple[str, Bytes]]:
    """The same by the colour of their hair."""
    return ((f"{colour_of_hair(image)}/{name}", image) for name, image in faces())


def few_faces() -> Iterator[tuple[str, Bytes]]:
    """The first thousand of them: what is sent to a machine that can't have more."""
    return islice(faces(), 1_000)


def colour_of_hair(image: Bytes) -> str:
    """By the middle colour (64, 64, 3) of a strip below the upper edge."""
    red, green, blue = np.median(image[2:14, 18:46].reshape(-1, 3), axis=0) / 255
    hue, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
    degrees = 360 * hue
    if value < 0.4:
        return "dark"
    if saturation < 0.15:
        return "pale"
    if degrees < 70 or degrees >= 330:
        return "blond" if degrees < 70 and value > 0.75 else "brown-red"
    return "green-blue" if degrees < 260 else "violet"


def bent() -> Iterator[tuple[str, Bytes | str]]:
    """Digits, each to be turned and slanted by chance: points along its longest line, moved alike, are the pose."""
    chance = np.random.default_rng(0)
    keypoints, pairs = [posed.KEYPOINTS], {split: [posed.PAIRS] for split in ("train", "test")}
    for split, number, label, image in digits():
        if number >= BENT[split]:
            continue
        angle, slant = chance.uniform(-1, 1), chance.uniform(-0.4, 0.4)
        matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ [[1, slant], [0, 1]]
        points = (along_the_line(image) - MIDDLE) @ matrix.T + MIDDLE
        names = [f"{split}-{label}-{number:05d}-{part}.png" for part in ("is", "as")]
        yield names[0], image
        yield names[1], warped(image, matrix)
        across, down = (np.clip(points[:, axis].round(), 0, 27).astype(int).tolist() for axis in (0, 1))
        keypoints.append(f"{names[1]}:{down}:{across}")
        pairs[split].append(",".join(names))
    yield "digits-annotation.csv", "\n".join(keypoints)
    for split, lines in pairs.items():
        yield f"digits-pairs-{split}.csv", "\n".join(lines)


def along_the_line(image: Bytes) -> npt.NDArray[np.float64]:
    """Points x, y (POINTS, 2) at even distances on the longest of the shortest ways through a digit's ink."""
    ink = {(int(row), int(column)) for row, column in np.argwhere(image > 100)}
    way = farthest(ink, farthest(ink, min(ink))[-1])
    places = np.linspace(0, len(way) - 1, POINTS).round().astype(int)
    return np.array([way[place][::-1] for place in places], float)


def farthest(ink: set[tuple[int, int]], start: tuple[int, int]) -> list[tuple[int, int]]:
    """The shortest way from a pixel to the one that is farthest from it, over neighbours."""
    before: dict[tuple[int, int], tuple[int, int] | None] = {start: None}
    waiting = deque([start])
    while waiting:
        last = waiting.popleft()
        for down, across in ((0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (-1, -1), (1, -1), (-1, 1)):
            other = last[0] + down, last[1] + across
            if other in ink and other not in before:
                before[other] = last
                waiting.append(other)
    way, place = [], last
    while place is not None:
        way.append(place)
        place = before[place]
    return way


def warped(image: Bytes, matrix: npt.NDArray[np.float64]) -> Bytes:
    """An image moved by a matrix about its middle."""
    back = np.linalg.inv(matrix)
    shift = (MIDDLE + 0.5) - back @ [MIDDLE + 0.5, MIDDLE + 0.5]
    told = (back[0, 0], back[0, 1], shift[0], back[1, 0], back[1, 1], shift[1])
    picture = Image.fromarray(image)
    return np.asarray(picture.transform(picture.size, Image.Transform.AFFINE, told, Image.Resampling.BICUBIC))


def turned() -> Iterator[tuple[str, Bytes | str]]:
    """Anime faces as they are, and squeezed to one side with the other one dark: landmarks at the usual places, moved
    alike. An identity is a colour of hair, so that some can be held out, each with a number of its own.
    """
    chance = np.random.default_rng(0)
    for number, (path, image) in zip(range(sum(TURNED.values())), hair(), strict=False):
        split = "train" if number < TURNED["train"] else "test"
        identity = path.partition("/")[0]
        squeeze, mirrored = chance.uniform(0.45, 0.75), bool(chance.integers(2))
        name = f"{split}/{identity}_{number:05d}"
        yield f"{name}_frontal.png", image
        yield f"{name}_frontal.5pt", written(LANDMARKS)
        seen, points = image[:, ::-1] if mirrored else image, LANDMARKS.copy()
        # The far half (columns up to 31) is squeezed against the edge that stays in the middle, and dark.
        seen = np.asarray(
            Image.fromarray(seen).transform((64, 64), Image.Transform.AFFINE, (1 / squeeze, 0, 0, 0, 1, 0))
        ).copy()
        far = round(squeeze * 32)
        seen[:, :far] = seen[:, :far] // 4
        seen[:, round(squeeze * 64) :] = seen[:, round(squeeze * 64) - 1 : round(squeeze * 64)]
        points[:, 0] *= squeeze
        if mirrored:
            seen, points = seen[:, ::-1], points[list(profiled.SWAPPED)]
            points[:, 0] = 63 - points[:, 0]
        yield f"{name}_side.png", np.ascontiguousarray(seen)
        yield f"{name}_side.5pt", written(points)


def written(points: npt.NDArray[np.float64]) -> str:
    """Landmarks as five lines."""
    return "\n".join(f"{x:.1f} {y:.1f}" for x, y in points)


def edged() -> Iterator[tuple[str, Bytes]]:
    """The edges of each digit on the left, the digit on the right."""
    for split, number, label, image in digits():
        yield f"{split}/{label}-{number:05d}.png", np.concatenate([edges_of(image), image], axis=1)


def edges_of(image: Bytes) -> Bytes:
    """White where ink of at least a half has a neighbour, up, down or sideways, that has less; (H, W) to the same."""
    ink = np.pad(image >= 128, 1)
    inside = ink[:-2, 1:-1] & ink[2:, 1:-1] & ink[1:-1, :-2] & ink[1:-1, 2:]
    return 255 * (ink[1:-1, 1:-1] & ~inside).astype(np.uint8)


def greyed() -> Iterator[tuple[str, Bytes]]:
    """Anime faces, grey on the left by their luma and in colour on the right."""
    for number, (path, image) in zip(range(sum(TURNED.values())), hair(), strict=False):
        split = "train" if number < TURNED["train"] else "test"
        grey = np.asarray(Image.fromarray(image).convert("L").convert("RGB"))
        yield f"{split}/{number:05d}-{Path(path).stem}.png", np.concatenate([grey, image], axis=1)


def clothes() -> Iterator[tuple[str, Bytes]]:
    """A: digits. B: as many pieces of clothing. There is no right answer; both have ten classes."""
    fashion = open_dataset("fashion-mnist")
    for split, number, label, image in digits():
        yield f"{split}A/{label}-{number:05d}.png", image
        part = fashion.train if split == "train" else fashion.held_out
        yield f"{split}B/{number:05d}.png", np.asarray(part.samples[number, :, :, 0])


MAKERS: dict[str, Callable[[], Iterator[tuple[str, Bytes | str]]]] = {
    "inverted": inverted,
    "colours": coloured,
    "thickness": by_thickness,
    "hair": hair,
    "few-faces": few_faces,
    "bent": bent,
    "turned": turned,
    "edged": edged,
    "greyed": greyed,
    "clothes": clothes,
}
