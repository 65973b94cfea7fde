"""The one loop: steps until the goal, and between them what is due: events, grids, scores, checkpoints, the end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, cast

import torch
from torch import Tensor, nn

from zerosum.engine import checkpoint, events
from zerosum.engine.bests import Bests, Rescore, Score
from zerosum.engine.clock import Clock, Signs
from zerosum.engine.events import Bus
from zerosum.engine.ledger import stacked
from zerosum.engine.memory import out_of_memory
from zerosum.engine.plan import epoch_steps
from zerosum.engine.run import RunFolder, step_name
from zerosum.engine.training import State, Training
from zerosum.errors import DeadRunError, DivergedError, TrainingError, ZerosumError
from zerosum.games.base import Game
from zerosum.spec import lowered, ruined

Ask = Callable[[Game], Mapping[str, float]]  # the game -> D on held-out samples, as in HeldOutEvent
Examine = Callable[[Game, nn.Module], Mapping[str, Any]]  # the game and the generator -> as in ExamEvent
GIVEN_UP = 1000  # no signal has this number: the watch found the run dead

Draw = Callable[[nn.Module, int], Path]  # the generator and the step -> where the grid lies


@dataclass(frozen=True, kw_only=True)
class Habits:
    """How a run is looked after; nothing here changes what is learnt."""

    score: Score | None = None
    rescore: Rescore | None = None
    dead: Callable[[], str | None] | None = None  # why the run should be given up, if it should
    draw: Draw | None = None
    ask: Ask | None = None
    examine: Examine | None = None
    keep: int | None = None  # step checkpoints at most; None: all
    save_steps: int | None = None  # `last` every so many steps; None: every minute
    extra: Mapping[str, Any] = field(default_factory=dict)  # what checkpoints say besides the training's state


class Loop:
    """Drives a `Training` to its goal in a run folder. Only the leading process writes and emits."""

    def __init__(self, training: Training, folder: RunFolder, bus: Bus, habits: Habits) -> None:
        self.training, self.folder, self.bus, self.habits = training, folder, bus, habits
        self.engine = training.engine
        self.signal: int | None = None  # that asked for a stop
        self.end_known = False  # and so looked at whether the stages fit in
        self.kept = training.step  # the step that `last` is of
        self.apart = False  # whether the leading process did since what the others do not
        self.clock = Clock(training, habits.save_steps)
        self.bests = Bests(training, folder, self._emit, self._save)

    def run(self) -> events.EndReason:
        """Train until the goal ("finished") or a signal ("stopped").

        `DivergedError` where a loss is not finite: the last checkpoint is then from before.
        """
        self.clock = Clock(self.training, self.habits.save_steps)
        self._announce()
        try:
            with self._signals(), self.engine.together():  # asking who is lost takes time: signals wait
                reason = self._train()
        except DivergedError as error:
            message = f"{error}; {self._way_out()}"
            self._end("diverged", message)
            raise DivergedError(message, str(self.folder.path)) from error
        except OSError as error:  # before the next one, since an UnwritableError is both
            failure = self.folder.unwritable(error)
            self._end("failed", str(failure))
            raise failure from error
        except ZerosumError as error:
            self._end("failed", str(error))
            raise
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            message = f"the {self.engine.device.type}'s memory is full; {self._smaller()}"
            self._end("failed", message)
            raise TrainingError(message) from error
        self._end(reason, None)
        return reason

    def _smaller(self) -> str:
        """What to do where a step does not fit into memory."""
        batch = self.training.recipe.batch
        less = f" with half the batch, `zerosum resume {self.folder.shown} --batch {batch // 2}`" if batch > 1 else ""
        return f"go on from checkpoint last, of step {self.kept},{less or ' on a machine with more'}"

    def _way_out(self) -> str:
        """What to do where a number is not finite any more."""
        recipe = self.training.recipe
        players = {name: player for name, player in recipe.players.items() if not player.frozen}
        rates = {name: lowered(player.lr, 0.1, player.optimizer) for name, player in players.items()}
        lower = [f"--set {name}.lr={rate:g}" for name, rate in rates.items()]
        if len(set(rates.values())) == 1:
            lower = [f"--lr {rate:g}" for rate in list(rates.values())[:1]]
        if ruined(recipe):
            lower.insert(0, "--from start")
            told = "no GAN learns at such a rate: begin anew with a lower one"
        else:
            told = f"checkpoint last, of step {self.kept}, is from before: go on from it with a lower learning rate"
        return f"{told}, `zerosum resume {self.folder.shown} {' '.join(lower)}`"

    def _train(self) -> events.EndReason:
        training = self.training
        if training.step == training.plan.begins:  # a branch too has a checkpoint from the start
            with self.clock.aside():
                self._grid()
                self._save("last")
        signs = self._agree()
        while not (signs.stop or signs.over or training.step == training.plan.steps):
            self._stage()
            seen = training.take_step(observe=signs.log)
            training.seconds = self.clock.seconds
            if signs.log:
                self._log(seen)
                self._foresee()
            with self.clock.aside():
                self._look_after()
            signs = self._agree()
            if signs.stop == GIVEN_UP:
                self._save("last")
                raise DeadRunError(self._why_dead() or "another process gave the run up")
            if signs.save or signs.horizon:
                with self.clock.aside():
                    self._save("last")
            if signs.horizon:  # only now: the steps up to here, at rates without a horizon, never come again
                self._end_at(signs.horizon)
        training.seconds = self.clock.seconds  # what came after the last step counts too
        training.settle()
        finished = not signs.stop or training.step == training.plan.steps
        if finished:
            self._conclude()
            self.engine.follow()
        self._save("last")
        return "finished" if finished else "stopped"

    def _agree(self) -> Signs:
        """What is due next. Several processes follow the leader's clock, and stop where any of them got a signal."""
        if self.apart:  # the leading process may be busy for longer than a collective waits
            self.engine.follow()
            self.apart = False
        signs = self.clock.signs(stop=self.signal or (GIVEN_UP if self._why_dead() else 0))
        if self.engine.world == 1:
            return signs
        mine = signs.as_list() if self.engine.leads else [0, 0, 0, signs.stop, 0]
        signs = Signs.of(self.engine.reduce(torch.tensor(mine, device=self.engine.device), largest=True).tolist())
        if signs.stop != GIVEN_UP:
            self.signal = signs.stop or self.signal
        return signs

    def _why_dead(self) -> str | None:
        return self.habits.dead() if self.habits.dead is not None else None

    def _look_after(self) -> None:
        """Do what is due after a step."""
        training, plan, step = self.training, self.training.plan, self.training.step
        if plan.grid_due(step):
            self._grid()
        if plan.exam_due(step, training.images):
            self._examine()
        if training.recipe.best == "g-loss" and plan.epoch_ends(step):
            training.settle()
            mean = training.ledger.close_epoch()
            # In the first epoch G's loss is low because D knows nothing yet.
            if step > epoch_steps(training.recipe, plan.count):
                self.bests.judge("g-loss", mean, {}, decides=True)
        if plan.score_due(step, training.images):
            self._score()
        if plan.keep_due(step):
            self._save(step_name(step))
            if self.engine.leads:
                self.folder.prune(self.habits.keep)

    def _conclude(self) -> None:
        """The last grid and the last score, where the last step had none; and the horizon, known by now."""
        training, plan = self.training, self.training.plan
        if plan.steps != training.step:
            self._save("last")  # before the horizon: what comes again after a kill must not end earlier
            self._end_at(training.step)
        if not plan.grid_due(training.step):
            self._grid()
        if not plan.score_due(training.step, training.images):
            self._score()
        if self.engine.leads and self.habits.rescore is not None and training.recipe.best != "g-loss":
            self.bests.choose(self.habits.rescore)

    def _end_at(self, steps: int) -> None:
        """Fix the horizon of a run in minutes, here and in run.json, so that a resumed run has the same."""
        training = self.training
        training.plan = training.plan.until(steps)
        if self.engine.leads:
            images = training.images + training.plan.images(steps) - training.plan.images(training.step)
            self.folder.save_info(horizon={"steps": steps, "images": images})

    # What is said

    def _emit(self, event: events.Event) -> None:
        if self.engine.leads:
            self.bus.emit(event)

    def _announce(self) -> None:
        training, info = self.training, self.folder.info
        self._emit(
            events.StartEvent(
                event="start",
                schema=events.SCHEMA,
                name=self.folder.path.name,
                recipe=training.recipe.name,
                step=training.step,
                steps=training.plan.steps,
                minutes=training.plan.minutes,
                images=training.images,
                seconds=training.seconds,
                epoch_steps=epoch_steps(training.recipe, training.plan.count),
                data=info.get("data", {}).get("source"),
                device=info.get("device", {}).get("name"),
            )
        )

    def _end(self, reason: events.EndReason, message: str | None) -> None:
        training = self.training
        self._emit(
            events.EndEvent(
                event="end",
                reason=reason,
                step=training.step,
                images=training.images,
                seconds=training.seconds,
                message=message,
            )
        )

    def _stage(self) -> None:
        """Say so where the next step is the first of a stage."""
        training = self.training
        leg = training.plan.leg(training.step + 1)
        if leg.number and training.step == leg.after:
            stages = training.recipe.stages
            self._emit(
                events.StageEvent(
                    event="stage",
                    step=training.step,
                    stage=leg.number,
                    stages=len(stages),
                    changes={**stages[leg.number - 1].changes, **stages[leg.number - 1].gradually},
                )
            )

    def _foresee(self) -> None:
        """Say once where the run will end before its last stage has begun."""
        plan = self.training.plan
        if self.end_known or (end := self.clock.foreseen()) is None:
            return
        self.end_known, last = True, plan.legs[-1]
        if self.engine.leads and last.number > 1 and end <= last.after:
            share = (end - plan.begins) / (last.after + last.steps - plan.begins)
            self.bus.warn(
                f"the run will end at step {end:,}, and the last of its {last.number} stages begins at {last.after:,}: "
                f"all of them fit in with `--set pace={0.95 * share * self.training.recipe.pace:.2g}`"
            )

    def _log(self, seen: Mapping[str, Tensor]) -> None:
        training = self.training
        training.settle()
        numbers = self._read(seen)
        self._emit(
            events.StepEvent(
                event="step",
                step=training.step,
                images=training.images,
                seconds=training.seconds,
                images_per_second=self.clock.speed(),
                losses=dict(training.ledger.latest),
                d_real=numbers.get("d_real"),
                d_fake_before=numbers.get("d_fake_before"),
                d_fake_after=numbers.get("d_fake_after"),
                acc_real=numbers.get("acc_real"),
                acc_fake=numbers.get("acc_fake"),
                margin=numbers.get("margin"),
                separation=numbers.get("separation"),
                grad_norm={name: numbers.get(f"grad_norm/{name}") for name in training.optimizers},
                lr={name: float(o.param_groups[0]["lr"]) for name, o in training.optimizers.items()},
            )
        )
        if training.captures is not None and (reason := training.captures.refusal()):
            message = f"steps are taken without CUDA graphs: {reason}"
            self._emit(events.WarningEvent(event="warning", step=training.step, message=message))

    def _read(self, seen: Mapping[str, Tensor]) -> dict[str, float]:
        """What was seen, as numbers: one read from the device, averaged over the processes."""
        if not seen:
            return {}
        values = stacked(seen.values())
        if self.engine.world > 1:
            self.engine.average([values])
        return dict(zip(seen, values.tolist(), strict=True))

    # What is written

    def _certified(self) -> State:
        """The training's state, known to be finite, as all that is saved and drawn is. By all processes."""
        training, self.apart = self.training, True
        training.settle()
        state = training.state_dict()
        for part in ("weights", "ema", "optimizers"):
            if not checkpoint.all_finite(state[part]):
                raise DivergedError(f"{part} are not finite after step {training.step}")
        return state

    def _grid(self) -> None:
        self._certified()
        if self.habits.draw is not None and self.engine.leads:
            path = self.habits.draw(self.training.generator, self.training.step)
            shown = path.relative_to(self.folder.path).as_posix()
            self._emit(events.GridEvent(event="grid", step=self.training.step, path=shown))
        if self.habits.ask is not None and self.engine.leads:
            found = self.habits.ask(self.training.game)
            if found:
                self._emit(
                    events.HeldOutEvent(
                        event="held_out",
                        step=self.training.step,
                        samples=int(found["samples"]),
                        d_real=found["d_real"],
                        d_fake=found["d_fake"],
                        acc_real=found["acc_real"],
                        acc_fake=found["acc_fake"],
                        dis_acc=(found["d_real"] + 1 - found["d_fake"]) / 2,
                        gan_acc=found["d_fake"],
                    )
                )

    def _examine(self) -> None:
        self._certified()
        training = self.training
        if self.habits.examine is not None and training.game.drawing and self.engine.leads:
            found = self.habits.examine(training.game, training.generator)
            self._emit(
                cast(events.ExamEvent, {"event": "exam", "step": training.step, "images": training.images, **found})
            )

    def _score(self) -> None:
        self._certified()
        if self.habits.score is not None and self.training.game.drawing and self.engine.leads:
            self.bests.score(self.habits.score)

    def _save(self, name: str) -> None:
        """Write a checkpoint of a state that is known to be finite."""
        training, state, began = self.training, self._certified(), self.clock.now()
        if self.engine.leads:
            path = self.folder.write(name, {**self.habits.extra, **state})
            shown = path.relative_to(self.folder.path).as_posix()
            self._emit(events.CheckpointEvent(event="checkpoint", step=training.step, name=name, path=shown))
        if name == "last":
            self.clock.saved, self.kept = self.clock.now(), training.step
            self.clock.saving = self.clock.saved - began

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Inside, the first Ctrl-C or SIGTERM asks for a stop after this step; a second Ctrl-C stops at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        asked = False

        def ask(number: int, frame: FrameType | None) -> None:
            nonlocal asked
            if asked and number == signal.SIGINT:
                raise KeyboardInterrupt
            asked, self.signal = True, number

        old = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in old.items():
                signal.signal(number, handler)
