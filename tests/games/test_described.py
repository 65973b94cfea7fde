"""The game of texts: what each player descends at each stage, worked out by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from zerosum.errors import UserError
from zerosum.games.base import Shown, Terms, play_round
from zerosum.games.described import Described, alike, joint_loss
from zerosum.games.rules import DescribedRules
from zerosum.losses.equilibrium import equilibrium

Played = list[tuple[str, Terms]]


class Painter(nn.Module):
    """Reads a row as its first number, and paints z times a learned number, plus what it read."""

    embedding = 1

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(2.0, dtype=torch.float64))
        self.tone = nn.Parameter(torch.tensor(1.0, dtype=torch.float64))
        self.stage = -1

    def at(self, stage: int) -> None:
        self.stage = stage

    def read(self, y: Tensor) -> Tensor:
        return self.tone * y[:, :1].double()

    def drawn(self, z: Tensor, embedded: Tensor) -> tuple[Tensor, Tensor]:
        side = 8 if self.stage == 2 else 2
        images = (self.factor * z + embedded)[:, :, None, None].expand(-1, -1, side, side)
        return images, z.square().flatten()


class Critic(nn.Module):
    """A logit: the image's mean times a learned number, times what the text says."""

    hears = 1

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(0.5, dtype=torch.float64))
        self.sides: list[int] = []

    def look(self, x: Tensor) -> Tensor:
        return self.factor * x.mean((1, 2, 3))[:, None]

    def forward(self, x: Tensor, embedded: Tensor) -> Tensor:
        self.sides.append(x.shape[-1])
        return (self.factor * x.mean((1, 2, 3))[:, None] * embedded).flatten()


class Dealt:
    """Draws that are known: images of 1 and of 3 with the captions 1 and 2; another's captions are 2 and 1."""

    def real(self, count: int) -> tuple[Tensor, Tensor]:
        x = torch.tensor([1.0, 3.0], dtype=torch.float64)[:, None, None, None].expand(-1, -1, 8, 8)
        return x, torch.tensor([[1, 5], [2, 0]])

    def labels(self, count: int) -> Tensor:
        return torch.tensor([[2, 0], [1, 5]])

    def noise(self, count: int) -> Tensor:
        return torch.tensor([[1.0], [-1.0]], dtype=torch.float64)


def game_of(**rules: object) -> Described:
    return Described({"G": Painter(), "D": Critic()}, DescribedRules(loss="least-squares", **rules))  # type: ignore[arg-type]


def played(game: Described) -> tuple[Played, Terms]:
    updates: Played = []
    _, seen = play_round(game, 1, 2, Dealt(), lambda name, terms: updates.append((name, terms)), observe=True)
    return updates, seen


def values(terms: Terms) -> dict[str, float]:
    return {name: float(value.detach()) for name, value in terms.items()}


@pytest.mark.parametrize(("stage", "side"), [(1, 2), (2, 8)])
def test_d_is_shown_real_images_with_another_caption_as_fakes_and_g_pays_for_its_condition(
    stage: int, side: int
) -> None:
    game = game_of(stage=stage, kl=3.0, mismatch=0.25)
    (first, d_terms), (second, g_terms) = played(game)[0]
    assert (first, second) == ("D", "G")
    assert game.G.stage == stage
    assert set(game.D.sides) == {side}
    # Logits: real 0.5*1*1, 0.5*3*2; fakes are 2+1 and -2+2, so 0.5*3*1 and 0; mismatched 0.5*1*2 and 0.5*3*1.
    real, fake, wrong = [0.5, 3.0], [1.5, 0.0], [1.0, 1.5]
    fake_part = 0.75 * sum(one**2 for one in fake) / 2 + 0.25 * sum(one**2 for one in wrong) / 2
    assert values(d_terms) == pytest.approx({"D/adv": 0.5 * (sum((one - 1) ** 2 for one in real) / 2 + fake_part)})
    assert values(g_terms) == pytest.approx({"G/adv": 0.5 * sum((one - 1) ** 2 for one in fake) / 2, "G/kl": 3.0})


def test_another_caption_that_is_by_chance_the_same_is_not_held_against_the_image(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Dealt, "labels", lambda self, count: torch.tensor([[1, 5], [1, 5]]))
    game = game_of(stage=1, mismatch=0.25)
    (_, d_terms), _ = played(game)[0]
    # As above, but the first image's other caption is its own.
    fake_part = 0.75 * 1.5**2 / 2 + 0.25 * 1.5**2 / 2
    assert values(d_terms) == pytest.approx({"D/adv": 0.5 * ((0.5**2 + 2**2) / 2 + fake_part)})


def test_without_a_mismatch_it_is_the_plain_conditional_game() -> None:
    game = game_of(stage=1, mismatch=0.0)
    terms = dict(played(game)[0])
    assert values(terms["D"]) == pytest.approx({"D/adv": 0.5 * ((0.5 - 1) ** 2 + (3.0 - 1) ** 2 + 1.5**2) / 2})
    assert len(game.D.sides) == 3  # real and drawn in D's turn, drawn in G's: no other caption


def test_where_d_can_tell_nothing_its_loss_is_at_its_rest() -> None:
    rules = DescribedRules(stage=2)
    game = Described({"G": Painter(), "D": Critic()}, rules)
    with torch.no_grad():
        game.D.factor.zero_()
    rest = equilibrium({"game": {"kind": rules.kind, "loss": rules.loss}})
    terms = dict(played(game)[0])
    assert float(terms["D"]["D/adv"].detach()) == pytest.approx(rest["D"])
    assert float(terms["G"]["G/adv"].detach()) == pytest.approx(rest["G"])


def test_words_and_images_meet_first_and_nobody_draws() -> None:
    game = game_of(stage=0)
    assert not game.drawing
    updates, seen = played(game)
    assert [(name, set(terms)) for name, terms in updates] == [("D", {"D/meet"}), ("G", {"G/meet"})]
    assert seen == {}
    x, y = torch.zeros(2, 1, 8, 8, dtype=torch.float64), torch.tensor([[1], [2]])
    assert game.logits(x, y) is None
    assert game.judge(Shown(real=x, fake=x, y=y, fake_y=y)) == {}
    # Images are seen as 0.5 and 1.5, texts read as 1 and 2: scores 0.5, 1; 1.5, 3.
    by_hand = [1 + 1 - 0.5, 0, 1 + 1.5 - 0.5, 0]  # image 0; image 1: 1 + 1.5 - 3 < 0; texts: 1 + 1.5 - 0.5, 1 + 1 - 3
    assert float(dict(updates)["D"]["D/meet"].detach()) == pytest.approx(sum(by_hand) / 2)


def test_only_the_one_whose_turn_it_is_learns() -> None:
    for stage in (0, 1, 2):
        game = game_of(stage=stage)
        learned: dict[str, list[bool]] = {}

        def update(player: str, terms: Terms, game: Described = game, learned: dict[str, list[bool]] = learned) -> None:
            for network in game.networks.values():
                network.zero_grad()
            torch.stack(list(terms.values())).sum().backward()
            learned[player] = [
                game.D.factor.grad is not None,
                game.G.factor.grad is not None or game.G.tone.grad is not None,
            ]

        play_round(game, 1, 2, Dealt(), update)
        assert learned == {"D": [True, False], "G": [False, True]}
        if stage:
            assert game.G.tone.grad is None  # what reads stays as it was, whoever draws


def test_the_joint_loss_is_the_mean_hinge_over_all_others() -> None:
    torch.manual_seed(0)
    seen, read = torch.randn(5, 3, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64)
    y = torch.tensor([[1, 2], [3, 0], [1, 2], [4, 4], [2, 1]])
    total, count = 0.0, 0
    for i in range(5):
        for j in range(5):
            if not torch.equal(y[i], y[j]):
                own, other = float(seen[i] @ read[i]), float(seen[i] @ read[j])
                total += max(0.0, 0.7 + other - own)  # the image of i, the text of j
                total += max(0.0, 0.7 + other - float(seen[j] @ read[j]))  # the text of j, the image of i
                count += 1
    assert count == 18  # of 20, two share a caption
    assert float(joint_loss(seen, read, alike(y), 0.7)) == pytest.approx(total / count)


def test_equal_captions_ask_for_nothing() -> None:
    same = torch.ones(3, 2, dtype=torch.int64)
    assert float(joint_loss(torch.randn(3, 4), torch.randn(3, 4), alike(same), 1.0)) == 0.0


def test_what_cannot_be_played_is_refused_in_one_line() -> None:
    with pytest.raises(UserError, match="relativistic compares real with fake one by one"):
        Described({"G": Painter(), "D": Critic()}, DescribedRules(loss="relativistic"))
    with pytest.raises(UserError, match="G knows no texts"):
        Described({"G": nn.Linear(1, 1), "D": Critic()}, DescribedRules())
    deaf = Critic()
    deaf.hears = 7
    with pytest.raises(UserError, match=r"G\.embedding is 1 and D\.embedding 7"):
        Described({"G": Painter(), "D": deaf}, DescribedRules())
