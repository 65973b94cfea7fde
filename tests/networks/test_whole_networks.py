"""Whole networks against the same sums written down from the papers with torch's plain functions, in float64.

Pieces have tests of their own; here what could be wrong is their order, their wiring and the constants between them.
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zerosum.networks import build
from zerosum.networks.layers.growing import Growing
from zerosum.networks.layers.resnet import SelfAttention
from zerosum.recipes import recipe
from zerosum.types import Domain

ROOT2 = math.sqrt(2)


def double(name: str, player: str, domain: Domain, **changes: object) -> nn.Module:
    """The player's network in float64, every parameter moved a little, so that none is at its first value."""
    torch.manual_seed(0)
    network = build(recipe(name).override(changes).players[player], domain).double()
    with torch.no_grad():
        for value in network.parameters():
            value.add_(torch.randn_like(value) * 0.1)
    return network


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def assert_same(found: Tensor, expected: Tensor) -> None:
    assert expected.std() > 1e-3
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=1e-7)


def leaky(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.2 * x)


def over_length(x: Tensor) -> Tensor:
    return x / (x.pow(2).mean(1, keepdim=True) + 1e-8).sqrt()


def he(weight: Tensor, gain: float = ROOT2) -> Tensor:
    """A weight as the equalized learning rate uses it."""
    return weight * gain / math.sqrt(weight[0].numel())


def conv(x: Tensor, layer: nn.Module, gain: float = ROOT2) -> Tensor:
    return F.conv2d(x, he(layer.weight, gain), layer.bias, padding=layer.weight.shape[2] // 2)


def repeated(x: Tensor) -> Tensor:
    return x.repeat_interleave(2, 2).repeat_interleave(2, 3)


def filtered(x: Tensor, taps: list[float], before: int, after: int, mode: str = "constant") -> Tensor:
    """Every channel of x filtered both ways, the border padded so."""
    row = torch.tensor(taps, dtype=x.dtype) / sum(taps)
    kernel = torch.outer(row, row).expand(x.shape[1], 1, -1, -1)
    return F.conv2d(F.pad(x, (before, after, before, after), mode=mode), kernel, groups=x.shape[1])


def bilinear(x: Tensor) -> Tensor:
    """Twice the side: pixels repeated and filtered by [1, 2, 1]."""
    return filtered(repeated(x), [1, 2, 1], 1, 1, "replicate")


def mapped(G: nn.Module, z: Tensor) -> Tensor:
    """w: 0.01 of the rate of the rest, 1812.04948, appendix C."""
    x = over_length(z)
    for layer in G.mapping.layers:
        x = leaky(x @ (0.01 * he(layer.weight)).t() + 0.01 * layer.bias)
    return x


def with_deviation(x: Tensor, group: int = 4) -> Tensor:
    """Beside x the mean deviation of its group: samples n, n + N/4, ... are one."""
    count = len(x)
    told = torch.empty(count, 1, *x.shape[2:], dtype=x.dtype)
    for n in range(count):
        members = x[n % (count // group) :: count // group]
        told[n] = (members.var(0, correction=0) + 1e-8).sqrt().mean()
    return torch.cat([x, told], 1)


def test_stylegan_draws_what_its_figure_1_says() -> None:
    """Constant, noise, bias, LeakyReLU, AdaIN; then per map: bilinear, 3x3, the same, 3x3, the same."""
    G = double("stylegan", "G", Domain(shape=(3, 32, 32)), width=6, depth=2, z_dim=5, w_dim=7).eval()
    z = draw(3, 5)
    w = mapped(G, z)

    def styled(x: Tensor, end: nn.Module) -> Tensor:
        x = leaky(x + end.noise.factors.view(1, -1, 1, 1) * end.noise.fixed + end.bias.view(1, -1, 1, 1))
        style = w @ he(end.style.weight, 1).t() + end.style.bias
        scale, shift = style[:, : x.shape[1], None, None], style[:, x.shape[1] :, None, None]
        spread = (x.var((2, 3), correction=0, keepdim=True) + 1e-8).sqrt()
        return scale * (x - x.mean((2, 3), keepdim=True)) / spread + shift

    x = G.blocks[0].constant.expand(3, -1, -1, -1)
    for number, block in enumerate(G.blocks):
        x = conv(bilinear(x), block.conv1) if number else x
        x = styled(conv(styled(x, block.end1), block.conv2), block.end2)
    assert_same(G(z), conv(x, G.to_image[-1], gain=1).clamp(-1, 1))


def test_stylegan_judges_by_filtered_halves_while_layers_fade_in() -> None:
    """Per map 3x3, [1, 2, 1], 3x3, the mean of 2x2: at a growth of 1.25, of 16 pixels a quarter."""
    D = double("stylegan", "D", Domain(shape=(3, 32, 32), classes=3), width=6)
    assert isinstance(D, Growing)
    D.grow(1.25)
    x, y = draw(8, 3, 16, 16), torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])
    h = leaky(conv(x, D.from_image[2]))
    for number in (1, 0):
        block = D.blocks[number]
        deeper = filtered(leaky(conv(h, block.conv1)), [1, 2, 1], 1, 1)
        h = leaky(F.avg_pool2d(conv(deeper, block.conv2), 2))
        if number == 1:
            h = 0.25 * h + 0.75 * leaky(conv(F.avg_pool2d(x, 2), D.from_image[1]))
    h = leaky(conv(with_deviation(h), D.conv)).flatten(1)
    h = leaky(h @ he(D.whole.weight).t() + D.whole.bias)
    said = h @ he(D.end.end.weight, 1).t() + D.end.end.bias
    assert_same(D(x, y), said[torch.arange(8), y])


@pytest.mark.parametrize(("growth", "fade"), [(2.0, 1.0), (1.25, 0.25)])
def test_progan_draws_and_judges_what_its_table_2_says(growth: float, fade: float) -> None:
    domain = Domain(shape=(3, 32, 32))
    G, D = (double("progan", player, domain, width=6, **{"G.z_dim": 5}) for player in "GD")
    assert isinstance(G, Growing)
    assert isinstance(D, Growing)
    G.grow(growth)
    D.grow(growth)
    z = draw(8, 5)
    x = (over_length(z) @ he(G.start.weight, ROOT2 / 4).t()).view(8, 6, 4, 4) + G.bias
    x = over_length(leaky(conv(over_length(leaky(x)), G.conv)))
    maps = [x]
    for block in G.blocks:
        x = over_length(leaky(conv(repeated(x), block.conv1)))
        x = over_length(leaky(conv(x, block.conv2)))
        maps.append(x)
    images = fade * conv(maps[2], G.to_image[2], 1) + (1 - fade) * repeated(conv(maps[1], G.to_image[1], 1))
    assert_same(G(z), images)

    x = images.detach()
    h = leaky(conv(x, D.from_image[2]))
    for number in (1, 0):
        h = F.avg_pool2d(leaky(conv(leaky(conv(h, D.blocks[number].conv1)), D.blocks[number].conv2)), 2)
        if number == 1:
            h = fade * h + (1 - fade) * leaky(conv(F.avg_pool2d(x, 2), D.from_image[1]))
    h = leaky(conv(with_deviation(h), D.conv)).flatten(1)
    h = leaky(h @ he(D.whole.weight).t() + D.whole.bias)
    assert_same(D(x), (h @ he(D.end.end.weight, 1).t() + D.end.end.bias).squeeze(1))


def modulated(x: Tensor, w: Tensor, layer: nn.Module, *, demodulate: bool = True, doubles: bool = False) -> Tensor:
    """1912.04958, Eq. 1 and 3, with a kernel for each sample."""
    kernel = layer.conv.weight.transpose(0, 1) if doubles else layer.conv.weight
    kernel = kernel / math.sqrt(kernel[0].numel())
    style = w @ he(layer.style.weight, 1).t() + layer.style.bias
    made = []
    for one, s in zip(x, style, strict=True):
        own = kernel * s.view(1, -1, 1, 1)
        if demodulate:
            own = own / (own.pow(2).sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        if doubles:
            wide = F.conv_transpose2d(one[None], own.transpose(0, 1), stride=2)
            made.append(filtered(wide, [1, 3, 3, 1], 1, 1) * 4)
        else:
            made.append(F.conv2d(one[None], own, padding=own.shape[2] // 2))
    return torch.cat(made)


def test_stylegan2_draws_what_its_figures_2_and_7_say() -> None:
    G = double("stylegan2", "G", Domain(shape=(3, 32, 32)), width=6, depth=2, z_dim=5, w_dim=7).eval()
    z = draw(3, 5)
    w = mapped(G, z)

    def layered(x: Tensor, layer: nn.Module, *, doubles: bool = False) -> Tensor:
        x = modulated(x, w, layer.conv, doubles=doubles) + layer.noise.factors * layer.noise.fixed
        return ROOT2 * leaky(x + layer.bias.view(1, -1, 1, 1))

    x = layered(G.constant.expand(3, -1, -1, -1), G.layers[0])
    images = torch.zeros(())
    for number, end in enumerate(G.to_image):
        if number:
            x = layered(layered(x, G.layers[2 * number - 1], doubles=True), G.layers[2 * number])
            images = bilinear(images)
        images = images + modulated(x, w, end.conv, demodulate=False) + end.bias.view(1, -1, 1, 1)
    assert_same(G(z), images.clamp(-1, 1))


def test_stylegan2_judges_by_residual_blocks() -> None:
    D = double("stylegan2", "D", Domain(shape=(3, 32, 32), classes=3), width=6)
    x, y = draw(8, 3, 32, 32), torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])

    def gained(x: Tensor, layer: nn.Module) -> Tensor:
        return ROOT2 * leaky(conv(x, layer, 1))

    h = gained(x, D.from_image)
    for block in D.blocks:
        deeper = filtered(gained(h, block.conv1), [1, 3, 3, 1], 2, 2)
        kernel, bias = he(block.conv2.weight, 1), block.conv2.bias
        deeper = ROOT2 * leaky(F.conv2d(deeper, kernel, bias, stride=2))
        beside = F.conv2d(filtered(h, [1, 3, 3, 1], 1, 1)[:, :, ::2, ::2], he(block.skip.weight, 1))
        h = (deeper + beside) / ROOT2
    h = gained(with_deviation(h), D.conv).flatten(1)
    h = ROOT2 * leaky(h @ he(D.whole.weight, 1).t() + D.whole.bias)
    said = h @ he(D.end.end.weight, 1).t() + D.end.end.bias
    assert_same(D(x, y), said[torch.arange(8), y])


def test_biggan_gives_each_block_its_part_of_z_beside_the_class() -> None:
    """1809.11096, figure 15: the first part of z is the grid, the others are in the norms, in order."""
    G = double("biggan", "G", Domain(shape=(3, 32, 32), classes=3), part=4, embedded=5, **{"G.width": 2}).eval()
    z, y = draw(3, 16), torch.tensor([2, 0, 1])
    vector = G.embed.weight[y]

    def normed(x: Tensor, norm: nn.Module, told: Tensor) -> Tensor:
        scale, shift = told @ norm.scale.weight.t(), told @ norm.shift.weight.t()
        x = x / math.sqrt(1 + 1e-5)  # nothing was seen in training: mean 0, variance 1
        return torch.relu(x * (1 + scale[:, :, None, None]) + shift[:, :, None, None])

    def plain(x: Tensor, layer: nn.Module) -> Tensor:
        return F.conv2d(x, layer.weight, layer.bias, padding=layer.weight.shape[2] // 2)

    x = (z[:, :4] @ G.start.weight.t() + G.start.bias).view(3, 8, 4, 4)
    part = 1
    for block in G.blocks:
        if isinstance(block, SelfAttention):
            x = block(x)
            continue
        told = torch.cat([vector, z[:, 4 * part : 4 * part + 4]], 1)
        h = plain(repeated(normed(x, block.norm1, told)), block.conv1)
        x = plain(normed(h, block.norm2, told), block.conv2) + repeated(plain(x, block.skip))
        part += 1
    assert part == 4
    norm, _, last, _ = G.end
    x = x / math.sqrt(1 + 1e-5) * norm.weight.view(1, -1, 1, 1) + norm.bias.view(1, -1, 1, 1)
    assert_same(G(z, y), torch.tanh(plain(torch.relu(x), last)))


def encoded(x: Tensor, block: nn.Module, heads: int, side: int, *, cls: bool) -> Tensor:
    """An encoder block, head by head; the bias of two tokens by their places."""

    def norm(x: Tensor, layer: nn.Module) -> Tensor:
        centred = x - x.mean(2, keepdim=True)
        return centred / (centred.pow(2).mean(2, keepdim=True) + 1e-5).sqrt() * layer.weight + layer.bias

    own = block.attention
    q, k, v = (norm(x, block.norm1) @ own.qkv.weight.t()).chunk(3, 2)
    reach, places = 2 * side - 1, [(n // side, n % side) for n in range(side * side)]
    bias = torch.empty(heads, x.shape[1], x.shape[1], dtype=x.dtype)
    for i in range(x.shape[1]):
        found = []
        for j in range(x.shape[1]):
            if cls and 0 in (i, j):
                found.append(reach * reach)
            else:
                one, other = places[i - cls], places[j - cls]
                found.append((one[0] - other[0] + side - 1) * reach + one[1] - other[1] + side - 1)
        bias[:, i] = own.bias[:, found]
    each, parts = q.shape[2] // heads, []
    for head in range(heads):
        part = slice(head * each, head * each + each)
        looks = (q[:, :, part] @ k[:, :, part].transpose(1, 2)) / math.sqrt(each) + bias[head]
        parts.append(torch.softmax(looks, 2) @ v[:, :, part])
    x = x + torch.cat(parts, 2) @ own.out.weight.t() + own.out.bias
    wide, _, narrow = block.hidden
    h = norm(x, block.norm2) @ wide.weight.t() + wide.bias
    h = h * 0.5 * (1 + torch.erf(h / ROOT2))
    return x + h @ narrow.weight.t() + narrow.bias


@torch.no_grad()
def test_transgan_draws_by_stages_and_judges_by_cls() -> None:
    changes = {"width": 64, "heads": 2, "G.first": 1, "G.later": 1, "G.last": 1, "D.depth": 2, "G.z_dim": 5}
    G, D = (double("transgan", player, Domain(shape=(3, 28, 28)), **changes) for player in "GD")
    z = draw(2, 5)
    x = (z @ G.start.weight.t() + G.start.bias).view(2, 49, 64)
    side, width = 7, 64
    for number, stage in enumerate(G.stages):
        if number:
            maps = x.transpose(1, 2).view(2, width // 4, 2, 2, side, side)
            x = maps.permute(0, 4, 2, 5, 3, 1).reshape(2, 4 * side * side, width // 4)
            side, width = 2 * side, width // 4
        x = encoded(x + stage.position, stage.blocks[0], 2, side, cls=False)
    images = (x @ G.end.weight.t() + G.end.bias).transpose(1, 2).view(2, 3, 28, 28)
    assert_same(G.train()(z), images)
    assert_same(G.eval()(z), images.clamp(-1, 1))

    x = images.detach()
    patches = x.view(2, 3, 7, 4, 7, 4).permute(0, 2, 4, 1, 3, 5).reshape(2, 49, 48)
    tokens = torch.cat([D.cls.expand(2, -1, -1), patches @ D.start.weight.t() + D.start.bias], 1) + D.position
    for block in D.blocks:
        tokens = encoded(tokens, block, 2, 7, cls=True)
    cls = F.layer_norm(tokens[:, 0], (64,), D.norm.weight, D.norm.bias)
    assert_same(D(x), (cls @ D.end.weight.t() + D.end.bias).squeeze(1))


def test_r3gan_draws_from_a_basis_and_judges_by_one() -> None:
    """2501.05441, section 4: 1x1, grouped 3x3, 1x1 beside what goes in; bilinear between two maps; no norm anywhere."""
    G, D = (double("r3gan", player, Domain(shape=(3, 64, 64)), width=16, **{"G.z_dim": 5}) for player in "GD")

    def residual(x: Tensor, block: nn.Module) -> Tensor:
        h = leaky(F.conv2d(x, block.widen.weight, block.widen.bias))
        h = leaky(F.conv2d(h, block.mix.weight, block.mix.bias, padding=1, groups=2 * x.shape[1] // 16))
        return x + F.conv2d(h, block.narrow.weight)

    z = draw(2, 5)
    x = G.basis * (z @ G.start.weight.t())[:, :, None, None]
    for layer in G.stages:
        if hasattr(layer, "widen"):
            x = residual(x, layer)
            continue
        x = bilinear(x)
        x = x if layer.change is None else F.conv2d(x, layer.change.weight)
    images = F.conv2d(x, G.end.weight)
    assert_same(G(z), images)

    h = F.conv2d(images.detach(), D.start.weight)
    for layer in D.stages:
        if hasattr(layer, "widen"):
            h = residual(h, layer)
            continue
        h = filtered(h, [1, 3, 3, 1], 1, 1)[:, :, ::2, ::2]
        h = h if layer.change is None else F.conv2d(h, layer.change.weight)
    features = (h * D.basis).sum((2, 3))
    assert_same(D(images.detach()), (features @ D.end.weight.t()).squeeze(1))
