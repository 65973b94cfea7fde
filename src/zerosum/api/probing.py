"""What a translator is asked now and then: does it translate, does what it makes say where it came from, who listens.

An exam of held-out images. That a cycle can come back exactly because what it came from is hidden in the translation,
below what can be seen, is what Chu et al. found in CycleGAN (arXiv 1712.02950): a light disturbance destroys it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from zerosum.api.exam import all_evaluating, compared
from zerosum.api.tasks import Task, spread, task_of
from zerosum.data import Dataset
from zerosum.games.base import Game, Shown
from zerosum.metrics.swd import SlicedWasserstein
from zerosum.metrics.variety import variety
from zerosum.sampling.draw import as_tensor, dtype_of, evaluating
from zerosum.sampling.grid import to_uint8
from zerosum.sampling.translate import to_range
from zerosum.types import Domain

EXAMINED = 64  # images at most
BATCH = 16  # that go through a network at one time
SIGMA = 3  # of the noise on a translation, in steps of 8 bits: nobody sees it
SEED = 17121  # of that noise, and of what is by chance in G
NOTHING = 1e-6  # of a distance, by which nothing is divided
FEWEST = 8  # images, of each domain where there are domains

Probes = dict[str, float]


def task_examiner(domain: Domain, dataset: Dataset) -> Callable[[Game, nn.Module], Mapping[str, Any]] | None:
    """Compares the variety of translations with that of real images, and takes the probes; the same images every time.

    None where there are too few images.
    """
    least = FEWEST * (1 if dataset.train.partners is not None else len(dataset.classes or ()))
    task = task_of(dataset, max(EXAMINED, least))
    if len(task.given) < least:
        return None
    exam = Exam(task, domain, dataset)

    def examine(game: Game, generator: nn.Module) -> Mapping[str, Any]:
        with all_evaluating(game), evaluating(generator), torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            fake, probes = exam.of_generator(generator)
            probes |= exam.of_game(game, fake)
        fakes, reals = (compared(x) for x in (fake, exam.real))
        varied, nearest = variety(fakes, reals)
        reach = float(np.ptp(fakes) / np.ptp(reals)) if np.ptp(reals) else None
        looks = {"spread": varied, "nearest": nearest, "coverage": None, "reach": reach}
        return {"samples": len(fake), **looks, "gap": None, "label_gap": None, "probes": probes}

    return examine


class Exam:
    """The images of an exam, as networks see them, and what is asked about them."""

    def __init__(self, task: Task, domain: Domain, dataset: Dataset) -> None:
        self.task, self.dataset, self.value_range = task, dataset, domain.value_range
        self.given, self.real = (to_range(images, domain.value_range) for images in (task.given, task.target))
        self.unit = (domain.value_range[1] - domain.value_range[0]) / 255

    @cached_property
    def between(self) -> float:
        """The mean absolute difference of what is given to what is to be made: the yardstick of all changes."""
        return max(float((self.real - self.given).abs().mean()), self.unit)

    def of_generator(self, G: nn.Module) -> tuple[Tensor, Probes]:
        """What G makes of the images, and its probes; of pairs it has none, since their score says it all."""
        y = self.task.labels
        fake = through(G, self.given, y)
        if y is None:
            return fake, {}
        assert self.task.own is not None
        origin, count = self.task.own, len(self.dataset.classes or ())
        other = (y + 1) % count
        if count > 2:  # a third domain, neither of both
            other = np.where(other == origin, (y + 2) % count, other)
        noise = torch.randn(fake.shape, generator=torch.Generator().manual_seed(SEED))
        low = self.value_range[0]
        disturbed = ((fake + SIGMA * self.unit * noise - low) / self.unit).round().clamp(0, 255) * self.unit + low
        back, back_disturbed = (through(G, x, origin) for x in (fake, disturbed))
        return fake, {
            "change": float((fake - self.given).abs().mean()) / self.between,
            "cycle": float((back - self.given).abs().mean()) / self.between,
            "fragile": self.fragile(fake, disturbed, back, back_disturbed),
            "asked": float((through(G, self.given, other) - fake).abs().mean()) / self.between,
            "arrived": self.arrived(fake),
            "apart": self.apart,
        }

    def fragile(self, fake: Tensor, disturbed: Tensor, back: Tensor, back_disturbed: Tensor) -> float:
        """How many times a disturbance has grown on the way back: the mean over domains, beyond what contrast explains.

        Out of a domain of less contrast an image is stretched, and so is what disturbs it.
        """
        found = []
        for number in range(len(self.dataset.classes or ())):
            mine = torch.as_tensor(self.task.labels == number)
            given, made = self.given[mine], fake[mine]
            errors = [float((x[mine] - given).abs().mean()) for x in (back, back_disturbed)]
            grown = (errors[1] - errors[0]) / max(float((disturbed[mine] - made).abs().mean()), self.unit / 100)
            found.append(grown / max(1.0, float(given.std() / made.std().clamp_min(self.unit))))
        return float(np.mean(found))

    def arrived(self, fake: Tensor) -> float:
        """The distance of the images made to those of their domains, over that of the images given."""
        made = to_uint8(fake, self.value_range)
        return float(np.mean([judge.distance(made[mine])["mean"] / gap for mine, judge, gap in self.domains]))

    @cached_property
    def apart(self) -> float:
        """The distance of the images given to those of their new domains, over that of real images to these."""
        assert self.task.labels is not None
        found = []
        for number, (mine, judge, gap) in enumerate(self.domains):
            train = self.dataset.train.of(number)
            others = np.asarray(train.samples[spread(len(train), int(mine.sum()))])
            found.append(gap / max(judge.distance(others)["mean"], NOTHING))
        return float(np.mean(found))

    @cached_property
    def domains(self) -> list[tuple[Any, SlicedWasserstein, float]]:
        """Of each domain: the images led into it, the distance to its own, and how far from them those given are."""
        found = []
        for number in range(len(self.dataset.classes or ())):
            mine = self.task.labels == number
            judge = SlicedWasserstein(self.task.target[mine])
            found.append((mine, judge, max(judge.distance(self.task.given[mine])["mean"], NOTHING)))
        return found

    def of_game(self, game: Game, fake: Tensor) -> Probes:
        """What the game itself can be asked about these images."""
        like = next(game.networks[game.generator].parameters())
        y = None if self.task.labels is None else as_tensor(self.task.labels, like.device)
        real, made, given = (x.to(like) for x in (self.real, fake, self.given))
        return {
            name: float(value)
            for name, value in game.probes(Shown(real=real, fake=made, y=y, fake_y=y, given=given)).items()
        }


@torch.no_grad()
def through(G: nn.Module, x: Tensor, labels: Any) -> Tensor:
    """What G makes of images (N, c, h, w), in float32 on the CPU, in batches."""
    device, parts = next(G.parameters()).device, []
    for start in range(0, len(x), BATCH):
        part = slice(start, start + BATCH)
        y = None if labels is None else as_tensor(labels[part], device)
        parts.append(G(x[part].to(device, dtype_of(G)), y).float().cpu())
    return torch.cat(parts)
