"""Which checkpoint is the best: the lowest score on the way, and at the end the lowest of the last candidates."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from zerosum.engine import events
from zerosum.engine.run import RunFolder
from zerosum.engine.training import State, Training
from zerosum.errors import CheckpointError

Score = Callable[[nn.Module], Mapping[str, Any]]  # the generator -> {"name", "value", "levels"}
# generators by their step -> the score's name, the samples taken of each, and the values by step
Rescore = Callable[[Mapping[int, nn.Module]], tuple[str, int, Mapping[int, float]]]

RISING = ("coverage", "density", "precision", "recall")  # of a score's levels: higher is better


class Bests:
    """Keeps `best`, the one before it as `second`, and `best-NAME` of the figures that the recipe asks for."""

    def __init__(
        self,
        training: Training,
        folder: RunFolder,
        emit: Callable[[events.Event], None],
        save: Callable[[str], None],
    ) -> None:
        self.training, self.folder, self.emit, self.save = training, folder, emit, save

    def forget_others(self) -> None:
        """Begin anew where G has become another thing than what was scored (a coarse network, a first stage)."""
        training = self.training
        if training.scored != training.game.making:
            training.scored, training.best, training.bests = training.game.making, None, {}

    def score(self, score: Score) -> None:
        """Score the generator as it is now."""
        recipe, found = self.training.recipe, score(self.training.generator)
        self.judge(found["name"], found["value"], found["levels"], decides=recipe.best != "g-loss")
        for name in recipe.best_of:
            self._keep_best_of(name, found["value"] if name == found["name"] else found["levels"].get(name))

    def judge(self, name: str, value: float, levels: Mapping[str, float], *, decides: bool) -> None:
        """Report a score; where it decides, keep the generator that has the lowest so far, and the one before it."""
        self.forget_others()
        training = self.training
        best = decides and math.isfinite(value) and (training.best is None or value < training.best)
        self.emit(
            events.ScoreEvent(event="score", step=training.step, name=name, value=value, levels=dict(levels), best=best)
        )
        if best:
            training.best = value
            self.save("best")

    def _keep_best_of(self, name: str, value: float | None) -> None:
        if value is None or not math.isfinite(value):
            return
        bests = self.training.bests
        if name not in bests or (value > bests[name] if name in RISING else value < bests[name]):
            bests[name] = value
            self.save(f"best-{name}")

    def choose(self, rescore: Rescore) -> None:
        """Score the candidates for `best` once more, with more samples and another z, so that no lucky score wins."""
        training, folder = self.training, self.folder
        if training.best is not None and training.scored != training.game.making:
            self.save("best")  # nothing was scored since G became what it is
            return
        candidates = self._candidates()
        held = {state["counters"]["step"]: name for name, state in reversed(candidates.items())}
        generators = {step: training.generator_of(candidates[name]) for step, name in held.items()}
        generators.setdefault(training.step, training.generator)
        if len(generators) < 2:
            return
        name, samples, values = rescore(generators)
        chosen = min(values, key=lambda step: (values[step], step))
        if chosen not in held:
            self.save("best")
        elif held[chosen] == "second":
            folder.write("best", candidates["second"])  # and what was best becomes the second
        shown = {f"step {step}": value for step, value in sorted(values.items())}
        self.emit(
            events.ChosenEvent(
                event="chosen", step=chosen, name=name, value=values[chosen], samples=samples, candidates=dict(shown)
            )
        )

    def _candidates(self) -> dict[str, State]:
        """Those that load, of what G is by now; of one that does not load, a warning."""
        found: dict[str, State] = {}
        for name in ("best", "second"):
            if name in self.folder.checkpoints():
                try:
                    state = self.folder.read(name)
                    if state["counters"].get("scored", self.training.scored) == self.training.scored:
                        found[name] = state
                except CheckpointError as error:
                    step = self.training.step
                    self.emit(events.WarningEvent(event="warning", step=step, message=f"{name} is left out: {error}"))
        return found
