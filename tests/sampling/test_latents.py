"""Codes of every kind of generator, and truncation against scipy's truncated normal and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm, truncnorm
from torch import nn

from zerosum.errors import UserError
from zerosum.networks import build
from zerosum.networks.layers.styled import Noise, Styled
from zerosum.recipes import recipe
from zerosum.sampling.draw import draw, latents
from zerosum.sampling.latents import Space, within
from zerosum.types import Domain

DOMAIN = Domain(shape=(1, 28, 28), classes=3)
SMALL = {"z_dim": 8, "w_dim": 6, "width": 4, "depth": 2}


class Echo(nn.Module):
    z_dim = 4

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return z


def network(name: str, **changes: object) -> nn.Module:
    torch.manual_seed(0)
    return build(recipe(name).override(changes).players["G"], DOMAIN).eval()


@pytest.mark.parametrize("psi", [0.1, 0.5, 0.9, 0.999])
def test_truncated_z_has_the_quantiles_of_the_normal_distribution_between_two_psi(psi: float) -> None:
    z = torch.cat([torch.linspace(-5, 5, 101, dtype=torch.float64), torch.tensor([-30.0, 30.0])])[None]
    found = Space(Echo()).truncated(z[:, None], psi)[0, 0]
    expected = truncnorm.ppf(norm.cdf(z[0].numpy()), -2 * psi, 2 * psi)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-9)
    assert (found[:-2].diff() > 0).all()
    assert found.abs().max() <= 2 * psi


def test_the_ends_of_psi_are_z_itself_and_zero() -> None:
    z = torch.randn(5, 1, 4, generator=torch.Generator().manual_seed(0))
    space = Space(Echo())
    assert space.truncated(z, 1.0) is z
    assert space.truncated(z, 0.0).abs().max() == 0
    assert within(z, 1.0).dtype == torch.float32
    assert within(torch.zeros(1), 1.0).item() == 0


def test_the_same_seed_gives_related_z_of_another_spread() -> None:
    half = np.concatenate(list(draw(Echo(), 2000, z_dim=4, seed=3, psi=0.5)))
    whole = torch.cat(list(latents(2000, 4, seed=3))).numpy()
    assert np.abs(half).max() < 1
    assert half.std() == pytest.approx(truncnorm.std(-1, 1), rel=0.03)
    assert (np.argsort(half, axis=0) == np.argsort(whole, axis=0)).mean() > 0.99  # ties apart


@pytest.mark.parametrize("psi", [-0.01, 1.01, math.nan, math.inf])
def test_another_psi_is_one_line(psi: float) -> None:
    with pytest.raises(UserError, match=r"psi is .*; expected a number from 0, .* to 1"):
        next(draw(Echo(), 2, z_dim=4, seed=0, psi=psi))
    with pytest.raises(UserError, match="psi is"):
        Space(Echo()).truncated(torch.zeros(1, 1, 4), psi)


@pytest.mark.parametrize("name", ["stylegan", "stylegan2"])
def test_codes_with_styles_are_w_on_every_layer_and_are_truncated_on_the_line_to_their_mean(name: str) -> None:
    G = network(name, **SMALL)
    assert isinstance(G, Styled)
    G.w_mean.copy_(torch.arange(6.0))
    space, z, y = Space(G), torch.randn(3, 8), torch.tensor([0, 1, 2])
    with torch.no_grad():
        codes, w = space.codes(z, y), G.map(z, y)
        assert (space.name, codes.shape) == ("w", (3, 6, 6))  # three maps of two layers; w_dim
        assert all(torch.equal(codes[:, layer], w) for layer in range(6))
        found = space.truncated(codes, 0.25)
        torch.testing.assert_close(found, (0.25 * w + 0.75 * torch.arange(6.0))[:, None].expand(-1, 6, -1))
        assert torch.equal(space.truncated(codes, 1.0), codes)
        assert torch.equal(space.images(codes), G(z, y))


def test_codes_of_any_other_generator_are_z() -> None:
    G = network("quick", **{"G.width": 4})
    space, z, y = Space(G), torch.randn(3, 64), torch.tensor([0, 1, 2])
    assert (space.name, space.codes(z, y).shape) == ("z", (3, 1, 64))
    with torch.no_grad():
        assert torch.equal(space.images(space.codes(z, y), y), G(z, y))


def test_truncated_styles_draw_the_picture_of_the_mean_of_w() -> None:
    G = build(recipe("stylegan2").override(SMALL).players["G"], Domain(shape=(1, 28, 28), classes=None)).eval()
    assert isinstance(G, Styled)
    G.w_mean.copy_(torch.linspace(-1, 1, 6))
    drawn = np.concatenate(list(draw(G, 4, z_dim=8, seed=0, psi=0.0)))
    same = bool((drawn == drawn[:1]).all())
    assert same
    with torch.no_grad():
        mean = G.synthesize(G.w_mean.expand(1, 6, -1))[0, 0]
    assert np.abs(drawn[0, :, :, 0] - (mean.numpy() + 1) * 127.5).max() <= 0.51


@pytest.mark.parametrize("name", ["stylegan", "stylegan2"])
def test_drawn_samples_have_noise_of_their_own_and_codes_alone_the_same(name: str) -> None:
    """At psi 0 nothing but noise tells two samples apart; how many are drawn at a time changes none of it."""
    G = build(recipe(name).override(SMALL).players["G"], Domain(shape=(1, 28, 28), classes=None)).eval()
    with torch.no_grad():
        for layer in (module for module in G.modules() if isinstance(module, Noise)):
            layer.factors.fill_(0.5)
    one, again, by_two, other = (
        np.concatenate(list(draw(G, 4, z_dim=8, seed=seed, batch=batch, psi=0.0)))
        for seed, batch in ((0, 4), (0, 4), (0, 2), (1, 4))
    )
    assert np.array_equal(one, again)
    assert np.abs(one.astype(int) - by_two).max() <= 1
    assert len({image.tobytes() for image in (*one, *other)}) == 8
    with torch.no_grad():
        made = G.synthesize(G.w_mean.expand(2, G.styles, -1))
    assert torch.equal(made[0], made[1])


def test_truncated_styles_stay_in_their_class() -> None:
    """At 0 they are the mean of the class's w, found here from other z; a mixture of classes has a mean of its own."""
    G = network("stylegan2", **SMALL)
    assert isinstance(G, Styled)
    space, y = Space(G), torch.tensor([2, 0, 2])
    with torch.no_grad():
        codes = space.codes(torch.randn(3, 8), y)
        found = space.truncated(codes, 0.0, y)
        z = torch.randn(20_000, 8)
        means = torch.stack([G.map(z, torch.full((20_000,), label)).mean(dim=0) for label in range(3)])
        apart = (means[2] - means[0]).abs().max()
        assert (found[:, 0] - means[y]).abs().max() < 0.2 * apart
        torch.testing.assert_close(space.truncated(codes, 0.25, y), torch.lerp(found, codes, 0.25))
        half = torch.tensor([[0.5, 0.0, 0.5]])
        own = G.map(z, half.expand(20_000, -1)).mean(dim=0)
        assert (space.truncated(codes[:1], 0.0, half)[0, 0] - own).abs().max() < 0.2 * apart
