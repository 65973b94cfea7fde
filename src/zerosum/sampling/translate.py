"""Images from images: what a translating generator makes of them, in bounded memory, and pictures of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn

from zerosum.data.transforms import fit, pictures
from zerosum.sampling.draw import Labels, as_tensor, dtype_of, evaluating
from zerosum.sampling.grid import montage, to_uint8

Bytes = npt.NDArray[np.uint8]


def to_range(images: Bytes, value_range: tuple[float, float]) -> Tensor:
    """uint8 (N, H, W, C) to float32 (N, C, H, W) in `value_range`."""
    low, high = value_range
    x = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))).float()
    return x.div_(255).mul_(high - low).add_(low)


def translate(
    G: nn.Module,
    given: Bytes,
    labels: Labels | None = None,
    *,
    value_range: tuple[float, float] = (-1.0, 1.0),
    device: torch.device | str = "cpu",
    seed: int = 0,
    batch: int = 16,
) -> Iterator[Bytes]:
    """What G makes of images uint8 (N, h, w, c), in batches of uint8 (n, H, W, C).

    labels: (N,), the domain that each is led into. Noise inside G is the seed's; torch's own random state stays.
    """
    for start in range(0, len(given), batch):
        with evaluating(G), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed + start)
            x = to_range(np.asarray(given[start : start + batch]), value_range).to(device, dtype_of(G))
            made = G(x, None if labels is None else as_tensor(labels[start : start + batch], device))
        yield to_uint8(made, value_range)


def side_by_side(rows: Sequence[Bytes], columns: int) -> Image.Image:
    """Images (N, H, W, C) beside those of the other sequences with the same number: one picture, `columns` such groups.

    Smaller ones are enlarged to the largest of their number, grey ones beside colours become colours. Maps beside an
    image's channels are an image of their own.
    """
    depth = min(images.shape[3] for images in rows)
    rows = [part for images in rows for part in pictures(images, depth)]
    side = max(images.shape[1] for images in rows)
    channels = max(images.shape[3] for images in rows)
    alike = [fit(images, side, channels, Image.Resampling.NEAREST) for images in rows]
    grouped = np.stack(alike, axis=1).reshape(-1, side, side, channels)
    return montage(grouped, columns * len(rows))
