"""Projection: distances and rates by hand, and targets that a generator drew itself from a known code."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from zerosum.errors import UserError
from zerosum.networks import build
from zerosum.networks.layers.styled import Styled
from zerosum.recipes import recipe
from zerosum.sampling.latents import Space
from zerosum.sampling.projection import PULL, SearchInW, SearchInZ, distance, project, rate
from zerosum.types import Domain


class Linear(nn.Module):
    """Images (N, 1, 16, 16) in [0, 1] of z and a class, which lights a band of its own."""

    z_dim = 6

    def __init__(self, classes: int = 0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(6, 256)
        self.bands = nn.Parameter(torch.zeros(max(classes, 1), 16, 16))
        with torch.no_grad():
            for label in range(classes):
                self.bands[label, 4 * label : 4 * label + 4] = 0.6

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        light = 0.2 + 0.1 * self.layer(z).view(-1, 1, 16, 16)
        return light if y is None else light + self.bands[y][:, None]


def styled(classes: int | None = None) -> Styled:
    torch.manual_seed(0)
    changes = {"z_dim": 8, "w_dim": 6, "width": 4, "depth": 2}
    G = build(recipe("stylegan2").override(changes).players["G"], Domain(shape=(1, 28, 28), classes=classes)).eval()
    assert isinstance(G, Styled)
    w = G.map(torch.randn(1000, 8), None if classes is None else torch.arange(1000) % classes)
    G.w_mean.copy_(w.detach().mean(dim=0))
    return G.requires_grad_(False)


def test_the_distance_is_the_mean_over_scales_of_the_mean_squared_error() -> None:
    """At 16 pixels one error of 4 among 256; at 8 the mean of its 2x2 is 1, among 64; and no scale below 8."""
    images = torch.zeros(2, 1, 16, 16)
    images[1, 0, 5, 5] = 4
    expected = (16 / 256 + 1 / 64) / 2
    assert distance(images, torch.zeros(1, 1, 16, 16)).tolist() == pytest.approx([0, expected])
    for size, scales in ((8, 1), (15, 1), (28, 2), (32, 3), (36, 3), (64, 4)):
        x = torch.zeros(1, 3, size, size)
        x[:, 0] = 3.0  # of three channels, the same on every scale
        assert distance(x, torch.zeros_like(x)).item() == pytest.approx(3)
        spot = torch.zeros(1, 1, size, size)
        spot[..., 0, 0] = 1.0
        means = [4.0**-level / (size * size) for level in range(scales)]  # (1 / 4^k)^2 over (size / 2^k)^2
        assert distance(spot, torch.zeros_like(spot)).item() == pytest.approx(sum(means) / scales, rel=1e-5)


def test_the_rate_rises_over_a_twentieth_and_falls_over_the_last_quarter() -> None:
    assert [rate(t) for t in (0.0, 0.025, 0.05, 0.5, 0.75)] == pytest.approx([0, 0.05, 0.1, 0.1, 0.1])
    assert rate(0.875) == pytest.approx(0.05)
    assert rate(1 - 1e-9) == pytest.approx(0, abs=1e-9)


def test_a_picture_of_a_linear_generator_is_found_again() -> None:
    G = Linear()
    z = torch.randn(1, 6, generator=torch.Generator().manual_seed(3))
    found = project(G, G(z)[0].detach(), steps=200, seed=0, value_range=(0.0, 1.0))
    assert found.end < found.start / 100
    assert len(found.distances) == 200
    assert found.distances[0] == pytest.approx(found.start)
    torch.testing.assert_close(found.code, z, atol=0.1, rtol=0)
    torch.testing.assert_close(G(found.code)[0].detach(), found.image)
    assert found.label is None


def test_a_picture_of_quick_is_found_again_and_its_class_with_it() -> None:
    torch.manual_seed(1)
    told = recipe("quick").override({"G.width": 8, "z_dim": 8})
    G = build(told.players["G"], Domain(shape=(1, 28, 28), classes=3))
    with torch.no_grad():  # batch norm that has seen something, and a picture with contrast
        for _ in range(50):
            G(torch.randn(64, 8), torch.randint(3, (64,)))
    G.eval()
    z, y = torch.randn(1, 8), torch.tensor([2])
    found = project(G, G(z, y)[0].detach(), steps=200, seed=0, classes=3)
    assert found.end < found.start / 100
    assert found.label == 2


def test_the_class_is_that_of_the_best_start_or_the_one_that_is_named() -> None:
    G = Linear(classes=4)
    target = G(torch.zeros(1, 6), torch.tensor([3]))[0].detach()
    how = {"steps": 60, "seed": 0, "classes": 4, "value_range": (0.0, 1.0)}
    assert project(G, target, **how).label == 3
    named = project(G, target, label=1, **how)
    assert named.label == 1
    assert named.end > 0.1


def test_every_class_has_a_start() -> None:
    space = Space(Linear())
    assert SearchInZ(space, 5, None, 0, "cpu").y.tolist() == [*range(5)] * 3 + [0]
    assert SearchInZ(space, 20, None, 0, "cpu").y.tolist() == [*range(20)]
    assert SearchInZ(space, 20, 7, 0, "cpu").y.tolist() == [7] * 16
    assert SearchInZ(space, None, None, 0, "cpu").y is None


def test_of_many_classes_sixteen_are_drawn_at_a_time() -> None:
    """Each of them has its start all the same, and the right one is found."""
    G = Linear(classes=40)
    target = G(torch.zeros(1, 6), torch.tensor([3]))[0].detach()
    seen: list[int] = []
    G.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    found = project(G, target, steps=60, seed=0, classes=40, value_range=(0.0, 1.0))
    assert found.label == 3
    assert seen[:3] == [16, 16, 8]
    assert max(seen) == 16


def test_z_is_pulled_to_the_length_that_most_z_have() -> None:
    search = SearchInZ(Space(Linear()), None, None, 0, "cpu")
    with torch.no_grad():
        search.code.zero_()
        search.code[0] = 1.0  # |z|^2 = D
        search.code[1] = 2.0
    assert search.pull()[:3].tolist() == pytest.approx([0, 9 * PULL, PULL])


def test_a_picture_of_styles_is_found_again_by_one_w_for_all_layers() -> None:
    G = styled()
    w = G.map(torch.randn(1, 8))
    found = project(G, G.synthesize(w[:, None].expand(-1, 6, -1))[0], steps=200, seed=0)
    assert found.end < found.start / 100
    assert found.code.shape == (6, 6)
    assert (found.code == found.code[:1]).all()
    mean = G.synthesize(G.w_mean.expand(1, 6, -1))
    target = G.synthesize(w[:, None].expand(-1, 6, -1))
    assert found.start == pytest.approx(distance((mean - target) / 2, torch.zeros_like(target)).item(), rel=1e-4)


def test_w_begins_at_the_mean_that_the_network_knows_or_at_that_of_a_class() -> None:
    G = styled(classes=2)
    z = torch.randn(20_000, 8)
    of_one = G.map(z, torch.ones(20_000, dtype=torch.int64))
    assert torch.equal(SearchInW(Space(G), None, 0, "cpu").code[0], G.w_mean)
    search = SearchInW(Space(G), 1, 0, "cpu")
    torch.testing.assert_close(search.code[0].detach(), of_one.mean(dim=0), atol=0.05, rtol=0)
    assert search.deviation == pytest.approx(of_one.var(dim=0).sum().sqrt().item(), rel=0.05)


def test_noise_on_w_falls_with_the_square_of_what_is_left_and_ends_after_three_quarters() -> None:
    search = SearchInW(Space(styled()), None, 0, "cpu")
    spread = {}
    for t in (0.0, 0.375, 0.75, 1.0):
        moved = torch.stack([search.layered(t)[0, 0] - search.code[0] for _ in range(2000)])
        spread[t] = moved.std().item()
    assert spread[0.0] == pytest.approx(0.05 * search.deviation, rel=0.05)
    assert spread[0.375] == pytest.approx(spread[0.0] / 4, rel=0.05)
    assert (spread[0.75], spread[1.0]) == (0, 0)


@pytest.mark.parametrize("make", [Linear, styled])
def test_the_same_seed_finds_the_same_and_nothing_else_is_changed(make: type[nn.Module]) -> None:
    G = make().train()
    target = torch.full((1, 28, 28) if isinstance(G, Styled) else (1, 16, 16), 0.3)
    before = {name: value.clone() for name, value in G.state_dict().items()}
    state = torch.get_rng_state()
    first, again, other = (project(G, target, steps=8, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.code, again.code)
    assert first.distances == again.distances
    assert first.distances != other.distances
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in G.state_dict().items())
    assert G.training
    assert all(value.grad is None for value in G.parameters())
    assert not first.code.requires_grad
    assert not first.code.is_inference()


def test_one_step_is_enough_and_none_is_not() -> None:
    target = torch.zeros(1, 16, 16)
    assert math.isfinite(project(Linear(), target, steps=1, seed=0).end)
    with pytest.raises(UserError, match="0 steps asked for; expected at least 1"):
        project(Linear(), target, steps=0, seed=0)


def test_distances_are_those_of_values_from_0_to_1_whatever_the_range() -> None:
    G, target = Linear(), np.float32(0.5)
    image = torch.full((1, 16, 16), target)
    narrow = project(G, image, steps=1, seed=0, value_range=(0.0, 1.0)).start
    assert project(G, image, steps=1, seed=0, value_range=(-1.0, 1.0)).start == pytest.approx(narrow / 4, rel=1e-5)
