"""Captured rounds: the same training, step by step, with a double of the graph; and what is refused.

A CUDA graph needs a GPU. Its double here plays the captured round again on the buffers, so that all around it is put
to the test: which rounds are of one kind, where draws lie, what is counted, and the check of the first replay.
"""

from __future__ import annotations

import copy
import gc
import weakref
from collections.abc import Callable

import pytest
import torch

from zerosum import recipes
from zerosum.api.assemble import assemble, settle
from zerosum.data import Dataset, open_dataset
from zerosum.engine.capture import Captures, Graph, Play
from zerosum.engine.engine import Engine
from zerosum.engine.plan import Plan
from zerosum.engine.training import Training
from zerosum.games.base import Terms
from zerosum.spec import Recipe

STEPS = 24
CASES: dict[str, dict[str, object]] = {
    "mlp": {"batch": 8, "G.width": 8, "D.width": 16},
    "dcgan-k2": {"batch": 4},  # D plays in every second round
    "dcgan-digits": {"batch": 4, "width": 8},  # batch norm's averages
    "quick": {"batch": 8, "width": 8, "penalty_every": 3, "ema": 0.9},  # a penalty now and then, and classes
    "quick-points": {"batch": 8, "G.width": 8, "D.width": 8, "n_critic": 2, "penalty_every": 3},
}


class Double:
    """Plays the round again at each replay; counts them."""

    replays = 0

    def __init__(self, play: Play) -> None:
        self.play = play

    def replay(self) -> dict[str, Terms]:
        Double.replays += 1
        return self.play()


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return open_dataset("digits")


def training(name: str, data: Dataset, graph: Callable[[Play], Graph] | None = None) -> Training:
    recipe: Recipe = recipes.recipe(name).override({"steps": STEPS, **CASES[name]})
    if recipe.kind == "points":
        data = open_dataset("ring")
    recipe = settle(recipe, data)
    found = assemble(recipe, data, Engine("cpu"), Plan.of(recipe, len(data.train)))
    if graph is not None:
        found.captures = Captures(found.streams, found._changing, graph)
    return found


def together(captured: Training, usual: Training, steps: int = STEPS) -> None:
    """Both take the same steps, some of them observed, and see and log the same."""
    for step in range(1, steps + 1):
        seen, expected = (one.take_step(observe=step % 4 == 0) for one in (captured, usual))
        assert {k: float(v) for k, v in seen.items()} == {k: float(v) for k, v in expected.items()}
        captured.settle()
        usual.settle()
        assert captured.ledger.latest == usual.ledger.latest


def refusal(captured: Training, usual: Training) -> str:
    """Why rounds of the one are not captured, after both were the same training nevertheless."""
    together(captured, usual)
    assert_same(captured, usual)
    assert captured.captures is not None
    assert captured.captures.refused is not None
    return captured.captures.refused


def assert_same(captured: Training, usual: Training) -> None:
    mine, theirs = captured._changing(), usual._changing()
    assert list(mine) == list(theirs)
    for kind, tensors in theirs.items():
        assert all(torch.equal(one, other) for one, other in zip(mine[kind], tensors, strict=True)), kind
    assert captured.game.state_dict() == usual.game.state_dict()
    assert captured.streams.feed.state_dict() == usual.streams.feed.state_dict()
    if captured.ema is not None and usual.ema is not None:
        for mine, theirs in zip(captured.ema.network.parameters(), usual.ema.network.parameters(), strict=True):
            assert torch.equal(mine, theirs)


@pytest.mark.parametrize("name", CASES)
def test_a_captured_training_is_the_same_training(name: str, digits: Dataset) -> None:
    Double.replays = 0
    captured, usual = training(name, digits, Double), training(name, digits)
    together(captured, usual)
    assert_same(captured, usual)
    assert captured.captures is not None
    assert captured.captures.refused is None
    assert Double.replays > STEPS / 3  # most rounds were replayed


def test_learning_rates_reach_a_captured_round(digits: Dataset) -> None:
    captured, usual = training("quick", digits, Double), training("quick", digits)
    assert captured.plan.lr_factor(20, captured.recipe) != captured.plan.lr_factor(10, captured.recipe)
    together(captured, usual)
    assert_same(captured, usual)


def test_a_graph_that_does_something_else_is_refused_and_harms_nothing(digits: Dataset) -> None:
    class Liar(Double):
        def replay(self) -> dict[str, Terms]:
            found = super().replay()
            with torch.no_grad():
                next(captured.game.networks["G"].parameters()).mul_(1.1)
            return found

    captured, usual = training("mlp", digits, Liar), training("mlp", digits)
    reason = refusal(captured, usual)
    assert reason == "a replayed round did not do the same as a played one: G.weights"
    assert captured.captures is not None
    assert captured.captures.refusal() == reason  # told once
    assert captured.captures.refusal() is None


def test_a_round_that_cannot_be_captured_is_played_as_usual(digits: Dataset) -> None:
    def fails(play: Play) -> Graph:
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nmore")

    captured, usual = training("mlp", digits, fails), training("mlp", digits)
    assert refusal(captured, usual).endswith("operation not permitted when stream is capturing")


def test_a_capture_without_room_is_played_as_usual(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(state: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("zerosum.engine.capture._copies", full)
    captured, usual = training("mlp", digits, Double), training("mlp", digits)
    together(captured, usual)
    assert refusal(captured, usual) == "there is no room for what a capture needs"


def test_a_new_stage_and_a_loaded_state_are_captured_anew(digits: Dataset) -> None:
    captured, usual = training("mlp", digits, Double), training("mlp", digits)
    together(captured, usual, 8)
    for one in (captured, usual):
        changed = one.recipe.override({"batch": 4, "lr": 1e-3})
        one.plan = Plan.of(changed, len(digits.train))
    together(captured, usual, 8)
    state = copy.deepcopy(usual.state_dict())
    captured.load_state_dict(state)
    together(captured, usual, 6)
    assert_same(captured, usual)


def test_rounds_are_of_one_kind_where_the_same_penalties_are_due(digits: Dataset) -> None:
    game = training("quick-points", digits).game
    assert game.phase(1) == (False, False)
    game.skip(1)
    assert game.phase(2) == (True, False)  # of D's turns 3 and 4 the third
    k2 = training("dcgan-k2", digits).game
    assert [k2.phase(step) for step in (1, 2, 3, 4)] == [(), (False,), (), (False,)]


@pytest.mark.parametrize("name", ["quick", "acgan", "infogan"])
def test_nothing_of_a_round_outlives_it(
    name: str, digits: Dataset, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Or its graph would meet the next round's capture, and its images would fill a GPU's memory."""
    monkeypatch.setitem(CASES, name, {"batch": 4})
    one = training(name, digits)
    tables: list[weakref.ref[object]] = []
    table = one.game.table  # type: ignore[attr-defined]

    def noted(*told: object) -> object:
        found = table(*told)
        tables.append(weakref.ref(found))
        return found

    monkeypatch.setattr(one.game, "table", noted)
    request.addfinalizer(gc.enable)
    gc.disable()
    one.take_step(observe=True)
    assert len(tables) == 1
    assert tables[0]() is None


def test_a_graph_that_leaves_a_turn_out_is_refused(digits: Dataset) -> None:
    class Short(Double):
        def replay(self) -> dict[str, Terms]:
            held = [weight.detach().clone() for weight in captured.game.networks["D"].parameters()]
            found = super().replay()
            with torch.no_grad():
                for weight, value in zip(captured.game.networks["D"].parameters(), held, strict=True):
                    weight.copy_(value)
            return found

    captured, usual = training("quick", digits, Short), training("quick", digits)
    assert refusal(captured, usual).endswith(": D.weights")
