"""Image files of any kind into one memory-mapped uint8 array in the cache, decoded once for each content and size."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from zerosum.data import archive, cache, transforms
from zerosum.data.archive import File
from zerosum.data.captions import Rows, Vocabulary
from zerosum.data.dataset import Dataset, Skipped, Split, fingerprint
from zerosum.data.forms import IMAGES, Form, empty_classes
from zerosum.errors import UserError

SCANNED = 2  # part of a scan's name: raise it with any change of what a scan tells
BATCH_FILES, AT_ONCE = 256, 16  # files in memory, and those that a thread decodes before it is asked for more
BATCH_BYTES = 64 * 2**20


@dataclass(frozen=True, kw_only=True)
class Scan:
    """What the headers of a source's images say, and the content that they have together."""

    content: str  # SHA-256 over the images' names and bytes, in order of names
    images: int
    side: int  # the median of the short sides
    grey: bool  # each one, by its mode
    empty: tuple[str, ...]  # class folders beside others without an image that can be read
    skipped: tuple[Skipped, ...]


def scan(path: Path, form: Form = IMAGES) -> Scan:
    """Reads every file's header, or recalls it where no file's name, size or time has changed since."""
    own = f"-{form.name}" if form.parted else ""  # such a form decides which files belong together
    record = cache.cache_folder() / "scans" / f"{archive.stamp(path)}-{transforms.VERSION}.{SCANNED}{own}.json"
    known = _recall(record)
    if known is None:
        known = _scan(path, form)
        cache.keep(record, json.dumps(asdict(known)).encode())
    return known


def _recall(record: Path) -> Scan | None:
    try:
        fields = json.loads(record.read_bytes())
        skipped = tuple(Skipped(**one) for one in fields.pop("skipped"))
        return Scan(**fields | {"empty": tuple(fields["empty"])}, skipped=skipped)
    except (OSError, ValueError, TypeError, KeyError):  # absent or damaged: it can be made again
        return None


def _scan(path: Path, form: Form) -> Scan:
    found: list[tuple[str, str]] = []
    sides: list[int] = []
    skipped: list[Skipped] = []
    grey = True
    with transforms.quiet():
        for item in form.read(path) if form.parted else archive.read_files(path):
            if isinstance(item, Skipped):
                skipped.append(item)
                continue
            try:
                header = transforms.inspect(form.parted(item.data)[1] if form.parted else item.data)
            except transforms.ImageError as error:
                skipped.append(Skipped(name=item.name, reason=str(error)))
                continue
            found.append((item.name, hashlib.sha256(item.data).hexdigest()))
            sides.append(min(header.width, header.height))
            grey = grey and header.grey
    content = hashlib.sha256("\n".join(f"{name}\0{digest}" for name, digest in sorted(found)).encode())
    return Scan(
        content=content.hexdigest(),
        images=len(found),
        side=int(np.median(sides)) if sides else 0,
        grey=grey,
        empty=empty_classes([name for name, _ in found], [one.name for one in skipped]),
        skipped=tuple(skipped),
    )


def open_images(
    path: Path, name: str, size: int | None, sizes: tuple[int, ...], channels: int | None, form: Form = IMAGES
) -> Dataset:
    """The images below `path` as a dataset, from the cache where this content has been converted before."""
    scanned = scan(path, form)
    if not scanned.images:
        raise _nothing(path, scanned.skipped)
    size = transforms.choose_size(size, sizes, scanned.side)
    channels = 1 if channels is None and scanned.grey else channels
    key = f"{scanned.content[:32]}-{size}-{channels or 'auto'}-v{transforms.VERSION}{form.name and '-'}{form.name}"
    folder = cache.cache_folder() / "images" / key
    dataset = _load(folder, name, scanned, form)
    if dataset is None:
        with cache.sole_writer(folder):
            dataset = _load(folder, name, scanned, form)  # another process may have made it meanwhile
            if dataset is None:
                _convert(path, folder, size, channels, scanned, form)
                dataset = _load(folder, name, scanned, form)
    assert dataset is not None
    return dataset


def one_image(path: Path, size: int, channels: int) -> npt.NDArray[np.uint8]:
    """A single file as `open_images` would have it: uint8 (size, size, channels); `UserError` where it is no image."""
    expected = "expected an image file, such as a PNG or a JPEG"
    if not path.is_file():
        raise UserError(f"{archive.shown(path)} is {'no file' if path.exists() else 'not there'}; {expected}")
    try:
        if path.stat().st_size > archive.MAX_BYTES:
            raise transforms.ImageError(f"larger than {archive.MAX_BYTES // 2**20} MiB")
        with transforms.quiet():
            return transforms.decode(path.read_bytes(), size, channels)
    except (OSError, transforms.ImageError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise UserError(f"can't use {archive.shown(path)}: {reason}; {expected}") from None


def _nothing(path: Path, skipped: Sequence[Skipped]) -> UserError:
    first = f", the first is {skipped[0].name}: {skipped[0].reason}" if skipped else ""
    return UserError(
        f"{archive.shown(path)} has no image that can be read ({len(skipped)} files skipped{first}); "
        "expected a folder, tar or zip of images"
    )


def _load(folder: Path, name: str, scanned: Scan, form: Form) -> Dataset | None:
    """A conversion as a dataset; None where there is none, or one that is not whole."""
    try:
        meta = json.loads((folder / "meta.json").read_bytes())
        images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
        labels = np.load(folder / "labels.npy", allow_pickle=False) if meta["classes"] else None
        captions = np.load(folder / "captions.npy", allow_pickle=False) if form.parted else None
        if list(images.shape) != meta["shape"]:
            return None
        skipped = [Skipped(**one) for one in meta["skipped"]]
        train, classes, digest = int(meta["train"]), meta["classes"], str(meta["fingerprint"])
        words = tuple(map(str, meta.get("words", ())))
    except (OSError, ValueError, TypeError, KeyError):
        return None
    known = {one.name for one in scanned.skipped}
    return Dataset(
        name=name,
        kind="images",
        train=_split(images, labels, captions, slice(train), form),
        held_out=_split(images, labels, captions, slice(train, None), form),
        classes=tuple(classes) if classes else None,
        fingerprint=digest,
        empty_classes=scanned.empty if form == IMAGES else (),  # elsewhere folders are no classes
        words=words,
        skipped=(*scanned.skipped, *(one for one in skipped if one.name not in known)),
    )


def _split(
    rows: npt.NDArray[Any], labels: npt.NDArray[np.int64] | None, captions: Rows | None, part: slice, form: Form
) -> Split:
    """A part of the rows as samples; of two squares side by side the left one is the partner of the right one."""
    rows = rows[part]
    labels, captions = None if labels is None else labels[part], None if captions is None else captions[part]
    if form.across == 1:
        return Split(samples=rows, labels=labels, captions=captions)
    side = rows.shape[1]
    return Split(samples=rows[:, :, side:], labels=labels, partners=rows[:, :, :side])


# The conversion


@dataclass
class _Raw:
    """Images as they were decoded, one after the other in a file, and what is known of each."""

    names: list[str] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    captions: list[tuple[str, ...]] = field(default_factory=list)
    grey: bool = True


def _convert(path: Path, folder: Path, size: int, channels: int | None, scanned: Scan, form: Form) -> None:
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)  # of a process that was killed
    try:
        part.mkdir(parents=True)
        raw = _decode_all(path, part / "raw", size, channels or 3, form)
        if not raw.names:
            raise _nothing(path, (*scanned.skipped, *raw.skipped))
        _finish(part, raw, size, channels, form)
        (part / "raw").unlink()
        shutil.rmtree(folder, ignore_errors=True)  # one that was not whole
        os.replace(part, folder)
    except OSError as error:
        raise cache.cannot_write(folder.parent, error) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _decode_all(path: Path, target: Path, size: int, channels: int, form: Form) -> _Raw:
    raw = _Raw()
    with (
        target.open("wb") as file,
        transforms.quiet(),
        ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool,  # Pillow decodes outside Python's lock
    ):
        for batch in _batches(form.read(path)):
            parts = [batch[start : start + AT_ONCE] for start in range(0, len(batch), AT_ONCE)]
            decoded = pool.map(lambda part: [_decode(item, size, channels, form) for item in part], parts)
            for item, result in zip(batch, chain.from_iterable(decoded), strict=True):
                if isinstance(result, Skipped):
                    raw.skipped.append(result)
                    continue
                assert isinstance(item, File)
                image, digest = result
                raw.names.append(item.name)
                raw.digests.append(digest)
                raw.captions += [form.parted(item.data)[0]] if form.parted else []
                raw.grey = raw.grey and (channels == 1 or bool((image == image[..., :1]).all()))
                file.write(image.tobytes())
    return raw


def _batches(items: Iterator[File | Skipped]) -> Iterator[list[File | Skipped]]:
    """Up to 256 files or 64 MiB at a time, and one file at least: so much is in memory at once."""
    batch: list[File | Skipped] = []
    size = 0
    for item in items:
        batch.append(item)
        size += len(item.data) if isinstance(item, File) else 0
        if len(batch) >= BATCH_FILES or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _decode(
    item: File | Skipped, size: int, channels: int, form: Form
) -> tuple[npt.NDArray[np.uint8], bytes] | Skipped:
    if isinstance(item, Skipped):
        return item
    try:
        image = form.parted(item.data)[1] if form.parted else item.data
        return form.decode(item.data, size, channels), hashlib.sha256(image).digest()
    except transforms.UnequalError as error:
        raise UserError(f"{item.name} is no pair: {error}; expected A|B, or folders of A and B") from None
    except transforms.ImageError as error:
        return Skipped(name=item.name, reason=str(error))


def _finish(part: Path, raw: _Raw, size: int, channels: int | None, form: Form) -> None:
    """The decoded images in their final order: train, then held out, each in order of names."""
    found = form.arrange(raw.names, raw.digests)
    kept, held, labels = found.kept, found.held, found.labels
    outside = set(range(len(raw.names))) - set(kept)
    skipped = [*raw.skipped]
    skipped += [Skipped(name=raw.names[row], reason=found.left_out) for row in sorted(outside)]
    order = sorted(range(len(kept)), key=lambda place: (held[place], raw.names[kept[place]], raw.digests[kept[place]]))
    rows = np.array([kept[place] for place in order])
    stored = channels or 3
    source: npt.NDArray[np.uint8] = np.memmap(
        part / "raw", dtype=np.uint8, mode="r", shape=(len(raw.names), size, form.across * size, stored)
    )
    if channels is None and raw.grey:  # colour files without a colour
        source, stored = source[..., :1], 1
    shape = (len(rows), size, form.across * size, stored)
    # Written, not mapped: a full disk is then an error, and not a signal that ends the process.
    with (part / "images.npy").open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, len(rows), 1024):
            file.write(np.ascontiguousarray(source[rows[start : start + 1024]]).tobytes())
        _sync(file)
    if labels is not None:
        np.save(part / "labels.npy", np.array([labels[place] for place in order], dtype=np.int64))
    train = int((~held).sum())
    words: tuple[str, ...] = ()
    if form.parted:
        told = [raw.captions[row] for row in rows]
        vocabulary = Vocabulary.of(told[:train])  # nobody learns what a word means that is held out alone
        np.save(part / "captions.npy", vocabulary.rows(told, max(map(len, told))))
        words = vocabulary.words
    _write_meta(part, shape, train, found.classes, skipped, words)


def _write_meta(
    part: Path,
    shape: tuple[int, ...],
    train: int,
    classes: Sequence[str],
    skipped: Sequence[Skipped],
    words: Sequence[str],
) -> None:
    images = np.load(part / "images.npy", mmap_mode="r")
    labels = np.load(part / "labels.npy") if classes else None
    captions = np.load(part / "captions.npy") if words else None
    splits = [
        Split(
            samples=images[part_],
            labels=None if labels is None else labels[part_],
            captions=None if captions is None else captions[part_],
        )
        for part_ in (slice(train), slice(train, None))
    ]
    meta: dict[str, Any] = {
        "shape": shape,
        "train": train,
        "classes": list(classes),
        "skipped": [asdict(one) for one in skipped],
        "fingerprint": fingerprint(*splits),
        "words": list(words),
    }
    with (part / "meta.json").open("wb") as file:
        file.write(json.dumps(meta).encode())
        _sync(file)


def _sync(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())
