"""StyleGAN's generators against the papers' numbers, hand-worked cases and a network put together another way."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from zerosum.errors import UserError
from zerosum.networks import build
from zerosum.networks.layers.styled import Noise, Styled
from zerosum.networks.stylegan import StyleganGenerator, adain
from zerosum.networks.stylegan2 import Modulated, Stylegan2Discriminator, Stylegan2Generator
from zerosum.recipes import recipe
from zerosum.types import Domain

LARGE = Domain(shape=(3, 1024, 1024))
SMALL = Domain(shape=(1, 32, 32))
BOTH = ("stylegan", "stylegan2")


def styled(name: str, domain: Domain = SMALL, **changes: object) -> Styled:
    torch.manual_seed(0)
    G = build(recipe(name).override({"width": 16, "z_dim": 32, "w_dim": 24, **changes}).players["G"], domain)
    assert isinstance(G, Styled)
    return G


def z(count: int = 4, z_dim: int = 32) -> torch.Tensor:
    return torch.randn(count, z_dim, generator=torch.Generator().manual_seed(1))


def size(module: torch.nn.Module) -> int:
    return sum(value.numel() for value in module.parameters())


def test_the_generator_of_1024_pixels_has_the_published_26_2_million_parameters() -> None:
    """1812.04948, table 1 and section 2: 26.2 million, layer by layer as its text has them."""
    with torch.device("meta"):
        G = StyleganGenerator(LARGE)
    maps = [512, 512, 512, 512, 256, 128, 64, 32, 16]

    def end(features: int) -> int:  # factors of noise, biases, an affine map from w to two styles
        return features + features + (512 + 1) * 2 * features

    mapping = 8 * (512 * 512 + 512)
    assert size(G.mapping) == mapping
    assert size(G.blocks[0]) == 4 * 4 * 512 + 9 * 512 * 512 + 2 * end(512)
    for number in range(1, 9):
        before, own = maps[number - 1], maps[number]
        assert size(G.blocks[number]) == 9 * before * own + 9 * own * own + 2 * end(own), number
    assert size(G.to_image) == sum((own + 1) * 3 for own in maps)
    assert round(size(G) / 1e6, 1) == 26.2
    assert G.styles == 18


def test_stylegan2_at_1024_pixels_has_the_parameters_of_the_authors_code() -> None:
    """1912.04958, configuration F; G counted anew from its figures 2 and 7."""
    with torch.device("meta"):
        G, D = Stylegan2Generator(LARGE), Stylegan2Discriminator(LARGE)
    maps = [512, 512, 512, 512, 512, 256, 128, 64, 32]

    def layer(inputs: int, outputs: int) -> int:  # kernel, style, factor of noise, biases
        return 9 * inputs * outputs + 513 * inputs + 1 + outputs

    count = 8 * 513 * 512 + 16 * 512 + layer(512, 512)
    count += sum(layer(a, b) + layer(b, b) for a, b in pairwise(maps))
    count += sum(3 * own + 513 * own + 3 for own in maps)
    assert size(G) == count
    assert (size(G), size(D)) == (30_370_060, 29_012_513)  # as the authors' code prints them
    assert G.styles == 18


def test_adain_gives_each_map_the_mean_and_deviation_that_the_style_says() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64) * 5 + 2
    scale, shift = torch.rand(2, 3, dtype=torch.float64) + 0.5, torch.randn(2, 3, dtype=torch.float64)
    styled_x = adain(x, scale, shift).numpy()
    np.testing.assert_allclose(styled_x.mean((2, 3)), shift, rtol=1e-6)
    np.testing.assert_allclose(styled_x.std((2, 3)), scale, rtol=1e-6)
    by_hand = adain(torch.tensor([[[[1.0, 3.0]]]]), torch.tensor([[2.0]]), torch.tensor([[10.0]]))
    assert by_hand.flatten().tolist() == pytest.approx([8.0, 12.0])  # mean 2, deviation 1


@pytest.mark.parametrize("doubles", [False, True])
@pytest.mark.parametrize("demodulate", [False, True])
def test_a_modulated_convolution_is_one_kernel_for_each_sample(doubles: bool, demodulate: bool) -> None:
    torch.manual_seed(0)
    layer = Modulated(6, 5, 3, 7, demodulate=demodulate, doubles=doubles).double()
    x, w = torch.randn(3, 6, 8, 8, dtype=torch.float64), torch.randn(3, 7, dtype=torch.float64)
    weight = layer.conv.weight.transpose(0, 1) if doubles else layer.conv.weight
    expected = []
    for image, own in zip(x, w, strict=True):
        style = layer.style.weight @ own / math.sqrt(7) + layer.style.bias
        kernel = weight / math.sqrt(6 * 9) * style[None, :, None, None]  # Eq. 1
        if demodulate:
            kernel = kernel / (kernel.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()  # Eq. 3
        if not doubles:
            expected.append(F.conv2d(image[None], kernel, padding=1))
            continue
        zeros = torch.zeros(1, 6, 17, 17, dtype=torch.float64)
        zeros[:, :, 1::2, 1::2] = image  # each pixel with zeros around, then the kernel turned about
        wide = F.conv2d(zeros, kernel.flip(2, 3), padding=1)
        row = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=torch.float64) / 4
        expected.append(F.conv2d(wide, torch.outer(row, row).expand(5, 1, 4, 4), padding=1, groups=5))
    torch.testing.assert_close(layer(x, w), torch.cat(expected))


def test_demodulation_leaves_outputs_of_deviation_one() -> None:
    torch.manual_seed(0)
    layer = Modulated(64, 64, 3, 8)
    with torch.no_grad():
        found = layer(torch.randn(8, 64, 16, 16), 5 * torch.randn(8, 8))
    assert found[:, :, 1:-1, 1:-1].std().item() == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize("name", BOTH)
def test_the_mean_of_w_is_what_it_runs_to_and_truncation_leads_there(name: str) -> None:
    G = styled(name, mixing=0.0)
    w = G.map(z(64))
    for _ in range(3):
        G(z(64))
    mean = w.mean(dim=0)
    torch.testing.assert_close(G.w_mean, (1 - 0.995**3) * mean, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(G.truncated(w, 0.0), G.w_mean.expand_as(w))
    torch.testing.assert_close(G.truncated(w, 1.0), w)
    torch.testing.assert_close(G.truncated(w, 0.25), 0.75 * G.w_mean + 0.25 * w)
    before = G.w_mean.clone()
    G.eval()(z())
    torch.testing.assert_close(G.w_mean, before)


@pytest.mark.parametrize("name", BOTH)
def test_mixed_styles_are_those_of_one_z_and_from_some_layer_on_of_another(name: str) -> None:
    G = styled(name, mixing=1.0)
    w = G.map(z(2))
    firsts = set()
    for seed in range(60):
        torch.manual_seed(seed)
        ws = G.mixed(w[:, None].expand(-1, G.styles, -1), z(2), None)
        same = [(ws[:, layer] == w).all().item() for layer in range(G.styles)]
        first = same.index(False)
        assert not any(same[first:])
        torch.testing.assert_close(ws[:, first:], ws[:, first : first + 1].expand(-1, G.styles - first, -1))
        firsts.add(first)
    assert firsts == set(range(1, G.styles))


@pytest.mark.parametrize("share", [-0.1, 1.5, math.nan])
def test_a_share_of_mixed_batches_beyond_all_of_them_is_refused(share: float) -> None:
    with pytest.raises(UserError, match="expected the share of mixed batches, 0 to 1"):
        StyleganGenerator(SMALL, width=4, mixing=share)


def test_the_share_of_mixed_batches_is_the_papers_nine_tenths() -> None:
    G = styled("stylegan", mixing=0.9)
    ws = G.map(z(1))[:, None].expand(-1, G.styles, -1)
    torch.manual_seed(0)
    mixed = sum(G.mixed(ws, z(1), None) is not ws for _ in range(500))
    assert mixed / 500 == pytest.approx(0.9, abs=0.04)


@pytest.mark.parametrize("name", BOTH)
def test_each_layer_takes_its_own_style(name: str) -> None:
    G = styled(name).eval()
    with torch.no_grad():
        for value in G.parameters():
            value.add_(0.1 * torch.randn_like(value))
        ws = G.map(z(1))[:, None].repeat(1, G.styles, 1)
        whole = G.synthesize(ws)
        for layer in range(G.styles):
            changed = ws.clone()
            changed[:, layer] += 1
            assert (G.synthesize(changed) - whole).abs().max() > 1e-6, layer


@pytest.mark.parametrize("name", BOTH)
def test_samples_are_the_same_each_time_and_noise_is_new_in_training(name: str) -> None:
    G = styled(name, mixing=0.0)
    for module in G.modules():
        if isinstance(module, Noise):
            torch.nn.init.ones_(module.factors)
    torch.manual_seed(0)
    assert (G(z()) - G(z())).abs().max() > 1e-3
    G.eval()
    torch.testing.assert_close(G(z()), G(z()), rtol=0, atol=0)


@pytest.mark.parametrize("name", BOTH)
def test_classes_reach_w_and_the_logit(name: str) -> None:
    domain = Domain(shape=(1, 32, 32), classes=3)
    G = styled(name, domain)
    w0, w1 = (G.map(z(), torch.full((4,), label)) for label in (0, 1))
    assert (w0 - w1).abs().max() > 1e-3
    D = build(recipe(name).override({"width": 16}).players["D"], domain)
    x = torch.randn(4, 1, 32, 32)
    assert (D(x, torch.zeros(4, dtype=torch.int64)) - D(x, torch.ones(4, dtype=torch.int64))).abs().max() > 1e-4


def test_the_constant_begins_at_1_as_in_the_paper_or_spread_around_it() -> None:
    """Of one value AdaIN makes nothing: the first map is what its shifts are, until the constant has moved."""
    ones, spread = styled("stylegan"), styled("stylegan", spread=1.0)
    constants = [G.blocks[0].constant for G in (ones, spread)]
    assert torch.equal(constants[0], torch.ones_like(constants[0]))
    assert constants[1].mean().item() == pytest.approx(1.0, abs=4 / constants[1].numel() ** 0.5)
    assert constants[1].std().item() == pytest.approx(1.0, rel=0.2)
    drawn = [
        G.blocks[0].end1.eval()(constant, torch.zeros(1, 24)).std(dim=(2, 3))
        for G, constant in zip((ones, spread), constants, strict=True)
    ]
    assert drawn[0].max() < 1e-3
    assert drawn[1].min() > 0.9
