"""What the codes of an InfoGAN do (Chen et al. 2016, arXiv 1606.03657, figure 2): categories, and codes led through."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from zerosum.errors import UserError
from zerosum.networks.infogan import InfoganGenerator
from zerosum.sampling.directions import COLUMNS, Directions
from zerosum.sampling.draw import dtype_of, evaluating, latents
from zerosum.sampling.grid import Bytes, to_uint8

ENDS = 0.95  # of a code's range of -1 to 1, to which it is led


def coded(G: nn.Module) -> InfoganGenerator:
    """G with its codes; `UserError` where it has none."""
    if not isinstance(G, InfoganGenerator):
        raise UserError("codes are infogan's: this generator has none; expected method sefa or pca")
    return G


def along_codes(G: InfoganGenerator) -> Directions:
    """The continuous codes as directions of z, in their order: each is one of its numbers."""
    axes = np.eye(G.z_dim)[G.z_dim - G.continuous :]
    return Directions(directions=axes, scales=np.ones(len(axes)), space="z")


def sweeps(
    G: InfoganGenerator,
    *,
    seed: int,
    device: torch.device | str = "cpu",
    value_range: tuple[float, float] = (-1.0, 1.0),
) -> tuple[Bytes, list[str]]:
    """For each continuous code a row of each category, led from one end of the code to the other.

    uint8 (continuous * categories * 7, H, W, C), all of the noise of the seed's first picture, and the rows' names.
    """
    z = next(latents(1, G.z_dim, seed=seed)).to(device, dtype_of(G))
    places = math.sqrt(2) * torch.erfinv(torch.linspace(-ENDS, ENDS, COLUMNS, dtype=torch.float64))
    made, names = [], []
    with evaluating(G):
        for code in range(G.continuous):
            for category in range(G.categories):
                made.append(to_uint8(G(told(G, z, category, code, places.to(z))), value_range))
                names.append(f"{category}, code {code + 1}")
    return np.concatenate(made), names


def told(G: InfoganGenerator, z: Tensor, category: int, code: int, places: Tensor) -> Tensor:
    """z (1, z_dim), once for each place of a continuous code (M,), with a category: (M, z_dim)."""
    moved = z.repeat(len(places), 1)
    end = G.z_dim - G.continuous
    moved[:, end - G.categories + category] = moved[:, end - G.categories : end].amax(dim=1) + 1
    moved[:, end + code] = places
    return moved
