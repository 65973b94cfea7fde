"""Residual networks and what they are made of, against numbers worked out here and independent implementations."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrize import is_parametrized

from zerosum.networks import build
from zerosum.networks.describe import describe_player, totals
from zerosum.networks.layers.conditioning import ClassNorm, Projection, VectorNorm
from zerosum.networks.layers.convolution import Conv2d
from zerosum.networks.layers.resnet import DownBlock, SelfAttention, UpBlock, as_it_is
from zerosum.networks.layers.spectral import SpectralNorm, spectral_norm
from zerosum.recipes import recipe
from zerosum.types import Domain


def largest(weight: Tensor) -> float:
    return float(np.linalg.svd(weight.detach().flatten(1).double().numpy(), compute_uv=False)[0])


# power iteration from a random start converges as (s2 / s1)^2k, and a random weight's two largest may be 1% apart
PASSES = 2000
LAYERS = [nn.Linear(20, 30), Conv2d(6, 9, 3), Conv2d(1, 16, 4, 2, 1), nn.Embedding(5, 12)]


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_a_spectrally_normalized_weight_has_a_largest_singular_value_of_one(layer: nn.Module) -> None:
    torch.manual_seed(0)
    raw = layer.weight.detach().clone()
    normed = spectral_norm(layer)
    for _ in range(PASSES):
        found = normed.weight
    assert largest(found) == pytest.approx(1, abs=1e-4)
    assert torch.allclose(found * largest(raw), raw, atol=1e-4)


def test_a_transposed_convolution_is_normalized_by_its_outputs() -> None:
    torch.manual_seed(0)
    layer = spectral_norm(nn.ConvTranspose2d(4, 7, 3))
    for _ in range(PASSES):
        found = layer.weight
    assert largest(found.transpose(0, 1)) == pytest.approx(1, abs=1e-4)


def test_one_pass_in_train_mode_is_one_step_of_power_iteration() -> None:
    """W = diag(3, 1) and u = (0.6, 0.8): v ~ W^T u = (1.8, 0.8), u ~ W v; sigma = u^T W v, by hand."""
    norm = SpectralNorm(torch.eye(2))
    norm.u.copy_(torch.tensor([0.6, 0.8]))
    weight = torch.diag(torch.tensor([3.0, 1.0]))
    v = np.array([1.8, 0.8]) / math.hypot(1.8, 0.8)
    u = np.array([3.0, 1.0]) * v
    sigma = float(np.linalg.norm(u))
    assert norm(weight)[0, 0].item() == pytest.approx(3 / sigma, rel=1e-6)
    assert norm.u.tolist() == pytest.approx((u / sigma).tolist())
    norm.eval()
    before = norm.u.clone()
    assert norm(weight)[0, 0].item() == pytest.approx(3 / sigma, rel=1e-6)
    assert torch.equal(norm.u, before)


def test_where_both_have_converged_it_is_torchs_spectral_norm_and_so_are_its_gradients() -> None:
    torch.manual_seed(3)
    mine, theirs = nn.Linear(8, 5), nn.Linear(8, 5)
    theirs.load_state_dict(mine.state_dict())
    spectral_norm(mine)
    nn.utils.parametrizations.spectral_norm(theirs, eps=1e-12)
    x = torch.randn(3, 8)
    gradients = []
    for layer in (mine, theirs):
        for _ in range(300):
            layer(x)
        (layer(x) + layer(2 * x)).square().sum().backward()  # two passes before the backward
        gradients.append(layer.parametrizations.weight.original.grad)
    assert torch.allclose(mine(x), theirs(x), rtol=1e-5)
    assert torch.allclose(*gradients, rtol=1e-4, atol=1e-4)


def test_a_normalized_layer_can_be_differentiated_twice() -> None:
    torch.manual_seed(0)
    layer = spectral_norm(nn.Linear(4, 3).double()).eval()

    def of(weight: Tensor, x: Tensor) -> Tensor:
        return F.linear(x, layer.parametrizations.weight[0](weight)).tanh()

    weight = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    x = torch.randn(2, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(of, (weight, x))


def test_a_folded_convolution_iterates_once_a_pass() -> None:
    layer = spectral_norm(Conv2d(1, 64, 4, 2, 1))
    twin = SpectralNorm(torch.ones(64, 1, 4, 4))
    twin.load_state_dict(layer.parametrizations.weight[0].state_dict())
    assert layer.folds
    layer(torch.randn(2, 1, 8, 8, requires_grad=True))
    twin(layer.parametrizations.weight.original)
    assert torch.equal(layer.parametrizations.weight[0].u, twin.u)


def test_class_norm_scales_and_shifts_by_class() -> None:
    norm = ClassNorm(2, 3)
    with torch.no_grad():
        norm.scales.weight[1] = torch.tensor([2.0, 3.0])
        norm.shifts.weight[1] = torch.tensor([5.0, -1.0])
    x = torch.randn(6, 2, 4, 4)
    y = torch.tensor([0, 1, 2, 1, 0, 1])
    mean, var = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), correction=0, keepdim=True)
    plain = (x - mean) / (var + 1e-5).sqrt()
    expected = plain.clone()
    of_one = y == 1
    expected[of_one] = plain[of_one] * torch.tensor([2.0, 3.0]).view(1, 2, 1, 1) + torch.tensor([5.0, -1]).view(
        1, 2, 1, 1
    )
    assert torch.allclose(norm(x, y), expected, atol=1e-5)
    assert {name for name, _ in norm.named_parameters()} == {"scales.weight", "shifts.weight"}
    assert {name for name, _ in ClassNorm(2, None).named_parameters()} == {"weight", "bias"}


def test_a_projection_is_the_inner_product_with_the_classs_vector() -> None:
    projection = Projection(3, 2, as_it_is)
    with torch.no_grad():
        projection.embed.weight.copy_(torch.tensor([[1.0, 0.0, 2.0], [0.0, -1.0, 0.5]]))
    features = torch.tensor([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
    assert projection(features, torch.tensor([0, 1])).tolist() == [7.0, -0.5]


def test_attention_begins_as_nothing_and_is_a_weighted_mean_of_values() -> None:
    torch.manual_seed(0)
    attention = SelfAttention(16, as_it_is)
    x = torch.randn(2, 16, 4, 4)
    assert torch.equal(attention(x), x)
    with torch.no_grad():
        attention.gamma.fill_(1.0)
    found = attention(x) - x
    q, k, v = (layer(x) for layer in (attention.query, attention.key, attention.value))
    k, v = F.max_pool2d(k, 2), F.max_pool2d(v, 2)
    mixed = torch.zeros(2, 8, 4, 4)
    for n in range(2):
        for row in range(4):
            for column in range(4):
                scores = torch.stack([q[n, :, row, column] @ k[n, :, i, j] for i in range(2) for j in range(2)])
                shares = torch.exp(scores) / torch.exp(scores).sum()
                values = torch.stack([v[n, :, i, j] for i in range(2) for j in range(2)])
                mixed[n, :, row, column] = shares @ values
    assert torch.allclose(found, attention.out(mixed), atol=1e-5)


def test_blocks_are_the_sum_of_both_paths() -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 4, 6, 6)
    up = UpBlock(4, 5, lambda features: ClassNorm(features, None), as_it_is)
    twice = nn.Upsample(scale_factor=2)
    deep = up.conv2(F.relu(up.norm2(up.conv1(twice(F.relu(up.norm1(x)))))))
    assert torch.allclose(up(x, None), deep + up.skip(twice(x)), atol=1e-5)
    for first in (False, True):
        down = DownBlock(4, 5, as_it_is, halves=True, first=first)
        deep = F.avg_pool2d(down.conv2(F.relu(down.conv1(x if first else F.relu(x)))), 2)
        assert torch.allclose(down(x), deep + F.avg_pool2d(down.skip(x), 2), atol=1e-5)
    same = DownBlock(4, 4, as_it_is, halves=False)
    assert same.skip is None
    assert torch.allclose(same(x), x + same.conv2(F.relu(same.conv1(F.relu(x)))), atol=1e-6)


def test_sngan_at_32_pixels_has_the_tables_of_the_paper() -> None:
    """Table 4, CIFAR-10: G dense 4x4x256, three blocks up of 256; D four blocks of 128, two of which halve."""
    domain, told = Domain(shape=(3, 32, 32)), recipe("sngan")
    up = 2 * (256 * 256 * 9 + 256) + 256 * 256 + 256 + 2 * (2 * 256)
    g = 129 * 4096 + 3 * up + 2 * 256 + 256 * 3 * 9 + 3
    first = 3 * 128 * 9 + 128 + 128 * 128 * 9 + 128 + 3 * 128 + 128
    block = 2 * (128 * 128 * 9 + 128)
    d = first + (block + 128 * 128 + 128) + 2 * block + 128 + 1
    for name, count in (("G", g), ("D", d)):
        layers = describe_player(told.players[name], domain)
        assert totals(layers)[0] == count == sum(p.numel() for p in build(told.players[name], domain).parameters())
    maps = [layer.output for layer in describe_player(told.players["D"], domain) if layer.kernel == 3]
    assert maps == [(128, 32, 32)] * 2 + [(128, 16, 16)] * 2 + [(128, 8, 8)] * 4


def test_sngan_at_48_pixels_widens_in_the_second_convolution_of_a_block() -> None:
    """Table 5, STL-10: D of 64 to 1024; a block's hidden channels are those that it is given, but in the first."""
    told = recipe("sngan").players["D"]
    kernels = [layer for layer in describe_player(told, Domain(shape=(3, 48, 48))) if layer.kernel == 3]
    widths = [64, 64, 128, 128, 256, 256, 512, 512, 1024]
    assert [layer.output[0] for layer in kernels] == [64, *widths]


def test_sagan_attends_at_32_of_128_pixels_in_both_networks() -> None:
    domain, told = Domain(shape=(3, 128, 128), classes=10), recipe("sagan")
    for name, channels in (("G", 256), ("D", 128)):
        queries = [layer.output for layer in describe_player(told.players[name], domain) if ".query" in layer.name]
        assert queries == [(channels // 8, 32, 32)]


def test_biggan_splits_z_over_its_blocks() -> None:
    """Table 4 at 128 pixels: 120 numbers in six parts of 20; a change of one part leaves the first layer alone."""
    domain = Domain(shape=(3, 128, 128), classes=7)
    told = recipe("biggan").override({"width": 2})
    torch.manual_seed(0)
    G = build(told.players["G"], domain).eval()
    assert (G.z_dim, G.part) == (120, 20)
    seen: list[Tensor] = []
    G.start.register_forward_hook(lambda layer, given, found: seen.append(found))
    G.blocks[0].register_forward_hook(lambda layer, given, found: seen.append(found))
    z, y = torch.randn(1, 120), torch.tensor([3])
    other = z.clone()
    other[:, 40:60] = 1.0  # the second block's part
    with torch.no_grad():
        first, second = G(z, y), G(other, y)
    assert torch.equal(seen[0], seen[2])
    assert torch.equal(seen[1], seen[3])
    assert not torch.equal(first, second)


@pytest.mark.parametrize(
    ("size", "numbers", "up", "down"),
    [
        (256, 140, [16, 8, 8, 4, 2, 1], [1, 2, 4, 8, 8, 16, 16]),
        (512, 160, [16, 8, 8, 4, 2, 1, 1], [1, 1, 2, 4, 8, 8, 16, 16]),
    ],
)
def test_bigger_biggans_have_the_tables_of_the_paper(size: int, numbers: int, up: list[int], down: list[int]) -> None:
    """Tables 5 and 6: the channels of each block in multiples of the width, and attention at 64 pixels."""
    width, domain = 16, Domain(shape=(3, size, size), classes=4)
    told = recipe("biggan").override({"width": width})
    assert build(told.players["G"], domain).z_dim == numbers
    for name, channels in (("G", up), ("D", down)):
        layers = describe_player(told.players[name], domain)
        wide = [layer.output[0] for layer in layers if layer.name.endswith(".conv2")]
        assert wide == [times * width for times in channels]
        assert {layer.output[1:] for layer in layers if ".query" in layer.name} == {(64, 64)}


@pytest.mark.parametrize(
    ("name", "player", "free"),
    [
        ("sngan", "D", "nothing"),
        ("sagan", "D", "nothing"),
        ("biggan", "D", "nothing"),
        ("sngan", "G", ".*"),
        ("sagan", "G", r"blocks\.\d\.norm\d\.(scales|shifts)"),  # a number for each class and channel
        ("biggan", "G", "embed"),
    ],
)
def test_every_layer_that_the_papers_normalize_is_normalized(name: str, player: str, free: str) -> None:
    """All but those of that pattern, and none of these."""
    network = build(recipe(name).override({"width": 8}).players[player], Domain(shape=(3, 32, 32), classes=4))
    layers = {
        path: layer
        for path, layer in network.named_modules()
        if isinstance(layer, (nn.Conv2d, nn.Linear, nn.Embedding)) and "parametrizations" not in path
    }
    assert len(layers) > 8
    for path, layer in layers.items():
        normalized = is_parametrized(layer, "weight") and isinstance(layer.parametrizations.weight[0], SpectralNorm)
        assert normalized != bool(re.fullmatch(free, path)), path


def test_biggans_weights_are_orthogonal_at_first() -> None:
    domain = Domain(shape=(1, 32, 32), classes=10)
    G = build(recipe("biggan").override({"width": 8}).players["G"], domain)
    weight = G.blocks[0].conv1.parametrizations.weight.original.flatten(1)
    assert torch.allclose(weight @ weight.t(), torch.eye(len(weight)), atol=1e-5)


def test_a_vectors_norm_is_one_plus_its_linear_map() -> None:
    torch.manual_seed(0)
    norm = VectorNorm(3, 5, as_it_is)
    x, vector = torch.randn(4, 3, 6, 6), torch.randn(4, 5)
    plain = (x - x.mean((0, 2, 3), keepdim=True)) / (x.var((0, 2, 3), correction=0, keepdim=True) + 1e-5).sqrt()
    scale = 1 + vector @ norm.scale.weight.t()
    shift = vector @ norm.shift.weight.t()
    assert torch.allclose(norm(x, vector), plain * scale[:, :, None, None] + shift[:, :, None, None], atol=1e-5)
