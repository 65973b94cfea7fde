"""InfoGAN's game: codes are part of z, and both players descend what Q gets wrong of them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

import zerosum
from zerosum.api.assemble import assemble, settle
from zerosum.data import open_dataset
from zerosum.engine.engine import Engine
from zerosum.engine.plan import Plan
from zerosum.engine.training import Training
from zerosum.errors import UserError
from zerosum.networks import build
from zerosum.recipes import recipe
from zerosum.types import Domain

SMALL = {"width": 4, "batch": 8, "grid": 10}
DOMAIN = Domain(shape=(1, 28, 28), value_range=(0.0, 1.0))


def training(**settings: Any) -> Training:
    data = open_dataset("digits")
    told = settle(recipe("infogan").override({**SMALL, **settings}), data)
    return assemble(told, data, Engine("cpu"), Plan.of(told, len(data.train)))


def test_codes_are_uniform_and_every_category_is_as_likely() -> None:
    torch.manual_seed(0)
    G = build(recipe("infogan").players["G"], DOMAIN)
    category, continuous = G.codes(torch.randn(20_000, G.z_dim))
    assert torch.bincount(category, minlength=10).float().div(20_000).tolist() == pytest.approx([0.1] * 10, abs=0.01)
    assert continuous.shape == (20_000, 2)
    assert continuous.mean().item() == pytest.approx(0, abs=0.02)
    assert continuous.var().item() == pytest.approx(1 / 3, abs=0.01)  # of a uniform number in [-1, 1]
    z = torch.zeros(1, 74)
    z[0, 65], z[0, 73] = 3.0, 1.0
    category, continuous = G.codes(z)
    assert category.tolist() == [3]
    assert continuous[0].tolist() == pytest.approx([0.0, math.erf(1 / math.sqrt(2))])


@pytest.mark.parametrize("settings", [{}, {"view": "one-batch", "continuous_weight": 0.7}, {"fakes": "same"}])
def test_both_players_descend_what_q_gets_wrong(settings: dict[str, Any]) -> None:
    run = training(**settings, **{"D.lr": 0.0, "G.lr": 0.0})
    D, G = run.game.networks["D"], run.game.networks["G"]
    guesses: list[torch.Tensor] = []
    noises: list[torch.Tensor] = []
    D.guess.register_forward_hook(lambda layer, given, found: guesses.append(found.detach()))
    G.register_forward_pre_hook(lambda network, given: noises.append(given[0]))
    terms: dict[str, torch.Tensor] = {}
    run.ledger.record = lambda step, found: terms.update(found)  # type: ignore[method-assign]
    run.take_step(observe=True)
    weight = settings.get("continuous_weight", 0.1)

    def wrong(guess: torch.Tensor, z: torch.Tensor) -> float:
        category, continuous = z[:, 62:72].argmax(1), torch.erf(z[:, 72:] / math.sqrt(2))
        cross = F.cross_entropy(guess[:, :10], category)
        return float(cross + weight * 0.5 * (guess[:, 10:] - continuous).square().sum(1).mean())

    of_fake = guesses[0][8:] if settings.get("view") == "one-batch" else guesses[1]
    assert float(terms["D/info"]) == pytest.approx(wrong(of_fake, noises[0]), rel=1e-5)
    assert float(terms["G/info"]) == pytest.approx(wrong(guesses[-1], noises[-1]), rel=1e-5)


@pytest.mark.parametrize("order", [{}, {"n_critic": 2}, {"first": "G", "g_turns": 2}])
def test_with_shared_fakes_too_q_is_asked_for_the_codes_of_the_images_that_it_sees(order: dict[str, Any]) -> None:
    """G shows z itself, and Q reads it: nothing is missed, unless it is compared with the codes of other images."""
    run, terms = training(**order, fakes="same", batch=64), {}
    D, G = run.game.networks["D"], run.game.networks["G"]

    def show(z: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
        alive = 0 * sum(weight.sum() for weight in G.parameters())
        return F.pad(z, (0, 28 * 28 - G.z_dim)).view(-1, 1, 28, 28) + alive

    def read(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        alive = 0 * sum(weight.sum() for weight in D.parameters())
        category, continuous = G.codes(x.flatten(1)[:, : G.z_dim])
        return alive + x.mean(dim=(1, 2, 3)), torch.cat([50.0 * F.one_hot(category, 10), continuous], dim=1)

    G.forward, D.both = show, read
    run.ledger.record = lambda step, found: terms.update(found)  # type: ignore[method-assign]
    run.take_step(observe=True)
    assert float(terms["D/info"]) == pytest.approx(0, abs=1e-6)
    assert float(terms["G/info"]) == pytest.approx(0, abs=1e-6)


def test_g_and_d_with_other_codes_are_refused() -> None:
    with pytest.raises(UserError, match="G has 12 categories and 2 continuous codes, and D guesses 10 and 2"):
        training(**{"G.categories": 12})
    assert training(categories=12, continuous=1).game.networks["D"].guess[-1].out_features == 13


def test_the_table_of_the_paper() -> None:
    """Appendix C.1, with batch norm's scale and shift in place of the bias before it."""
    g = 74 * 1024 + 2 * 1024 + 1024 * 6272 + 2 * 6272 + 16 * 128 * 64 + 2 * 64 + 16 * 64 + 1
    d = 16 * 64 + 64 + 16 * 64 * 128 + 2 * 128 + 6272 * 1024 + 2 * 1024 + 1025
    q = 1024 * 128 + 2 * 128 + 129 * 12
    for name, count in (("G", g), ("D", d + q)):
        network = build(recipe("infogan").players[name], DOMAIN)
        assert sum(weight.numel() for weight in network.parameters()) == count


def test_networks_without_codes_are_refused(tmp_path: Path) -> None:
    for settings in ({"G.network": "dcgan-generator"}, {"D.network": "acgan-discriminator"}, {"view": "two-steps"}):
        with pytest.raises(UserError):
            zerosum.train("infogan", "digits", steps=1, out=tmp_path / "x", settings={**settings, "batch": 8})
    assert not (tmp_path / "x").exists()


def test_q_learns_the_category_within_a_hundred_steps() -> None:
    torch.manual_seed(0)
    run = training(width=8, batch=64)
    for _ in range(100):
        run.take_step(observe=False)
    G, D = run.game.networks["G"].eval(), run.game.networks["D"].eval()
    with torch.no_grad():
        z = torch.randn(500, G.z_dim)
        found = D.both(G(z))[1][:, :10].argmax(1)
    right = (found == G.codes(z)[0]).float().mean().item()
    assert right > 0.5  # chance is 0.1
