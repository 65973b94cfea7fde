"""A run is a folder: its run.json, its checkpoints by name, and the lock that keeps a second process out."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

import zerosum.games.rules  # noqa: F401  (a run's recipe names its game)
from zerosum.engine import checkpoint
from zerosum.errors import CheckpointError, TrainingError, UserError
from zerosum.runinfo import damaged, read_info
from zerosum.shell import typed
from zerosum.spec import Recipe

FORMAT = 1
NAMED = ("last", "previous", "best", "second")
REPLACED = {"last": "previous", "best": "second"}  # what a checkpoint is called when another takes its name
NEEDED = ("recipe", "data", "device", "horizon")  # in run.json, to go on


class RunFolder:
    """The paths of a run, and what may be read from and written to them."""

    def __init__(self, path: Path, info: dict[str, Any]) -> None:
        self.path, self.info = path, info
        self._lock = FileLock(path / ".lock", timeout=0)

    @classmethod
    def create(cls, path: Path, info: Mapping[str, Any]) -> RunFolder:
        """Make the folder with its run.json; `UserError` where it is there already or can't be written."""
        try:
            path.mkdir(parents=True)
            run = cls(path, {"format": FORMAT, **info})
            run.save_info()
        except FileExistsError:
            raise UserError(
                f"{path} is there already: give another --out, or go on with `zerosum resume {path}`"
            ) from None
        except OSError as error:
            raise UserError(f"{path} can't be written ({error.strerror}): give another --out") from None
        return run

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """The run in that folder; `UserError` where there is none."""
        if path.is_file():
            checkpoint.refuse_pickle(path)
        info = read_info(path)
        try:
            version = int(info["format"])
        except (ValueError, KeyError, TypeError):
            raise damaged(path) from None
        if version > FORMAT:
            raise UserError(
                f"{path} was written by a newer zerosum (format {version}; this one reads {FORMAT}): update"
            )
        if missing := [key for key in NEEDED if key not in info]:
            raise UserError(f"{path / 'run.json'} is damaged: it has no {', '.join(missing)}")
        return cls(path, info)

    @property
    def recipe(self) -> Recipe:
        return Recipe.from_dict(self.info["recipe"])

    @property
    def events(self) -> Path:
        return self.path / "events.jsonl"

    @property
    def samples(self) -> Path:
        return self.path / "samples"

    def save_info(self, **changes: Any) -> None:
        """Write run.json anew with these fields changed, so that a crash leaves the old one or the new one."""
        self.info.update(changes)
        beside = self.path / ".run.json.writing"
        with beside.open("w", encoding="utf-8") as file:
            json.dump(self.info, file, indent=1, ensure_ascii=False, allow_nan=False)
            file.flush()
            os.fsync(file.fileno())  # else a power cut could leave an empty file under the name
        os.replace(beside, self.path / "run.json")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Inside, no other process trains in this folder; `UserError` where one does. May be entered again."""
        try:
            self._lock.acquire()
        except Timeout:
            raise UserError(f"another process is training in {self.path}: wait for it, or stop it") from None
        except OSError as error:
            raise UserError(
                f"{self.path} can't be written ({error.strerror}): a run resumes where it can write"
            ) from None
        try:
            yield
        except OSError as error:
            raise self.unwritable(error) from error
        finally:
            self._lock.release()

    @property
    def shown(self) -> str:
        """The path as one types it."""
        return typed(self.path)

    def unwritable(self, error: OSError) -> TrainingError:
        """What to say when a file of the run can't be written, whichever it is."""
        return TrainingError(
            f"{error.filename or self.path} can't be written ({error.strerror or error}): the run is whole up to its "
            f"last checkpoint, so make room, then `zerosum resume {self.shown}`"
        )

    # Checkpoints

    def checkpoint_path(self, name: str) -> Path:
        return self.path / "checkpoints" / name

    def checkpoints(self) -> list[str]:
        """The names of those that are there: last, previous, best, second, best-FIGURE, then by step."""
        there = {path.name for path in (self.path / "checkpoints").glob("*") if path.is_dir()}
        others = sorted((name for name in there if name.startswith(("best-", "step-"))), key=_in_order)
        return [name for name in NAMED if name in there] + others

    def resolve(self, name: str) -> str:
        """The checkpoint that `last`, `best`, `previous` or a step stands for; `UserError` where it is not there."""
        if re.fullmatch(r"\d+", name):
            name = step_name(int(name))
        there = self.checkpoints()
        if name == "last" and name not in there and "previous" in there:
            return "previous"  # a crash between two renames leaves this one
        if name not in there:
            has = ", ".join(there) or "none yet"
            raise UserError(f"{self.path} has no checkpoint {name!r}; it has: {has}")
        return name

    def read(self, name: str) -> dict[str, Any]:
        """The state of a checkpoint; `CheckpointError` names what is damaged and offers another one."""
        name = self.resolve(name)
        try:
            return checkpoint.read(self.checkpoint_path(name))
        except CheckpointError as error:
            whole = [other for other in self.checkpoints() if other != name and self._is_whole(other)]
            # The one before it comes first: `previous`, else the latest step.
            whole.sort(key=lambda other: (other == "previous", *_in_order(other)), reverse=True)
            raise CheckpointError(f"{error}; {_offer(whole)}") from None

    def _is_whole(self, name: str) -> bool:
        try:
            checkpoint.read(self.checkpoint_path(name))
        except CheckpointError:
            return False
        return True

    def write(self, name: str, state: Mapping[str, Any]) -> Path:
        """Write a checkpoint under that name; what `last` was becomes `previous`, and what `best` was `second`."""
        path, older = self.checkpoint_path(name), REPLACED.get(name)
        checkpoint.write(path, state, previous=None if older is None else self.checkpoint_path(older))
        return path

    def prune(self, keep: int | None) -> None:
        """Remove the oldest step checkpoints beyond `keep`; None keeps all."""
        steps = [name for name in self.checkpoints() if _step_of(name) is not None]
        for name in steps[: max(0, len(steps) - keep)] if keep is not None else []:
            shutil.rmtree(self.checkpoint_path(name), ignore_errors=True)

    def sweep(self) -> None:
        """Clear what a crash left half written; only for the process that holds the lock."""
        for path in (self.path / "checkpoints").glob(".*"):
            old = re.fullmatch(r"\.(.+)\.(old|trash)", path.name)
            home = path.parent / old[1] if old else None
            if home is not None and not home.exists() and old is not None:
                path.rename(home)  # the crash came between two renames: this is the whole one
            else:
                shutil.rmtree(path, ignore_errors=True)


def step_name(step: int) -> str:
    """The name of that step's checkpoint, such as step-000500."""
    return f"step-{step:06d}"


def _step_of(name: str) -> int | None:
    """The reverse of `step_name`; None for a checkpoint that is not called by its step."""
    found = re.fullmatch(r"step-(\d+)", name)
    return int(found[1]) if found else None


def _in_order(name: str) -> tuple[int, str]:
    """What puts steps in the order of their numbers, after the other names: as text a million comes before 999,999."""
    step = _step_of(name)
    return (-1 if step is None else step, name)


def _offer(whole: list[str]) -> str:
    """The first of the whole checkpoints, by the option that each command takes it by."""
    if not whole:
        return "no other is whole"
    step = _step_of(whole[0])
    name = whole[0] if step is None else str(step)
    return f"{name} is whole: `resume --from {name}`, or `sample --checkpoint {name}`"
