"""The IDX format of MNIST and its relatives: a magic number, the sizes, then the bytes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from zerosum.data import transforms
from zerosum.data.dataset import Dataset, Split, fingerprint

Arrays = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]


def parse_idx(data: bytes) -> npt.NDArray[np.uint8]:
    """The array in an IDX file of unsigned bytes, read-only; `ValueError` where the file is another."""
    if len(data) < 4 or data[:3] != b"\0\0\x08" or len(data) < 4 + 4 * data[3]:
        raise ValueError("not an IDX file of bytes")
    shape = tuple(int.from_bytes(data[4 + 4 * axis : 8 + 4 * axis], "big") for axis in range(data[3]))
    array = np.frombuffer(data, dtype=np.uint8, offset=4 + 4 * len(shape))
    if array.size != int(np.prod(shape, dtype=object)):
        raise ValueError(f"an IDX file of {shape} with {array.size} bytes")
    return array.reshape(shape)


def to_idx(array: npt.NDArray[np.uint8]) -> bytes:
    """The IDX file of an array of bytes."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def grey_dataset(
    name: str,
    train: Arrays,
    held_out: Arrays,
    *,
    classes: tuple[str, ...],
    size: int | None,
    sizes: tuple[int, ...],
    channels: int | None,
) -> Dataset:
    """Grey images (N, H, H) with their labels as a dataset of the size and channels asked for."""
    size = transforms.choose_size(size, sizes, train[0].shape[1])
    splits = [
        Split(samples=transforms.fit(images[..., None], size, channels or 1), labels=labels)
        for images, labels in (train, held_out)
    ]
    return Dataset(
        name=name,
        kind="images",
        train=splits[0],
        held_out=splits[1],
        classes=classes,
        fingerprint=fingerprint(*splits),
    )
