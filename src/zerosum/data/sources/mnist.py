"""`mnist` and `fashion-mnist`: their four IDX files from ZEROSUM_DATA, the cache, or a checked download."""

from __future__ import annotations

import gzip
import hashlib
import threading
import time
import urllib.request
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from http.client import HTTPException
from pathlib import Path

import numpy as np
import numpy.typing as npt

from zerosum.data.cache import cache_folder, data_folder, keep
from zerosum.data.dataset import Dataset
from zerosum.data.idx import grey_dataset, parse_idx
from zerosum.data.sources import SOURCES, Request, Source
from zerosum.errors import UserError

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
MAX_BYTES = 64 * 2**20  # of one file, however it grows
SOCKET_SECONDS = 20.0
FILE_SECONDS = 600.0
PROBE_SECONDS = 3.0
FETCH_ERRORS = (OSError, HTTPException, ValueError, EOFError, zlib.error)


@dataclass(frozen=True, kw_only=True)
class Published:
    """A published set: the MD5 of its four decompressed files, where they are, and its classes."""

    name: str
    title: str
    md5: tuple[str, str, str, str]
    mirrors: tuple[str, ...]
    classes: tuple[str, ...]


MNIST = Published(
    name="mnist",
    title="60,000 + 10,000 handwritten digits (Y. LeCun, C. Cortes; CC BY-SA 3.0)",
    md5=(
        "6bbc9ace898e44ae57da46a324031adb",
        "a25bea736e30d166cdddb491f175f624",
        "2646ac647ad5339dbf082846283269ea",
        "27ae3e4e09519cfbb04c329615203637",
    ),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    classes=tuple("0123456789"),
)
FASHION = Published(
    name="fashion-mnist",
    title="60,000 + 10,000 pictures of clothes (Zalando SE; MIT)",
    md5=(
        "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "9018921c3c673c538a1fc5bad174d6f9",
        "8181f5470baa50b63fa0f6fddb340f0a",
        "15d484375f8d13e6eb1aabb0c3f46965",
    ),
    mirrors=("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),  # no TLS: hence the MD5
    classes=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
)


class _AbsentError(Exception):
    """The set is on none of the places, and can't be downloaded; why, in a few words."""


def _open(published: Published, request: Request) -> Dataset:
    try:
        arrays = [_array(published, index, request.fallback) for index in range(len(FILES))]
    except _AbsentError as error:
        if request.fallback and published is MNIST:
            return _stand_in(request)
        raise UserError(
            f"{published.name} is neither in ZEROSUM_DATA nor in {cache_folder() / published.name}, and can't be "
            f"downloaded ({error}); expected its four IDX files: set ZEROSUM_DATA to a folder with "
            f"{published.name}/{FILES[0]}.gz and the others, or use --data digits"
        ) from None
    train, train_labels, held_out, held_out_labels = arrays
    return grey_dataset(
        published.name,
        (train, train_labels.astype(np.int64)),
        (held_out, held_out_labels.astype(np.int64)),
        classes=published.classes,
        size=request.size,
        sizes=request.sizes,
        channels=request.channels,
    )


def _stand_in(request: Request) -> Dataset:
    digits = SOURCES["digits"].open(replace(request, source="digits"))
    note = (
        "MNIST is neither in ZEROSUM_DATA nor in the cache and can't be downloaded, so digits, "
        f"its first 10,000 images, stands in ({len(digits.train):,} to train on)"
    )
    return replace(digits, note=note)


def _array(published: Published, index: int, hasty: bool) -> npt.NDArray[np.uint8]:
    """One of the four arrays, from the first place that has its file, compressed or not."""
    given = data_folder()
    cached = cache_folder() / published.name
    for folder in ([given / published.name] if given else []) + [cached]:
        for path in (folder / f"{FILES[index]}.gz", folder / FILES[index]):
            if path.is_file():
                try:
                    return parse_idx(_checked(_read(path), published.md5[index]))
                except FETCH_ERRORS as error:
                    if folder is not cached:
                        raise UserError(
                            f"{path} is not the published file: {error}; put the published one there, "
                            "or unset ZEROSUM_DATA to download it"
                        ) from None
                    # A damaged copy in the cache is simply fetched anew.
    return _download(published, index, cached, hasty)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return _decompressed(file.read(MAX_BYTES))


def _decompressed(data: bytes) -> bytes:
    if not data.startswith(b"\x1f\x8b"):
        return data
    worker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    whole = worker.decompress(data, MAX_BYTES)
    if not worker.eof:
        raise ValueError("it ends early, or is larger than it should be")
    return whole


def _checked(data: bytes, md5: str) -> bytes:
    found = hashlib.md5(data, usedforsecurity=False).hexdigest()
    if found != md5:
        raise ValueError(f"its MD5 is {found}, expected {md5}")
    return data


def _download(published: Published, index: int, folder: Path, hasty: bool) -> npt.NDArray[np.uint8]:
    reason = "no mirror is known"
    for mirror in published.mirrors:
        url = f"{mirror}{FILES[index]}.gz"
        if hasty and not _reachable(url):
            reason = f"no answer from {url} within {PROBE_SECONDS:g} seconds"
            continue
        try:
            data = _checked(_decompressed(_fetch(url)), published.md5[index])
        except FETCH_ERRORS as error:
            reason = f"{url}: {error}"
            continue
        keep(folder / f"{FILES[index]}.gz", gzip.compress(data, compresslevel=6, mtime=0))
        return parse_idx(data)
    raise _AbsentError(" ".join(reason.split()))


def _fetch(url: str) -> bytes:
    """The bytes at a URL: bounded in number, in the wait for each piece, and in the time for all."""
    deadline = time.monotonic() + FILE_SECONDS
    pieces, total = [], 0
    with urllib.request.urlopen(url, timeout=SOCKET_SECONDS) as answer:
        while piece := answer.read(1 << 16):
            pieces.append(piece)
            total += len(piece)
            if total > MAX_BYTES or time.monotonic() > deadline:
                raise ValueError(f"it took over {FILE_SECONDS:g} seconds, or is larger than it should be")
    return b"".join(pieces)


def _reachable(url: str) -> bool:
    """Whether a server answers soon. In a thread, since a look-up of its name can't be given a time limit."""
    answered: list[bool] = []

    def ask() -> None:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=PROBE_SECONDS):
                answered.append(True)
        except FETCH_ERRORS:
            return

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PROBE_SECONDS)
    return bool(answered)


def _opener(published: Published) -> Callable[[Request], Dataset]:
    return lambda request: _open(published, request)


for _published in (MNIST, FASHION):
    SOURCES.register(_published.name)(Source(title=_published.title, open=_opener(_published)))
