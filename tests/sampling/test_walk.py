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
from zerosum.sampling.walk import slerp, walk


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
