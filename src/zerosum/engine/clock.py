"""What the time says in a run: when to log, when to save, when it is over, and where a run in minutes will end."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from zerosum.engine.training import Training

LOG_STEPS, LOG_SECONDS = 50, 2.0
SAVE_SECONDS, SAVES = 60.0, 20  # between two saves: at least so many, and so many times as long as a save takes
GRACE = 1.25  # a run in minutes whose rates follow a horizon may take this much longer to reach it
TRIAL_STEPS, TRIAL_SECONDS = 10, 3.0  # of training alone, before the speed of a run in minutes is believed,
TRIAL_SHARE = 0.03  # and this share of its time: what else the machine does at first is not what it does later
BESIDE = 0.05  # of the time left goes to scores, pictures and checkpoints


@dataclass(frozen=True, kw_only=True)
class Signs:
    """What all processes agree on between two steps."""

    log: bool  # the next step
    save: bool
    over: bool  # the minutes are used up
    stop: int  # the number of the signal that somebody got; 0 where nobody did
    horizon: int  # the step where the run will end, once known; 0 before

    def as_list(self) -> list[int]:
        return [int(self.log), int(self.save), int(self.over), int(self.stop), self.horizon]

    @classmethod
    def of(cls, numbers: list[int]) -> Signs:
        log, save, over, stop, horizon = numbers
        return cls(log=bool(log), save=bool(save), over=bool(over), stop=stop, horizon=horizon)


class Clock:
    """Wall time since a session of the run began, start-up excluded."""

    def __init__(self, training: Training, save_steps: int | None) -> None:
        self.training, self.save_steps = training, save_steps
        self.began = self.logged = self.saved = time.monotonic()
        self.seconds_before = training.seconds
        self.began_step = training.step
        self.apart = self.logged_worked = 0.0  # time for grids, scores and checkpoints; work up to the last log
        self.leg, self.leg_begins = training.plan.leg(training.step + 1), (training.step, 0.0)
        self.warm = False  # whether the first steps of the leg are over
        self.logged_images = training.images
        self.saving = 0.0  # seconds that the last save took

    @staticmethod
    def now() -> float:
        return time.monotonic()

    @property
    def seconds(self) -> float:
        """Of the whole run, its earlier sessions included."""
        return self.seconds_before + time.monotonic() - self.began

    @property
    def worked(self) -> float:
        """Seconds of this session, without what was done beside training."""
        return time.monotonic() - self.began - self.apart

    def signs(self, *, stop: int) -> Signs:
        """What this process thinks is due."""
        step, steps = self.training.step, self.training.plan.steps
        now = time.monotonic()
        ends = step == self.training.plan.begins or step + 1 == steps
        period = self.training.game.period  # a log in between would have no numbers of those who wait
        due = (step + 1) % LOG_STEPS < period or now - self.logged >= LOG_SECONDS
        log = ends or (due and (step + 1) % period == 0)
        save = now - self.saved >= max(SAVE_SECONDS, SAVES * self.saving)
        if self.save_steps is not None:
            save = step > self.began_step and step % self.save_steps == 0
        return Signs(log=log, save=save, over=self.is_over(), stop=stop, horizon=self.horizon())

    def is_over(self) -> bool:
        plan = self.training.plan
        if plan.minutes is None:
            return False
        late = self.seconds >= plan.minutes * 60 * (GRACE if plan.steps is not None else 1.0)
        return late or plan.spent(self.training.step)

    def horizon(self) -> int:
        """Where a run in minutes ends by its speed in the last stage, if its rates depend on that.

        A network that grows is slower with each stage. A run that is half over before its last one ends by the speed
        of the stage that it is in. From the next step on rates are what they would be had it been known before.
        """
        plan, step = self.training.plan, self.training.step
        if plan.minutes is None or plan.steps is not None or self.training.recipe.schedule == "constant":
            return 0
        if (leg := plan.leg(step + 1)) is not self.leg:
            self.leg, self.leg_begins, self.warm = leg, (step, self.worked), False
        if leg is not plan.legs[-1] and self.seconds < plan.minutes * 30:
            return 0
        if not self.warm:  # the first steps are slower, since memory and kernels are sought
            if self.worked - self.leg_begins[1] >= self._trial(plan.minutes) / 2:
                self.leg_begins, self.warm = (step, self.worked), True
            return 0
        return self._ends(plan.minutes, *self.leg_begins) or 0

    @staticmethod
    def _trial(minutes: float) -> float:
        """Seconds after which the speed of a run of so many minutes is believed."""
        return max(min(TRIAL_SECONDS, 6 * minutes), TRIAL_SHARE * minutes * 60)

    def foreseen(self) -> int | None:
        """The step where the run will end, of one in minutes by its speed in this session; None while nobody knows."""
        plan = self.training.plan
        return plan.steps if plan.minutes is None else self._ends(plan.minutes, self.began_step, 0.0)

    def _ends(self, minutes: float, since: int, worked: float) -> int | None:
        """Where a run of so many minutes ends by its speed since that step and that moment of work; None: who knows?

        What was done beside training does not count: the first score may train a feature network.
        """
        steps, spent = self.training.step - since, self.worked - worked
        if steps < TRIAL_STEPS or spent < self._trial(minutes) / 2:
            return None
        left = (1 - BESIDE) * (minutes * 60 - self.seconds)
        return self.training.step + max(1, math.floor(left * steps / spent))

    def speed(self) -> float | None:
        """Images per second since the last log, without the time spent on pictures and checkpoints."""
        worked, images = self.worked, self.training.images
        spent = worked - self.logged_worked
        speed = (images - self.logged_images) / spent if spent > 0 else None
        self.logged, self.logged_worked, self.logged_images = time.monotonic(), worked, images
        return speed

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Time inside does not count as training when speed is told."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.apart += time.monotonic() - began
