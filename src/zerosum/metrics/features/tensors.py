"""What the networks share: uint8 images as floats of a network's own size and channels, and a checksum of weights."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

LUMA = (0.299, 0.587, 0.114)  # of red, green, blue: ITU-R BT.601, as Pillow has it


def fitted(images: npt.NDArray[np.uint8], size: int, channels: int) -> Tensor:
    """uint8 (N, H, W, C) as float32 (N, channels, size, size) in [0, 1], channels-last.

    Colour becomes grey by its luma, grey becomes colour by repetition; another size is resized bilinearly, with
    antialiasing where it shrinks.
    """
    # The transposed view of an (N, H, W, C) array is channels-last already.
    return resized(torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float().div_(255), size, channels)


def resized(x: Tensor, size: int, channels: int) -> Tensor:
    """The same of images (N, C, H, W) that are floats already; it can be differentiated."""
    if x.shape[1] > channels:
        x = (x * x.new_tensor(LUMA).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
    if x.shape[2] != size:
        x = F.interpolate(x, (size, size), mode="bilinear", antialias=True, align_corners=False)
    return x.expand(-1, channels, -1, -1).contiguous(memory_format=torch.channels_last)


def checksum(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256, hexadecimal, over the names, types, shapes and values of a network's tensors, in order of names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()
