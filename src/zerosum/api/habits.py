"""What looks after a run while it trains: the grid from a fixed z, the score, the listeners, the last pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from zerosum.api.codes import code_drawer
from zerosum.api.exam import asker, examiner
from zerosum.api.probing import task_examiner
from zerosum.api.scoring import Scorer, drawn
from zerosum.api.tasks import TaskScorer, task_asker, task_drawer
from zerosum.api.texts import CAPTIONS, examples, text_of, write_captions
from zerosum.data import Dataset
from zerosum.engine.events import Bus, Event, Listener
from zerosum.engine.listeners import EventLog, TensorBoardLog
from zerosum.engine.loop import Habits
from zerosum.engine.run import RunFolder
from zerosum.errors import UserError
from zerosum.eventlog import read_events
from zerosum.games.base import Game
from zerosum.reporting.curves import write_curves
from zerosum.reporting.report import write_report
from zerosum.sampling import draw
from zerosum.sampling.animate import evolution
from zerosum.spec import Recipe
from zerosum.types import Domain
from zerosum.watch.catalogue import Words, spoken
from zerosum.watch.looking import look_and_tell
from zerosum.watch.telling import tell
from zerosum.watch.watching import Watcher, replay

GRID_SEED = 20141  # of the z; apart from the score's, the exam's and from any training's
DEAD_MINUTES = 10.0
GRID_CLASSES = 10  # rows of a grid with classes, at most


@dataclass(frozen=True, kw_only=True)
class Care:
    """How the caller wants runs looked after."""

    keep: int | None = None  # step checkpoints at most; None: all
    save_steps: int | None = None  # steps between two saves of `last`; None: a minute
    listeners: Sequence[Listener] = ()
    watch: bool = True
    act: bool = False  # the watch may do something: lower the rates after a divergence, give up a dead run
    dead_minutes: float = DEAD_MINUTES  # after which a failing run counts as dead

    def __post_init__(self) -> None:
        for name, count in {"keep": self.keep, "save-every": self.save_steps}.items():
            if count is not None and count < 1:
                raise UserError(f"{name} is {count}; expected at least 1")
        if not self.dead_minutes > 0:
            raise UserError(f"dead-after is {self.dead_minutes}; expected minutes, above 0")
        if self.act and not self.watch:
            raise UserError("act needs the watch: leave --no-watch out")


def habits(
    folder: RunFolder, recipe: Recipe, domain: Domain, dataset: Dataset, care: Care, watcher: Watcher | None
) -> Habits:
    """The habits of a run; what they need of the data is prepared at the first use."""
    classes = None if dataset.classes is None else list(dataset.classes)
    about = {"recipe": recipe.to_dict(), "domain": dataclasses.asdict(domain), "classes": classes}
    about |= {"text": text_of(dataset)} if domain.text is not None else {}
    translates = domain.source is not None
    scorer: Scorer | TaskScorer | None = None
    if len(dataset.held_out):
        scorer = TaskScorer(domain, dataset, recipe.best) if translates else Scorer(recipe, domain, dataset)
    return Habits(
        score=scorer.score if scorer else None,
        rescore=scorer.rescore if scorer else None,
        dead=partial(watcher.dead, care.dead_minutes) if watcher is not None and care.act else None,
        draw=DRAWERS.get(recipe.inputs, task_drawer)(folder, recipe, domain, dataset),
        ask=(task_asker if translates else asker)(recipe, domain, dataset),
        examine=examining(recipe, domain, dataset) if care.watch else None,
        keep=care.keep,
        save_steps=care.save_steps,
        extra={"about": about},
    )


def examining(
    recipe: Recipe, domain: Domain, dataset: Dataset
) -> Callable[[Game, nn.Module], Mapping[str, Any]] | None:
    """How runs of this kind are examined; None where too few samples are held out.

    Images by way of their z are not: until the encoder has had its stage, what it finds would look like a collapse.
    """
    if recipe.inputs == "codes":
        return None
    return examiner(recipe, domain, dataset) if domain.source is None else task_examiner(domain, dataset)


def drawer(folder: RunFolder, recipe: Recipe, domain: Domain, dataset: Dataset) -> Callable[[nn.Module, int], Path]:
    """Draws the run's grid, always from the same z (and classes or captions), into samples/000500.png."""
    count, columns, row_labels = recipe.grid, None, None
    labels = None
    if domain.classes is not None and dataset.classes is not None:
        rows = min(domain.classes, GRID_CLASSES)
        columns = max(1, round(recipe.grid / rows))
        count = rows * columns
        labels = np.repeat(np.arange(rows, dtype=np.int64), columns)
        row_labels = list(dataset.classes[:rows])
    if domain.text is not None:
        labels = examples(dataset, count)
        count = len(labels)
    if dataset.kind == "points":
        count = max(count, 2500)

    def draw_grid(generator: nn.Module, step: int) -> Path:
        batches = drawn(generator, domain, count, GRID_SEED, labels)
        folder.samples.mkdir(exist_ok=True)
        path = folder.samples / f"{step:06d}.png"
        if domain.text is not None and labels is not None:
            write_captions(folder.samples / CAPTIONS, dataset, labels)
        reals = dataset.held_out.samples[:2500] if dataset.kind == "points" else None
        return draw.write_grid(batches, path, count=count, columns=columns, row_labels=row_labels, reals=reals)

    return draw_grid


DRAWERS = {"noise": drawer, "codes": code_drawer}  # by what G makes an image of; the others draw tasks


class Guest:
    """A listener of the caller's: it hears the run and is not closed with it, since a fleet has a run after that."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener

    def __call__(self, event: Event, /) -> None:
        self.listener(event)

    def close(self) -> None:
        """Left to whoever brought the listener."""


def open_bus(folder: RunFolder, step: int, care: Care, *, fresh: bool = False) -> tuple[Bus, Watcher | None]:
    """The run's listeners, and the watch among them; what the files know of steps after `step` is dropped.

    Those steps will come again. fresh: the run is at its first step, which nothing may come before. The watch begins
    with what the files know already.
    """
    log = EventLog(folder.events)
    log.truncate_after(-1 if fresh else step)
    known = (folder.path / "tensorboard").exists()
    board = TensorBoardLog(folder.path / "tensorboard", purge_step=step + (not fresh) if known else None)
    bus = Bus([log, board, *map(Guest, care.listeners)])
    if not care.watch:
        return bus, None
    watcher = Watcher(replay(read_events(folder.events), folder.info["recipe"]), bus.emit, folder.shown)
    bus.add(watcher)
    return bus, watcher


def finish(folder: RunFolder) -> None:
    """The pictures and the page of a run, from what lies in its folder."""
    if len(list(folder.samples.glob("*.png"))) > 1:
        evolution(folder.samples, folder.samples / "evolution.webp")
    write_curves(folder.path, folder.info["recipe"])
    write_report(folder.path, verdict_of(folder.path))


def verdict_of(run: Path) -> dict[str, Any] | None:
    """What the watch says of a run, in the language of the locale, for its report; None before the first step."""
    event = look_and_tell(run)
    if event is None:
        return None
    words = Words(spoken())
    titles = {"evidence_title": words("frame.evidence"), "advice_title": words("frame.try")}
    return {**dataclasses.asdict(tell(event, words)), **titles}
