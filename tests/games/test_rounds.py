"""The rounds of the adversarial game: who plays when, what is shared, who is frozen, what a term weighs."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor, nn

from zerosum.errors import UserError
from zerosum.games.adversarial import Adversarial, judges_each_alone
from zerosum.games.base import Terms, only, play_round
from zerosum.games.rules import AdversarialRules
from zerosum.networks.layers.norms import BatchNorm


class G(nn.Module):
    """Scales z; counts its passes and keeps what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([2.0], dtype=torch.float64))
        self.seen: list[Tensor] = []
        self.modes: list[bool] = []

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        self.seen.append(z)
        self.modes.append(self.training)
        return self.scale * z


class D(nn.Module):
    """Logits w * x + b per sample; keeps what it was given. It says that it mixes samples, so that a view is kept."""

    mixes_samples = True

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([0.5], dtype=torch.float64))
        self.b = nn.Parameter(torch.tensor([0.1], dtype=torch.float64))
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        self.seen.append(x.detach().clone())
        return (self.w * x + self.b).squeeze(1)


class Counted:
    """Draws that can be foretold: real is 1, 2, …; z is 10, 11, …"""

    def __init__(self) -> None:
        self.next = 0

    def real(self, count: int) -> tuple[Tensor, None]:
        self.next += count
        return torch.arange(self.next - count + 1, self.next + 1, dtype=torch.float64).unsqueeze(1), None

    def noise(self, count: int) -> Tensor:
        self.next += count
        return torch.arange(self.next - count + 10, self.next + 10, dtype=torch.float64).unsqueeze(1)

    def pairs(self, count: int) -> tuple[Tensor, Tensor]:
        raise AssertionError("nobody translates here")

    def of(self, domain: int, count: int) -> Tensor:
        raise AssertionError("nobody translates here")

    def labels(self, count: int) -> None:
        return None

    def uniform(self, count: int) -> Tensor:
        return torch.full((count,), 0.25, dtype=torch.float64)

    def dice(self, count: int) -> list[float]:
        return [0.25] * count


class Played:
    """A game with toy players, and a record of its updates; `rates` are plain gradient descent's."""

    def __init__(self, rate: float = 0.0, **rules: object) -> None:
        self.networks = {"G": G().train(), "D": D().train()}
        self.game = Adversarial(self.networks, AdversarialRules(**rules))  # type: ignore[arg-type]
        self.draws, self.rate, self.updates = Counted(), rate, list[tuple[str, dict[str, float]]]()
        self.step = 0

    def update(self, name: str, terms: Terms) -> None:
        self.updates.append((name, {key: float(value) for key, value in terms.items()}))
        network = self.networks[name]
        network.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        with torch.no_grad():
            for weight in network.parameters():
                weight -= self.rate * weight.grad  # type: ignore[operator]

    def round(self, batch: int = 2, observe: bool = False) -> tuple[Terms, Terms]:
        self.step += 1
        return play_round(self.game, self.step, batch, self.draws, self.update, observe=observe)

    @property
    def order(self) -> str:
        return "".join(name for name, _ in self.updates)


def test_n_critic_gives_d_that_many_turns_before_g() -> None:
    played = Played(n_critic=3)
    played.round()
    played.round()
    assert played.order == "DDDGDDDG"


def test_g_turns_and_g_first() -> None:
    played = Played(g_turns=2, first="G")
    played.round()
    assert played.order == "GGD"


def test_d_every_second_round_is_the_tutorials_k_step_schedule() -> None:
    played = Played(d_every=2)
    for _ in range(4):
        played.round()
    assert played.order == "GDGGDG"


def test_d_share_halves_d_batch_and_not_g() -> None:
    played = Played(d_share=0.5)
    played.round(batch=4)
    d_real, d_fake, g_fake = played.networks["D"].seen
    assert (len(d_real), len(d_fake), len(g_fake)) == (2, 2, 4)


def test_one_batch_shows_d_real_and_fake_joined() -> None:
    played = Played(view="one-batch")
    played.round(batch=2)
    joined = played.networks["D"].seen[0]
    assert joined.squeeze(1).tolist() == [1.0, 2.0, 24.0, 26.0]  # z = 12, 13 scaled by 2


def test_two_batches_are_one_pass_where_d_judges_each_sample_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    apart = Played(rate=0.1, view="two-batches")
    monkeypatch.setattr(D, "mixes_samples", False)
    joined = Played(rate=0.1, view="two-batches")
    for played in (apart, joined):
        played.round(batch=2)
    assert [len(x) for x in apart.networks["D"].seen] == [2, 2, 2]
    assert [len(x) for x in joined.networks["D"].seen] == [4, 2]
    for (player, terms), (other, expected) in zip(joined.updates, apart.updates, strict=True):
        assert (player, terms) == (other, pytest.approx(expected, rel=1e-14))
    for mine, other in zip(joined.networks["D"].parameters(), apart.networks["D"].parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-14)


def test_batch_norm_in_d_keeps_two_batches_apart() -> None:
    assert judges_each_alone(nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5), nn.GroupNorm(1, 2)))
    assert not judges_each_alone(nn.Sequential(nn.Linear(2, 2), nn.Sequential(BatchNorm(2))))


def test_a_penalty_that_is_due_keeps_two_batches_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(D, "mixes_samples", False)
    played = Played(r1=1.0, penalty_every=2)
    played.round(batch=2)
    played.round(batch=2)
    assert [len(x) for x in played.networks["D"].seen] == [4, 2, 2, 2, 2]


def test_fresh_fakes_are_drawn_anew_for_g() -> None:
    played = Played(fakes="fresh")
    played.round()
    first, second = played.networks["G"].seen
    assert not torch.equal(first, second)


def test_same_z_is_drawn_once_and_passed_twice() -> None:
    played = Played(fakes="same-z", fakes_mode="eval")
    played.round()
    first, second = played.networks["G"].seen
    assert torch.equal(first, second)
    assert played.networks["G"].modes == [False, True]
    assert played.networks["G"].training


@pytest.mark.parametrize("first", ["D", "G"])
def test_same_fakes_are_made_by_one_pass_of_g(first: str) -> None:
    played = Played(fakes="same", first=first, rate=0.1)
    played.round()
    assert len(played.networks["G"].seen) == 1
    fakes = [x for x in played.networks["D"].seen if float(x.min()) > 10]
    assert torch.equal(fakes[0], fakes[1])
    assert played.networks["G"].scale.grad is not None


def test_same_fakes_serve_only_the_turns_that_meet() -> None:
    played = Played(fakes="same", n_critic=2, g_turns=2)
    played.round()
    assert played.order == "DDGG"
    assert len(played.networks["G"].seen) == 3  # shared once, D's first turn, G's second


def test_two_steps_judge_the_fakes_with_an_updated_d() -> None:
    played = Played(view="two-steps", rate=0.5, loss="least-squares")
    played.round(batch=1)
    assert [name for name, _ in played.updates] == ["D", "D", "G"]
    # x = 1: logit 0.6, loss (0.6 - 1)^2 / 2; gradients of w and b are -0.4, so w = 0.7, b = 0.3 afterwards.
    assert played.updates[0][1]["D/real"] == pytest.approx(0.08)
    # z = 11 scaled to 22: logit 0.7 * 22 + 0.3 = 15.7.
    assert played.updates[1][1]["D/fake"] == pytest.approx(15.7**2 / 2)


def test_two_steps_refuse_a_loss_of_pairs() -> None:
    with pytest.raises(UserError, match="two-batches"):
        Played(view="two-steps", loss="relativistic")


def test_d_scale_halves_the_adversarial_term_alone() -> None:
    whole, half = Played(r1=2.0), Played(r1=2.0, d_scale=0.5)
    a, _ = whole.round()
    b, _ = half.round()
    assert float(b["D/adv"]) == pytest.approx(float(a["D/adv"]) / 2)
    assert float(b["D/r1"]) == pytest.approx(float(a["D/r1"]))


def test_r1_of_a_linear_d_is_half_gamma_w_squared_and_lazy_ones_weigh_more() -> None:
    played = Played(r1=3.0, r2=5.0, penalty_every=4)
    terms = [played.round()[0] for _ in range(8)]
    due = [step for step, found in enumerate(terms, start=1) if "D/r1" in found]
    assert due == [4, 8]
    assert float(terms[3]["D/r1"]) == pytest.approx(4 * 3.0 / 2 * 0.25)
    assert float(terms[3]["D/r2"]) == pytest.approx(4 * 5.0 / 2 * 0.25)


def test_gradient_penalty_of_a_linear_d_is_lambda_times_w_minus_one_squared() -> None:
    terms, _ = Played(gp=10.0, loss="wasserstein").round()
    assert float(terms["D/gp"]) == pytest.approx(10 * (0.5 - 1) ** 2)


def test_the_penalty_counter_is_remembered() -> None:
    played, again = Played(r1=1.0, penalty_every=3), Played(r1=1.0, penalty_every=3)
    played.round()
    played.round()
    again.game.load_state_dict(played.game.state_dict())
    assert "D/r1" in again.round()[0]


def test_while_one_player_learns_the_other_is_frozen_and_then_free_again() -> None:
    played = Played()
    g, d = played.networks["G"], played.networks["D"]
    with only("D", played.game.weights):
        assert not g.scale.requires_grad
        assert d.w.requires_grad
    assert g.scale.requires_grad
    d.w.requires_grad_(False)
    with only("D", played.game.weights):
        pass
    assert not d.w.requires_grad  # what the caller froze stays frozen


def test_g_turn_leaves_no_gradient_in_d() -> None:
    played = Played(first="G")
    played.update = lambda name, terms: torch.stack(list(terms.values())).sum().backward()  # type: ignore[method-assign]
    with only("G", played.game.weights):
        pass
    play_round(played.game, 1, 2, played.draws, played.update)
    g, d = played.networks["G"], played.networks["D"]
    assert g.scale.grad is not None
    only_d = d.w.grad.clone()
    again = Played(first="G")
    again.networks["G"].requires_grad_(False)
    play_round(again.game, 1, 2, again.draws, lambda n, t: sum(t.values()).backward() if n == "D" else None)  # type: ignore[union-attr]
    assert torch.equal(only_d, again.networks["D"].w.grad)


def test_what_was_seen_is_d_of_x_and_the_accuracies() -> None:
    _, seen = Played().round(batch=2, observe=True)
    # D(x) = sigmoid(0.6), sigmoid(1.1); fakes 24 and 26 give logits 12.1 and 13.1: all called real.
    expected = (torch.sigmoid(torch.tensor(0.6)) + torch.sigmoid(torch.tensor(1.1))) / 2
    assert float(seen["d_real"]) == pytest.approx(float(expected), rel=1e-6)
    assert float(seen["acc_real"]) == 1.0
    assert float(seen["acc_fake"]) == 0.0
    assert {"d_fake_before", "d_fake_after"} <= set(seen)


def test_nothing_is_computed_for_the_log_unless_asked() -> None:
    _, seen = Played().round(observe=False)
    assert seen == {}


def test_relativistic_g_sees_as_many_real_samples_as_fakes_even_if_d_has_fewer() -> None:
    played = Played(loss="relativistic", d_share=0.5)
    terms, _ = played.round(batch=4)
    assert torch.isfinite(terms["G/adv"])
    assert [len(x) for x in played.networks["D"].seen] == [2, 2, 4, 4]


def test_other_rules_take_hold_in_the_next_round() -> None:
    played = Played(n_critic=1)
    played.round()
    played.game.retell(dataclasses.replace(played.game.rules, n_critic=2))
    played.round()
    assert played.order == "DGDDG"


def test_a_loss_of_pairs_leaves_ds_share_as_it_is_where_g_plays_first() -> None:
    """G compares its four fakes with four real samples; D's turn after it still sees two of each."""
    played = Played(loss="relativistic", d_share=0.5, first="G")
    played.round(batch=4)
    assert [len(seen) for seen in played.networks["D"].seen] == [4, 4, 2, 2]


class Deciding(nn.Module):
    decides_on_host = True


def test_rounds_of_a_network_that_decides_on_the_host_are_not_alike() -> None:
    played = Played()
    assert played.game.phase(1) is not None
    networks = {"G": nn.Sequential(G(), Deciding()), "D": D()}
    assert Adversarial(networks, AdversarialRules()).phase(1) is None


class Labelled(nn.Module):
    """Not a G that is trained: its weights are what orthogonality looks at."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes = nn.Linear(1, 2).double()
        self.classes = nn.Embedding(3, 1).double()
        with torch.no_grad():
            self.shapes.weight.copy_(torch.tensor([[2.0], [3.0]]))

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return self.shapes(z)[:, :1] + 0 * self.classes.weight.sum()


def test_orthogonality_is_in_gs_loss_and_of_no_embedding() -> None:
    """Rows (2) and (3): their product is 6, twice off the diagonal: 2 * 36, times a weight of 0.5."""
    played = Played()
    played.networks["G"] = Labelled().train()
    played.game = Adversarial(played.networks, AdversarialRules(ortho=0.5))
    terms, _ = played.round()
    assert float(terms["G/ortho"]) == pytest.approx(36.0)
