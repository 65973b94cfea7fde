"""How the files of a source become the rows of one array: single images, pairs of halves, two unpaired sets, ages."""

from __future__ import annotations

import io
import re
import struct
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from zerosum.data import archive, cache, transforms
from zerosum.data.archive import File
from zerosum.data.dataset import Skipped, hold_out
from zerosum.errors import UserError, writing

Mask = npt.NDArray[np.bool_]
Labels = Sequence[int] | None
SPLITS = ("train", "val", "test")
AGE_GROUPS = {"0-18": 0, "19-29": 19, "30-39": 30, "40-49": 40, "50-59": 50, "60+": 60}  # and their first years
OLDEST = 116  # years, of UTKFace's people
SIDES = {"A": 0, "B": 1, "label": 0, "img": 1}
SIDE = re.compile(rf"({'|'.join(SPLITS)})_?({'|'.join(SIDES)})")
CITYSCAPES = {"leftImg8bit": "_leftImg8bit", "gtFine": "_gtFine_color"}  # photo and label map: how their names end
JOINED = b"two files\0"  # begins the bytes of a pair that lies in two files


@dataclass(frozen=True, kw_only=True)
class Arranged:
    """The rows that are used, what each one is, and which of them are held out; the others with the reason."""

    kept: list[int]
    held: Mask  # a flag for each kept row
    classes: tuple[str, ...] = ()
    labels: list[int] | None = None  # of each kept row
    left_out: str = "outside the class folders"


@dataclass(frozen=True, kw_only=True)
class Form:
    """What is read, what a row is made of, and how the rows are arranged."""

    name: str  # part of the cache's key; "" for single images
    arrange: Callable[[Sequence[str], Sequence[bytes]], Arranged]  # by names and digests
    read: Callable[[Path], Iterator[File | Skipped]] = archive.read_files
    decode: Callable[[bytes, int, int], npt.NDArray[np.uint8]] = transforms.decode
    across: int = 1  # squares side by side in a row
    parted: Callable[[bytes], tuple[tuple[str, ...], bytes]] | None = None  # what is read: captions and an image


def without_top(names: Sequence[str]) -> list[list[str]]:
    """Each name's folders and file, without the one folder that holds everything."""
    parts = [name.split("/") for name in names]
    if len({part[0] for part in parts}) == 1 and all(len(part) > 1 for part in parts):
        return [part[1:] for part in parts]
    return parts


# Single images


def layout(names: Sequence[str]) -> tuple[list[int], tuple[str, ...], list[int] | None]:
    """Which images are used, the classes (none: an empty tuple), and each used image's class.

    One folder that holds everything is ignored. Two or more immediate subfolders are the classes, as long as
    they hold half of the images; images beside them are then left out. One subfolder alone is no class.
    """
    parts = without_top(names)
    inside = [row for row, part in enumerate(parts) if len(part) > 1]
    classes = tuple(sorted({parts[row][0] for row in inside}))
    if len(classes) < 2 or 2 * len(inside) < len(parts):
        return list(range(len(names))), (), None
    number = {name: index for index, name in enumerate(classes)}
    return inside, classes, [number[parts[row][0]] for row in inside]


def arrange_images(names: Sequence[str], digests: Sequence[bytes]) -> Arranged:
    """Classes by folder; held out by content, or where all lie in train and test (or val), what lies in test."""
    if (split := _by_split(names)) is not None:
        return split
    kept, classes, labels = layout(names)
    return Arranged(kept=kept, held=hold_out([digests[row] for row in kept], labels), classes=classes, labels=labels)


def _held_by(parts: Sequence[Sequence[str]]) -> str | None:
    """test, else val, where everything lies in such folders and train; None where there are others."""
    heads = {part[0] if len(part) > 1 else "" for part in parts}
    held_by = "test" if "test" in heads else "val"
    return held_by if {"train", held_by} <= heads <= set(SPLITS) else None


def split_of(names: Sequence[str]) -> dict[int, bool] | None:
    """The images in the folders train and test (or val), each with whether it is held out.

    None where images lie elsewhere, so that there are no such folders.
    """
    parts = without_top(names)
    held_by = _held_by(parts)
    if held_by is None:
        return None
    return {row: part[0] == held_by for row, part in enumerate(parts) if part[0] in ("train", held_by)}


def held_of(split: Mapping[int, bool] | None, kept: Sequence[int], digests: Sequence[bytes], labels: Labels) -> Mask:
    """Which of the rows that are kept are held out: those that the split names, or some by content, of each label."""
    if split is None:
        return hold_out([digests[row] for row in kept], labels)
    return np.array([split[row] for row in kept], bool)


def require_taught(classes: Sequence[str], labels: Labels, held: Mask) -> None:
    """`UserError` for a class that no image to train on has."""
    taught = {label for label, out in zip(labels or (), held, strict=labels is not None) if not out}
    if missing := sorted(set(range(len(classes))) - taught):
        raise UserError(f"class {classes[missing[0]]} has images held out and none in train: expected some in both")


def _by_split(names: Sequence[str]) -> Arranged | None:
    """Of folders train and test, or train and val, with or without classes in them; None where there are others."""
    split = split_of(names)
    if split is None:
        return None
    parts, used = without_top(names), list(split)
    inside, classes, labels = layout(["/".join(["all", *parts[row][1:]]) for row in used])
    kept = [used[row] for row in inside]
    held = held_of(split, kept, (), labels)
    require_taught(classes, labels, held)
    left_out = "outside the folders train and test (or val), or their class folders"
    return Arranged(kept=kept, held=held, classes=classes, labels=labels, left_out=left_out)


def arrange_all(names: Sequence[str], digests: Sequence[bytes]) -> Arranged:
    """All of them in order of names, none held out: whoever asks knows which ones belong together."""
    return Arranged(kept=list(range(len(names))), held=np.zeros(len(names), bool))


def empty_classes(names: Sequence[str], skipped: Sequence[str]) -> tuple[str, ...]:
    """The subfolders beside those of the images from which nothing could be read: an empty one's name ends in /."""
    parts = without_top([*names, *skipped])
    if _held_by(parts[: len(names)]) is not None:
        parts = [part[1:] if part[0] in SPLITS and len(part) > 1 else part for part in parts]
    filled = {part[0] for part in parts[: len(names)] if len(part) > 1}
    return tuple(sorted({part[0] for part in parts[len(names) :] if len(part) > 1} - filled)) if filled else ()


# Pairs


def read_pairs(path: Path) -> Iterator[File | Skipped]:
    """Each pair as one file: an image with its halves side by side, or two of the same name in two folders.

    `UserError` names the first file without a partner, and two in one folder whose names differ in their ending alone.
    """
    halves = halves_of([item.name for item in archive.read_files(path) if isinstance(item, File)])
    if halves is None:
        yield from archive.read_files(path)
        return
    first: dict[tuple[int, str], str] = {}
    for name, half in halves.items():
        if (other := first.setdefault(half, name)) != name:
            raise UserError(f"{other} and {name} have one name: expected one half of a pair of each name")
    lonely = {key for _, key in halves.values()}
    for side in (0, 1):
        found = {key for own, key in halves.values() if own == side}
        if missing := sorted(lonely - found):
            name = next(name for name, half in halves.items() if half[1] == missing[0])
            raise UserError(f"{name} has no partner ({len(missing)} such files): expected one of its name beside it")
    if path.is_dir():
        yield from _beside_each_other(path, halves)
        return
    yield from _as_they_come(path, halves)


def _as_they_come(path: Path, halves: dict[str, tuple[int, str]]) -> Iterator[File | Skipped]:
    """The pairs of an archive; the halves that come first, which may be all of one side, wait in a file for theirs."""
    waiting: dict[str, tuple[int, int]] = {}  # where in that file
    folder = cache.cache_folder()
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as kept:
        for item in archive.read_files(path):
            if isinstance(item, Skipped) or item.name not in halves:
                yield item if isinstance(item, Skipped) else Skipped(name=item.name, reason="outside the two folders")
                continue
            side, key = halves[item.name]
            if key not in waiting:
                with writing(folder):
                    waiting[key] = kept.seek(0, io.SEEK_END), len(item.data)
                    kept.write(item.data)
                continue
            place, length = waiting.pop(key)
            kept.seek(place)
            partner = kept.read(length)
            yield _joined(key, *((item.data, partner) if side == 0 else (partner, item.data)))


def _joined(key: str, a: bytes, b: bytes) -> File:
    return File(key, JOINED + struct.pack("<Q", len(a)) + a + b)


def _beside_each_other(folder: Path, halves: dict[str, tuple[int, str]]) -> Iterator[File | Skipped]:
    """The same of a folder, whose files can be read in any order: one pair in memory at a time."""
    pairs: dict[str, list[str]] = {}
    for name, (side, key) in halves.items():
        pairs.setdefault(key, ["", ""])[side] = name
    places = archive.places(folder)
    for name, place in places.items():
        if isinstance(place, Skipped):
            yield place
        elif name not in halves:
            yield Skipped(name=name, reason="outside the two folders")
    for key, names in pairs.items():
        found: list[File | Skipped] = []
        for name in names:
            place = places[name]
            found.append(place if isinstance(place, Skipped) else archive.read_file(place, name))
        a, b = found
        if isinstance(a, File) and isinstance(b, File):
            yield _joined(key, a.data, b.data)
        else:
            yield from (one for one in found if isinstance(one, Skipped))


def halves_of(names: Sequence[str]) -> dict[str, tuple[int, str]] | None:
    """Of each file in two folders of halves its side, 0 or 1, and what both are called; None where there are none.

    The folders are called trainA and trainB (and so on for test and val), train_label and train_img as pix2pixHD's,
    train/A and train/B, or are the only two of any other names, also in train; or they are Cityscapes' leftImg8bit and
    gtFine, whose files end differently. What no image is by its ending is no half of one.
    """
    names = [name for name in names if Path(name).suffix.lower() in Image.registered_extensions()]
    parts = _sides_first(without_top(names))
    heads = sorted({part[0] for part in parts if len(part) > 1})
    sides = {head: SIDE.fullmatch(head) for head in heads}
    endings = {}
    if heads and all(sides.values()):
        found = {head: (SIDES[side[2]], side[1]) for head, side in sides.items() if side}
    elif heads == sorted(CITYSCAPES):
        found = {head: (number, "") for number, head in enumerate(CITYSCAPES)}
        endings = CITYSCAPES
    elif len(heads) == 2 and not set(heads) & set(SPLITS):
        found = {heads[0]: (0, ""), heads[1]: (1, "")}
    else:
        return None
    halves = {}
    for name, part in zip(names, parts, strict=True):
        if len(part) > 1:
            side, split = found[part[0]]
            rest = "/".join([*([split] if split else []), *part[1:]])
            key = archive.stem(rest)
            if key.endswith(ending := endings.get(part[0], "")):
                halves[name] = side, key.removesuffix(ending)
    return halves


def _sides_first(parts: list[list[str]]) -> list[list[str]]:
    """train/A/… as trainA/…, and so with the only two folders of other names that share files'; the rest as it is."""
    inside: dict[str, set[str]] = {}
    for part in parts:
        if len(part) > 2 and part[0] in SPLITS:
            inside.setdefault(part[1], set()).add(archive.stem("/".join([part[0], *part[2:]])))
    sides = {name: name for name in ("A", "B")}
    if len(inside) == 2 and set.intersection(*inside.values()):
        sides = dict(zip(sorted(inside, key=lambda name: (SIDES.get(name, 2), name)), "AB", strict=True))
    return [
        [part[0] + sides[part[1]], *part[2:]] if len(part) > 2 and part[0] in SPLITS and part[1] in sides else part
        for part in parts
    ]


def decode_pair(data: bytes, size: int, channels: int) -> npt.NDArray[np.uint8]:
    """(size, 2 size, channels): A on the left, B on the right; `UnequalError` where an image has no equal halves."""
    if data.startswith(JOINED):
        (length,) = struct.unpack_from("<Q", data, len(JOINED))
        start = len(JOINED) + 8
        files = data[start : start + length], data[start + length :]
        transforms.require_one_shape(*files)
        a, b = (transforms.decode(one, size, channels) for one in files)
    else:
        a, b = transforms.decode_halves(data, size, channels)
    return np.concatenate([a, b], axis=1)


def arrange_pairs(names: Sequence[str], digests: Sequence[bytes]) -> Arranged:
    """The folders train and test where there are such, else held out by content."""
    parts = without_top(names)
    split = [next((part for part in path[:-1] if part in SPLITS), "") for path in parts]
    held_by = "test" if "test" in split else "val"
    if held_by not in split or not {"train", ""} & set(split):
        return Arranged(kept=list(range(len(names))), held=hold_out(digests))
    kept = [row for row, name in enumerate(split) if name in ("train", "", held_by)]
    held = np.array([split[row] == held_by for row in kept])
    return Arranged(kept=kept, held=held, left_out="of the validation part, which is not used")


# Two sets


def arrange_unpaired(names: Sequence[str], digests: Sequence[bytes]) -> Arranged:
    """trainA and trainB, testA and testB, as classes A and B; `UserError` where there are no such folders."""
    folder = re.compile("(train|test)[AB]")
    heads = [next((part for part in name.split("/")[:-1] if folder.fullmatch(part)), "") for name in names]
    kept = [row for row, head in enumerate(heads) if head]
    for needed in ("trainA", "trainB"):
        if needed not in heads:
            raise UserError(f"no image lies in {needed}: expected the folders trainA and trainB (and testA, testB)")
    labels = ["AB".index(heads[row][-1]) for row in kept]
    held = np.array([heads[row].startswith("test") for row in kept])
    if not held.any():
        held = hold_out([digests[row] for row in kept], labels)
    left_out = "outside trainA, trainB, testA and testB"
    return Arranged(kept=kept, held=held, classes=("A", "B"), labels=labels, left_out=left_out)


# Ages


def arrange_ages(names: Sequence[str], digests: Sequence[bytes]) -> Arranged:
    """Groups of ages, by what `age_of` reads in each file's name; held out as single images are.

    Other folders count for nothing. `UserError` where the ages fall into fewer than two groups.
    """
    split = split_of(names)
    ages = {
        row: age for row in split or range(len(names)) if (age := age_of(names[row].rpartition("/")[2])) is not None
    }
    kept = list(ages)
    groups = [sum(age >= first for first in AGE_GROUPS.values()) - 1 for age in ages.values()]
    found = sorted(set(groups))
    if len(found) < 2:
        raise UserError(
            f"the ages in the files' names fall into {len(found)} of the groups {', '.join(AGE_GROUPS)}; "
            "expected at least two, of names such as 23_1_0_20170103.jpg or nm1_rm2_1968-5-10_1999.jpg"
        )
    labels = [found.index(group) for group in groups]
    held = held_of(split, kept, digests, labels)
    classes = tuple(list(AGE_GROUPS)[group] for group in found)
    require_taught(classes, labels, held)
    return Arranged(kept=kept, held=held, classes=classes, labels=labels, left_out="its name tells no age")


def age_of(name: str) -> int | None:
    """The age that a file's name tells, as UTKFace's 23_1_0_20170103.jpg or IMDB-WIKI's nm1_rm2_1968-5-10_1999.jpg.

    The second has a date of birth and the year of the picture, which counts as taken in the middle of it (Rothe et al.
    2015, "DEX"). None where there is neither, or no age of a person.
    """
    if born := re.search(r"_(\d{4})-(\d{1,2})-\d{1,2}_(\d{4})\.\w+$", name):
        year, month, taken = map(int, born.groups())
        age = taken - year - (month > 6)
    elif begins := re.match(r"(\d{1,3})_", name):
        age = int(begins[1])
    else:
        return None
    return age if 0 <= age <= OLDEST else None


IMAGES = Form(name="", arrange=arrange_images)
PAIRS = Form(name="pairs", arrange=arrange_pairs, read=read_pairs, decode=decode_pair, across=2)
UNPAIRED = Form(name="unpaired", arrange=arrange_unpaired)
AGES = Form(name="ages", arrange=arrange_ages)
WHOLE = Form(name="whole", arrange=arrange_all, decode=transforms.decode_whole)
