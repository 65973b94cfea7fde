"""How a run leads digits through groups of stroke width: is it the width that was asked for, and still the digit?

Of test digits, each led into all five groups of the task `thickness`, by measures that have nothing to do with the run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

import tasks
from zerosum import api
from zerosum.api.assemble import vectors_by
from zerosum.api.translations import data_of
from zerosum.data import open_dataset
from zerosum.data.transforms import fit
from zerosum.metrics.features import FEATURES
from zerosum.networks.encoded import Encoded
from zerosum.sampling.draw import evaluating
from zerosum.sampling.grid import to_uint8
from zerosum.sampling.identity import STEPS, codes
from zerosum.sampling.translate import to_range, translate

Bytes = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]
GROUPS = len(tasks.THICKNESS)


@dataclass(frozen=True)
class Led:
    """Test digits in every group, and once more in what is, or is taken for, the group of their own."""

    groups: list[Bytes]
    own: Numbers
    back: Bytes


def figures(generator: api.Generator) -> dict[str, float]:
    """Those of `judged`; of a run with a search for z also those of the encoder's z alone."""
    told = [(label, image) for split, _, label, image in tasks.digits() if split == "test"]
    labels, images = np.array([label for label, _ in told]), np.stack([image for _, image in told])
    given = fit(images[..., None], generator.domain.size, generator.domain.channels)
    own = np.array([group_of(image) for image in images])
    found = {"real digits read": share(read(given) == labels)}
    if not isinstance(generator.network, Encoded):
        groups = [translated(generator, given, number) for number in range(GROUPS)]
        return found | judged(Led(groups, own, np.stack(groups)[own, np.arange(len(own))]), given, labels)
    searched, alone = (by_code(generator, generator.network, given, steps) for steps in (STEPS, 0))
    found |= judged(searched, given, labels)
    found |= {f"{name} (encoder alone)": value for name, value in judged(alone, given, labels).items()}
    return found | {"own group guessed within one": share(np.abs(alone.own - own) <= 1)}


def judged(led: Led, given: Bytes, labels: Numbers) -> dict[str, float]:
    """Shares of what is still read as its digit, of the group asked for and within one of it; the correlation of the
    asked group with the measured width; and the mean absolute error of the image in its own group."""
    asked = np.repeat(np.arange(GROUPS), len(given))
    widths = np.array([tasks.thickness(image.max(axis=2)) for part in led.groups for image in part])
    away = np.abs(np.searchsorted(tasks.thickness_edges(), widths, side="right") - asked)
    return {
        "digit kept": share(read(np.concatenate(led.groups)) == np.tile(labels, GROUPS)),
        "group right": share(away == 0),
        "within one group": share(away <= 1),
        "r of asked and measured": float(np.corrcoef(asked, widths)[0, 1]),
        "error in the own group": float(np.abs(led.back.astype(float) - given).mean() / 255),
    }


def translated(generator: api.Generator, given: Bytes, number: int) -> Bytes:
    """What a translator makes of images for one group."""
    labels, value_range = np.full(len(given), number), generator.domain.value_range
    return np.concatenate(list(translate(generator.network, given, labels, value_range=value_range)))


def by_code(generator: api.Generator, network: Encoded, given: Bytes, steps: int) -> Led:
    """The same by way of z, as `zerosum translate --steps` does it."""
    domain, name = generator.domain, generator.recipe.game.recognises
    recognise = vectors_by(name, data_of(generator, None), domain) if name and steps else None
    with evaluating(network):
        z, own = codes(network, recognise, to_range(given, domain.value_range), steps=steps)
        led = [torch.full_like(own, number) for number in range(GROUPS)]
        *groups, back = (to_uint8(network.drawn(z, into), domain.value_range) for into in (*led, own))
    return Led(groups, own.numpy(), back)


def group_of(image: Bytes) -> int:
    """The group that a digit (28, 28) is of, as measured."""
    return tasks.group_of(tasks.thickness(image), tasks.thickness_edges())


def read(images: Bytes) -> Numbers:
    """The digits that digits-net reads."""
    chances = FEATURES["digits-net"](open_dataset("digits"), None)(images).probabilities
    assert chances is not None
    return chances.argmax(axis=1)


def share(right: npt.NDArray[np.bool_]) -> float:
    """Of true ones."""
    return float(right.mean())
