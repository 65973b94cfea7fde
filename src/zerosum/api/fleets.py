"""A fleet: one model for each class of a data set, trained, stopped, resumed and sampled as one."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zerosum.api.assemble import describe_data, find_data, one_class, settle
from zerosum.api.generator import Samples
from zerosum.api.resuming import More, go_on
from zerosum.api.run import Run
from zerosum.api.starting import begin, new_path
from zerosum.data import Dataset
from zerosum.engine.engine import Engine
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

    @staticmethod
    def seed(seed: int, number: int) -> int:
        """Of a member's samples: with a single seed all rows of a grid would be drawn from the same z."""
        return seed + 1000 * number

    def sample(
        self, n: int = 8, *, seed: int = 0, label: str | int | None = None, checkpoint: str | None = None
    ) -> Samples:
        """n samples of every label in turn (of the one label, where given): uint8 (n * labels, H, W, C)."""
        runs = self.chosen(label).values()
        drawn = [run.sample(n, seed=self.seed(seed, i), checkpoint=checkpoint) for i, run in enumerate(runs)]
        return np.concatenate(drawn)


def train_fleet(
    recipe: Recipe, data: str | None, *, out: PathLike | None, root: PathLike, engine: Engine, care: Mapping[str, Any]
) -> Fleet:
    """Train one model per class; `minutes` are those of the whole fleet, steps and epochs those of each member.

    care: `keep`, `save_steps` and `listeners`, as for a single run.
    """
    chosen, dataset = recipe, find_data(recipe, data)
    if dataset.classes is None:
        raise UserError(f"{dataset.name} has no classes to train one model each: put each class into its own folder")
    for label in dataset.classes:
        one_class(dataset, label)  # raises where a class has nothing to train on
    if chosen.minutes is not None:
        chosen = dataclasses.replace(chosen, minutes=chosen.minutes / len(dataset.classes))
    chosen = settle(dataclasses.replace(chosen, classes="ignored"), dataset)
    path = Path(out) if out else new_path(Path(root), f"{chosen.name}-per-class", dataset.name)
    path = Path(engine.same_everywhere(str(path)))
    if engine.leads:
        _create(path, {"recipe": chosen.to_dict(), "data": describe_data(dataset), "labels": list(dataset.classes)})
    engine.wait()
    return _go_on(Fleet(path), dataset, engine, care)


def resume_fleet(path: Path, more: More, engine: Engine, care: Mapping[str, Any]) -> Fleet:
    """Finish what is unfinished of a fleet; then give every member so much more."""
    fleet = Fleet(path)
    recipe = Recipe.from_dict(fleet.info["recipe"])
    dataset = find_data(recipe, recipe.data)
    if dataset.fingerprint != fleet.info["data"]["fingerprint"]:
        raise UserError(f"{recipe.data} is not the data that {path} began with: bring that back, or start a new fleet")
    lengths = {name: value for name, value in dataclasses.asdict(more).items() if value is not None}
    unfinished = [label for label in fleet.labels if not _finished(fleet.member_path(label))]
    if lengths:
        if unfinished or fleet.info.get("extension"):
            raise UserError(f"{path} is not finished yet: let `zerosum resume {path}` finish it, then give it more")
        if "minutes" in lengths:
            lengths["minutes"] /= len(fleet.labels)
        _save(fleet, extension={"lengths": lengths, "labels": fleet.labels})
    elif not unfinished and not fleet.info.get("extension"):
        raise UserError(f"{path} is finished: go on with --steps +N, --epochs +N or --minutes +M")
    return _go_on(fleet, dataset, engine, care)


def _go_on(fleet: Fleet, dataset: Dataset, engine: Engine, care: Mapping[str, Any]) -> Fleet:
    """Let one member after the other train to its end; a signal ends the fleet's session."""
    recipe = Recipe.from_dict(fleet.info["recipe"])
    for label in fleet.labels:
        path = fleet.member_path(label)
        extension = fleet.info.get("extension") or {"labels": []}
        if not (path / "checkpoints").exists():
            shutil.rmtree(path, ignore_errors=True)  # killed before its first checkpoint
            member = dataclasses.replace(recipe, only_class=label)
            run = begin(member, one_class(dataset, label), engine, path=path, root=fleet.path, **care)
        elif not _finished(path):
            run = go_on(path, More(), engine, care)
        elif label in extension["labels"]:
            left = [other for other in extension["labels"] if other != label]
            _save(fleet, extension={**extension, "labels": left} if left else None)
            run = go_on(path, More(**extension["lengths"]), engine, care)
        else:
            continue
        if run.stopped_by:
            fleet.stopped_by = run.stopped_by
            break
    return fleet


def _finished(path: Path) -> bool:
    if not (path / "run.json").exists():
        return False
    end = Run(path).end
    return end is not None and end["reason"] == "finished"


def _create(path: Path, info: Mapping[str, Any]) -> None:
    try:
        path.mkdir(parents=True)
        (path / "fleet.json").write_text(json.dumps({"format": FORMAT, **info}, indent=1, ensure_ascii=False))
    except FileExistsError:
        raise UserError(f"{path} is there already: give another --out, or go on with `zerosum resume {path}`") from None
    except OSError as error:
        raise UserError(f"{path} can't be written ({error.strerror}): give another --out") from None


def _save(fleet: Fleet, **changes: Any) -> None:
    fleet.info.update(changes)
    beside = fleet.path / ".fleet.json.writing"
    beside.write_text(json.dumps(fleet.info, indent=1, ensure_ascii=False), encoding="utf-8")
    os.replace(beside, fleet.path / "fleet.json")


def _safe(label: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", label).strip("-.") or "class"
