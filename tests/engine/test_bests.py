"""Which checkpoint is kept as the best where stages make another thing of the generator."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from torch import nn

from zerosum.engine.bests import Bests


class Shelf:
    """A run folder's checkpoints, as far as `Bests` goes: the best before the last one is the second."""

    def __init__(self) -> None:
        self.game = SimpleNamespace(making=1)
        self.training: Any = SimpleNamespace(
            step=0, best=None, bests={}, scored=1, game=self.game, recipe=SimpleNamespace(best="swd", best_of=())
        )
        self.training.generator = nn.Identity()
        self.training.generator_of = lambda state: state["generator"]
        self.kept: dict[str, Any] = {}
        self.events: list[Any] = []
        self.bests = Bests(self.training, self, self.events.append, self.save)  # type: ignore[arg-type]

    def save(self, name: str) -> None:
        if name in self.kept:
            self.kept["second"] = self.kept[name]
        counters = {"step": self.training.step, "scored": self.training.scored}
        self.kept[name] = {"counters": counters, "generator": nn.Identity()}

    def checkpoints(self) -> list[str]:
        return list(self.kept)

    def read(self, name: str) -> Any:
        return self.kept[name]

    def scored(self, step: int, making: int, value: float) -> None:
        self.training.step, self.game.making = step, making
        self.bests.score(lambda generator: {"name": "swd", "value": value, "levels": {}})

    @property
    def best(self) -> int:
        return int(self.kept["best"]["counters"]["step"])


def test_a_score_of_a_coarse_network_does_not_stand_against_the_fine_one() -> None:
    shelf = Shelf()
    for step, making, value in ((1, 1, 5.0), (2, 1, 3.0), (3, 0, 9.0), (4, 0, 7.0), (5, 0, 8.0)):
        shelf.scored(step, making, value)
    assert [event["best"] for event in shelf.events] == [True, True, True, True, False]
    assert (shelf.best, shelf.training.best) == (4, 7.0)


def test_at_the_end_only_what_is_like_the_last_is_scored_once_more() -> None:
    shelf, asked = Shelf(), []
    for step, making, value in ((1, 1, 5.0), (2, 1, 3.0), (3, 0, 9.0), (4, 0, 10.0)):
        shelf.scored(step, making, value)
    assert shelf.kept["second"]["counters"]["step"] == 2  # of the coarse network

    def rescore(generators: dict[int, nn.Module]) -> tuple[str, int, dict[int, float]]:
        asked.append(sorted(generators))
        return "swd", 10, dict.fromkeys(generators, 1.0)

    shelf.bests.choose(rescore)  # type: ignore[arg-type]
    assert asked == [[3, 4]]
    assert shelf.best == 3


def test_a_last_stage_that_no_score_was_taken_of_is_kept_as_it_is() -> None:
    shelf = Shelf()
    shelf.scored(1, 1, 5.0)
    shelf.training.step, shelf.game.making = 2, 0
    shelf.bests.choose(lambda generators: ("swd", 10, {}))
    assert shelf.best == 2
