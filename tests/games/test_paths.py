"""Path length regularization: lengths against a full Jacobian, the running mean by hand, turns and state."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from zerosum.api.assemble import assemble, settle
from zerosum.data import open_dataset
from zerosum.engine.engine import Engine
from zerosum.engine.plan import Plan
from zerosum.engine.training import Training
from zerosum.errors import UserError
from zerosum.games.paths import Paths, path_lengths
from zerosum.networks.layers.styled import Styled
from zerosum.recipes import recipe

SMALL = {"width": 4, "batch": 4, "grid": 4, "z_dim": 8, "w_dim": 8, "depth": 2, "size": 28}


def training(**settings: Any) -> Training:
    data = open_dataset("digits", size=28)
    told = settle(recipe("stylegan2").override({**SMALL, **settings}), data)
    return assemble(told, data, Engine("cpu"), Plan.of(told, len(data.train)))


class Linear(Styled):
    """Images (N, 1, 2, 2) that are linear in both of their styles."""

    def __init__(self) -> None:
        super().__init__()
        self.styles, self.maps = 2, torch.nn.Parameter(torch.randn(2, 3, 4, dtype=torch.float64))
        self.mixing = 0.0

    def map(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return z.requires_grad_()

    def synthesize(self, ws: Tensor) -> Tensor:
        return torch.einsum("nli,lio->no", ws, self.maps).view(-1, 1, 2, 2)


def test_lengths_are_those_of_the_jacobian_applied_to_random_images() -> None:
    torch.manual_seed(0)
    G, z = Linear(), torch.randn(5, 3, dtype=torch.float64)
    torch.manual_seed(1)
    found = path_lengths(G, z, None)
    torch.manual_seed(1)
    torch.rand(())  # whether styles are mixed
    y = torch.randn(5, 1, 2, 2, dtype=torch.float64).flatten(1) / 2  # over the root of 4 pixels
    per_layer = torch.stack([(y @ G.maps[layer].t()).square().sum(1) for layer in (0, 1)])
    torch.testing.assert_close(found, per_layer.mean(0).sqrt())
    found.sum().backward()
    assert G.maps.grad is not None
    assert G.maps.grad.abs().min() > 0


def test_lengths_are_of_mixed_styles_where_those_of_training_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two layers, the second has another z's."""
    G = Linear()
    G.mixing = 1.0
    seen: list[Tensor] = []
    own = G.synthesize
    monkeypatch.setattr(G, "synthesize", lambda ws: seen.append(ws) or own(ws))
    z = torch.randn(5, 3, dtype=torch.float64)
    assert path_lengths(G, z, None).shape == (5,)
    assert torch.equal(seen[0][:, 0], z)
    assert not torch.isclose(seen[0][:, 1], z).any()


def test_the_mean_follows_a_hundredth_and_the_penalty_is_the_squared_distance_from_it() -> None:
    game = training().game
    assert isinstance(game, Paths)
    # The mean goes from 0 to 0.01 * 3; (2 - 0.03)^2 and (4 - 0.03)^2.
    assert game.path_penalty(torch.tensor([2.0, 4.0])).item() == pytest.approx((1.97**2 + 3.97**2) / 2)
    assert game.path_mean.item() == pytest.approx(0.03)
    game.path_penalty(torch.tensor([1.0]))
    assert game.path_mean.item() == pytest.approx(0.03 + 0.01 * 0.97)


def test_the_term_weighs_as_many_turns_as_it_stands_for_and_is_of_half_the_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts: list[int] = []

    def lengths(G: Styled, z: Tensor, y: Tensor | None) -> Tensor:
        counts.append(len(z))
        return torch.full((len(z),), 2.0, requires_grad=True)

    monkeypatch.setattr("zerosum.games.paths.path_lengths", lengths)
    run = training(path_weight=3.0, path_every=2)
    records: list[dict[str, Tensor]] = []
    run.ledger.record = lambda step, found: records.append(dict(found))  # type: ignore[method-assign]
    for _ in range(2):
        run.take_step(observe=False)
    assert counts == [2]  # of a batch of 4
    assert records[1]["G/path"].item() == pytest.approx(3 * 2 * (2 - 0.02) ** 2)


def test_it_comes_in_every_fourth_turn_of_g_and_goes_on_after_a_checkpoint() -> None:
    run = training()
    records: list[dict[str, Tensor]] = []
    run.ledger.record = lambda step, found: records.append(dict(found))  # type: ignore[method-assign]
    for _ in range(6):
        run.take_step(observe=False)
    assert ["G/path" in terms for terms in records] == [False, False, False, True, False, False]
    other = training()
    other.load_state_dict(run.state_dict())
    assert isinstance(other.game, Paths)
    assert other.game.g_turns == 6
    assert float(other.game.path_mean) > 0
    other.ledger.record = lambda step, found: records.append(dict(found))  # type: ignore[method-assign]
    other.take_step(observe=False)
    other.take_step(observe=False)
    assert ["G/path" in terms for terms in records[6:]] == [False, True]


def test_a_generator_without_styles_is_refused() -> None:
    told = recipe("stylegan2").override(SMALL).to_dict()
    told["players"]["G"] |= {"network": "quick-generator", "args": {"z_dim": 8, "width": 4}}
    data = open_dataset("digits", size=28)
    odd = settle(type(recipe("stylegan2")).from_dict(told), data)
    with pytest.raises(UserError, match="needs a generator by styles"):
        assemble(odd, data, Engine("cpu"), Plan.of(odd, len(data.train)))
