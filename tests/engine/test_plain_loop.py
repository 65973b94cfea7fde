"""A training equals the loop that one would write by hand: in float64, weight by weight, after twenty steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from zerosum import recipes
from zerosum.api.assemble import assemble, build_networks, domain_of
from zerosum.data import Dataset, Split, open_dataset
from zerosum.engine.engine import Engine
from zerosum.engine.plan import Plan
from zerosum.engine.training import Training
from zerosum.spec import Recipe

STEPS = 20


@pytest.fixture(scope="module")
def data() -> Dataset:
    digits = open_dataset("digits")
    few = Split(samples=np.ascontiguousarray(digits.train.samples[:64]), labels=digits.train.labels[:64])
    return Dataset(
        name="digits", kind="images", train=few, held_out=few, classes=digits.classes, fingerprint=digits.fingerprint
    )


def ours(recipe: Recipe, data: Dataset) -> Training:
    training = assemble(recipe, data, Engine("cpu", "64-true"), Plan.of(recipe, len(data.train)))
    for _ in range(STEPS):
        training.take_step(observe=False)
    return training


def by_hand(recipe: Recipe, data: Dataset) -> tuple[dict[str, torch.nn.Module], Training]:
    """Networks from the same start, their optimizers, and a training that serves as the source of chance."""
    chance = assemble(recipe, data, Engine("cpu", "64-true"), Plan.of(recipe, len(data.train)))
    networks = {k: v.double() for k, v in build_networks(recipe, domain_of(recipe, data)).items()}
    return networks, chance


def adam(network: torch.nn.Module, recipe: Recipe, name: str) -> torch.optim.Adam:
    player = recipe.players[name]
    return torch.optim.Adam(network.parameters(), lr=player.lr, betas=player.betas, eps=player.eps)


def greatest_difference(networks: dict[str, torch.nn.Module], training: Training) -> float:
    pairs = [
        (weight, other)
        for name, network in networks.items()
        for weight, other in zip(network.parameters(), training.game.networks[name].parameters(), strict=True)
    ]
    return max(float((weight - other).abs().max()) for weight, other in pairs)


def test_mlp_plays_g_first_and_d_on_the_same_fakes(data: Dataset) -> None:
    recipe = recipes.recipe("mlp").override({"steps": STEPS, "batch": 8, "G.width": 8, "D.width": 16})
    networks, chance = by_hand(recipe, data)
    G, D = networks["G"], networks["D"]
    g_step, d_step = adam(G, recipe, "G"), adam(D, recipe, "D")
    ones, zeros = torch.ones(8, dtype=torch.float64), torch.zeros(8, dtype=torch.float64)
    for _ in range(STEPS):
        fake = G(chance.streams.noise(8))
        g_step.zero_grad()
        bce(D(fake), ones).backward()
        g_step.step()
        real, _ = chance.streams.real(8)
        d_step.zero_grad()
        ((bce(D(real), ones) + bce(D(fake.detach()), zeros)) / 2).backward()
        d_step.step()
    assert greatest_difference(networks, ours(recipe, data)) < 1e-8


def test_wgan_gp_plays_two_turns_of_d_with_a_penalty(data: Dataset) -> None:
    recipe = recipes.recipe("wgan-gp").override({"steps": STEPS, "batch": 4, "n_critic": 2})
    recipe = recipe.override({key: 8 for key in recipe.keys() if key.endswith(".width")})  # noqa: SIM118
    networks, chance = by_hand(recipe, data)
    G, D = networks["G"], networks["D"]
    g_step, d_step = adam(G, recipe, "G"), adam(D, recipe, "D")
    for _ in range(STEPS):
        for _ in range(2):
            real, _ = chance.streams.real(4)
            fake = G(chance.streams.noise(4)).detach()
            mix = chance.streams.uniform(4).view(4, 1, 1, 1)
            between = (mix * real + (1 - mix) * fake).requires_grad_()
            slope = torch.autograd.grad(D(between).sum(), between, create_graph=True)[0].flatten(1).norm(2, dim=1)
            d_step.zero_grad()
            (D(fake).mean() - D(real).mean() + 10 * (slope - 1).square().mean()).backward()
            d_step.step()
        g_step.zero_grad()
        (-D(G(chance.streams.noise(4))).mean()).backward()
        g_step.step()
    assert greatest_difference(networks, ours(recipe, data)) < 1e-8


def test_a_frozen_player_does_not_move_and_the_other_does(data: Dataset) -> None:
    recipe = recipes.recipe("mlp").override({"steps": STEPS, "batch": 8, "G.width": 8, "D.width": 16, "D.frozen": True})
    networks, _ = by_hand(recipe, data)
    trained = ours(recipe, data)
    assert greatest_difference({"D": networks["D"]}, trained) == 0.0
    assert greatest_difference({"G": networks["G"]}, trained) > 0.0


def test_weight_clipping_bounds_every_weight_of_the_critic(data: Dataset) -> None:
    recipe = recipes.recipe("wgan").override({"steps": 2, "batch": 4, "D.clip": 0.003})
    training = assemble(recipe, data, Engine("cpu"), Plan.of(recipe, 64))
    training.take_step(observe=False)
    assert (
        max(float(weight.detach().abs().max()) for weight in training.game.networks["D"].parameters()) <= 0.003 + 1e-9
    )


def test_the_average_follows_by_its_decay(data: Dataset) -> None:
    recipe = recipes.recipe("mlp").override({"steps": 3, "batch": 8, "G.width": 8, "ema": 0.75})
    training = assemble(recipe, data, Engine("cpu", "64-true"), Plan.of(recipe, 64))
    expected = [weight.detach().clone() for weight in training.game.networks["G"].parameters()]
    for _ in range(3):
        training.take_step(observe=False)
        now = training.game.networks["G"].parameters()
        expected = [0.75 * old + 0.25 * new.detach() for old, new in zip(expected, now, strict=True)]
    assert training.ema is not None
    for mine, worked_out in zip(training.ema.network.parameters(), expected, strict=True):
        torch.testing.assert_close(mine, worked_out, rtol=0, atol=1e-14)


def test_looking_on_changes_nothing(data: Dataset, tmp_path: Path) -> None:
    recipe = recipes.recipe("mlp").override({"steps": STEPS, "batch": 8, "G.width": 8})
    watched, alone = (assemble(recipe, data, Engine("cpu"), Plan.of(recipe, 64)) for _ in range(2))
    for _ in range(5):
        watched.take_step(observe=True)
        torch.rand(3)  # as anybody's listener might
        alone.take_step(observe=False)
    assert greatest_difference(dict(alone.game.networks), watched) == 0.0


def test_every_turn_of_a_round_computes_with_the_weights_of_the_turn_before_under_autocast() -> None:
    engine = Engine("cpu", "bf16-mixed")
    network = engine.place(torch.nn.Linear(4, 1, bias=False))
    optimizer = torch.optim.SGD(network.parameters(), lr=1.0)
    x = torch.ones(8, 4)
    with engine.autocast():
        before = float(network(x).detach().mean())
        engine.step(list(network.parameters()), optimizer, [network(x).mean()])
        assert float(network(x).detach().mean()) == pytest.approx(
            before - 4, abs=0.05
        )  # each of four weights falls by one


def test_momentum_is_sgd_s_alone_and_may_be_changed_in_mid_run(data: Dataset) -> None:
    recipe = recipes.recipe("wgan").override({"steps": 2, "batch": 4, "n_critic": 1, "width": 2})
    training = assemble(recipe, data, Engine("cpu"), Plan.of(recipe, 64))
    training.take_step(observe=False)
    changed = recipe.override({"momentum": 0.5})
    training.plan = Plan.of(changed, 64)
    training.take_step(observe=False)
    assert training.recipe == changed
    assert all(group["momentum"] == 0 for group in training.optimizers["D"].param_groups)
