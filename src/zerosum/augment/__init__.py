"""Augmentation that both players' images go through before D sees them, so that D can't learn few images by heart.

A policy names operations; each sample has its own random numbers, and each operation happens to it with probability p.
DiffAugment (Zhao et al. 2020, arXiv 2006.10738) is `colour, translation, cutout` with p = 1; ADA (Karras et al. 2020,
2006.06676, appendix B) is a longer policy whose p follows from how far D overfits. Everything is differentiable by the
images, to any order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor

from zerosum.augment import colours, frequencies, geometry

Told = tuple[str, Tensor, Tensor]  # an operation, the samples (N,) that it happens to, its numbers (N, count)

__all__ = ["OPERATIONS", "Motion", "Operation", "augment", "numbers"]


@dataclass(frozen=True)
class Operation:
    """`apply`: images (N, C, H, W) in [-1, 1] and uniform numbers (N, count) in [0, 1) to images of the same shape."""

    count: int
    apply: Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Motion:
    """An operation that is an affine map of the pixels' places; `map`: uniform numbers (N, count) to it."""

    count: int
    map: Callable[[Tensor], geometry.Affine]

    def apply(self, x: Tensor, u: Tensor) -> Tensor:
        """As of an `Operation`."""
        return geometry.moved(x, self.map(u))


OPERATIONS: dict[str, Operation | Motion] = {
    "colour": Operation(3, colours.colour),
    "translation": Operation(2, geometry.translation),
    "cutout": Operation(2, geometry.cutout),
    "flip": Operation(1, geometry.flip),
    "quarter-turns": Operation(1, geometry.quarter_turns),
    "jump": Operation(2, geometry.jump),
    "shift": Motion(2, geometry.shift),
    "scale": Motion(1, geometry.scale),
    "rotation": Motion(1, geometry.rotation),
    "stretch": Motion(1, geometry.stretch),
    "brightness": Operation(1, colours.brightness),
    "contrast": Operation(1, colours.contrast),
    "luma-flip": Operation(1, colours.luma_flip),
    "hue": Operation(1, colours.hue),
    "saturation": Operation(1, colours.saturation),
    **{f"octave-{octave}": Operation(1, frequencies.band(octave)) for octave in range(len(frequencies.POWER))},
    "noise": Operation(1, frequencies.noise),
}


def numbers(policy: Sequence[str]) -> int:
    """How many uniform numbers a sample needs: those of each operation, and one that says whether it happens."""
    return sum(OPERATIONS[name].count + 1 for name in policy)


def augment(
    x: Tensor,
    policy: Sequence[str],
    uniform: Tensor,
    p: Tensor | float = 1.0,
    *,
    value_range: tuple[float, float] = (-1.0, 1.0),
) -> Tensor:
    """x (N, C, H, W) after the operations of a policy, in their order; uniform: (N, numbers(policy)) in [0, 1).

    Motions in a row are composed, and pixels fetched once. One that is named twice, as ADA's rotation before and after
    stretching, happens at all with probability p. The operations are those of the papers, whose images lie in [-1, 1]:
    others are led there and back.
    """
    low, half = value_range[0], (value_range[1] - value_range[0]) / 2
    if value_range != (-1.0, 1.0):
        return augment((x - low) / half - 1, policy, uniform, p) * half + (low + half)
    start = 0
    for motion, names in groupby(policy, lambda name: isinstance(OPERATIONS[name], Motion)):
        told = []
        for name in names:
            end = start + 1 + OPERATIONS[name].count
            told.append(
                (name, uniform[:, start] < 1 - (1 - p) ** (1 / policy.count(name)), uniform[:, start + 1 : end])
            )
            start = end
        x = _move(x, told) if motion else _change(x, told)
    return x


def _change(x: Tensor, told: Sequence[Told]) -> Tensor:
    """One operation after the other, to the samples that they happen to."""
    for name, happens, u in told:
        x = torch.where(happens[:, None, None, None], OPERATIONS[name].apply(x, u), x)
    return x


def _move(x: Tensor, told: Sequence[Told]) -> Tensor:
    """All motions in a row as one; samples that none of them happens to stay as they are to the last bit."""
    whole = geometry.stay(told[0][2][:, 0])
    for name, happens, u in told:
        motion = OPERATIONS[name]
        assert isinstance(motion, Motion)
        whole = motion.map(u).where(happens).after(whole)
    any_of = torch.stack([happens for _, happens, _ in told]).any(0)
    return torch.where(any_of[:, None, None, None], geometry.moved(x, whole), x)
