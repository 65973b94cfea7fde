"""BEGAN's game: k by hand, D's term with it, and both through a checkpoint."""

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
from zerosum.games.boundary import Boundary
from zerosum.networks import build
from zerosum.recipes import recipe
from zerosum.types import Domain

SMALL = {"width": 4, "batch": 8, "grid": 4}


def training(**settings: Any) -> Training:
    data = open_dataset("digits")
    told = settle(recipe("began").override({**SMALL, **settings}), data)
    return assemble(told, data, Engine("cpu"), Plan.of(told, len(data.train)))


def test_k_follows_the_balance_of_the_errors_within_0_and_1() -> None:
    """gamma 0.5, lambda 0.1: errors of 2 and 0.4 move k by 0.1 (1 - 0.4) = 0.06; then back, and no further than 0."""
    game = training(gamma=0.5, k_rate=0.1).game
    assert isinstance(game, Boundary)
    game.balance(torch.tensor(2.0), torch.tensor(0.4))
    assert game.k.item() == pytest.approx(0.06)
    assert game.gauges() == pytest.approx({"k": 0.06, "convergence": 2.0 + 0.6})
    game.balance(torch.tensor(0.2), torch.tensor(0.5))
    assert game.k.item() == pytest.approx(0.02)
    assert game.convergence.item() == pytest.approx(0.2 + 0.4)
    game.balance(torch.tensor(0.0), torch.tensor(9.0))
    assert game.k.item() == 0.0
    game.balance(torch.tensor(100.0), torch.tensor(0.0))
    assert game.k.item() == 1.0


def test_d_descends_the_real_error_minus_k_times_the_fake_one() -> None:
    run = training(**{"D.lr": 0.0, "G.lr": 0.0})
    D = run.game.networks["D"]
    errors: list[float] = []

    def heard(network: Any, given: Any, found: torch.Tensor) -> None:
        with torch.no_grad():
            back = network.decoder(network.encoder(given[0]))
            apart = (back - given[0]).abs().flatten(1).mean(1)
        assert torch.allclose(-found, apart)
        errors.append(float(apart[:8].mean()))
        if len(apart) == 16:  # joined: real, then fake
            errors.append(float(apart[8:].mean()))

    D.register_forward_hook(heard)
    terms: dict[str, torch.Tensor] = {}
    run.ledger.record = lambda step, found: terms.update(found)  # type: ignore[method-assign]
    run.game.k = torch.tensor(0.3)  # type: ignore[attr-defined]
    run.take_step(observe=False)
    real, fake, of_g = errors[:3]
    assert float(terms["D/adv"]) == pytest.approx(real - 0.3 * fake, rel=1e-5)
    assert float(terms["G/adv"]) == pytest.approx(of_g, rel=1e-5)
    assert float(run.game.k) == pytest.approx(0.3 + 1e-3 * (0.5 * real - fake), rel=1e-5)  # type: ignore[attr-defined]


def test_k_is_resumed_exactly(tmp_path: Path) -> None:
    settings = {**SMALL, "k_rate": 0.1, "schedule": "constant"}
    whole = zerosum.train("began", "digits", steps=8, out=tmp_path / "whole", settings=settings)
    half = zerosum.train("began", "digits", steps=3, out=tmp_path / "half", settings=settings)
    assert isinstance(whole, zerosum.Run)
    more = zerosum.resume(half.path, steps=5)
    assert isinstance(more, zerosum.Run)
    for name in ("k", "convergence"):
        assert torch.equal(whole.state()["game"][name], more.state()["game"][name])
    for name, value in whole.state()["weights"]["D"].items():
        assert torch.equal(value, more.state()["weights"]["D"][name])


def test_the_papers_networks_at_64_pixels() -> None:
    """n = 64: the encoder's channels are 64, 128, 192, 256, its smallest maps 8x8; the decoder keeps 64."""
    n, h = 64, 64
    conv = lambda a, b: 9 * a * b + b  # noqa: E731
    decoder = (h + 1) * n * 64 + 8 * conv(n, n) + conv(n, 3)
    encoder = conv(3, n) + 2 * conv(n, n)
    for times in (1, 2, 3):
        encoder += conv(times * n, (times + 1) * n) + 2 * conv((times + 1) * n, (times + 1) * n)
    encoder += (4 * n * 64 + 1) * h
    domain, told = Domain(shape=(3, 64, 64)), recipe("began")
    counts = {name: sum(w.numel() for w in build(told.players[name], domain).parameters()) for name in ("G", "D")}
    assert counts == {"G": decoder, "D": encoder + decoder}


def test_an_autoencoder_that_says_black_of_digits_learns_on() -> None:
    """Behind a tanh it would not: its error would stand at that of black, and G would draw nothing else."""
    x = torch.from_numpy(open_dataset("digits", size=28).train.samples[:8]).permute(0, 3, 1, 2).float() / 127.5 - 1
    D = build(recipe("began").players["D"], Domain(shape=(1, 28, 28)))
    last = [layer for layer in D.decoder.modules() if isinstance(layer, torch.nn.Conv2d)][-1]
    with torch.no_grad():
        last.bias.fill_(-20)
    D(x).mean().backward()
    assert last.bias.grad == pytest.approx(torch.ones(1))  # each pixel is below its image


def test_another_loss_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="wasserstein"):
        zerosum.train("began", "digits", steps=1, out=tmp_path / "x", settings={**SMALL, "loss": "hinge"})


@pytest.mark.parametrize("setting", [{"drift": 0.1}, {"augment": ["colour"], "ada_target": 0.6}])
def test_what_this_game_has_no_use_for_is_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="leave drift and ada_target at 0"):
        training(**setting)
