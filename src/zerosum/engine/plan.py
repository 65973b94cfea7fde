"""When things happen in a run: its length in steps, its stages, its learning rate, and what is due at a step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from zerosum.errors import UserError
from zerosum.spec import Recipe, Stage, differences


def epoch_steps(recipe: Recipe, count: int) -> int:
    """Steps of one epoch over `count` training samples: floor(share * count / batch), at least 1."""
    if count < 1:
        raise UserError("the data has no sample to train on")
    return max(1, math.floor(count / recipe.batch * recipe.epoch_share))


GRID_STEPS = 50  # between two grids that come with epochs: those of a small data set are short
GRIDS = 128  # as many come in turn; then every other epoch's, and half as many with each doubling

# What a stage may change; the rest is fixed when a run begins, and a stage that changed it would change nothing.
STAGED = {
    "lr",
    "betas",
    "eps",
    "alpha",
    "momentum",
    "clip",
    "frozen",
    "batch",
    "grid_steps",
    "grid_epochs",
    "keep_epochs",
}


def _staged(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """The recipe under a stage's changes; `UserError` where a stage can't make one of them."""
    changed = recipe.override(changes)
    game = {rule.name for rule in fields(changed.game)}
    for key in differences(recipe, changed):
        if key.rpartition(".")[2] not in STAGED | game:
            raise UserError(
                f"a stage of {recipe.name} changes {key}, which a whole run shares: branch with `resume --set`"
            )
    return changed


def _length(recipe: Recipe, stage: Stage, count: int) -> int:
    """Steps of a stage, at least 1."""
    steps = stage.steps or (stage.images or 0) / recipe.batch or (stage.epochs or 0) * epoch_steps(recipe, count)
    return max(1, round(recipe.pace * steps))


@dataclass(frozen=True)
class Leg:
    """The recipe in force after step `after`, up to where the next leg begins."""

    after: int
    recipe: Recipe
    number: int  # of the stage, from 1; 0 where there are none
    steps: int = 0  # its length; 0 where there are no stages
    moving: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # what changes over it: from, to
    course: Literal["linear", "cosine"] = "linear"
    begun: float = 0.0  # the share of the course that was behind it when it began

    def way(self, step: int) -> float:
        """The share of the whole course that is behind a step (from 1) of this leg."""
        return min(1.0, self.begun + (1 - self.begun) * (step - self.after) / self.steps)

    def at(self, step: int) -> Recipe:
        """The recipe of a step (from 1) of this leg: its last one has all that moves at the end of its way."""
        if not self.moving:
            return self.recipe
        way, begun = self._bent(self.way(step)), self._bent(self.begun)
        way = (way - begun) / (1 - begun)
        return self.recipe.override({key: start + way * (end - start) for key, (start, end) in self.moving.items()})

    def _bent(self, way: float) -> float:
        return 0.5 - 0.5 * math.cos(math.pi * way) if self.course == "cosine" else way


@dataclass(frozen=True)
class Plan:
    """A run from beginning to end; `steps` is None while a run in minutes has not found its speed."""

    legs: tuple[Leg, ...]
    count: int
    steps: int | None
    minutes: float | None
    begins: int = 0  # a branch begins at its parent's step
    images_before: int = 0  # by which its schedule is under way where it begins

    @classmethod
    def of(cls, recipe: Recipe, count: int, begins: int = 0, images_before: int = 0) -> Plan:
        """The plan of a recipe over `count` training samples, going on after step `begins`."""
        legs = []
        after, current = begins, recipe
        for number, stage in enumerate(recipe.stages, start=1):
            current = _staged(current, stage.changes)
            length, moving = _length(current, stage, count), current.moving(stage)
            legs.append(Leg(after, current, number, length, moving, stage.course, stage.begun))
            current = _staged(current, {key: end for key, (_, end) in moving.items()})
            after += length
        steps: int | None = after if legs else None
        if recipe.epochs is not None:
            steps = begins + max(1, round(recipe.epochs * epoch_steps(recipe, count)))
        elif recipe.steps is not None:
            steps = begins + recipe.steps
        elif recipe.minutes is not None:
            steps = None
        return cls(tuple(legs) or (Leg(begins, recipe, 0),), count, steps, recipe.minutes, begins, images_before)

    def until(self, steps: int) -> Plan:
        """The same plan with its end at this step."""
        return replace(self, steps=steps)

    def images(self, step: int) -> int:
        """Images of all steps after `begins` up to this one."""
        ends = [leg.after for leg in self.legs[1:]] + [step]
        spans = zip(self.legs, ends, strict=True)
        return sum(max(0, min(end, step) - leg.after) * leg.recipe.batch for leg, end in spans)

    def leg(self, step: int) -> Leg:
        """The leg that step (from 1) belongs to."""
        return max((leg for leg in self.legs if leg.after < step), key=lambda leg: leg.after, default=self.legs[0])

    def spent(self, step: int) -> bool:
        """Whether the last stage has led every player's rate down to 0 by this step, so that nobody learns any more."""
        last = self.legs[-1]
        ends = [last.moving.get(f"{name}.lr", (1.0, 1.0))[1] for name in last.recipe.players]
        return not any(ends) and step >= last.after + last.steps

    def lr_factor(self, step: int, recipe: Recipe) -> float:
        """What step `step` multiplies every learning rate by; without a schedule while the horizon is unknown."""
        seen = self.images_before + self.images(step - 1)
        factor = 1.0 if recipe.lr_images is None else min(1.0, math.sqrt(recipe.lr_images / max(1, seen)))
        if recipe.schedule == "constant" or self.steps is None:
            return factor
        progress = min(1.0, seen / max(1, self.images_before + self.images(self.steps)))
        if recipe.schedule == "linear":
            return factor * (1.0 - progress)
        return factor * 0.5 * (1.0 + math.cos(math.pi * progress))

    def epoch_ends(self, step: int) -> bool:
        """Whether an epoch of the current leg ends with this step."""
        leg = self.leg(step)
        return (step - leg.after) % epoch_steps(leg.recipe, self.count) == 0

    def grid_due(self, step: int) -> bool:
        recipe = self.leg(step).recipe
        if step in recipe.grid_at or (recipe.grid_steps is not None and step % recipe.grid_steps == 0):
            return True
        count = self._epochs(step, recipe.grid_epochs, GRID_STEPS)
        return count > 0 and count % (1 << max(0, (count // GRIDS).bit_length())) == 0

    def keep_due(self, step: int) -> bool:
        recipe = self.leg(step).recipe
        return step in recipe.keep_at or self._epochs(step, recipe.keep_epochs) > 0

    def score_due(self, step: int, images: int) -> bool:
        """Whether `images`, those seen with this step, have just passed a multiple of the interval.

        Or an eighth, a quarter or a half of the first one, since much happens there.
        """
        recipe = self.leg(step).recipe
        interval, before = recipe.score_images, images - recipe.batch
        early = any(before < interval // part <= images for part in (8, 4, 2))
        return early or images // interval > before // interval

    def exam_due(self, step: int, images: int) -> bool:
        """Whether an exam is due: every `exam_images`, and twice as many with each doubling beyond 64 of them."""
        recipe = self.leg(step).recipe
        interval = recipe.exam_images << max(0, (images // recipe.exam_images).bit_length() - 6)
        return images // interval > (images - recipe.batch) // interval

    def _epochs(self, step: int, epochs: float | None, least: int = 1) -> int:
        """How often a number of epochs, as many as make `least` steps, has ended in this leg with this step; else 0."""
        if epochs is None:
            return 0
        leg = self.leg(step)
        interval = max(1, round(epochs * epoch_steps(leg.recipe, self.count)))
        interval *= math.ceil(least / interval)
        count, rest = divmod(step - leg.after, interval)
        return 0 if rest else count
