"""Directions that change the most: SeFa from weights alone, GANSpace from samples; without labels or training.

SeFa (Shen and Zhou 2021, arXiv 2007.06600): the eigenvectors of A^T A with the largest eigenvalues, A being what the
code is multiplied by first; with styles the affine maps of all layers, stacked. A's rows are taken as they are, where
the authors' code divides each by its length. GANSpace (Härkönen et al. 2020, arXiv 2004.02546): the principal
components of w; of a generator without w, those of its first layer's outputs, carried back to z by least squares.

The first layer is linear, so its outputs' components are found in as many dimensions as it has inputs, exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from zerosum.errors import UserError
from zerosum.networks.layers.equalized import EqualLinear
from zerosum.networks.layers.styled import Styled
from zerosum.sampling.draw import as_tensor, class_labels, dtype_of, evaluating, latents, z_dim_of
from zerosum.sampling.grid import Bytes, to_uint8
from zerosum.sampling.latents import Space

Method = Literal["sefa", "pca"]
Numbers = npt.NDArray[np.float64]

DRAWN = 10_000  # z, as many as the authors of GANSpace found enough for w
COLUMNS = 7  # of the picture, the unchanged one in the middle


@dataclass(frozen=True, kw_only=True)
class Directions:
    """Unit directions (K, D) of codes, the first changes the most, and the codes' deviation along each (K,)."""

    directions: Numbers
    scales: Numbers
    space: Literal["w", "z"]


@dataclass(frozen=True, kw_only=True)
class Entrance:
    """Where z enters a generator: its matrix (outputs, inputs), and the inputs (N, inputs) that some z lead to.

    Their first `own` are z's first ones, all of them where there are as many; what follows, if anything, is a class.
    """

    matrix: Numbers
    inputs: Numbers
    own: int


def find(
    G: nn.Module,
    method: Method,
    count: int,
    *,
    seed: int,
    device: torch.device | str = "cpu",
    classes: int | None = None,
    label: int | None = None,
) -> Directions:
    """`count` directions; classes: of a conditional G, all of which the z are of in turn, or the `label` alone.

    Each points to where its largest component is positive. `UserError` for more than there are.
    """
    space, z_dim = Space(G), z_dim_of(G)
    z = torch.cat(list(latents(DRAWN, z_dim, seed=seed))).to(device, dtype_of(G))
    y = None
    if label is not None:
        y = torch.full((DRAWN,), label, device=device)
    elif classes is not None:
        y = as_tensor(class_labels(DRAWN, classes), device)
    if space.styled is not None:
        with evaluating(G):
            w = space.styled.map(z, y)
        found = components(numbers(w))[0] if method == "pca" else semantics(affines(space.styled, w[:1]))
        _require(count, len(found))
        directions = upright(found[:count])
        return Directions(directions=directions, scales=(numbers(w) @ directions.T).std(axis=0), space="w")
    if method == "sefa" and hasattr(G, "codes"):
        raise UserError("z decides on a category before this generator's first layer: expected method codes, or pca")
    entered = entrance(G, z, y)
    if method == "pca":
        directions, scales = carried_back(entered, numbers(z[:, : entered.own]))
    else:
        directions = semantics(entered.matrix[:, : entered.own])
        scales = np.ones(len(directions))  # z's deviation in every direction
    _require(count, len(directions))
    whole = np.pad(directions[:count], ((0, 0), (0, z_dim - entered.own)))
    return Directions(directions=upright(whole), scales=scales[:count], space="z")


def _require(count: int, most: int) -> None:
    if not 1 <= count <= most:
        raise UserError(f"{count} directions asked for; expected 1 to {most}, the dimensions of this generator's code")


def semantics(A: Numbers) -> Numbers:
    """SeFa: of A (outputs, D) the unit eigenvectors of A^T A as rows (D, D), largest eigenvalue first (Eq. 6)."""
    return np.asarray(np.linalg.eigh(A.T @ A)[1].T[::-1])


def components(x: Numbers) -> tuple[Numbers, Numbers]:
    """The principal components of x (N, D) as unit rows (D, D), and the deviations along them (D,), largest first."""
    values, vectors = np.linalg.eigh(np.cov(x.T, ddof=0).reshape(x.shape[1], -1))
    return np.asarray(vectors.T[::-1]), np.asarray(np.sqrt(values.clip(min=0))[::-1])


def carried_back(entered: Entrance, z: Numbers) -> tuple[Numbers, Numbers]:
    """GANSpace without w: unit directions of z (N, D) for the components of the first layer's outputs, (K, D) and (K,).

    z is regressed on the coordinates along the components, in deviations: a step in z for each, told as its direction
    and its length. Components that hardly vary are no directions.
    """
    turned = entered.inputs @ np.linalg.qr(entered.matrix).R.T  # the outputs, in coordinates of their own span
    turned = turned - turned.mean(axis=0)
    vectors, deviations = components(turned)
    kept = deviations > 1e-6 * deviations[0]
    coordinates = turned @ vectors[kept].T / deviations[kept]
    steps = np.linalg.lstsq(coordinates, z - z.mean(axis=0), rcond=None)[0]
    lengths = np.linalg.norm(steps, axis=1)
    return steps / lengths[:, None], lengths


def upright(directions: Numbers) -> Numbers:
    """Each row with the sign that makes its largest component positive."""
    largest = np.take_along_axis(directions, np.abs(directions).argmax(axis=1)[:, None], axis=1)
    return np.asarray(directions * np.sign(largest))


def affines(G: Styled, w: Tensor) -> Numbers:
    """The weights of every linear map that makes a style of w (1, w_dim): stacked, (outputs of all of them, w_dim).

    Those that G calls: layers that it has not grown to yet have learned nothing.
    """
    called: list[nn.Linear] = []

    def note(layer: nn.Linear, given: tuple[Tensor, ...]) -> None:
        called.append(layer)

    handles = [layer.register_forward_pre_hook(note) for layer in G.modules() if isinstance(layer, nn.Linear)]
    try:
        with evaluating(G):
            G.synthesize(Space(G).layered(w))
    finally:
        for handle in handles:
            handle.remove()
    return np.concatenate([matrix_of(layer) for layer in called])


def matrix_of(layer: nn.Linear | nn.ConvTranspose2d) -> Numbers:
    """What a linear map, or a transposed convolution of one pixel, multiplies its inputs by: (outputs, inputs)."""
    weight = layer.weight * layer.scale if isinstance(layer, EqualLinear) else layer.weight
    return numbers(weight.flatten(1).t() if isinstance(layer, nn.ConvTranspose2d) else weight)


def numbers(values: Tensor) -> Numbers:
    """On the CPU, in double precision."""
    found: Numbers = values.detach().cpu().double().numpy()
    return found


class _ReachedError(Exception):
    """The first layer was called: it, and what with."""

    def __init__(self, layer: nn.Linear | nn.ConvTranspose2d, inputs: Tensor) -> None:
        super().__init__()
        self.layer, self.inputs = layer, inputs


def entrance(G: nn.Module, z: Tensor, y: Tensor | None) -> Entrance:
    """The first linear map or transposed convolution that G calls on z (N, z_dim) and y (N,), and its inputs."""

    def stop(layer: nn.Linear | nn.ConvTranspose2d, given: tuple[Tensor, ...]) -> None:
        raise _ReachedError(layer, given[0])  # what comes after is of no interest, and would take long

    layers = [layer for layer in G.modules() if isinstance(layer, nn.Linear | nn.ConvTranspose2d)]
    handles = [layer.register_forward_pre_hook(stop) for layer in layers]
    try:
        with evaluating(G):
            Space(G).images(z[:, None], y)
    except _ReachedError as reached:
        inputs = numbers(reached.inputs.flatten(1))
        return Entrance(matrix=matrix_of(reached.layer), inputs=inputs, own=min(z.shape[1], inputs.shape[1]))
    finally:
        for handle in handles:
            handle.remove()
    raise UserError("this generator has no layer that takes z and is linear; expected one that has")


def strips(
    G: nn.Module,
    found: Directions,
    *,
    seed: int,
    span: float,
    device: torch.device | str = "cpu",
    label: int | None = None,
    value_range: tuple[float, float] = (-1.0, 1.0),
) -> Bytes:
    """The seed's first picture, led along each direction from -span to span deviations: uint8 (K * 7, H, W, C).

    `UserError` for a span that is not above 0 and finite.
    """
    if not 0 < span < math.inf:
        raise UserError(f"span is {span:g}; expected a number of deviations above 0, such as 3")
    space, dtype = Space(G), dtype_of(G)
    half = COLUMNS // 2
    places = torch.arange(-half, half + 1, dtype=torch.float64) * (span / half)
    z = next(latents(1, z_dim_of(G), seed=seed)).to(device, dtype)
    y = None if label is None else torch.full((1,), label, device=device)
    made = []
    with evaluating(G):
        code = space.codes(z, y)
        for direction, scale in zip(found.directions, found.scales.tolist(), strict=True):
            moves = torch.outer(places * scale, torch.from_numpy(direction)).to(device, dtype)
            codes = code + moves[:, None]
            made.append(to_uint8(space.images(codes, None if y is None else y.expand(COLUMNS)), value_range))
    return np.concatenate(made)
