"""What D sees in a round: augmented images in every turn, with ADA's p; and what a penalty asks it about."""

from __future__ import annotations

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
from zerosum.games import adversarial
from zerosum.games.ada import AdaptiveP
from zerosum.recipes import recipe

SMALL = {"G.width": 4, "D.width": 4, "batch": 8, "grid": 4}
DIFFAUG = "colour,translation,cutout"


def training(name: str = "quick", **settings: Any) -> Training:
    data = open_dataset("digits")
    small = {key: value for key, value in SMALL.items() if name != "gan" or "." not in key}
    told = settle(recipe(name).override({**small, **settings}), data)
    return assemble(told, data, Engine("cpu"), Plan.of(told, len(data.train)))


@pytest.mark.parametrize(("name", "passes"), [("quick", 3), ("wgan-gp", 4)])
def test_d_sees_only_augmented_images(name: str, passes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The augmentation is replaced by one that paints: nothing unpainted may reach D in a round, nor its penalties."""
    run = training(name, augment=DIFFAUG, penalty_every=1)
    painted = []

    def paint(x: torch.Tensor, policy: Any, uniform: torch.Tensor, p: Any, *, value_range: Any) -> torch.Tensor:
        assert value_range == (-1.0, 1.0)
        assert uniform.shape == (8, 10)  # 3 + 2 + 2 numbers and one more for each of the three
        return torch.cat([torch.full_like(x[:, :, :1], 7.0), x[:, :, 1:]], dim=2)

    run.game.networks["D"].register_forward_pre_hook(lambda D, given: painted.append(given[0][:, :, 0]))
    monkeypatch.setattr(adversarial, "augment", paint)
    run.take_step(observe=False)
    assert len(painted) >= passes
    assert all((row == 7).all() for row in painted)


def test_images_between_0_and_1_are_augmented_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    run, ranges = training("infogan", augment=("brightness",), width=4), []

    def look(x: torch.Tensor, *rest: Any, value_range: Any) -> torch.Tensor:
        ranges.append(value_range)
        return x

    monkeypatch.setattr(adversarial, "augment", look)
    run.take_step(observe=False)
    assert ranges
    assert set(ranges) == {(0.0, 1.0)}


@pytest.mark.parametrize(
    ("name", "view"), [("quick", "one-batch"), ("wgan-gp", "two-batches"), ("gan", "two-batches"), ("gan", "two-steps")]
)
def test_observing_changes_nothing(name: str, view: str) -> None:
    """R1 and R2, two updates of D, a gradient penalty: each draws its augmentation, observed or not."""
    narrow = {"G.width": 8, "units": 8, "pieces": 2} if name == "gan" else {}
    one, other = (training(name, **narrow, augment=DIFFAUG, view=view) for _ in range(2))
    for step in range(3):
        one.take_step(observe=True)
        other.take_step(observe=step == 2)
    for player in ("G", "D"):
        for mine, theirs in zip(one.game.weights[player], other.game.weights[player], strict=True):
            assert torch.equal(mine, theirs)


def test_p_moves_a_step_every_four_turns_towards_the_target() -> None:
    """By hand: 16 images a turn, 4 turns, 640 images from 0 to 1: a step is 0.1."""
    adaptive = AdaptiveP()
    for turn, right in enumerate([1.0, 1.0, 0.9, 1.0] * 2, start=1):  # r_t = 0.95 on average: above 0.6
        adaptive.see(torch.tensor(right), 16, 0.6, 640)
        assert adaptive.p.item() == pytest.approx(0.1 * (turn // 4))
    for _ in range(12):  # r_t = 0: below
        adaptive.see(torch.tensor(0.5), 16, 0.6, 640)
    assert adaptive.p.item() == 0.0
    for _ in range(60):
        adaptive.see(torch.tensor(1.0), 16, 0.6, 640)
    assert adaptive.p.item() == 1.0


def test_what_is_kept_of_signs_between_two_steps_of_p_is_every_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint has the leading process's: a resumed run would go on with that on all of them."""
    monkeypatch.setattr("zerosum.games.ada.mean_over_ranks", lambda value: 0 * value + 0.75)
    adaptive = AdaptiveP()
    adaptive.see(torch.tensor(0.25), 8, 0.6, 64)
    assert float(adaptive.state_dict()["signs"]) == 0.5


def test_ada_is_resumed_exactly(tmp_path: Path) -> None:
    settings = {
        **SMALL,
        "augment": "flip,shift,rotation,hue",
        "ada_target": 0.001,
        "ada_images": 64,
        "schedule": "constant",
    }
    whole = zerosum.train("quick", "digits", steps=14, out=tmp_path / "whole", settings=settings)
    half = zerosum.train("quick", "digits", steps=6, out=tmp_path / "half", settings=settings)
    assert isinstance(whole, zerosum.Run)
    assert isinstance(half, zerosum.Run)
    more = zerosum.resume(half.path, steps=8)
    assert isinstance(more, zerosum.Run)
    expected, found = whole.state(), more.state()
    assert found["game"]["d_turns"] == 14
    for name, value in expected["game"]["ada"].items():
        assert torch.equal(torch.as_tensor(found["game"]["ada"][name]), torch.as_tensor(value))
    for name, value in expected["weights"]["G"].items():
        assert torch.equal(found["weights"]["G"][name], value)
    assert 0 < float(expected["game"]["ada"]["p"]) <= 1


def test_points_and_unknown_operations_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="augment is for images"):
        zerosum.train("gan", "ring", steps=1, out=tmp_path / "x", settings={"augment": "flip"})
    with pytest.raises(UserError, match="augment"):
        zerosum.train("quick", "digits", steps=1, out=tmp_path / "x", settings={"augment": "blur"})
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("fakes", ["fresh", "same"])
def test_a_penalty_between_a_real_and_a_fake_image_is_between_two_of_one_class(fakes: str) -> None:
    run, labels = training("wgan-gp", classes="optional", n_critic=2, fakes=fakes), []
    run.game.networks["D"].register_forward_pre_hook(lambda D, given: labels.append(given[1]))
    run.take_step(observe=False)
    for real, fake, between in (labels[:3], labels[3:6]):  # and then that of G's turn
        assert torch.equal(real, fake)
        assert torch.equal(real, between)


@pytest.mark.parametrize("first", ["D", "G"])
def test_a_loss_of_pairs_compares_two_of_one_class_with_shared_fakes_too(first: str) -> None:
    run, labels = training("quick", fakes="same", first=first, view="two-batches", r1=0.0, r2=0.0), []
    run.game.networks["D"].register_forward_pre_hook(lambda D, given: labels.append(given[1]))
    run.take_step(observe=False)
    pairs = [x.chunk(2) if len(x) == 2 * run.recipe.batch else (x,) for x in labels]
    flat = [half for pair in pairs for half in pair]
    assert len(flat) == 4
    assert all(torch.equal(flat[0], half) for half in flat[1:])


def test_dragans_penalty_is_taken_around_real_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every image that the penalty asks D about is a real one plus noise, never a mixture with a fake."""
    run = training("dragan")
    asked: list[tuple[torch.Tensor, torch.Tensor]] = []

    def noted(D: Any, real: torch.Tensor, other: torch.Tensor, epsilon: torch.Tensor, y: Any) -> torch.Tensor:
        asked.append((real, other))
        return torch.zeros(len(real))

    monkeypatch.setattr(adversarial, "gradient_penalty", noted)
    run.take_step(observe=False)
    ((real, other),) = asked
    assert ((other - real) >= 0).all()
    assert (other - real).max() <= 0.5 * real.std(correction=0)
