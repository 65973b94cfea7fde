"""Walks through latent space or from class to class, as looped frames of a grid of a generator's images.

In z on great circles (White 2016, arXiv 1609.04468), in w on straight lines (Karras et al. 2019, arXiv 1812.04948).
Difference from the first: the direction turns at a constant rate and the length changes evenly, so that the two
ends may have different lengths, and equal or opposite ends are no special case for the caller.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Literal

import torch
from PIL import Image
from torch import Tensor, nn

from zerosum.errors import UserError
from zerosum.sampling.draw import Labels, as_tensor, dtype_of, evaluating, latents
from zerosum.sampling.grid import montage, to_uint8
from zerosum.sampling.latents import Space, require_psi

AT_ONCE = 8  # pictures drawn at one time
Stop = tuple[Tensor, Tensor | None]  # z (N, z_dim) and y: labels (N,), or mixtures of classes (N, classes)


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
    space: Literal["w", "z"] | None = None,
    psi: float = 1.0,
    morph: Tensor | None = None,
) -> Iterator[Image.Image]:
    """keyframes x steps frames of one size, each a grid of `walks` images; the last leads back to the first.

    steps: frames from one random z to the next; labels: (walks,) for a conditional G, kept along the walk. morph:
    (K, classes), a class or a mixture of them for each of K keyframes, while z stays. space: w where G has one, else z.
    """
    if min(keyframes, steps, walks) < 1:
        raise UserError(f"a walk of {keyframes} keyframes, {steps} steps and {walks} images; expected at least 1 each")
    if labels is not None and len(labels) != walks:
        raise ValueError(f"{len(labels)} labels for {walks} walks")
    require_psi(psi)
    z = torch.cat(list(latents((1 if morph is not None else keyframes) * walks, z_dim, seed=seed)))
    if morph is None:
        y = None if labels is None else as_tensor(labels, device)
        stops: list[Stop] = [(own, y) for own in z.reshape(keyframes, walks, z_dim)]
    else:
        stops = [(z, row.to(device, dtype_of(G)).expand(walks, -1)) for row in morph]
    way = Way(G, stops, psi, device, space)
    for index in range(len(stops)):
        for step in range(steps):
            made = way.images(index, step / steps)
            if made.dim() != 4:
                raise UserError("a walk shows images, and this generator makes points; use sample instead")
            yield montage(to_uint8(made, value_range), columns, scale=scale)


class Way:
    """A closed way through z and classes, or, of a generator with styles, through w."""

    def __init__(
        self,
        G: nn.Module,
        stops: Sequence[Stop],
        psi: float,
        device: torch.device | str,
        space: Literal["w", "z"] | None = None,
    ) -> None:
        """stops: z (N, z_dim) on the CPU with y, (N,) or (N, classes) on the device; `UserError` for a w G lacks."""
        self.space, self.stops, self.psi = Space(G), stops, psi
        if space == "w" and self.space.styled is None:
            raise UserError("space is w, and this generator has none, only z: expected one with styles; walk in z")
        self.straight = self.space.styled is not None and space != "z"
        self.device, self.dtype = device, dtype_of(G)

    def images(self, index: int, t: float) -> Tensor:
        """(N, C, H, W) at t in [0, 1) of the way from stop `index` to the next."""
        (z0, y0), (z1, y1) = self.stops[index], self.stops[(index + 1) % len(self.stops)]
        with evaluating(self.space.G):
            if self.straight:
                return self.drawn(torch.lerp(self.ends[index], self.ends[(index + 1) % len(self.ends)], t), None)
            y = y0 if y0 is None or y1 is None or y0 is y1 else torch.lerp(y0, y1, t)
            return self.drawn(self.codes(z0 if z0 is z1 else slerp(z0, z1, t), y), y)

    @cached_property
    def ends(self) -> list[Tensor]:
        """The codes of the stops, once: towards the middle of its class is a long way for each frame."""
        return [self.codes(z, y) for z, y in self.stops]

    def drawn(self, codes: Tensor, y: Tensor | None) -> Tensor:
        """The images of codes, a few at a time."""
        told: Sequence[Tensor | None] = [None] * len(codes) if y is None else torch.split(y, AT_ONCE)
        return torch.cat([self.space.images(*each) for each in zip(torch.split(codes, AT_ONCE), told, strict=False)])

    def codes(self, z: Tensor, y: Tensor | None) -> Tensor:
        """Truncated codes of z and y."""
        return self.space.truncated(self.space.codes(z.to(self.device, self.dtype), y), self.psi, y)
