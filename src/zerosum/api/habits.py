"""What looks after a run while it trains: the grid from a fixed z, the score, the listeners, the last pictures."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from zerosum.data import Dataset
from zerosum.data.loader import Feed
from zerosum.engine.events import Bus, Event, Listener
from zerosum.engine.listeners import EventLog, TensorBoardLog
from zerosum.engine.loop import Habits
from zerosum.engine.run import RunFolder
from zerosum.games.base import Game
from zerosum.metrics.swd import SlicedWasserstein
from zerosum.reporting.curves import write_curves
from zerosum.reporting.report import write_report
from zerosum.sampling import draw
from zerosum.sampling.animate import evolution
from zerosum.spec import Recipe
from zerosum.types import Domain

GRID_SEED, SCORE_SEED, EXAMINE_SEED = 20141, 14061, 12661  # apart from each other and from any training's z
SCORED = 1000  # samples against as many held-out ones, at most
EXAMINED = 256  # held-out samples that D is asked about, and as many fakes
GRID_CLASSES = 10  # rows of a grid with classes, at most


def habits(
    folder: RunFolder,
    recipe: Recipe,
    domain: Domain,
    dataset: Dataset,
    *,
    keep: int | None,
    save_steps: int | None,
) -> Habits:
    """The habits of a run; what they need of the data is prepared at the first use."""
    classes = None if dataset.classes is None else list(dataset.classes)
    about = {"recipe": recipe.to_dict(), "domain": dataclasses.asdict(domain), "classes": classes}
    return Habits(
        score=scorer(domain, dataset) if recipe.best == "swd" and len(dataset.held_out) else None,
        draw=drawer(folder, recipe, domain, dataset),
        examine=examiner(recipe, domain, dataset),
        keep=keep,
        save_steps=save_steps,
        extra={"about": about},
    )


def drawer(folder: RunFolder, recipe: Recipe, domain: Domain, dataset: Dataset) -> Callable[[nn.Module, int], Path]:
    """Draws the run's grid, always from the same z (and classes), into samples/000500.png."""
    count, columns, row_labels = recipe.grid, None, None
    labels = None
    if domain.classes is not None and dataset.classes is not None:
        rows = min(domain.classes, GRID_CLASSES)
        columns = max(1, round(recipe.grid / rows))
        count = rows * columns
        labels = np.repeat(np.arange(rows, dtype=np.int64), columns)
        row_labels = list(dataset.classes[:rows])
    if dataset.kind == "points":
        count = max(count, 2500)

    def draw_grid(generator: nn.Module, step: int) -> Path:
        batches = drawn(generator, domain, count, GRID_SEED, labels)
        folder.samples.mkdir(exist_ok=True)
        path = folder.samples / f"{step:06d}.png"
        reals = dataset.held_out.samples[:2500] if dataset.kind == "points" else None
        return draw.write_grid(batches, path, count=count, columns=columns, row_labels=row_labels, reals=reals)

    return draw_grid


def drawn(
    generator: nn.Module, domain: Domain, count: int, seed: int, labels: draw.Labels | None
) -> Iterator[draw.Samples]:
    """Samples of a generator that is in training, in batches."""
    return draw.draw(
        generator,
        count,
        z_dim=draw.z_dim_of(generator),
        seed=seed,
        device=next(generator.parameters()).device,
        labels=labels,
        value_range=domain.value_range,
    )


def scorer(domain: Domain, dataset: Dataset) -> Callable[[nn.Module], Mapping[str, Any]]:
    """Scores a generator by the sliced Wasserstein distance of fixed samples to held-out real ones."""
    judge: list[SlicedWasserstein] = []
    held_out = dataset.held_out
    count = min(SCORED, len(held_out))
    labels = None
    if domain.classes is not None and held_out.labels is not None:
        labels = held_out.labels[:count]

    def score(generator: nn.Module) -> Mapping[str, Any]:
        if not judge:
            judge.append(SlicedWasserstein(np.asarray(held_out.samples[:count])))
        levels = judge[0].distance(np.concatenate(list(drawn(generator, domain, count, SCORE_SEED, labels))))
        return {"name": "swd", "value": levels.pop("mean"), "levels": levels}

    return score


def examiner(recipe: Recipe, domain: Domain, dataset: Dataset) -> Callable[[Game], Mapping[str, float]]:
    """Asks D about held-out samples and as many fresh fakes of the same classes, the same z every time."""
    count = min(EXAMINED, len(dataset.held_out))
    if not count:
        return lambda game: {}
    unseen = dataclasses.replace(dataset, train=dataset.held_out)
    x, y = Feed(unseen, device=torch.device("cpu"), value_range=recipe.value_range).take(count)
    y = y if domain.classes is not None else None

    def examine(game: Game) -> Mapping[str, float]:
        G = game.networks[str(game.generator)]
        like = next(G.parameters())
        labels = None if y is None else y.to(like.device)
        with contextlib.ExitStack() as stack:
            for network in game.networks.values():
                stack.enter_context(draw.evaluating(network))
            z = torch.cat(list(draw.latents(count, draw.z_dim_of(G), seed=EXAMINE_SEED)))
            said = game.judge(x.to(like), labels, G(z.to(like), labels), labels)
        return {"samples": count, **{name: float(value) for name, value in said.items()}} if said else {}

    return examine


class Guest:
    """A listener of the caller's: it hears the run and is not closed with it, since a fleet has a run after that."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener

    def __call__(self, event: Event, /) -> None:
        self.listener(event)

    def close(self) -> None:
        """Left to whoever brought the listener."""


def open_bus(folder: RunFolder, step: int, listeners: Sequence[Listener], *, fresh: bool = False) -> Bus:
    """The run's listeners; what the files know of steps after `step`, which will come again, is dropped.

    fresh: the run is at its first step, which nothing in the files may come before.
    """
    log = EventLog(folder.events)
    log.truncate_after(-1 if fresh else step)
    known = (folder.path / "tensorboard").exists()
    board = TensorBoardLog(folder.path / "tensorboard", purge_step=step + (not fresh) if known else None)
    return Bus([log, board, *map(Guest, listeners)])


def finish(folder: RunFolder) -> None:
    """The pictures and the page of a run, from what lies in its folder."""
    if len(list(folder.samples.glob("*.png"))) > 1:
        evolution(folder.samples, folder.samples / "evolution.webp")
    write_curves(folder.path, folder.info["recipe"])
    write_report(folder.path)
