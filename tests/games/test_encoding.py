"""The game of a conditional GAN and its encoder: who plays in which stage, and what E descends."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from zerosum.errors import UserError
from zerosum.games.base import Terms, play_round
from zerosum.games.encoding import Encoding
from zerosum.games.rules import EncodingRules
from zerosum.networks.encoded import Encoded
from zerosum.networks.layers.norms import BatchNorm


class Maker(nn.Module):
    """z (N, 2) times a learned number plus the class, through a batch norm."""

    z_dim, classes = 2, 3

    def __init__(self) -> None:
        super().__init__()
        self.factor, self.norm = nn.Parameter(torch.tensor(3.0)), BatchNorm(2, affine=False)

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        made: Tensor = self.norm(self.factor * z + y[:, None])
        return made


class Judge(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(1.0))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.factor * x.sum(1)


class Finder(nn.Module):
    def __init__(self, finds: int = 2) -> None:
        super().__init__()
        self.finds, self.factor = finds, nn.Parameter(torch.tensor(0.5))

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x


class Dealt:
    def noise(self, count: int) -> Tensor:
        return torch.tensor([[1.0, 2.0], [-1.0, 4.0]])

    def labels(self, count: int) -> Tensor:
        return torch.tensor([0, 1])

    def real(self, count: int) -> tuple[Tensor, Tensor]:
        return torch.ones(2, 2), torch.tensor([2, 0])


def game(**told: object) -> Encoding:
    return Encoding({"G": Maker(), "D": Judge(), "E": Finder()}, EncodingRules(**told))  # type: ignore[arg-type]


def played(told: Encoding) -> list[tuple[str, Terms]]:
    updates: list[tuple[str, Terms]] = []
    play_round(told, 1, 2, Dealt(), lambda *update: updates.append(update))  # type: ignore[arg-type]
    return updates


def test_first_g_and_d_play_and_the_encoder_rests() -> None:
    assert [name for name, _ in played(game())] == ["D", "G"]


def test_then_the_encoder_descends_the_squared_error_of_z_and_nobody_else_changes() -> None:
    told = game(encoding=True)
    norm = told.networks["G"].norm
    norm.running_var.fill_(4.0)
    before = {name: value.clone() for name, value in told.networks["G"].state_dict().items()}
    (update,) = played(told)
    # As G is used: 3 z + y over 2, nearly; half of that for z.
    z, made = torch.tensor([[1.0, 2.0], [-1.0, 4.0]]), torch.tensor([[3.0, 6.0], [-2.0, 13.0]]) / 2
    assert update[0] == "E"
    assert update[1]["E/z"].item() == pytest.approx((0.5 * made - z).square().mean().item(), rel=1e-4)
    update[1]["E/z"].backward()
    expected = ((0.5 * made - z) * made).mean().item() * 2
    assert told.networks["E"].factor.grad.item() == pytest.approx(expected, rel=1e-4)
    assert all(torch.equal(value, before[name]) for name, value in told.networks["G"].state_dict().items())
    assert told.networks["G"].training
    assert told.networks["G"].factor.grad is None


def test_rounds_of_the_encoder_are_alike_and_are_no_turns_of_d() -> None:
    told = game(encoding=True, r1=1.0, penalty_every=2)
    assert told.phase(1) == told.phase(2) == ()
    told.skip(1)
    assert told.state_dict()["d_turns"] == 0
    told.retell(EncodingRules(r1=1.0, penalty_every=2))
    assert told.phase(1) == (False,)


def test_a_run_is_used_by_generator_and_encoder_together() -> None:
    networks = game().networks
    both = Encoding.joined(networks)
    assert isinstance(both, Encoded)
    assert (both.generator, both.encoder, both.classes) == (networks["G"], networks["E"], 3)


def test_networks_that_do_not_fit_each_other_are_refused() -> None:
    with pytest.raises(UserError, match="E finds 5 numbers and G takes 2: set z_dim"):
        Encoding({"G": Maker(), "D": Judge(), "E": Finder(5)}, EncodingRules())
    with pytest.raises(UserError, match="wants a conditional G, and an E"):
        Encoding({"G": Maker(), "D": Judge(), "E": Judge()}, EncodingRules())
