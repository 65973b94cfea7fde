"""The games of translators: what each player descends, worked out by hand, and the pool of past images."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from zerosum.errors import UserError
from zerosum.games.base import Shown, Terms, play_round
from zerosum.games.cycle import Cycle
from zerosum.games.domains import Domains
from zerosum.games.paired import Paired
from zerosum.games.pool import Pool
from zerosum.games.rules import CycleRules, DomainRules, PairedRules


class Times(nn.Module):
    """x times a learned number."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor, dtype=torch.float64))

    def forward(self, x: Tensor, other: Tensor | None = None) -> Tensor:
        return self.factor * x


class Judge(Times):
    """A logit for each pixel: x times a learned number, plus what it was made of."""

    def forward(self, x: Tensor, other: Tensor | None = None) -> Tensor:
        return self.factor * x + (0 if other is None else other)


class Each(nn.Module):
    """A network for each domain."""

    def __init__(self, *networks: nn.Module) -> None:
        super().__init__()
        self.of = nn.ModuleList(networks)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.stack([self.of[int(label)](one) for one, label in zip(x, y, strict=True)])


class Dealt:
    """Draws that are known: pairs (1, 3) and (2, 5); domain A is 1, domain B is 10."""

    def pairs(self, count: int) -> tuple[Tensor, Tensor]:
        return image(1.0, 2.0), image(3.0, 5.0)

    def of(self, domain: int, count: int) -> Tensor:
        return image(*([1.0, 10.0][domain],) * count)

    def uniform(self, count: int) -> Tensor:
        return torch.full((count,), 0.25, dtype=torch.float64)

    def dice(self, count: int) -> list[float]:
        return [0.25] * count


def image(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).view(-1, 1, 1, 1)


def played(
    game: Paired | Cycle, batch: int, observe: bool = True, step: int = 1
) -> tuple[list[tuple[str, Terms]], Terms]:
    updates: list[tuple[str, Terms]] = []
    _, seen = play_round(
        game,
        step,
        batch,
        Dealt(),
        lambda name, terms: updates.append((name, terms)),
        observe=observe,  # type: ignore[arg-type]
    )
    return updates, seen


def test_pairs_are_played_with_l1_and_ds_halved_loss() -> None:
    game = Paired({"G": Times(2.0), "D": Judge(1.0)}, PairedRules(loss="least-squares", l1=10.0))
    updates, seen = played(game, 2)
    assert [name for name, _ in updates] == ["D", "G"]
    # Fakes are 2 and 4 for 3 and 5; D gives real 3 + 1 and 5 + 2, fakes 2 + 1 and 4 + 2.
    d = ((4 - 1) ** 2 + (7 - 1) ** 2) / 2 / 2 + (3**2 + 6**2) / 2 / 2
    assert updates[0][1]["D/adv"].item() == pytest.approx(0.5 * d)
    assert updates[1][1]["G/adv"].item() == pytest.approx(((3 - 1) ** 2 + (6 - 1) ** 2) / 2 / 2)
    assert updates[1][1]["G/l1"].item() == pytest.approx(10 * (1 + 1) / 2)
    assert seen["d_real"].item() == pytest.approx(5.5)
    assert seen["d_fake_before"].item() == seen["d_fake_after"].item() == pytest.approx(4.5)


def test_gradients_reach_the_player_whose_turn_it_is_and_no_other() -> None:
    networks = {"G": Times(2.0), "D": Judge(1.0)}
    game = Paired(networks, PairedRules(loss="least-squares", l1=10.0))

    def update(name: str, terms: Terms) -> None:
        for network in networks.values():
            network.zero_grad()
        sum(terms.values()).backward()  # type: ignore[union-attr]
        own, other = networks[name], networks["GD".replace(name, "")]
        assert own.factor.grad is not None
        assert other.factor.grad is None

    play_round(game, 1, 2, Dealt(), update)  # type: ignore[arg-type]
    # By hand: G's loss is mean((2 g + ...)...); its gradient by g of l1 is 10 mean(-x), of adv mean((f + x - 1) x).
    expected = 10 * -(1 + 2) / 2 + ((3 - 1) * 1 + (6 - 1) * 2) / 2
    assert networks["G"].factor.grad.item() == pytest.approx(expected)


class Beside(nn.Module):
    """A logit for each pixel: x, and so many times what it was made of."""

    sees_source = True

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor, dtype=torch.float64))

    def forward(self, x: Tensor, other: Tensor) -> Tensor:
        return x + self.factor * other


def test_d_is_asked_about_the_same_images_beside_what_others_were_made_of() -> None:
    shown = Shown(real=image(3.0, 5.0), fake=image(2.0, 4.0), given=image(1.0, 2.0))
    for factor, change in ((0.0, 0.0), (2.0, 2 / 2)):  # logits 5 and 9, deviation 2; beside the other's 7 and 7
        game = Paired({"G": Times(2.0), "D": Beside(factor)}, PairedRules())
        assert game.probes(shown)["condition"].item() == pytest.approx(change)
    assert not Paired({"G": Times(2.0), "D": Beside(2.0)}, PairedRules(adversarial=0.0)).probes(shown)
    assert not Paired({"G": Times(2.0), "D": Judge(1.0)}, PairedRules()).probes(shown)  # not said to look at it
    assert not cycle().probes(shown)


def test_pairs_that_were_made_of_one_image_say_nothing_of_what_d_looks_at() -> None:
    """As where a person stands in many poses: beside the next one's image D is told what it was told before."""
    game = Paired({"G": Times(2.0), "D": Beside(2.0)}, PairedRules())
    assert not game.probes(Shown(real=image(3.0, 5.0), fake=image(2.0, 4.0), given=image(1.0, 1.0)))
    some = Shown(real=image(3.0, 5.0, 7.0), fake=image(2.0, 4.0, 4.0), given=image(1.0, 1.0, 2.0))
    # Beside the row before: the first one's logit is 2 more, the last one's 2 less, and the second one is left out.
    assert game.probes(some)["condition"].item() == pytest.approx(2 / 3)  # logits 5 and 11: a deviation of 3


def test_without_an_adversarial_weight_d_has_no_turn() -> None:
    game = Paired({"G": Times(2.0), "D": Judge(1.0)}, PairedRules(adversarial=0.0))
    updates, seen = played(game, 2)
    assert [(name, list(terms)) for name, terms in updates] == [("G", ["G/l1"])]
    assert not seen
    with pytest.raises(UserError, match="all 0: G would learn nothing"):
        Paired({"G": Times(2.0), "D": Judge(1.0)}, PairedRules(adversarial=0.0, l1=0.0))


def test_squares_and_a_feature_networks_maps_can_be_compared() -> None:
    game = Paired({"G": Times(2.0), "D": Judge(1.0)}, PairedRules(adversarial=0.0, l1=0.0, l2=3.0, content=5.0))
    game.features = lambda x: 10 * x
    updates, _ = played(game, 2)
    assert updates[0][1]["G/l2"].item() == pytest.approx(3.0)
    assert updates[0][1]["G/content"].item() == pytest.approx(5 * 100.0)


class Scales(nn.Module):
    """A judge of two scales, each of two layers and a logit."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(1.0, dtype=torch.float64))

    def scales(self, x: Tensor, given: Tensor) -> list[list[Tensor]]:
        return [[2 * x, 3 * x, self.factor * x], [4 * x, 5 * x, self.factor * (x + 1)]]


def test_a_judge_of_several_scales_has_a_word_at_each_and_its_layers_are_matched() -> None:
    game = Paired({"G": Times(2.0), "D": Scales()}, PairedRules(loss="least-squares", l1=0.0, matching=10.0))
    updates, seen = played(game, 2)
    # Fakes are 2 and 4 for 3 and 5: logits 2, 4 and 3, 5; real ones 3, 5 and 4, 6.
    real = sum((logit - 1) ** 2 for logit in (3, 5, 4, 6)) / 2 / 2
    fake = sum(logit**2 for logit in (2, 4, 3, 5)) / 2 / 2
    assert updates[0][1]["D/adv"].item() == pytest.approx(0.5 * (real + fake))
    assert updates[1][1]["G/adv"].item() == pytest.approx(sum((logit - 1) ** 2 for logit in (2, 4, 3, 5)) / 2 / 2)
    assert updates[1][1]["G/matching"].item() == pytest.approx(10 * (4 * 2.5 + 4 * 4.5) / 2)  # gaps of 1, times 2 to 5
    assert seen["d_fake_after"].item() == pytest.approx(3.0)  # of the finest scale
    with pytest.raises(UserError, match="this D does not show them"):
        Paired({"G": Times(2.0), "D": Judge(1.0)}, PairedRules(matching=1.0))
    with pytest.raises(UserError, match="makes images of one size: set coarse=0"):
        Paired({"G": Times(2.0), "D": Scales()}, PairedRules(coarse=1))


def cycle(**told: object) -> Cycle:
    """Into A times 0.2, into B times 4; judges times 1 and times 0.5."""
    rules = CycleRules(**told)  # type: ignore[arg-type]
    return Cycle({"G": Each(Times(0.2), Times(4.0)), "D": Each(Judge(1.0), Judge(0.5))}, rules)


def test_a_cycle_is_there_and_back_and_an_image_of_the_domain_stays() -> None:
    updates, seen = played(cycle(pool=0), 1)
    assert [name for name, _ in updates] == ["G", "D"]
    terms = {name: value.item() for name, value in updates[0][1].items()}
    # A's 1 becomes 4 in B and 0.8 back in A; B's 10 becomes 2 in A and 8 back in B.
    assert terms["G/adv_B"] == pytest.approx(0.5 * (2 - 1) ** 2)
    assert terms["G/adv_A"] == pytest.approx(0.5 * (2 - 1) ** 2)
    assert terms["G/cycle_B"] == pytest.approx(10 * 0.2)
    assert terms["G/cycle_A"] == pytest.approx(10 * 2)
    assert terms["G/identity_B"] == pytest.approx(0.5 * 10 * 30)
    assert terms["G/identity_A"] == pytest.approx(0.5 * 10 * 0.8)
    judged = {name: value.item() for name, value in updates[1][1].items()}
    assert judged["D/adv_A"] == pytest.approx(0.5 * (0.5 * (1 - 1) ** 2 + 0.5 * 2**2))
    assert judged["D/adv_B"] == pytest.approx(0.5 * (0.5 * (5 - 1) ** 2 + 0.5 * 2**2))
    assert seen["d_real"].item() == pytest.approx((1 + 5) / 2)


def test_distance_can_be_squared_and_identity_left_out() -> None:
    updates, _ = played(cycle(pool=0, distance="l2", identity=0.0, cycle=1.0), 1)
    terms = updates[0][1]
    assert terms["G/cycle_A"].item() == pytest.approx(4.0)
    assert not any("identity" in name for name in terms)


class Layered(Times):
    """A logit for each pixel, after layers that make its double, triple and quadruple of it."""

    def features(self, x: Tensor) -> list[Tensor]:
        return [self.factor * times * x for times in (2, 3, 4, 1)]

    def forward(self, x: Tensor) -> Tensor:
        return self.features(x)[-1]


def test_what_a_judge_of_a_domain_makes_of_its_images_is_matched_in_the_mean_but_for_the_first_layer() -> None:
    networks = {"G": Each(Times(0.2), Times(4.0)), "D": Each(Layered(1.0), Layered(0.5))}
    updates, _ = played(Cycle(networks, CycleRules(pool=0, matching=9.0)), 1)
    terms = {name: value.item() for name, value in updates[0][1].items()}
    # A's judge sees 2 where 1 is real, B's 4 where 10 is; the layers of the triple and the quadruple count.
    assert terms["G/matching_A"] == pytest.approx(9 * (3**2 + 4**2))
    assert terms["G/matching_B"] == pytest.approx(9 * 0.5**2 * (18**2 + 24**2))
    assert terms["G/adv_A"] == pytest.approx(0.5 * (2 - 1) ** 2)
    with pytest.raises(UserError, match="this D does not show them"):
        cycle(matching=1.0)


def test_judges_of_domains_rest_where_they_play_in_every_kth_round() -> None:
    game = cycle(pool=0, d_every=3)
    rounds = [played(game, 1, step=step)[0] for step in (1, 2, 3, 4)]
    assert [[name for name, _ in updates] for updates in rounds] == [["G"], ["G"], ["G", "D"], ["G"]]
    assert game.period == 3


class Naming(nn.Module):
    """A logit x times a learned number, and two domains' logits: x and 0."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(0.5, dtype=torch.float64))

    def both(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.factor * x, torch.cat([x, torch.zeros_like(x)], dim=1).flatten(1)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        return self.both(x)[0]


class Labelled(Dealt):
    """x is 1 of domain 0, to be led into domain 1."""

    def real(self, count: int) -> tuple[Tensor, Tensor]:
        return image(1.0), torch.tensor([0])

    def labels(self, count: int) -> Tensor:
        return torch.tensor([1])


class Into(Times):
    """Into domain y: x times the number to the power of plus or minus one."""

    def forward(self, x: Tensor, other: Tensor | None = None) -> Tensor:
        assert other is not None
        return x * (self.factor if int(other) else 1 / (self.factor + 1))


def test_domains_are_named_asked_for_and_found_the_way_back_from() -> None:
    game = Domains({"G": Into(3.0), "D": Naming()}, DomainRules(n_critic=2, cycle=10.0, gp=10.0))
    updates: list[tuple[str, Terms]] = []
    _, seen = play_round(game, 1, 1, Labelled(), lambda *told: updates.append(told), observe=True)  # type: ignore[arg-type]
    assert [name for name, _ in updates] == ["D", "D", "G"]
    d = {name: value.item() for name, value in updates[0][1].items()}
    # x = 1 becomes 3, which D gives 1.5, and 0.5 to x; its slope is 0.5 everywhere.
    assert d["D/adv"] == pytest.approx(-0.5 + 1.5)
    assert d["D/class"] == pytest.approx(-1 + math.log(math.e + 1))  # -log softmax((1, 0))[0]
    assert d["D/gp"] == pytest.approx(10 * 0.25)
    g = {name: value.item() for name, value in updates[2][1].items()}
    assert g["G/adv"] == pytest.approx(-1.5)
    assert g["G/class"] == pytest.approx(math.log(math.e**3 + 1))  # -log softmax((3, 0))[1]
    assert g["G/cycle"] == pytest.approx(10 * 0.25)  # 3 / 4 for 1
    assert seen["d_fake_before"].item() == pytest.approx(1.5)


def test_a_judge_without_names_is_refused_and_so_is_a_loss_of_pairs() -> None:
    with pytest.raises(UserError, match="D names no domains"):
        Domains({"G": Into(3.0), "D": Judge(1.0)}, DomainRules())
    with pytest.raises(UserError, match="compares real with fake"):
        Domains({"G": Into(3.0), "D": Naming()}, DomainRules(loss="relativistic"))


def test_a_pool_fills_before_it_gives_back_older_images() -> None:
    pool = Pool(2)
    dice = [0.1, 0.0]  # an older one, the first
    assert pool.exchange(image(1.0), dice).item() == 1
    assert pool.exchange(image(2.0), dice).item() == 2
    assert pool.exchange(image(3.0), dice).item() == 1
    assert pool.images is not None
    assert pool.images.flatten().tolist() == [3, 2]
    assert pool.exchange(image(4.0), [0.1, 0.9]).item() == 2
    assert pool.exchange(image(5.0), [0.5, 0.0]).item() == 5  # the new one, which is not kept
    assert pool.images.flatten().tolist() == [3, 4]


def test_half_of_what_a_full_pool_shows_is_older() -> None:
    torch.manual_seed(0)
    pool, older = Pool(50), 0
    for step in range(2_000):
        shown = pool.exchange(image(float(step)), torch.rand(2).tolist()).item()
        older += step >= 50 and shown != step
    assert abs(older / 1_950 - 0.5) < 4 * (0.25 / 1_950) ** 0.5
    assert Pool(0).exchange(image(7.0), [0.1, 0.0]).item() == 7


def test_pools_are_part_of_the_games_state_and_shrink_when_they_are_told_to() -> None:
    game, other = cycle(pool=3), cycle(pool=3)
    for _ in range(4):
        played(game, 1)
    other.load_state_dict(game.state_dict())
    for mine, theirs in zip(game.pools, other.pools, strict=True):
        assert mine.images is not None
        assert theirs.images is not None
        assert torch.equal(mine.images, theirs.images)
    other.retell(CycleRules(pool=1))
    assert [len(pool.images) for pool in other.pools if pool.images is not None] == [1, 1]


def test_d_is_asked_about_images_of_the_size_that_its_stage_trains_on() -> None:
    """Means of four pixels, 2 and 1: not the pixels themselves, whose logits have another accuracy."""

    class Coarse(Times):
        def at(self, coarse: int) -> None:
            pass

    def picture(*pixels: float) -> Tensor:
        return torch.tensor(pixels, dtype=torch.float64).view(1, 1, 2, 2)

    game = Paired({"G": Coarse(2.0), "D": Judge(1.0)}, PairedRules(loss="non-saturating", coarse=1))
    said = game.judge(Shown(real=picture(-1, 9, -1, 1), fake=picture(-1, -1, -1, -1), given=picture(1, 1, 1, 1)))
    assert said["acc_real"].item() == 1.0
    assert said["acc_fake"].item() == 1.0
