"""Walks through latent space on great circles (arXiv 1609.04468), as looped frames of a grid of generators' images.

Difference from the paper: the direction turns at a constant rate and the length changes evenly, so that the two
ends may have different lengths, and equal or opposite ends are no special case for the caller.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from zerosum.errors import UserError
from zerosum.sampling.draw import Labels, dtype_of, evaluating, latents
from zerosum.sampling.grid import montage, to_uint8


def slerp(z0: Tensor, z1: Tensor, t: float) -> Tensor:
    """Between z0 and z1, both (…, d), at t in [0, 1]: z0 at 0, z1 at 1, and their dtype.

    Equal directions stay as they are; opposite ones turn about an axis that depends on z0 alone. An end of
    length zero has no direction, and takes the other's.
    """
    start, end = z0.double(), z1.double()
    length0, length1 = start.norm(dim=-1, keepdim=True), end.norm(dim=-1, keepdim=True)
    u = start / length0.clamp_min(1e-300)
    v = end / length1.clamp_min(1e-300)
    u, v = torch.where(length0 > 0, u, v), torch.where(length1 > 0, v, u)
    # Half-angle by arc tangent: exact near 0 and near pi, where the arc cosine of a product is not.
    angle = 2 * torch.atan2((u - v).norm(dim=-1, keepdim=True), (u + v).norm(dim=-1, keepdim=True))
    cosine = (u * v).sum(dim=-1, keepdim=True)
    sideways = v - cosine * u
    size = sideways.norm(dim=-1, keepdim=True)
    opposite = (cosine < 0) & (size < 1e-9)
    sideways = torch.where(opposite, _perpendicular(u), sideways / size.clamp_min(1e-300))
    direction = torch.cos(t * angle) * u + torch.sin(t * angle) * sideways
    length = (1 - t) * length0 + t * length1
    return torch.mul(direction, length).to(z0.dtype)


def _perpendicular(u: Tensor) -> Tensor:
    """A unit vector at a right angle to each unit vector u (…, d): from the axis that u leans on least."""
    axis = torch.zeros_like(u).scatter_(-1, u.abs().argmin(dim=-1, keepdim=True), 1.0)
    axis = axis - (axis * u).sum(dim=-1, keepdim=True) * u
    return torch.div(axis, axis.norm(dim=-1, keepdim=True).clamp_min(1e-300))


def walk(
    G: nn.Module,
    *,
    z_dim: int,
    seed: int,
    keyframes: int = 8,
    steps: int = 16,
    walks: int = 16,
    device: torch.device | str = "cpu",
    labels: Labels | None = None,
    value_range: tuple[float, float] = (-1.0, 1.0),
    columns: int | None = None,
    scale: int | None = None,
) -> Iterator[Image.Image]:
    """keyframes x steps frames of one size, each a grid of `walks` images; the last leads back to the first.

    steps: frames from one random z to the next; labels: (walks,) for a conditional G, kept along the walk.
    """
    if min(keyframes, steps, walks) < 1:
        raise UserError(f"a walk of {keyframes} keyframes, {steps} steps and {walks} images; expected at least 1 each")
    if labels is not None and len(labels) != walks:
        raise ValueError(f"{len(labels)} labels for {walks} walks")
    stops = torch.cat(list(latents(keyframes * walks, z_dim, seed=seed))).reshape(keyframes, walks, z_dim)
    y = None if labels is None else torch.from_numpy(np.array(labels, dtype=np.int64)).to(device)
    for index in range(keyframes):
        for step in range(steps):
            z = slerp(stops[index], stops[(index + 1) % keyframes], step / steps).to(device, dtype_of(G))
            with evaluating(G):
                made = G(z) if y is None else G(z, y)
                if made.dim() != 4:
                    raise UserError("a walk shows images, and this generator makes points; use sample instead")
                images = to_uint8(made, value_range)
            yield montage(images, columns, scale=scale)
