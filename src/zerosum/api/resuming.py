"""Go on from a checkpoint: in place and exactly, or, where something changes, as a branch that names its parent."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zerosum.api.assemble import assemble, domain_of, find_data, settle
from zerosum.api.habits import Care
from zerosum.api.run import Run
from zerosum.api.starting import drive, horizon, new_folder, new_path, path_taken
from zerosum.data import Dataset
from zerosum.engine.engine import Device, Engine, Precision
from zerosum.engine.plan import Plan, epoch_steps
from zerosum.engine.run import RunFolder
from zerosum.errors import CheckpointError, UserError
from zerosum.spec import Recipe, Stage, differences

START = "start"  # of a run: a source that is no checkpoint, but the weights that its seed gives
ANEW = "go --from start"
SEEN = {"data", "size", "channels", "direction", "jitter", "classes", "only_class"}  # they decide what data are read


@dataclass(frozen=True, kw_only=True)
class More:
    """How much longer: one of these, or none, for what is left of the run's own length."""

    steps: int | None = None
    epochs: float | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        given = {name: value for name, value in dataclasses.asdict(self).items() if value is not None}
        if len(given) > 1:
            raise UserError(f"{' and '.join(given)} are both given: a run goes on by one length")
        for name, value in given.items():
            if not (math.isfinite(value) and value > 0):
                raise UserError(f"{name} is {value}; expected how much longer, above 0")

    def in_steps(self, recipe: Recipe, count: int) -> int | None:
        if self.epochs is not None:
            return max(1, round(self.epochs * epoch_steps(recipe, count)))
        return self.steps


@dataclass(frozen=True, kw_only=True)
class Change:
    """What makes a branch: other settings, another checkpoint than the last (or `start`), or a folder of its own."""

    settings: Mapping[str, Any]
    source: str = "last"
    out: Path | None = None


def resume(
    path: Path, more: More, change: Change, device: Device | None, precision: Precision | None, care: Care
) -> Run:
    """Go on with a single run, in place where nothing changes."""
    folder = RunFolder.open(path)
    old = folder.recipe
    for key in ("stages", "epochs", "steps", "minutes"):
        if key in change.settings:
            raise UserError(f"{key} can't be set in a branch: say how much longer, as in --steps +1000")
    changed = old.as_asked(change.settings)
    path_taken = folder.info["device"]
    engine = Engine(device or path_taken["device"], precision or path_taken["precision"])
    if changed == old and change.source == "last" and change.out is None:
        return go_on(path, more, engine, care)
    return branch(folder, changed, change, more, engine, care)


def plan_of(folder: RunFolder, count: int) -> Plan:
    """The plan of a run as far as it is fixed by now."""
    info = folder.info
    plan = Plan.of(folder.recipe, count, info.get("begins", 0), info.get("images_before", 0))
    if info["horizon"]:
        return plan.until(info["horizon"]["steps"])
    return dataclasses.replace(plan, steps=None, minutes=info.get("minutes", plan.minutes))


def go_on(path: Path, more: More, engine: Engine, care: Care) -> Run:
    """In place, from `last`, exactly."""
    folder = RunFolder.open(path)
    dataset = _same_data(folder)
    with folder.locked() if engine.leads else nullcontext():
        folder.info = RunFolder.open(path).info  # who had the lock may have changed it
        state = _last(folder)
        at, seconds = (state["counters"]["step"], state["counters"]["seconds"]) if state else (0, 0.0)
        plan = _longer(plan_of(folder, len(dataset.train)), more, at, seconds)
        if plan.spent(at) and (more != More() or plan.steps is None or at >= plan.steps):
            raise _spent(path, at)
        if plan.steps is not None and at >= plan.steps and plan.minutes is None:
            raise UserError(f"{path} is finished at step {at}: go on with --steps +N, --epochs +N or --minutes +M")
        training = assemble(folder.recipe, dataset, engine, plan)
        if state:
            training.load_state_dict(state)
        engine.wait()  # everybody has read before anything is written
        if engine.leads:
            folder.save_info(horizon=horizon(training), minutes=plan.minutes, device=path_taken(training))
        return drive(training, folder, dataset, care)


def _spent(path: Path, at: int) -> UserError:
    """What to say of a run that would learn no more."""
    return UserError(f"{path} is finished at step {at}, where its rates came to 0: branch it with another --lr")


def _last(folder: RunFolder) -> dict[str, Any] | None:
    """The state to go on from; None for a run that was killed before its first checkpoint, which begins anew."""
    if not folder.checkpoints() and not folder.info.get("begins"):
        return None
    return folder.read("last")


def _longer(plan: Plan, more: More, at: int, seconds: float) -> Plan:
    """The plan with its end moved on by `more`; that of a run stopped before its end, too, is moved from there."""
    recipe = plan.leg(at + 1).recipe
    steps = more.in_steps(recipe, plan.count)
    if steps is not None:
        end = at + _steps_left(plan, at, seconds) + steps
        return dataclasses.replace(plan, steps=end, minutes=None)
    if more.minutes is None:
        return plan if plan.steps is None else dataclasses.replace(plan, minutes=None)  # no clock decides any more
    if plan.steps is not None and at < plan.steps:  # a slow hour may not end it before the old end
        return dataclasses.replace(plan, steps=plan.steps + _steps_in(more.minutes, at, seconds), minutes=None)
    minutes = max(seconds / 60, plan.minutes or 0.0) if plan.steps is None else seconds / 60
    longer = dataclasses.replace(plan, steps=None, minutes=minutes + more.minutes)
    return foreseen(longer, recipe, at, seconds)


def _steps_left(plan: Plan, at: int, seconds: float) -> int:
    """From step `at` to the end that the plan has, in minutes at the speed so far."""
    if plan.steps is not None:
        return max(0, plan.steps - at)
    left = (plan.minutes or 0.0) - seconds / 60
    return _steps_in(left, at, seconds) if left > 0 else 0


def _steps_in(minutes: float, at: int, seconds: float) -> int:
    """How many steps that is by the first `at` of them; `UserError` where there is none to tell by."""
    if not (at and seconds):
        raise UserError("the run has not begun, so nobody knows its speed: resume it first, then say how much longer")
    return max(1, round(60 * minutes * at / seconds))


def foreseen(plan: Plan, recipe: Recipe, at: int, seconds: float) -> Plan:
    """A plan in minutes with its end by the run's speed so far, where rates depend on the end: they never jump.

    Before the last stage nobody knows: a network that grows is slower then.
    """
    early = plan.leg(at + 1) is not plan.legs[-1]
    if recipe.schedule == "constant" or plan.minutes is None or not (at and seconds) or early:
        return plan
    return plan.until(at + _steps_in(plan.minutes - seconds / 60, at, seconds))


def branch(folder: RunFolder, changed: Recipe, change: Change, more: More, engine: Engine, care: Care) -> Run:
    """Into a new folder, from any checkpoint or from the start, under changed settings."""
    old = folder.recipe
    changes = differences(old, changed)
    name = START if change.source == START else folder.resolve(change.source)
    if name != START:
        _check_networks(old, changed)
    dataset = find_data(changed, changed.data) if SEEN & set(changes) else _same_data(folder)
    state = None if name == START else folder.read(name)
    at, seconds = (state["counters"]["step"], state["counters"]["seconds"]) if state else (0, 0.0)
    parent_plan = plan_of(folder, len(dataset.train))
    if state and parent_plan.spent(at) and not any(key.rpartition(".")[2] == "lr" for key in changes):
        raise _spent(folder.path, at)
    recipe = settle(_remaining(parent_plan, changes, more, at, seconds), dataset)
    if state:
        _check_data(state, old, recipe, dataset)
    # The schedule goes on where the parent had it, unless it is a new one, or the rate itself: then it begins there.
    anew = any(key.rpartition(".")[2] in ("schedule", "lr") for key in changes)
    before = 0 if anew else parent_plan.images_before + parent_plan.images(at)
    plan = Plan.of(recipe, len(dataset.train), begins=at, images_before=before)
    if plan.minutes is not None:
        plan = dataclasses.replace(plan, minutes=seconds / 60 + plan.minutes)  # the clock counts the parent's too
        plan = foreseen(plan, recipe, at, seconds)
    training = assemble(recipe, dataset, engine, plan)
    if state:
        _drop_foreign_moments(state, old, recipe)
        training.load_state_dict(state)
    best = {} if state is None or {"data", "best"} & set(changes) else _best_by(folder, at)
    training.best = training.best if "best" in best else None
    training.bests = {name: value for name, value in training.bests.items() if f"best-{name}" in best}
    where = change.out or new_path(folder.path.parent, recipe.name, f"branch-of-{folder.path.name}")
    parent = {"run": str(folder.path.resolve()), "checkpoint": name, "step": at, "changes": changes}
    new = new_folder(Path(engine.same_everywhere(str(where))), training, recipe, dataset, parent)
    for kept, checkpoint in best.items() if engine.leads else ():
        new.write(kept, checkpoint)
    return drive(training, new, dataset, care)


def _best_by(folder: RunFolder, at: int) -> dict[str, dict[str, Any]]:
    """The parent's best checkpoints up to step `at`, by name: a branch has to beat them, and so takes them along."""
    found: dict[str, dict[str, Any]] = {}
    for name in folder.checkpoints():
        if name in ("best", "second") or name.startswith("best-"):
            with contextlib.suppress(CheckpointError):  # a damaged one is as none
                state = folder.read(name)
                found |= {name: state} if state["counters"]["step"] <= at else {}
    return found


def _remaining(plan: Plan, changes: Mapping[str, Any], more: More, at: int, seconds: float) -> Recipe:
    """The recipe of a branch that begins after step `at`: what its parent had left, under the changed settings."""
    last = at if plan.steps is None else min(at + 1, plan.steps)
    leg = plan.leg(max(last, plan.begins + 1))
    lengths = {"epochs", "steps", "minutes"}
    recipe = leg.at(at).override({key: value for key, value in changes.items() if key not in lengths})
    stages = recipe.stages[leg.number :] if leg.number else ()
    left = (leg.after + leg.steps - at) * leg.recipe.batch / recipe.batch
    if left > 0 and (leg.moving or stages):
        rest = {key: end for key, (_, end) in leg.moving.items() if key not in changes}
        steps_left = max(1, math.ceil(left / recipe.pace))
        begun = leg.way(at) if rest else 0.0
        stages = (Stage(steps=steps_left, gradually=rest, course=leg.course, begun=begun), *stages)
    steps = more.in_steps(recipe, plan.count)
    minutes = more.minutes
    if steps is None and minutes is None:
        if plan.steps is not None:
            steps = math.ceil((plan.images(plan.steps) - plan.images(at)) / recipe.batch)
        elif plan.minutes is not None:
            minutes = max(0.0, plan.minutes - seconds / 60)
        if not (steps or minutes):
            raise UserError(f"the run is finished at step {at}: say how much longer, as in --steps +1000")
    return dataclasses.replace(recipe, stages=stages, steps=steps, minutes=minutes, epochs=None)


def _same_data(folder: RunFolder) -> Dataset:
    """The run's data; `UserError` where it is not what it was."""
    recipe = folder.recipe
    dataset = find_data(recipe, recipe.data)
    if dataset.fingerprint != folder.info["data"]["fingerprint"]:
        raise UserError(
            f"{recipe.data} is not the data that {folder.path} began with: bring that back, or start a new run"
        )
    return dataset


def _check_data(state: Mapping[str, Any], old: Recipe, new: Recipe, dataset: Dataset) -> None:
    """`UserError` where a branch's data is not of the kind that its networks were made for."""
    if [new.size, new.channels] != [old.size, old.channels]:
        raise UserError(f"{new.data} does not have the size and channels of the run's networks: {ANEW}")
    before, now = state["about"]["domain"]["classes"], domain_of(new, dataset).classes
    if now != before:
        raise UserError(f"{new.data} has {now or 'no'} classes, and the run's networks know {before or 'none'}: {ANEW}")
    known = state["about"].get("text")
    if known is not None and known["words"] != list(dataset.words):
        raise UserError(f"{new.data} has captions of other words than those that the run knows: {ANEW}")


def _check_networks(old: Recipe, new: Recipe) -> None:
    """`UserError` where a branch would change what its weights stand for."""
    for name, player in new.players.items():
        for key, value in player.args.items():
            if value != old.players[name].args[key]:
                raise UserError(f"{name}.{key} shapes the network, which a branch keeps: {ANEW} with it")
    for key in ("size", "channels", "value_range", "classes", "captions", "direction"):
        if getattr(old, key) != getattr(new, key):
            raise UserError(f"{key} shapes what the networks see, which a branch keeps: {ANEW} with it")


def _drop_foreign_moments(state: dict[str, Any], old: Recipe, new: Recipe) -> None:
    """An optimizer of another kind begins with fresh moments."""
    for name, player in new.players.items():
        if player.optimizer != old.players[name].optimizer:
            state["optimizers"][name] = {}
