"""Train from the first step: everything is checked before anything is written."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from itertools import chain
from pathlib import Path
from typing import Any

import zerosum.recipes
from zerosum.api.assemble import (
    assemble,
    describe_data,
    domain_of,
    feature_networks,
    find_data,
    settle,
    versions,
)
from zerosum.api.habits import Care, finish, habits, open_bus
from zerosum.api.run import Run
from zerosum.data import Dataset
from zerosum.engine.engine import Engine
from zerosum.engine.events import Bus
from zerosum.engine.loop import Loop
from zerosum.engine.plan import Plan
from zerosum.engine.run import RunFolder
from zerosum.engine.training import Training
from zerosum.errors import UserError, nearest
from zerosum.networks import arguments
from zerosum.networks.layers import product
from zerosum.networks.layers.paths import helps, own_paths
from zerosum.shell import typed
from zerosum.spec import LENGTHS, Recipe
from zerosum.types import PathLike

FEW_STEPS = 500  # of which no recipe learns much
NAMED = 3  # files that a warning names


def choose(
    recipe: str | Recipe, settings: Mapping[str, Any] | None, *, fleet: bool = False, **length: float | None
) -> Recipe:
    """The recipe of that name with its settings changed; at most one of steps, epochs and minutes.

    A fleet whose length nobody asks for has that of the recipe's fleets, where it has one.
    """
    chosen = zerosum.recipes.recipe(recipe) if isinstance(recipe, str) else recipe
    given = {name: value for name, value in length.items() if value is not None}
    if len(given) > 1:
        raise UserError(f"{' and '.join(given)} are both given: a run has one length")
    changes = {**(settings or {}), **given}
    if fleet and chosen.fleet_steps and not changes.keys() & {*LENGTHS}:
        changes["steps"] = chosen.fleet_steps
    for key in [key for key in changes if key.endswith(".network")]:
        chosen = with_network(chosen, key.removesuffix(".network"), str(changes.pop(key)))
    return chosen.as_asked(changes)


def with_network(recipe: Recipe, player: str, network: str) -> Recipe:
    """The recipe with another registered network for a player, at that network's own numbers."""
    if player not in recipe.players:
        raise UserError(f"{recipe.name} has no player {player!r}; {nearest(player, recipe.players)}")
    other = dataclasses.replace(recipe.players[player], network=network, args=arguments(network))
    return dataclasses.replace(recipe, players={**recipe.players, player: other})


def train(recipe: Recipe, data: str | None, out: PathLike | None, root: PathLike, engine: Engine, care: Care) -> Run:
    """Train one model; everything is checked before anything is written."""
    dataset = find_data(recipe, data)
    return begin(settle(recipe, dataset), dataset, engine, path=Path(out) if out else None, root=Path(root), care=care)


def begin(
    recipe: Recipe,
    dataset: Dataset,
    engine: Engine,
    *,
    path: Path | None,
    root: Path,
    care: Care,
) -> Run:
    """Train a settled recipe in a new folder."""
    plan = Plan.of(recipe, len(dataset.train))
    training = assemble(recipe, dataset, engine, plan)
    where = Path(engine.same_everywhere(str(path or new_path(root, recipe.name, dataset.name))))
    folder = new_folder(where, training, recipe, dataset, None)
    return drive(training, folder, dataset, care)


def new_path(root: Path, recipe: str, source: str) -> Path:
    """A name from time, recipe and data that is not taken."""
    data = re.sub(r"[^A-Za-z0-9]+", "-", Path(source.partition(":")[2] or source).name.partition(".")[0]).strip("-")
    stem = f"{dt.datetime.now():%Y%m%d-%H%M%S}-{recipe}-{data or 'data'}"
    path, number = root / stem, 2
    while path.exists():
        path, number = root / f"{stem}-{number}", number + 1
    return path


def new_folder(
    path: Path, training: Training, recipe: Recipe, dataset: Dataset, parent: Mapping[str, Any] | None
) -> RunFolder:
    """The folder of a new run; written by the leading process only."""
    info = {
        "name": path.name,
        "created": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "recipe": recipe.to_dict(),
        "data": describe_data(dataset),
        "seed": recipe.seed,
        "versions": versions(),
        "device": path_taken(training),
        "horizon": horizon(training),
        "begins": training.plan.begins,
        "images_before": training.plan.images_before,
        "minutes": training.plan.minutes,
        "feature_networks": feature_networks(recipe, training.plan, dataset),
        "parent": parent,
    }
    return RunFolder.create(path, info) if training.engine.leads else RunFolder(path, info)


def path_taken(training: Training) -> dict[str, Any]:
    """Where and how the run computes; `paths`: of each player's network the layers that go another way than torch's."""
    engine, networks = training.engine, training.game.networks.items()
    autocast = engine.precision == "bf16-mixed"
    by_onednn = product.AVAILABLE and helps(engine.device, autocast=autocast) and engine.precision != "64-true"
    return engine.describe() | {
        "products": "oneDNN" if by_onednn else "torch",
        "paths": {name: own_paths(network, engine.device, autocast=autocast) for name, network in networks},
        "graphs": training.captures is not None,
    }


def horizon(training: Training) -> dict[str, int] | None:
    """Where the run ends, in steps and images; None for a run in minutes that has not found its speed."""
    plan = training.plan
    if plan.steps is None:
        return None
    left = plan.images(plan.steps) - plan.images(training.step)
    return {"steps": plan.steps, "images": training.images + left}


def drive(training: Training, folder: RunFolder, dataset: Dataset, care: Care) -> Run:
    """Run the loop in the folder, and write what is left to write when it ends."""
    engine, recipe = training.engine, training.recipe
    with folder.locked() if engine.leads else nullcontext():
        if engine.leads:
            folder.sweep()
        fresh = training.step == training.plan.begins
        bus, watcher = open_bus(folder, training.step, care, fresh=fresh) if engine.leads else (Bus(), None)
        hurry = True  # nothing has been trained yet
        try:
            looked_after = habits(folder, recipe, domain_of(recipe, dataset), dataset, care, watcher)
            loop = Loop(training, folder, bus, looked_after)
            hurry = False
            first = chain(remarks(dataset), few_steps(training)) if fresh else other_networks(folder, training, dataset)
            for message in chain(first, engine.remarks()):
                bus.warn(message)
            loop.run()
        except KeyboardInterrupt:
            hurry = True  # it was asked twice
            raise
        finally:
            if engine.leads and not hurry:
                _finish(folder, bus)
            bus.close()
    return Run(folder.path, stopped_by=loop.signal) if engine.leads else _remote(folder, loop.signal)


def remarks(dataset: Dataset) -> Iterator[str]:
    """What the user should know of the data before they are trained on."""
    if dataset.note:
        yield dataset.note
    if dataset.skipped:
        named = "; ".join(f"{one.name}: {one.reason}" for one in dataset.skipped[:NAMED])
        more = f"; and {len(dataset.skipped) - NAMED:,} more" if len(dataset.skipped) > NAMED else ""
        count = f"{len(dataset.skipped):,} file{'s' if len(dataset.skipped) > 1 else ''}"
        yield f"{count} left out ({named}{more}): `zerosum data check {typed(dataset.name)}` lists them"


def other_networks(folder: RunFolder, training: Training, dataset: Dataset) -> Iterator[str]:
    """What the user should know where a feature network that the run learns by is not the one that it began with."""
    known = folder.info.get("feature_networks", {})
    for name, checksum in feature_networks(training.recipe, training.plan, dataset).items():
        if known.get(name, checksum) != checksum:
            yield (
                f"{name} is another one than the run began with, since the cache that had that one is not here: what "
                "is learned from now on is not exactly what an uninterrupted run would learn"
            )


def few_steps(training: Training) -> Iterator[str]:
    """What the user should know where the epochs of a small set are over before anything is learned."""
    plan, recipe = training.plan, training.recipe
    steps = 0 if plan.steps is None else plan.steps - plan.begins
    by_epochs = recipe.epochs is not None or any(stage.epochs is not None for stage in recipe.stages)
    if by_epochs and recipe.steps is None and recipe.minutes is None and 0 < steps < FEW_STEPS:
        yield (
            f"{plan.count:,} images make {steps:,} steps in this recipe's epochs, which teach little: `--minutes 30`, "
            "or a multiple of its epochs by `--set pace=10` where it has stages, trains for longer"
        )


def _finish(folder: RunFolder, bus: Bus) -> None:
    """Write pictures and report; what fails there does not hide how training ended."""
    try:
        finish(folder)
    except Exception as error:  # noqa: BLE001  (a picture is not worth the run)
        bus.warn(f"the report could not be written: {error}")


def _remote(folder: RunFolder, signal: int | None) -> Run:
    """The run as a process sees it that writes nothing: the folder may lie on another machine's disk."""
    run = Run.__new__(Run)
    run.folder, run.stopped_by = folder, signal
    return run
