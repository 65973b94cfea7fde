"""The growing game: sizes by the recipe's stages, what D sees of real images, and any point of a fade resumed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import zerosum
from zerosum.api.assemble import assemble, settle
from zerosum.data import open_dataset
from zerosum.engine.engine import Engine
from zerosum.engine.plan import Plan
from zerosum.engine.training import Training
from zerosum.errors import UserError
from zerosum.games.growing import GrowingGame
from zerosum.networks.layers.growing import Growing, faded
from zerosum.recipes import recipe
from zerosum.spec import Stage

SMALL = {"width": 4, "batch": 4, "grid": 4}


def training(name: str = "progan", **settings: Any) -> Training:
    data = open_dataset("digits", size=28)
    told = settle(recipe(name).override({**SMALL, "size": 28, **settings}), data)
    return assemble(told, data, Engine("cpu"), Plan.of(told, len(data.train)))


@pytest.mark.parametrize("name", ["progan", "stylegan"])
def test_networks_grow_as_the_stages_say(name: str) -> None:
    """A stage of 4 steps on the first size, then 4 of fading for each doubling and 4 to settle."""
    hold = {"progan": 800_000, "stylegan": 600_000}[name]
    run = training(name, pace=16 / hold)
    G, D = run.game.networks["G"], run.game.networks["D"]
    assert isinstance(G, Growing)
    assert isinstance(D, Growing)
    first = {"progan": 0, "stylegan": 1}[name]
    seen = []
    for _ in range(16):
        run.take_step(observe=False)
        assert G.grown == D.grown
        seen.append(float(G.grown))
    fading = [first + part / 4 for part in (1, 2, 3, 4)]
    later = [min(2, 1 + value) for value in fading] if first == 0 else [2.0] * 4
    assert seen == pytest.approx([first] * 4 + fading + [first + 1] * 4 + later)


def test_d_sees_real_images_in_the_size_of_the_fakes_and_as_blurred() -> None:
    run = training(pace=16 / 800_000)
    shown: list[torch.Tensor] = []
    D = run.game.networks["D"]
    D.register_forward_hook(lambda network, given, found: shown.append(given[0].detach().clone()))
    taken: list[torch.Tensor] = []
    feed = run.streams.feed.take

    def take(count: int) -> Any:
        taken.append(feed(count)[0].clone())
        run.streams.feed.take = feed  # type: ignore[method-assign]
        return taken[-1], None

    for _ in range(4):
        run.take_step(observe=False)
    assert shown[0].shape[2:] == (7, 7)
    run.take_step(observe=False)
    shown.clear()
    run.streams.feed.take = take  # type: ignore[method-assign]
    run.take_step(observe=False)  # the second of four: half faded in
    torch.testing.assert_close(shown[0], faded(taken[0], 14, 0.5))
    assert shown[0].shape == shown[1].shape == (4, 1, 14, 14)


def test_a_training_restored_in_a_fade_goes_on_with_it() -> None:
    run, other = training(pace=16 / 800_000), training(pace=16 / 800_000)
    for _ in range(6):
        run.take_step(observe=False)
    other.load_state_dict(copy.deepcopy(run.state_dict()))
    for _ in range(4):
        assert run.take_step(observe=False) == other.take_step(observe=False)
        for one, two in zip(run.game.weights["G"], other.game.weights["G"], strict=True):
            assert torch.equal(one, two)
    assert float(other.game.networks["G"].grown) == 1.0  # type: ignore[arg-type]


def test_a_run_stopped_in_a_fade_goes_on_bit_for_bit(
    tmp_path: Path, differences: Callable[[Path, Path], list[str]]
) -> None:
    """Stages of 4 steps: the fade to 14 pixels is in steps 5 to 8, and the run stops after the sixth."""
    told = {**SMALL, "pace": 16 / 800_000, "size": 28, "best": "g-loss"}
    zerosum.train("progan", "digits", steps=6, out=tmp_path / "part", settings=told)
    whole = zerosum.train("progan", "digits", steps=10, out=tmp_path / "whole", settings=told)
    G = zerosum.load(tmp_path / "part", "last").network
    assert isinstance(G, Growing)
    assert float(G.grown) == pytest.approx(0.5)
    assert isinstance(whole, zerosum.Run)
    zerosum.resume(tmp_path / "part", steps=4)
    assert differences(tmp_path / "part", whole.path) == []


def test_drift_is_the_mean_squared_logit_of_real_images() -> None:
    run = training(drift=0.5, gp=0.0, **{"D.lr": 0.0, "G.lr": 0.0})
    said: list[torch.Tensor] = []
    run.game.networks["D"].register_forward_hook(lambda network, given, found: said.append(found.detach()))
    terms: dict[str, torch.Tensor] = {}
    run.ledger.record = lambda step, found: terms.update(found)  # type: ignore[method-assign]
    run.take_step(observe=False)
    assert float(terms["D/drift"]) == pytest.approx(0.5 * float(said[0].square().mean()), rel=1e-5)


@pytest.mark.parametrize(("name", "size", "stages"), [("stylegan", 28, 3), ("stylegan", 64, 7), ("progan", 32, 7)])
def test_stages_beyond_the_full_size_are_one(name: str, size: int, stages: int) -> None:
    """As many images as the paper's, of which those on larger sizes come on the full one."""
    told = recipe(name)
    kept = GrowingGame.staged(told.stages, size)
    assert len(kept) == stages
    assert sum(stage.images or 0 for stage in kept) == sum(stage.images or 0 for stage in told.stages)
    assert kept[-2].gradually == {"growth": {28: 2, 64: 4, 32: 3}[size]}
    assert (kept[-1].changes, kept[-1].gradually) == ({}, {})
    assert GrowingGame.staged(kept, size) == kept


def test_rates_of_larger_sizes_go_with_the_stages_that_grow_to_them() -> None:
    told = recipe("stylegan")
    for size, rates in ((64, []), (128, [1.5e-3]), (1024, [1.5e-3, 2e-3, 3e-3, 3e-3])):
        kept = GrowingGame.staged(told.stages, size)
        assert [stage.changes["lr"] for stage in kept if "lr" in stage.changes] == rates
    own = (*told.stages, Stage(images=1000, changes={"lr": 1e-4}))  # of a user, who means the full size
    assert GrowingGame.staged(own, 64)[-1].changes == {"lr": 1e-4}


def test_d_is_asked_about_real_images_as_it_sees_them() -> None:
    """In a fade they are blurred; images that no network sees in training would make D look surer than it is."""
    run = training(pace=16 / 800_000)
    for _ in range(6):
        run.take_step(observe=False)
    game, x = run.game, torch.rand(2, 1, 28, 28)
    G = game.networks["G"]
    assert isinstance(G, Growing)
    assert 0 < G.level[1] < 1
    torch.testing.assert_close(game.as_shown(x), faded(x, G.side, G.level[1]))
    assert game.as_shown(x).shape[-1] == 14


def test_the_game_refuses_networks_that_do_not_grow() -> None:
    told = recipe("progan").override({**SMALL, "size": 28}).to_dict()
    told["players"]["D"] |= {"network": "quick-discriminator", "args": {"width": 4}}
    data = open_dataset("digits", size=28)
    odd = settle(type(recipe("progan")).from_dict(told), data)
    with pytest.raises(UserError, match="networks that grow, and D does not"):
        assemble(odd, data, Engine("cpu"), Plan.of(odd, len(data.train)))
