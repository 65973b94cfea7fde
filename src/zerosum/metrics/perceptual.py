"""How unlike images and their partners are to a feature network: squared differences of unit-normalized activations.

Zhang et al. 2018, arXiv 1801.03924, Eq. 1, with every channel's weight 1. It is not their LPIPS, whose networks saw
ImageNet and whose weights were fitted to people's judgements: here the network is one of the project's own, so values
can be compared only within one network and checksum.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from zerosum.metrics.features import Extractor

Bytes = npt.NDArray[np.uint8]
CHUNK = 64  # pairs that are compared at one time: each has its maps of several layers
SMALL = 1e-10  # added to a length, as in the paper's code: maps that are all zero stay zero


def perceptual(one: Bytes, other: Bytes, extractor: Extractor) -> npt.NDArray[np.float64]:
    """(N,): of each pair of uint8 (N, H, W, C) the sum over layers of `layer_distance`; 0 for equal images.

    `UserError` where the network shows no layers.
    """
    found = []
    for start in range(0, len(one), CHUNK):
        part = slice(start, start + CHUNK)
        sides = zip(extractor.layers(one[part]), extractor.layers(other[part]), strict=True)
        found.append(torch.stack([layer_distance(x, y) for x, y in sides]).sum(dim=0).double().numpy())
    return np.concatenate(found)


def layer_distance(x: Tensor, y: Tensor) -> Tensor:
    """(N,): of maps (N, C, h, w), each place's channels scaled to length 1, the mean squared distance over places."""
    x, y = (maps / (maps.norm(dim=1, keepdim=True) + SMALL) for maps in (x, y))
    return (x - y).square().sum(dim=1).mean(dim=(1, 2))
