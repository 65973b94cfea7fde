"""The Python face of zerosum: train, resume, load, sample, text, translate, upscale, walk, mix and the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from zerosum.api import resuming, starting
from zerosum.api.acting import persevere
from zerosum.api.fleets import Fleet, resume_fleet, train_fleet
from zerosum.api.generator import Generator, load
from zerosum.api.habits import DEAD_MINUTES, Care
from zerosum.api.latents import Projected, directions, mix, project
from zerosum.api.run import Run
from zerosum.api.translating import translate, upscale
from zerosum.api.using import compare, members, open_run, report, sample, text, walk
from zerosum.engine.engine import Device, Engine, Precision
from zerosum.engine.events import Bus, Listener
from zerosum.errors import UserError
from zerosum.spec import Recipe
from zerosum.types import PathLike

__all__ = [
    "Fleet",
    "Generator",
    "Projected",
    "Run",
    "compare",
    "directions",
    "load",
    "members",
    "mix",
    "open_run",
    "project",
    "report",
    "resume",
    "sample",
    "text",
    "train",
    "translate",
    "upscale",
    "walk",
]


def train(
    recipe: str | Recipe = "quick",
    data: str | None = None,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    epochs: float | None = None,
    out: PathLike | None = None,
    settings: Mapping[str, Any] | None = None,
    per_class: bool = False,
    device: Device = "auto",
    precision: Precision = "32-true",
    keep: int | None = None,
    save_every: int | None = None,
    watch: bool = True,
    act: bool | float = False,
    listeners: Sequence[Listener] = (),
    root: PathLike = "runs",
) -> Run | Fleet:
    """Train a recipe on data in a new run folder, and return the run.

    data: a source such as "digits" or "folder:PATH"; None is the recipe's own. settings: dotted names, as
    `--set` takes them, such as {"G.lr": 1e-4}. out: the run folder itself; else its name is made, inside `root`.
    per_class: a fleet, one model for each class; `minutes` are then those of the whole fleet. keep: how many step
    checkpoints stay. save_every: steps between two saves of `last`; else it is saved every minute. watch: the run's
    health is judged while it trains. act: after a divergence it goes on from before that in a branch with lower rates,
    up to three times, and a run that fails for 10 minutes (or `act` minutes) is given up with a `DeadRunError`.

    Raises `UserError` before anything is written; `TrainingError` where training fails.
    """
    lengths = {"minutes": minutes, "steps": steps, "epochs": epochs}
    care = _care(keep, save_every, listeners, watch, act)
    chosen = starting.choose(recipe, settings, fleet=per_class, **lengths)
    engine = Engine(device, precision)
    train_it: Callable[..., Run | Fleet] = train_fleet if per_class else starting.train
    begin = partial(train_it, chosen, data, out, root, engine, care)
    with closing(Bus(listeners)):  # only here: a fleet has one run after the other
        return persevere(begin, care, device, precision)


def resume(
    run: PathLike,
    *,
    source: str = "last",
    steps: int | None = None,
    epochs: float | None = None,
    minutes: float | None = None,
    settings: Mapping[str, Any] | None = None,
    out: PathLike | None = None,
    device: Device | None = None,
    precision: Precision | None = None,
    keep: int | None = None,
    save_every: int | None = None,
    watch: bool = True,
    act: bool | float = False,
    listeners: Sequence[Listener] = (),
) -> Run | Fleet:
    """Go on with a run or a fleet: to its own end, or by so many steps, epochs or minutes beyond it.

    From `last` and with nothing changed it goes on in its folder, exactly as if it had never stopped. With
    `settings`, another `source` ("best", "previous", a step, or "start" for the weights that the run began with) or
    `out`, a new folder branches off beside it; a length then counts from that checkpoint, and the parent stays as it
    is. Raises `UserError`, `CheckpointError` or `TrainingError`.
    """
    more = resuming.More(steps=steps, epochs=epochs, minutes=minutes)
    care = _care(keep, save_every, listeners, watch, act)
    if (Path(run) / "fleet.json").exists():
        if settings or source != "last" or out is not None:
            raise UserError("a fleet goes on as it is: branch one of its members instead, each is a run folder")
        with closing(Bus(listeners)):
            return resume_fleet(Path(run), more, device, precision, care)
    change = resuming.Change(settings=settings or {}, source=source, out=None if out is None else Path(out))
    with closing(Bus(listeners)):
        begin = partial(resuming.resume, Path(run), more, change, device, precision, care)
        return persevere(begin, care, device, precision)


def _care(
    keep: int | None,
    save_every: int | None,
    listeners: Sequence[Listener],
    watch: bool,
    act: bool | float,
) -> Care:
    minutes = DEAD_MINUTES if isinstance(act, bool) else act
    acts = act is not False
    return Care(keep=keep, save_steps=save_every, listeners=listeners, watch=watch, act=acts, dead_minutes=minutes)
