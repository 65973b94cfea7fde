"""Projection: the code whose picture is nearest to a given image, by gradient descent on the code.

With styles as StyleGAN2's projector does it (Karras et al. 2020, arXiv 1912.04958, appendix D): one w for all layers,
from their mean, and noise on w that falls to zero. Any other generator: z, from several random starts, of which one
goes on. Differences from the paper: distance is the squared error on a pyramid of scales, so that no other network is
needed, and G's own noise is not optimized.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zerosum.errors import UserError
from zerosum.games.base import evaluated
from zerosum.sampling.draw import dtype_of, evaluating, latents, z_dim_of
from zerosum.sampling.latents import Space

SMALLEST = 8  # pixels: the last scale of the pyramid has as many, or up to twice as many
RATE, RISE, FALL = 0.1, 0.05, 0.25  # of learning, and the shares of the steps in which it rises and falls
NOISE, QUIET = 0.05, 0.75  # of w's deviation, and the share of the steps by which it has fallen to zero
DRAWN = 10_000  # z, for the deviation of w
STARTS = 16  # and at least one for each class
TRIED = 0.2  # the share of the steps that all starts take part in
PULL = 0.1  # towards z of the length that most z have, as a share of the distance: an exact code stays where it is


@dataclass(frozen=True, kw_only=True)
class Projection:
    """The code found, as `Space` has it, and how near its picture is; distances are of values from 0 to 1."""

    code: Tensor  # (styles or 1, D)
    label: int | None  # the class that z goes with; None where there is none, or where w has it in it
    image: Tensor  # (C, H, H) in the domain's range
    start: float  # the distance of the first code, or of the best start
    end: float
    distances: tuple[float, ...]  # at each step, of the best start; of w with the noise on it


def distance(images: Tensor, target: Tensor) -> Tensor:
    """(N,): mean squared error of images (N, C, H, H) from a target (1, C, H, H), averaged over the scales.

    The scales are the full size and each half of the one before, down to 8 pixels.
    """
    errors = []
    difference = images - target
    while True:
        errors.append(difference.square().flatten(1).mean(dim=1))
        if difference.shape[-1] < 2 * SMALLEST:
            return torch.stack(errors).mean(dim=0)
        difference = F.avg_pool2d(difference, 2)


def rate(t: float) -> float:
    """The learning rate at t in [0, 1) of the steps: a linear rise, then level, then half a cosine to zero."""
    falling = min(1.0, (1 - t) / FALL)
    return RATE * (0.5 - 0.5 * math.cos(math.pi * falling)) * min(1.0, t / RISE)


def project(
    G: nn.Module,
    target: Tensor,
    *,
    steps: int,
    seed: int,
    classes: int | None = None,
    label: int | None = None,
    device: torch.device | str = "cpu",
    value_range: tuple[float, float] = (-1.0, 1.0),
) -> Projection:
    """Look for the code whose image is nearest to the target (C, H, H) in `value_range`; the same for a seed.

    classes: those of a conditional G; label: the one to stay in, else that of the best start, or for w any mixture.
    `UserError` for less than one step.
    """
    if steps < 1:
        raise UserError(f"{steps} steps asked for; expected at least 1")
    space, (low, high) = Space(G), value_range
    search: Search
    if space.styled is None:
        search = SearchInZ(space, classes, label, seed, device)
    else:
        search = SearchInW(space, label, seed, device)
    sight = Sight(space, search, target[None].to(device, dtype_of(G)), high - low)
    everyone = torch.arange(len(search.code), device=device)
    with evaluating(G):
        start = sight.errors(everyone, 1.0).min().item()
    best, distances = descend(sight, everyone, steps)
    with evaluating(G):
        images, end = sight.look(best, 1.0)
        code = search.layered(1.0)[best[0]]
    found = None if search.y is None else int(search.y[best[0]].item())
    # Clones, made outside of inference mode: whoever gets them may differentiate.
    code, image = code.detach().clone(), images[0].clone()
    return Projection(code=code, label=found, image=image, start=start, end=end.item(), distances=distances)


@dataclass(frozen=True)
class Sight:
    """What is looked for, among what, and how far an image is from it."""

    space: Space
    search: Search
    target: Tensor  # (1, C, H, H)
    span: float  # of the range of values

    def look(self, chosen: Tensor, t: float) -> tuple[Tensor, Tensor]:
        """The images of the chosen codes (N,) at t of the steps, and their distances (N,)."""
        y = self.search.y
        images = self.space.images(self.search.layered(t)[chosen], None if y is None else y[chosen])
        return images, distance(images / self.span, self.target / self.span)

    def errors(self, chosen: Tensor, t: float) -> Tensor:
        """The distances alone, of a few codes at a time."""
        return torch.cat([self.look(some, t)[1] for some in torch.split(chosen, STARTS)])

    def best(self, chosen: Tensor, t: float) -> Tensor:
        """Which one of the codes is the nearest, (1,)."""
        with torch.no_grad():
            return chosen[self.errors(chosen, t).argmin()][None]


def descend(sight: Sight, alive: Tensor, steps: int) -> tuple[Tensor, tuple[float, ...]]:
    """Move the codes by Adam, after a fifth of the steps the best alone: which (1,), and the least distance by step."""
    search, seen = sight.search, []
    optimizer = torch.optim.Adam([search.code], lr=RATE)
    with evaluated(sight.space.G):
        for step in range(steps):
            t = step / steps
            optimizer.param_groups[0]["lr"] = rate(t)
            if t >= TRIED and len(alive) > 1:
                alive = sight.best(alive, t)
            found, search.code.grad = [], torch.zeros_like(search.code)
            for some in torch.split(alive, STARTS):
                _, errors = sight.look(some, t)
                search.code.grad += torch.autograd.grad((errors * (1 + search.pull()[some])).sum(), search.code)[0]
                found.append(errors.detach().min())
            optimizer.step()
            seen.append(torch.stack(found).min())
        alive = sight.best(alive, 1.0)
    return alive, tuple(torch.stack(seen).tolist())


class Search(Protocol):
    """What is moved: `code` (N, D), a leaf, with the class of each, and how it becomes what G takes."""

    code: Tensor
    y: Tensor | None

    def layered(self, t: float) -> Tensor:
        """Codes as G takes them at t of the steps, (N, styles or 1, D)."""

    def pull(self) -> Tensor:
        """(N,): what is added to the distance, as a share of it."""


class SearchInW:
    """One w for all layers, from the mean of w; of one class, from the mean of that."""

    def __init__(self, space: Space, label: int | None, seed: int, device: torch.device | str) -> None:
        assert space.styled is not None
        self.space, G = space, space.styled
        z = torch.cat(list(latents(DRAWN, G.z_dim, seed=seed))).to(device, dtype_of(G))
        classes = G.mapping.classes
        self.y: Tensor | None = None  # the class is in w
        with evaluating(G):
            if classes is None:
                w = G.map(z)
            else:
                y = torch.arange(DRAWN, device=device) % classes
                w = G.map(z, y if label is None else torch.full_like(y, label))
        mean = (G.w_mean.to(w) if label is None else w.mean(dim=0)).clone()
        self.deviation = float((w - mean).square().sum(dim=1).mean().sqrt())
        self.code = mean[None].clone().requires_grad_()
        self.chance = torch.Generator().manual_seed(seed)

    def layered(self, t: float) -> Tensor:
        size = NOISE * self.deviation * max(0.0, 1 - t / QUIET) ** 2
        if not size:
            return self.space.layered(self.code)
        noise = torch.randn(self.code.shape, generator=self.chance).to(self.code)
        return self.space.layered(self.code + size * noise)

    def pull(self) -> Tensor:
        return torch.zeros_like(self.code[:, 0])


class SearchInZ:
    """z from 16 starts or one for each class, whichever is more."""

    def __init__(self, space: Space, classes: int | None, label: int | None, seed: int, device: torch.device | str):
        count = max(STARTS, classes or 0) if label is None else STARTS
        z = next(latents(count, z_dim_of(space.G), seed=seed, batch=count)).to(device, dtype_of(space.G))
        self.y: Tensor | None = None
        if classes is not None:
            y = torch.arange(count, device=device) % classes
            self.y = y if label is None else torch.full_like(y, label)
        self.code = z.clone().requires_grad_()

    def layered(self, t: float) -> Tensor:
        return self.code[:, None]

    def pull(self) -> Tensor:
        return PULL * (self.code.square().mean(dim=1) - 1).square()
