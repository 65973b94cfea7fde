"""Great circles between latents, and walks that close."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from zerosum.errors import UserError
from zerosum.networks import build
from zerosum.networks.layers.styled import Styled
from zerosum.recipes import recipe
from zerosum.sampling.draw import latents
from zerosum.sampling.grid import to_uint8
from zerosum.sampling.latents import within
from zerosum.sampling.walk import Way, slerp, walk
from zerosum.types import Domain


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_slerp_of_a_right_angle_is_known():
    z0, z1 = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 1.0, 0.0])
    half = math.sqrt(0.5)
    torch.testing.assert_close(slerp(z0, z1, 0.5), torch.tensor([half, half, 0.0]))
    torch.testing.assert_close(slerp(z0, z1, 1 / 3), torch.tensor([math.sqrt(3) / 2, 0.5, 0.0]))
    torch.testing.assert_close(slerp(2 * z0, 4 * z1, 0.5), torch.tensor([3 * half, 3 * half, 0.0]))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 200), st.floats(0, 1))
def test_slerp_agrees_with_the_paper_where_the_ends_are_equally_long(seed, d, t):
    z0, z1 = rand(d, seed=seed), rand(d, seed=seed + 1)
    z1 = z1 * z0.norm() / z1.norm()
    angle = torch.acos((z0 @ z1) / z0.norm().square())
    paper = (torch.sin((1 - t) * angle) * z0 + torch.sin(t * angle) * z1) / torch.sin(angle)
    torch.testing.assert_close(slerp(z0, z1, t), paper, atol=1e-6, rtol=1e-6)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 1))
def test_slerp_starts_ends_keeps_its_length_and_runs_both_ways(seed, t):
    z0, z1 = rand(5, 8, seed=seed), rand(5, 8, seed=seed + 1)
    torch.testing.assert_close(slerp(z0, z1, 0.0), z0)
    torch.testing.assert_close(slerp(z0, z1, 1.0), z1)
    z = slerp(z0, z1, t)
    torch.testing.assert_close(z.norm(dim=-1), (1 - t) * z0.norm(dim=-1) + t * z1.norm(dim=-1))
    torch.testing.assert_close(z, slerp(z1, z0, 1 - t))


def test_slerp_between_equal_opposite_and_zero_ends():
    z = rand(6, 9)
    for t in (0.0, 0.3, 0.5, 1.0):
        torch.testing.assert_close(slerp(z, z, t), z)
        torch.testing.assert_close(slerp(z, 3 * z, t), (1 + 2 * t) * z)
        torch.testing.assert_close(slerp(z, -z, t).norm(dim=-1), z.norm(dim=-1))
        torch.testing.assert_close(slerp(z * 0, z, t), t * z)
        assert slerp(z * 0, z * 0, t).abs().max() == 0
    half = slerp(z, -z, 0.5)
    torch.testing.assert_close((half * z).sum(-1), torch.zeros(6, dtype=torch.float64))
    torch.testing.assert_close(slerp(z, -z, 1.0), -z)


@pytest.mark.parametrize("tiny", [1e-3, 1e-7, 1e-12, 1e-15])
def test_slerp_next_to_equal_and_opposite_ends_is_as_exact_as_float64(tiny):
    z0, off = rand(4, 6), rand(4, 6, seed=9)
    for z1 in (z0 + tiny * off, -z0 + tiny * off):
        torch.testing.assert_close(slerp(z0, z1, 1.0), z1, atol=1e-8, rtol=0)
        path = torch.stack([slerp(z0, z1, t) for t in np.linspace(0, 1, 9)])
        steps = path.diff(dim=0).norm(dim=-1)
        torch.testing.assert_close(steps, steps.mean(0).expand_as(steps), atol=1e-8, rtol=0.02)


def test_slerp_keeps_the_dtype():
    assert slerp(torch.randn(3), torch.randn(3), 0.4).dtype == torch.float32


class Recorder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.z: list[torch.Tensor] = []
        self.y: list[torch.Tensor | None] = []

    def forward(self, z: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
        self.z.append(z.clone())
        self.y.append(y)
        return torch.tanh(z[:, :1, None, None]).expand(-1, 1, 8, 8)


def test_walk_is_a_closed_loop_of_even_steps():
    G = Recorder()
    frames = list(walk(G, z_dim=12, seed=4, keyframes=3, steps=5, walks=4, scale=2))
    assert len(frames) == 15
    assert {frame.size for frame in frames} == {(2 + 2 * 18, 2 + 2 * 18)}
    path = torch.stack(G.z)
    jumps = torch.cat([path, path[:1]]).diff(dim=0).norm(dim=-1)
    assert jumps.max() < 0.5 * (path[5] - path[0]).norm(dim=-1).min()
    angles = torch.acos(torch.cosine_similarity(path[0:5], path[1:6], dim=-1))
    torch.testing.assert_close(angles, angles[:1].expand_as(angles), atol=1e-3, rtol=0)
    assert G.y == [None] * 15


def test_walk_keeps_its_labels_and_its_seed():
    labels = np.array([3, 1], np.int64)
    one, two, other = Recorder(), Recorder(), Recorder()
    for G, seed in ((one, 0), (two, 0), (other, 1)):
        list(walk(G, z_dim=4, seed=seed, keyframes=2, steps=2, walks=2, labels=labels))
    assert all(y.tolist() == [3, 1] for y in one.y)
    assert torch.equal(torch.stack(one.z), torch.stack(two.z))
    assert not torch.equal(torch.stack(one.z), torch.stack(other.z))


def test_walks_that_can_not_be_are_refused():
    with pytest.raises(UserError, match="at least 1"):
        next(walk(Recorder(), z_dim=4, seed=0, steps=0))
    with pytest.raises(UserError, match="points"):
        next(walk(nn.Identity(), z_dim=2, seed=0))
    with pytest.raises(ValueError, match="1 labels for 2"):
        next(walk(Recorder(), z_dim=4, seed=0, walks=2, labels=np.zeros(1, np.int64)))


def network(name: str, classes: int | None, **changes: object) -> nn.Module:
    torch.manual_seed(0)
    return build(recipe(name).override(changes).players["G"], Domain(shape=(1, 28, 28), classes=classes)).eval()


def styled(classes: int | None = None) -> Styled:
    G = network("stylegan2", classes, z_dim=8, w_dim=6, width=4, depth=2)
    assert isinstance(G, Styled)
    G.w_mean.copy_(torch.linspace(-1, 1, 6))
    return G


def seen_w(G: Styled, **how: object) -> list[torch.Tensor]:
    """The w of each frame, (N, styles, w_dim)."""
    seen, draws = [], G.synthesize

    def watched(ws: torch.Tensor) -> torch.Tensor:
        seen.append(ws.clone())
        return draws(ws)

    G.synthesize = watched  # type: ignore[method-assign]
    list(walk(G, z_dim=8, seed=2, walks=3, **how))
    return seen


@torch.no_grad()
def test_with_styles_a_walk_goes_straight_in_w():
    G = styled()
    seen = seen_w(G, keyframes=2, steps=4, psi=0.5)
    w = G.map(torch.cat(list(latents(6, 8, seed=2)))).reshape(2, 3, 6)
    w0, w1 = ((own + G.w_mean) / 2 for own in w)
    shares = [0, 0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25]
    for found, share in zip(seen, shares, strict=True):
        torch.testing.assert_close(found, ((1 - share) * w0 + share * w1)[:, None].expand(-1, 6, -1))


@torch.no_grad()
def test_a_walk_in_z_can_be_asked_of_styles_too():
    G = styled()
    seen = seen_w(G, keyframes=2, steps=2, space="z")
    z0, z1 = torch.cat(list(latents(6, 8, seed=2))).reshape(2, 3, 8)
    torch.testing.assert_close(seen[1][:, 0], G.map(slerp(z0, z1, 0.5)))
    torch.testing.assert_close(seen[2][:, 0], G.map(z1))


def test_a_walk_in_z_is_truncated_where_it_is():
    G, whole = Recorder(), Recorder()
    list(walk(G, z_dim=4, seed=0, keyframes=2, steps=3, walks=2, psi=0.3))
    list(walk(whole, z_dim=4, seed=0, keyframes=2, steps=3, walks=2))
    for found, z in zip(G.z, whole.z, strict=True):
        torch.testing.assert_close(found, within(z, 0.6))


@pytest.mark.parametrize("name", ["quick", "cgan", "acgan", "biggan", "sngan", "r3gan", "stylegan2"])
def test_a_morph_is_each_class_in_its_turn_and_neither_in_between(name):
    widths = {"cgan": {}, "stylegan2": {"width": 4, "z_dim": 8, "w_dim": 6}, "r3gan": {"width": 16}}
    G = network(name, 3, **widths.get(name, {"width": 8}))
    with torch.no_grad():  # class-wise scales and shifts begin alike
        for value in G.parameters():
            value.add_(0.05 * torch.randn_like(value))
    z_dim = int(G.z_dim)
    z = next(latents(2, z_dim, seed=1))
    way = Way(G, [(z, row.expand(2, -1)) for row in torch.eye(3)[[2, 0]]], 1.0, "cpu")
    with torch.no_grad():  # all of one noise, which samples have one each of
        ends = [to_uint8(G(z, torch.full((2,), only))) for only in (2, 0)]
    found = [to_uint8(way.images(index, t)).astype(int) for index, t in ((0, 0.0), (1, 0.0), (0, 0.5), (1, 0.5))]
    assert np.abs(found[0] - ends[0]).max() <= 1
    assert np.abs(found[1] - ends[1]).max() <= 1
    assert np.abs(found[2] - found[3]).max() <= 1  # there and back
    assert all(np.abs(found[2] - end).max() > 1 for end in ends)


def test_a_morph_of_three_classes_is_a_closed_loop_from_one_z():
    G = Recorder()
    frames = list(walk(G, z_dim=4, seed=0, steps=2, walks=2, morph=torch.eye(4)[[3, 1, 0]]))
    assert len(frames) == 6
    assert all(torch.equal(z, G.z[0]) for z in G.z)
    between = [[0, 0, 0, 1], [0, 0.5, 0, 0.5], [0, 1, 0, 0], [0.5, 0.5, 0, 0], [1, 0, 0, 0], [0.5, 0, 0, 0.5]]
    assert [y.tolist() for y in G.y] == [[row] * 2 for row in between]


@torch.no_grad()
def test_with_styles_a_morph_goes_straight_between_the_classes_own_w():
    G = styled(classes=3)
    seen = seen_w(G, steps=2, morph=torch.eye(3)[[0, 2]])
    z = next(latents(3, 8, seed=2))
    w0, w2 = (G.map(z, torch.full((3,), label)) for label in (0, 2))
    for found, expected in zip(seen, (w0, (w0 + w2) / 2, w2, (w0 + w2) / 2), strict=True):
        torch.testing.assert_close(found[:, 5], expected)


def test_w_of_a_generator_without_styles_and_psi_out_of_range_are_refused():
    with pytest.raises(UserError, match="this generator has none, only z"):
        next(walk(Recorder(), z_dim=4, seed=0, space="w"))
    for psi in (-0.1, 1.1, math.nan):
        with pytest.raises(UserError, match="psi is"):
            next(walk(Recorder(), z_dim=4, seed=0, psi=psi))
