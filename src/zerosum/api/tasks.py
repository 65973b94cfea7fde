"""What a translator is looked at with while it trains: held-out images, what it makes of them, what they should be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from zerosum.data import Dataset, Split
from zerosum.engine.run import RunFolder
from zerosum.games.base import Game, Shown
from zerosum.metrics.pairs import l1
from zerosum.metrics.swd import SlicedWasserstein
from zerosum.sampling.draw import Labels, as_tensor, evaluating
from zerosum.sampling.files import replacing
from zerosum.sampling.translate import side_by_side, to_range, translate
from zerosum.spec import Recipe
from zerosum.types import Domain

Bytes = npt.NDArray[np.uint8]
SCORED, RESCORED, ASKED = 200, 1_000, 64  # images at most
GROUPS = 2  # of input, output and target in a row of a grid


@dataclass(frozen=True)
class Task:
    """Images to translate, the domain each is led into, its partner or any image of that domain, and its own domain."""

    given: Bytes
    labels: Labels | None
    target: Bytes
    own: Labels | None = None


def task_of(dataset: Dataset, count: int) -> Task:
    """Up to `count` held-out images, of each domain in turn and led into all others; train's where none is held out."""
    split = dataset.held_out if len(dataset.held_out) else dataset.train
    if split.partners is not None:
        rows = spread(len(split), count)
        return Task(np.asarray(split.partners[rows]), None, np.asarray(split.samples[rows]))
    assert dataset.classes is not None
    domains = len(dataset.classes)
    sets = [_of(split, dataset.train, number, -(-count // domains)) for number in range(domains)]
    turn, own = np.divmod(np.arange(min(count, domains * max(map(len, sets)))), domains)
    into = (own + 1 + turn % max(1, domains - 1)) % domains
    given, target = (
        np.stack([sets[domain][row % len(sets[domain])] for row, domain in zip(turn, of, strict=True)])
        for of in (own, into)
    )
    return Task(given, into, target, own)


def _of(split: Split, otherwise: Split, number: int, count: int) -> Bytes:
    """Some images of a domain, from the other split where the first one has none."""
    assert split.labels is not None
    rows = np.flatnonzero(split.labels == number)
    if not len(rows) and split is not otherwise:
        return _of(otherwise, otherwise, number, count)
    return np.asarray(split.samples[rows[spread(len(rows), count)]])


def spread(length: int, count: int) -> npt.NDArray[np.int64]:
    """Up to `count` places, evenly over so many: neighbours in a set are often alike."""
    return np.unique(np.linspace(0, length - 1, min(count, length)).round().astype(np.int64))


def made_of(G: nn.Module, task: Task, domain: Domain, seed: int = 0) -> Bytes:
    """What G makes of a task's images."""
    device, value_range = next(G.parameters()).device, domain.value_range
    batches = translate(G, task.given, task.labels, value_range=value_range, device=device, seed=seed)
    return np.concatenate(list(batches))


def task_drawer(
    folder: RunFolder, recipe: Recipe, domain: Domain, dataset: Dataset
) -> Callable[[nn.Module, int], Path]:
    """Draws input | output | target of the same held-out images into samples/000500.png; without pairs no target."""
    task = task_of(dataset, recipe.grid)

    def draw_grid(generator: nn.Module, step: int) -> Path:
        rows = [task.given, made_of(generator, task, domain)]
        rows += [task.target] if task.labels is None else []
        folder.samples.mkdir(exist_ok=True)
        path = folder.samples / f"{step:06d}.png"
        with replacing(path) as partial:
            side_by_side(rows, GROUPS).save(partial)
        return path

    return draw_grid


def task_asker(recipe: Recipe, domain: Domain, dataset: Dataset) -> Callable[[Game], Mapping[str, float]]:
    """Asks D about held-out images and what G makes of them."""
    task = task_of(dataset, ASKED)

    def ask(game: Game) -> Mapping[str, float]:
        G, D = game.joined(game.networks), game.networks["D"]
        like = next(G.parameters())
        made = made_of(G, task, domain)
        real, fake, given = (to_range(one, domain.value_range).to(like) for one in (task.target, made, task.given))
        labels = None if task.labels is None else as_tensor(task.labels, like.device)
        with evaluating(D):
            said = game.judge(Shown(real=real, fake=fake, y=labels, fake_y=labels, given=given))
        return {"samples": len(made), **{name: float(value) for name, value in said.items()}}

    return ask


class TaskScorer:
    """Scores translators of one run: by the distance to the partners, else to the images of each domain.

    best: the recipe's. `swd` is that to the partners as a set, which does not prefer what is blurred as `l1` does.
    """

    def __init__(self, domain: Domain, dataset: Dataset, best: str = "auto") -> None:
        self.domain, self.dataset = domain, dataset
        self.name = "l1" if dataset.train.partners is not None and best != "swd" else "swd"

    @cached_property
    def _few(self) -> Task:
        return task_of(self.dataset, max(SCORED, len(self.dataset.classes or ())))

    @cached_property
    def _many(self) -> Task:
        return task_of(self.dataset, max(RESCORED, len(self.dataset.classes or ())))

    def score(self, generator: nn.Module) -> Mapping[str, Any]:
        """{"name", "value", "levels"}: lower is better."""
        levels = self._distances(generator, self._few)
        return {"name": self.name, "value": float(np.mean(list(levels.values()))), "levels": levels}

    def rescore(self, generators: Mapping[int, nn.Module]) -> tuple[str, int, dict[int, float]]:
        """The same score of each generator, of more images."""
        found = {step: self._distances(generator, self._many) for step, generator in generators.items()}
        values = {step: float(np.mean(list(levels.values()))) for step, levels in found.items()}
        return self.name, len(self._many.given), values

    def _distances(self, generator: nn.Module, task: Task) -> dict[str, float]:
        """Mean absolute error of 0 to 1, or the sliced Wasserstein distance in each domain."""
        made = made_of(generator, task, self.domain)
        if task.labels is None:
            far = l1(made, task.target) if self.name == "l1" else SlicedWasserstein(task.target).distance(made)["mean"]
            return {self.name: far}
        assert self.dataset.classes is not None
        return {
            name: SlicedWasserstein(task.target[task.labels == number]).distance(made[task.labels == number])["mean"]
            for number, name in enumerate(self.dataset.classes)
        }
