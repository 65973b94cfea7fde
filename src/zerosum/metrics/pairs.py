"""How near images come to their partners: absolute error, PSNR and structural similarity, each the mean over images."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from zerosum.metrics.figures import Figure
from zerosum.metrics.similarity import WINDOW, ms_ssim, scales_that_fit, ssim

Bytes = npt.NDArray[np.uint8]
NEAREST = 100.0  # dB: no PSNR is told as higher, since of equal images it has no bound
CHUNK = 64  # images that are compared at one time


def l1(one: Bytes, other: Bytes) -> float:
    """The mean absolute difference of values from 0 to 1; uint8 (N, H, W, C) both."""
    total = sum(
        float(np.abs(one[k : k + CHUNK].astype(np.float64) - other[k : k + CHUNK]).sum())
        for k in range(0, len(one), CHUNK)
    )
    return total / 255 / one.size


def psnr(one: Bytes, other: Bytes) -> float:
    """The mean over images of 10 log10(1 / mean squared difference), in dB, at most 100."""
    found = []
    for start in range(0, len(one), CHUNK):
        part = slice(start, start + CHUNK)
        error = np.square((one[part].astype(np.float64) - other[part]) / 255).mean(axis=(1, 2, 3))
        found.append(np.minimum(-10 * np.log10(np.maximum(error, 1e-30)), NEAREST))
    return float(np.concatenate(found).mean())


def pair_figures(made: Bytes, target: Bytes) -> list[Figure]:
    """Those of images and what they should be; structural similarity where they have 11 pixels along a side."""
    found = [
        Figure(name="l1", value=l1(made, target), better="lower", note="of values from 0 to 1"),
        Figure(name="psnr", value=psnr(made, target), better="higher", note="dB, mean over images"),
    ]
    if min(made.shape[1:3]) >= WINDOW:
        scales = scales_that_fit(*made.shape[1:3])
        found.append(Figure(name="ssim", value=float(ssim(made, target).mean()), better="higher"))
        note = f"to the partner, {scales} scales"
        found.append(Figure(name="ms-ssim", value=float(ms_ssim(made, target).mean()), better="higher", note=note))
    return found
