"""The game of poses: what each part of G descends, worked out by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from zerosum.errors import UserError
from zerosum.games.base import Terms, play_round
from zerosum.games.posed import Posed
from zerosum.games.rules import PosedRules


class Parts(nn.Module):
    """The first channel times one number, plus, once it is the second's turn, another one; the last is the body."""

    def __init__(self) -> None:
        super().__init__()
        self.coarse, self.fine = (nn.Parameter(torch.tensor(value, dtype=torch.float64)) for value in (2.0, 1.0))
        self.part = 0

    def play(self, part: int) -> None:
        self.part = part

    def body(self, x: Tensor) -> Tensor:
        return x[:, -1:]

    def forward(self, x: Tensor, other: Tensor | None = None) -> Tensor:
        made = self.coarse * x[:, :1]
        return made if self.part == 1 else made.detach() + self.fine


class Judge(nn.Module):
    """A logit for each sample: its mean times a learned number, plus that of the image given."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(1.0, dtype=torch.float64))

    def forward(self, x: Tensor, given: Tensor) -> Tensor:
        return self.factor * x.mean(dim=(1, 2, 3)) + given[:, 0].mean(dim=(1, 2))


class Dealt:
    """One pair of two pixels, 1 and 2 to become 3 and 7, of which the second one lies on the body."""

    def pairs(self, count: int) -> tuple[Tensor, Tensor]:
        given = torch.tensor([[[[1.0, 2.0]], [[0.0, 1.0]]]], dtype=torch.float64)
        return given, torch.tensor([[[[3.0, 7.0]]]], dtype=torch.float64)


def played(networks: dict[str, nn.Module], rules: PosedRules) -> list[tuple[str, dict[str, float]]]:
    game, found = Posed(networks, rules), []

    def update(name: str, terms: Terms) -> None:
        sum(terms.values()).backward()  # type: ignore[union-attr]
        found.append((name, {key: value.item() for key, value in terms.items()}))

    play_round(game, 1, 1, Dealt(), update)  # type: ignore[arg-type]
    return found


def test_the_coarse_part_learns_by_the_distance_alone_which_counts_twice_on_the_body() -> None:
    networks = {"G": Parts(), "D": Judge()}
    found = played(networks, PosedRules(adversarial=0.0, l1=1.0))
    assert found == [("G", {"G/l1": pytest.approx((abs(2 - 3) + 2 * abs(4 - 7)) / 2)})]
    assert networks["G"].coarse.grad.item() == pytest.approx(-(1 + 2 * 2) / 2)
    assert networks["G"].fine.grad is None
    assert networks["D"].factor.grad is None
    plain = played({"G": Parts(), "D": Judge()}, PosedRules(adversarial=0.0, l1=1.0, mask=0.0))
    assert plain[0][1]["G/l1"] == pytest.approx((1 + 3) / 2)


def test_then_the_fine_part_learns_against_a_judge_and_the_coarse_one_is_frozen() -> None:
    networks = {"G": Parts(), "D": Judge()}
    found = played(networks, PosedRules(part=2, loss="least-squares", l1=10.0))
    assert [name for name, _ in found] == ["D", "G"]
    # What is made is 3 and 5; the judge gives it 4 + 1.5, and the real one 5 + 1.5.
    assert found[0][1]["D/adv"] == pytest.approx(0.5 * (6.5 - 1) ** 2 + 0.5 * 5.5**2)
    assert found[1][1]["G/adv"] == pytest.approx(0.5 * (5.5 - 1) ** 2)
    assert found[1][1]["G/l1"] == pytest.approx(10 * (0 + 2 * 2) / 2)
    assert networks["G"].coarse.grad is None
    assert networks["G"].fine.grad is not None


def test_scores_are_of_the_part_that_learns_and_compared_within_it_alone() -> None:
    networks: dict[str, nn.Module] = {"G": Parts(), "D": Judge()}
    game = Posed(networks, PosedRules(adversarial=0.0))
    coarse = game.making
    game.retell(PosedRules(part=2))
    assert game.making is not None
    assert game.making != coarse


def test_a_generator_without_parts_is_refused() -> None:
    with pytest.raises(UserError, match="no two parts: game posed wants"):
        Posed({"G": Judge(), "D": Judge()}, PosedRules())
