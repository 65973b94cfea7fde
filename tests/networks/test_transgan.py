"""TransGAN's parts against loops written out here, and its tables."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from zerosum.errors import UserError
from zerosum.networks import build
from zerosum.networks.describe import describe_player
from zerosum.networks.transgan import Attention, enlarged, shuffled
from zerosum.recipes import recipe
from zerosum.types import Domain


def by_hand(layer: Attention, x: Tensor, side: int, cls: bool) -> Tensor:
    """Attention token by token; x: (T, width)."""
    heads, width = layer.heads, x.shape[1]
    q, k, v = (x @ part.t() for part in layer.qkv.weight.chunk(3))
    size, first = width // heads, int(cls)
    mixed = torch.zeros_like(x)
    for head in range(heads):
        own = slice(head * size, (head + 1) * size)
        for i in range(len(x)):
            scores = []
            for j in range(len(x)):
                place = (2 * side - 1) ** 2
                if min(i, j) >= first:
                    (a, b), (c, d) = divmod(i - first, side), divmod(j - first, side)
                    place = (a - c + side - 1) * (2 * side - 1) + b - d + side - 1
                scores.append(q[i, own] @ k[j, own] / math.sqrt(size) + layer.bias[head, place])
            mixed[i, own] = torch.stack(scores).softmax(0) @ v[:, own]
    return layer.out(mixed)


@pytest.mark.parametrize("cls", [False, True])
def test_attention_with_relative_positions_is_what_a_loop_makes_of_it(cls: bool) -> None:
    torch.manual_seed(0)
    layer = Attention(8, 2, 3, cls=cls)
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(2, 9 + cls, 8)
    with torch.no_grad():
        expected = torch.stack([by_hand(layer, row, 3, cls) for row in x])
        assert torch.allclose(layer(x), expected, atol=1e-5)


def test_large_maps_attend_within_windows() -> None:
    """64 x 64 tokens in windows of 16: what a token of one window says reaches none of another."""
    torch.manual_seed(0)
    layer = Attention(4, 2, 64)
    x = torch.randn(1, 64 * 64, 4)
    changed = x.clone()
    changed[0, 20 * 64 + 40] += 1.0  # row 20, column 40: the window of rows 16 to 31 and columns 32 to 47
    with torch.no_grad():
        moved = (layer(changed) - layer(x)).abs().sum(2).view(64, 64) > 0
    expected = torch.zeros(64, 64, dtype=torch.bool)
    expected[16:32, 32:48] = True
    assert torch.equal(moved, expected)


def test_attention_can_be_differentiated_twice() -> None:
    layer = Attention(4, 2, 2).double()
    x = torch.randn(1, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(layer, x)


def test_a_pixel_shuffle_of_tokens_makes_four_neighbours_of_each() -> None:
    tokens = torch.arange(16.0).view(1, 4, 4)  # 2x2 tokens of 4 numbers
    found = shuffled(tokens, 2).view(4, 4)
    assert found.tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]


def test_stages_have_a_quarter_of_the_width_and_twice_the_side() -> None:
    G = build(recipe("transgan").players["G"], Domain(shape=(3, 32, 32)))
    assert [tuple(stage.position.shape) for stage in G.stages] == [(1, 64, 384), (1, 256, 96), (1, 1024, 24)]
    assert [len(stage.blocks) for stage in G.stages] == [5, 2, 2]
    assert G.end.weight.shape == (3, 24)
    D = describe_player(recipe("transgan").players["D"], Domain(shape=(3, 32, 32)))
    assert sum(layer.name.endswith("qkv") for layer in D) == 7


def test_large_images_double_between_tokens_before_they_shuffle() -> None:
    """256 pixels as the authors have them: all numbers up to 32x32, then a quarter with each doubling."""
    told = recipe("transgan").override({"width": 256, "G.first": 1, "G.later": 1, "G.last": 1, "D.depth": 1})
    domain = Domain(shape=(3, 256, 256))
    G = build(told.players["G"], domain)
    shapes = [stage.position.shape[1:] for stage in G.stages]
    assert shapes == [(64, 256), (256, 256), (1024, 256), (4096, 64), (16384, 16), (65536, 4)]
    assert build(told.players["D"], domain).position.shape[1] == 1 + 32 * 32  # of 8x8 pixels
    middle = build(told.players["G"], Domain(shape=(3, 128, 128)))
    shapes = [stage.position.shape[1:] for stage in middle.stages]
    assert shapes == [(64, 256), (256, 256), (1024, 256), (4096, 64), (16384, 16)]
    small = [build(told.players["G"], Domain(shape=(3, size, size))) for size in (48, 64)]
    assert [[stage.position.shape[1:] for stage in G.stages] for G in small] == [
        [(144, 256), (576, 64), (2304, 16)],
        [(64, 256), (256, 64), (1024, 16), (4096, 4)],
    ]
    level = enlarged(torch.full((2, 16, 3), 0.7), 4)
    torch.testing.assert_close(level, torch.full((2, 64, 3), 0.7))
    near, far, beyond, last = 0.87890625, 0.26171875, -0.10546875, -0.03515625  # Keys's kernel at 1/4, 3/4, 5/4, 7/4
    quarter = 0 * beyond + 1 * near + 2 * far + 3 * last  # of 0, 1, 2, 3 at 1 1/4
    ramp = enlarged(torch.arange(16.0).view(1, 16, 1), 4).view(8, 8)  # rows rise by 4, columns by 1
    torch.testing.assert_close(ramp[3, 3:5], torch.tensor([5 * quarter, 4 * quarter + 3 - quarter]))


def test_d_sees_patches_behind_a_token_of_its_own() -> None:
    torch.manual_seed(0)
    D = build(recipe("transgan").override({"width": 64}).players["D"], Domain(shape=(1, 32, 32)))
    seen: list[Tensor] = []
    D.blocks.register_forward_pre_hook(lambda blocks, given: seen.append(given[0]))
    x = torch.randn(2, 1, 32, 32)
    D(x)
    patch = x[1, 0, 4:8, 8:12].flatten()  # row 1, column 2 of the 8x8 patches
    expected = F.linear(patch, D.start.weight, D.start.bias) + D.position[0, 1 + 8 + 2]
    assert seen[0].shape == (2, 65, 64)
    assert torch.allclose(seen[0][1, 1 + 8 + 2], expected, atol=1e-5)
    assert torch.allclose(seen[0][:, 0], (D.cls[0, 0] + D.position[0, 0]).expand(2, -1))


def test_a_width_that_has_no_quarters_is_one_line() -> None:
    with pytest.raises(UserError, match="multiple of 16"):
        build(recipe("transgan").override({"G.width": 100}).players["G"], Domain(shape=(3, 32, 32)))
    with pytest.raises(UserError, match="at least 256"):
        build(recipe("transgan").override({"G.width": 64}).players["G"], Domain(shape=(3, 64, 64)))
    with pytest.raises(UserError, match="5 heads"):
        build(recipe("transgan").override({"G.width": 64, "G.heads": 5}).players["G"], Domain(shape=(3, 32, 32)))


def test_at_64_pixels_no_tensor_has_the_pairs_of_all_tokens_and_memory_grows_with_the_pixels() -> None:
    """Scores of 64x64 tokens in windows of 16x16: heads * 16 * 256^2, a sixteenth of the pairs of all."""

    def kept(size: int) -> list[int]:
        told = recipe("transgan").override({"width": 256, "G.first": 1, "G.later": 1, "G.last": 1})
        G, found = build(told.players["G"], Domain(shape=(3, size, size))), {}

        def keep(value: Tensor) -> Tensor:
            found[value.untyped_storage().data_ptr()] = value.untyped_storage().nbytes() // 4
            return value

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
            G(torch.randn(1, 128))
        return sorted(found.values())

    small, large = kept(32), kept(64)
    assert small[-1] == 4 * 1024**2  # a map of 32x32 is whole
    assert large[-1] == 4 * 1024**2  # and is still the largest, beside 4 * 16 * 256^2
    assert sum(large) < 4 * sum(small)
