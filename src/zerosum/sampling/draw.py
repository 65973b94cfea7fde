"""Samples from a generator in bounded memory, the same for a seed whatever the batch, and the files they go to."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from zerosum.data.transforms import picture
from zerosum.errors import UserError
from zerosum.games.base import evaluated
from zerosum.networks.layers.styled import own_noise
from zerosum.sampling.files import new_folder, replacing
from zerosum.sampling.grid import montage, scatter, to_uint8
from zerosum.sampling.latents import Space, require_psi
from zerosum.types import PathLike

Labels = npt.NDArray[np.int64]
Samples = npt.NDArray[Any]  # images uint8 (n, H, W, C), or points float32 (n, 2)

CHUNK = 64  # latents drawn at one time: torch's normal numbers depend on how many are asked for
GRID_LIMIT = 10_000
FEWEST, VALUES = 16, 2**30  # images kept in memory together, or as many as have so many values
MOST, PIXELS = 256, 2**20  # samples drawn at one time, or as many as have so many pixels together


@contextmanager
def evaluating(G: nn.Module) -> Iterator[None]:
    """Every module in eval mode, without gradients; each goes back to the mode it was in."""
    with evaluated(G), torch.inference_mode():
        yield


def dtype_of(G: nn.Module) -> torch.dtype:
    """Of G's weights; float32 for a G without any."""
    return next((weight.dtype for weight in G.parameters()), torch.float32)


def at_once(shape: tuple[int, ...], G: nn.Module | None = None) -> int:
    """How many samples of that shape, (C, H, W) or (2,), are drawn at one time: fewer of large images.

    A G whose maps are much larger than its images says how many by its `most_at_once`.
    """
    most = int(getattr(G, "most_at_once", MOST))
    return most if len(shape) == 1 else max(1, min(most, PIXELS // (shape[1] * shape[2])))


def kept_at_once(shape: tuple[int, ...], count: int, values: int = VALUES) -> int:
    """`count`, or fewer of images so large that they would fill the memory."""
    return min(count, max(FEWEST, values // math.prod(shape)))


def z_dim_of(G: nn.Module) -> int:
    """How many numbers G's z has: every generator says so in its `z_dim`."""
    return int(getattr(G, "z_dim"))  # noqa: B009  (a Module's attributes are untyped)


def latents(count: int, z_dim: int, *, seed: int, batch: int = 256) -> Iterator[Tensor]:
    """Standard normal z in batches (n, z_dim) on the CPU; row i depends on the seed and on i alone.

    `UserError` for a seed that is no 64-bit number.
    """
    if not -(2**63) <= seed < 2**64:  # more than torch takes
        raise UserError(f"seed is {seed}; expected a whole number of 64 bits, from -2^63 to 2^64 - 1")
    generator = torch.Generator().manual_seed(seed)
    held = torch.empty(0, z_dim)
    for start in range(0, count, batch):
        wanted = min(batch, count - start)
        while len(held) < wanted:
            held = torch.cat([held, torch.randn(CHUNK, z_dim, generator=generator)])
        yield held[:wanted]
        held = held[wanted:]


def class_labels(count: int, classes: int, only: int | None = None) -> Labels:
    """(count,) labels: `only` everywhere, else every class in turn."""
    if only is not None and not 0 <= only < classes:
        raise UserError(f"class {only} is not there; expected 0 to {classes - 1}")
    return np.full(count, only, np.int64) if only is not None else np.arange(count, dtype=np.int64) % classes


def as_tensor(labels: Labels, device: torch.device | str) -> Tensor:
    """Labels as a network takes them."""
    return torch.from_numpy(np.array(labels, dtype=np.int64)).to(device)


def draw(
    G: nn.Module,
    count: int,
    *,
    z_dim: int,
    seed: int,
    device: torch.device | str = "cpu",
    labels: Labels | None = None,
    batch: int = 256,
    value_range: tuple[float, float] = (-1.0, 1.0),
    psi: float = 1.0,
) -> Iterator[Samples]:
    """`count` samples in batches: images uint8 (n, H, W, C), or points float32 (n, 2).

    labels: (count,), or words (count, L), for a conditional G; psi: truncation, from 0 to 1 (`Space.truncated`). Sample
    i has the same z, and the same noise, for every batch size and device; its pixels may still differ by one level
    where the arithmetic rounds differently.
    """
    if count < 1:
        raise UserError(f"{count} samples asked for; expected at least 1")
    if labels is not None and len(labels) != count:
        raise ValueError(f"{len(labels)} labels for {count} samples")
    require_psi(psi)
    start, dtype, space = 0, dtype_of(G), Space(G)
    for z in latents(count, z_dim, seed=seed, batch=batch):
        # Modes are set for each batch and not around the loop: between two batches G is the caller's.
        with evaluating(G), own_noise(G, seed, range(start, start + len(z))):
            y = None if labels is None else as_tensor(labels[start : start + len(z)], device)
            made = space.images(space.truncated(space.codes(z.to(device, dtype), y), psi, y), y)
            samples = made.float().cpu().numpy() if made.dim() == 2 else to_uint8(made, value_range)
        start += len(z)
        yield samples


def write(
    batches: Iterable[Samples],
    out: PathLike,
    *,
    count: int,
    labels: Labels | None = None,
    columns: int | None = None,
    row_labels: list[str] | None = None,
    reals: Samples | None = None,
) -> Path:
    """Samples as FILE.png (a grid), FILE.npz or a folder of PNGs, by the name of `out`; returns it."""
    out = Path(out)
    if out.suffix.lower() == ".png":
        return write_grid(batches, out, count=count, columns=columns, row_labels=row_labels, reals=reals)
    if out.suffix.lower() == ".npz":
        return write_npz(batches, out, count=count, labels=labels)
    if out.suffix:
        raise UserError(f"can't write samples as {out.suffix}; expected FILE.png, FILE.npz or the name of a folder")
    return write_folder(batches, out)


def write_grid(
    batches: Iterable[Samples],
    path: PathLike,
    *,
    count: int,
    columns: int | None = None,
    row_labels: list[str] | None = None,
    reals: Samples | None = None,
) -> Path:
    """One PNG: a grid of images, or fake points over `reals`; `UserError` beyond 10,000 samples."""
    if count > GRID_LIMIT:
        raise UserError(f"a grid of {count} is too large; expected at most {GRID_LIMIT}, or use FILE.npz or a folder")
    samples = np.concatenate(list(batches))
    drawn = scatter(samples, reals) if samples.ndim == 2 else montage(samples, columns, row_labels=row_labels)
    with replacing(path) as partial:
        drawn.save(partial)
    return Path(path)


def write_folder(batches: Iterable[Samples], folder: PathLike) -> Path:
    """000000.png, 000001.png, … in a new folder, which appears when all of them are there."""
    index = 0
    with new_folder(folder) as partial:
        for batch in batches:
            if batch.ndim != 4:
                raise UserError("points can't be a folder of images; expected FILE.png or FILE.npz")
            for image in batch:
                picture(image).save(partial / f"{index:06d}.png")
                index += 1
    return Path(folder)


def write_npz(batches: Iterable[Samples], path: PathLike, *, count: int, labels: Labels | None = None) -> Path:
    """`images` uint8 (count, H, W, C), or `points` float32 (count, 2), and `labels` int64, if any.

    One batch is in memory at a time. `ValueError` where the batches do not add up to `count`.
    """
    with replacing(path) as partial, zipfile.ZipFile(partial, "w") as archive:
        iterator = iter(batches)
        first = next(iterator, None)
        if first is None:
            raise ValueError(f"no samples were drawn, not {count}")
        name = "images" if first.ndim == 4 else "points"
        with _member(archive, name, first.dtype, (count, *first.shape[1:])) as put:
            written = put(first)
            for batch in iterator:
                written += put(batch)
        if written != count:
            raise ValueError(f"{written} samples were drawn, not {count}")
        if labels is not None:
            with _member(archive, "labels", np.dtype(np.int64), labels.shape) as put:
                put(labels)
    return Path(path)


@contextmanager
def _member(
    archive: zipfile.ZipFile, name: str, dtype: np.dtype[Any], shape: tuple[int, ...]
) -> Iterator[Callable[[Samples], int]]:
    """One .npy inside the zip: its header now, its rows as they come."""
    header = io.BytesIO()
    described = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, described)
    # A fixed date, so that the same samples are the same bytes; 64-bit sizes, because they are not known yet.
    with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
        member.write(header.getvalue())

        def put(rows: Samples) -> int:
            if rows.dtype != dtype or rows.shape[1:] != shape[1:]:
                raise ValueError(f"rows of {rows.dtype} {rows.shape[1:]} among {dtype} {shape[1:]}")
            member.write(np.ascontiguousarray(rows).tobytes())
            return len(rows)

        yield put
