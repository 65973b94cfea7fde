"""R3GAN's networks against the paper's text."""

from __future__ import annotations

import math

import pytest
import torch

from zerosum.networks import build
from zerosum.networks.layers.growing import maps_of
from zerosum.networks.r3gan import Residual, Transition
from zerosum.recipes import recipe
from zerosum.types import Domain

DOMAIN = Domain(shape=(3, 32, 32))


def test_every_block_is_the_identity_at_first() -> None:
    block = Residual(32, 8)
    x = torch.randn(2, 32, 8, 8)
    torch.testing.assert_close(block(x), x)


def test_hidden_layers_have_twice_the_channels_in_groups_of_sixteen_and_weights_scaled_by_the_depth() -> None:
    torch.manual_seed(0)
    block = Residual(768, 16)
    assert (block.mix.in_channels, block.mix.groups) == (1536, 96)
    he = math.sqrt(2 / (1 + 0.04))
    assert block.widen.weight.std().item() == pytest.approx(he * 16**-0.25 / math.sqrt(768), rel=0.02)
    assert block.mix.weight.std().item() == pytest.approx(he * 16**-0.25 / math.sqrt(16 * 9), rel=0.02)
    assert not block.narrow.weight.any()


def test_maps_have_the_papers_channels() -> None:
    """768 up to 32 pixels, then halves: 96 at 256."""
    assert maps_of(768, 256) == [768, 768, 768, 768, 384, 192, 96]
    assert maps_of(768, 32) == [768] * 4


@pytest.mark.parametrize("up", [True, False])
def test_a_transition_changes_channels_before_or_after_with_the_same_result(up: bool) -> None:
    torch.manual_seed(0)
    change = Transition(6, 4, up=up).double()
    x = torch.randn(2, 6, 8, 8, dtype=torch.float64)
    resample = Transition(6, 6, up=up)
    assert change.change is not None
    torch.testing.assert_close(change(x), change.change(resample(x)))


def test_z_is_a_factor_of_a_learned_map() -> None:
    torch.manual_seed(0)
    G = build(recipe("r3gan").override({"width": 16}).players["G"], DOMAIN).eval()
    G.domain = Domain(shape=(3, 32, 32), value_range=(-1e6, 1e6))  # nothing is cut off
    z = torch.randn(2, 64)
    # All blocks are the identity at first, so that images are linear in z.
    torch.testing.assert_close(G(2 * z), 2 * G(z), atol=1e-5, rtol=1e-4)


def test_d_projects_on_the_class_and_neither_end_has_biases() -> None:
    torch.manual_seed(0)
    domain = Domain(shape=(3, 32, 32), classes=4)
    players = recipe("r3gan").override({"width": 16}).players
    G, D = (build(players[name], domain) for name in "GD")
    for layer in (G.start, G.end, D.start, D.end):
        assert layer.bias is None
    assert G.embed.weight.shape == (4, 64)
    assert D.embed.weight.shape == (4, 16)
    x, y = torch.randn(5, 3, 32, 32), torch.tensor([0, 1, 2, 3, 3])
    features = torch.einsum("nchw,chw->nc", D.stages(D.start(x)), D.basis) @ D.end.weight.t()
    torch.testing.assert_close(D(x, y), (features * D.embed.weight[y]).sum(1))
    wide = build(recipe("r3gan").players["D"], Domain(shape=(3, 32, 32), classes=10))
    assert wide.embed.weight.std().item() == pytest.approx(1 / math.sqrt(768 * 10), rel=0.05)
    assert wide.start.weight.std().item() == pytest.approx(1 / math.sqrt(3), rel=0.1)


def test_the_schedule_is_half_a_cosine_of_rates_penalties_and_beta2() -> None:
    from zerosum.engine.plan import Plan

    told = recipe("r3gan").override({"batch": 100, "pace": 1e-3})
    plan = Plan.of(told, 60_000)
    assert [leg.after for leg in plan.legs] == [0, 200]
    half, end = plan.leg(100).at(100), plan.leg(200).at(200)
    for player in ("G", "D"):
        assert half.players[player].lr == pytest.approx((2e-4 + 5e-5) / 2)
        assert half.players[player].betas[1] == pytest.approx(0.945)
        assert end.players[player].lr == pytest.approx(5e-5)
        assert end.players[player].betas == (0.0, pytest.approx(0.99))
    assert vars(half.game)["r1"] == pytest.approx((0.05 + 0.005) / 2)
    assert vars(plan.leg(201).at(10_000).game)["r2"] == pytest.approx(0.005)
    quarter = plan.leg(50).at(50)
    assert quarter.players["G"].lr == pytest.approx(2e-4 - (0.5 - 0.5 * math.cos(math.pi / 4)) * 1.5e-4)
