"""A fleet: one model for each class of a data set, trained, stopped, resumed and sampled as one."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from zerosum.api.assemble import build_networks, describe_data, domain_of, find_data, one_class, require_full, settle
from zerosum.api.generator import Samples
from zerosum.api.habits import Care
from zerosum.api.resuming import More, go_on
from zerosum.api.run import Run
from zerosum.api.starting import begin, new_path
from zerosum.data import Dataset
from zerosum.engine.engine import Device, Engine, Precision
from zerosum.engine.run import RunFolder
from zerosum.errors import UserError
from zerosum.spec import Recipe
from zerosum.types import PathLike

FORMAT = 1


class Fleet:
    """The members of a fleet by label; those that have not begun yet are missing."""

    def __init__(self, path: PathLike, *, stopped_by: int | None = None) -> None:
        """`UserError` where `path` is no fleet. `stopped_by`: the signal that ended its last session."""
        self.path = Path(path)
        self.stopped_by = stopped_by
        try:
            self.info: dict[str, Any] = json.loads((self.path / "fleet.json").read_bytes())
            self.labels: list[str] = list(self.info["labels"])
        except FileNotFoundError:
            raise UserError(f"{path} is not the folder of a fleet: it has no fleet.json") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{self.path / 'fleet.json'} can't be read: {error}") from None

    def member_path(self, label: str) -> Path:
        """Where the run of that label lies, begun or not."""
        return self.path / f"{self.labels.index(label):02d}-{_safe(label)}"

    @property
    def members(self) -> dict[str, Run]:
        """The runs that have begun, by label, in the order of the labels."""
        paths = {label: self.member_path(label) for label in self.labels}
        return {label: Run(path) for label, path in paths.items() if (path / "run.json").exists()}

    def chosen(self, label: str | int | None) -> dict[str, Run]:
        """All members, or the one of that label; `UserError` where it is not there."""
        members = self.members
        if not members:
            raise UserError(f"{self.path} has no member yet: go on with `zerosum resume {self.path}`")
        if label is None:
            return members
        if str(label) not in members:
            raise UserError(f"the fleet has no {label!r}; it has: {', '.join(members)}")
        return {str(label): members[str(label)]}

    def seed(self, seed: int, label: str) -> int:
        """Of a member's samples, alone or in a row: with a single seed all rows would be drawn from the same z."""
        return seed + 1000 * self.labels.index(label)

    def sample(
        self, n: int = 8, *, seed: int = 0, label: str | int | None = None, checkpoint: str | None = None
    ) -> Samples:
        """n samples of every label in turn (of the one label, where given): uint8 (n * labels, H, W, C)."""
        runs = self.chosen(label)
        drawn = [run.sample(n, seed=self.seed(seed, name), checkpoint=checkpoint) for name, run in runs.items()]
        return np.concatenate(drawn)


def train_fleet(
    recipe: Recipe, data: str | None, out: PathLike | None, root: PathLike, engine: Engine, care: Care
) -> Fleet:
    """Train one model per class; `minutes` are those of the whole fleet, steps and epochs those of each member.

    care: as for a single run.
    """
    if care.act:
        raise UserError("act is for single runs: a fleet has many, leave it out")
    chosen, dataset = recipe, find_data(recipe, data)
    if dataset.classes is None:
        raise UserError(f"{dataset.name} has no classes to train one model each: put each class into its own folder")
    parts = members_data(dataset, chosen)
    if chosen.minutes is not None:
        chosen = dataclasses.replace(chosen, minutes=chosen.minutes / len(dataset.classes))
    if chosen.classes == "optional":  # a label that is always the same tells nothing
        chosen = dataclasses.replace(chosen, classes="ignored")
    chosen = settle(chosen, dataset)
    build_networks(chosen, domain_of(chosen, parts[0]))  # raises where the recipe's networks can't be
    path = Path(out) if out else new_path(Path(root), f"{chosen.name}-per-class", dataset.name)
    path = Path(engine.same_everywhere(str(path)))
    if engine.leads:
        about = {"recipe": chosen.to_dict(), "data": describe_data(dataset), "device": engine.describe()}
        _create(path, {**about, "labels": list(dataset.classes)})
    engine.wait()
    with _alone(Fleet(path), engine):
        return _go_on(Fleet(path), dataset, engine, care)


def members_data(dataset: Dataset, recipe: Recipe) -> list[Dataset]:
    """The data of each member; `UserError` where one has too few to train on."""
    require_full(dataset)
    parts = {label: one_class(dataset, label, recipe) for label in dataset.classes or ()}
    for label, part in parts.items():
        if len(part.train) < 2:
            raise UserError(
                f"class {label!r} of {dataset.name} has one sample to train on: a game needs at least two, add some"
            )
    return list(parts.values())


def resume_fleet(path: Path, more: More, device: Device | None, precision: Precision | None, care: Care) -> Fleet:
    """Finish what is unfinished of a fleet; then give every member so much more. On the device that it began on."""
    if care.act:
        raise UserError("act is for single runs: a fleet has many, leave it out")
    fleet = Fleet(path)
    path_taken = fleet.info.get("device", {"device": "auto", "precision": "32-true"})
    engine = Engine(device or path_taken["device"], precision or path_taken["precision"])
    recipe = Recipe.from_dict(fleet.info["recipe"])
    dataset = find_data(recipe, recipe.data)
    if dataset.fingerprint != fleet.info["data"]["fingerprint"]:
        raise UserError(f"{recipe.data} is not the data that {path} began with: bring that back, or start a new fleet")
    with _alone(fleet, engine):
        if engine.leads:
            _extend(Fleet(path), more)
        engine.wait()
        return _go_on(Fleet(path), dataset, engine, care)


def _alone(fleet: Fleet, engine: Engine) -> AbstractContextManager[None]:
    """Inside, no other process trains this fleet; `UserError` where one does."""
    return RunFolder(fleet.path, fleet.info).locked() if engine.leads else nullcontext()


def _extend(fleet: Fleet, more: More) -> None:
    """Note down how much more every member gets, and where each one stands: a killed fleet goes on by this."""
    lengths = {name: value for name, value in dataclasses.asdict(more).items() if value is not None}
    paths = {label: fleet.member_path(label) for label in fleet.labels}
    unfinished = not all(_finished(path) for path in paths.values()) or fleet.info.get("extension")
    if lengths:
        if unfinished:
            raise UserError(
                f"{fleet.path} is not finished yet: let `zerosum resume {fleet.path}` finish it, then give it more"
            )
        if "minutes" in lengths:
            lengths["minutes"] /= len(paths)
        at = {label: _step(RunFolder.open(path)) for label, path in paths.items()}
        _save(fleet, extension={"lengths": lengths, "from": at})
    elif not unfinished:
        raise UserError(f"{fleet.path} is finished: go on with --steps +N, --epochs +N or --minutes +M")


def _go_on(fleet: Fleet, dataset: Dataset, engine: Engine, care: Care) -> Fleet:
    """Let one member after the other train to its end; a signal ends the fleet's session."""
    recipe = Recipe.from_dict(fleet.info["recipe"])
    extension = fleet.info.get("extension") or {"lengths": {}, "from": {}}
    for label in fleet.labels:
        path = fleet.member_path(label)
        # The leader looks, for all: its own writing changes what there is to see.
        due = engine.same_everywhere(_due(path, extension["from"].get(label)) if engine.leads else "")
        if due == "begin":
            if engine.leads:
                _clear(path)
            member = dataclasses.replace(recipe, only_class=label)
            run = begin(member, one_class(dataset, label, member), engine, path=path, root=fleet.path, care=care)
        elif due:
            run = go_on(path, More(**extension["lengths"]) if due == "extend" else More(), engine, care)
        else:
            continue
        if run.stopped_by:
            fleet.stopped_by = run.stopped_by
            return fleet
    if engine.leads and extension["from"]:
        _save(fleet, extension=None)
    return fleet


def _clear(path: Path) -> None:
    """Remove what a kill left of a member before it was a run; `UserError` where it has checkpoints, which stay."""
    if any((path / "checkpoints").glob("[!.]*")):
        raise UserError(f"{path} has checkpoints and no run.json: bring that back, or move the folder away")
    shutil.rmtree(path, ignore_errors=True)


def _due(path: Path, extended_from: int | None) -> str:
    """What a member needs: "begin", "finish", "extend" (where it still stands where it stood), or ""."""
    if not (path / "run.json").exists():
        return "begin"
    if not _finished(path):
        return "finish"
    return "extend" if extended_from is not None and _step(RunFolder.open(path)) <= extended_from else ""


def _step(folder: RunFolder) -> int:
    return int(folder.read("last")["counters"]["step"])


def _finished(path: Path) -> bool:
    """Whether the last checkpoint is that of the member's end; it may have been killed before it could say so."""
    if not (path / "run.json").exists():
        return False
    folder = RunFolder.open(path)
    horizon = folder.info["horizon"]
    return horizon is not None and bool(folder.checkpoints()) and _step(folder) >= horizon["steps"]


def _create(path: Path, info: Mapping[str, Any]) -> None:
    try:
        path.mkdir(parents=True)
        _write(path, {"format": FORMAT, **info})
    except FileExistsError:
        raise UserError(f"{path} is there already: give another --out, or go on with `zerosum resume {path}`") from None
    except OSError as error:
        raise UserError(f"{path} can't be written ({error.strerror}): give another --out") from None


def _save(fleet: Fleet, **changes: Any) -> None:
    fleet.info.update(changes)
    _write(fleet.path, fleet.info)


def _write(path: Path, info: Mapping[str, Any]) -> None:
    beside = path / ".fleet.json.writing"
    with beside.open("w", encoding="utf-8") as file:
        json.dump(info, file, indent=1, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path / "fleet.json")


def _safe(label: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", label).strip("-.") or "class"
