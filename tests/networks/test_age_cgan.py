"""Age-cGAN's networks: where the class is told, the published sizes, and an encoder beside its generator."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from zerosum.errors import UserError
from zerosum.networks import build
from zerosum.networks.describe import describe_player, totals
from zerosum.networks.encoded import Encoded
from zerosum.recipes import recipe
from zerosum.spec import Player
from zerosum.types import Domain

FACES = Domain(shape=(3, 64, 64), classes=6, source=(3, 64, 64))
SMALL = {"G.width": 8, "D.width": 8, "E.width": 4, "units": 16}


def network(name: str, size: int = 28, classes: int = 5) -> nn.Module:
    torch.manual_seed(0)
    domain = Domain(shape=(1, size, size), classes=classes, source=(1, size, size))
    return build(recipe("age-cgan").override(SMALL).players[name], domain)


def test_the_networks_of_the_paper_have_these_parameters() -> None:
    told = recipe("age-cgan").players
    found = {name: totals(describe_player(player, FACES))[0] for name, player in told.items()}
    widths = (512, 256, 128, 64)
    g = (100 + 6) * 512 * 16 + sum(a * b * 16 for a, b in ((512, 256), (256, 128), (128, 64), (64, 3)))
    assert found["G"] == g + 2 * sum(widths)
    d = sum(a * b * 16 for a, b in ((3, 64), (64 + 6, 128), (128, 256), (256, 512), (512, 1)))
    assert found["D"] == d + 2 * (128 + 256 + 512)
    convolutions = sum(a * b * 25 + 2 * b for a, b in ((3, 32), (32, 64), (64, 128), (128, 256)))
    assert found["E"] == convolutions + 256 * 4 * 4 * 4096 + 2 * 4096 + 4096 * 100 + 100


def test_ds_first_convolution_does_not_see_the_class_and_the_second_does() -> None:
    D, x = network("D").eval(), torch.randn(1, 1, 28, 28).repeat(2, 1, 1, 1)
    seen: dict[str, Tensor] = {}
    D.first.register_forward_hook(lambda _, __, made: seen.update(first=made))  # type: ignore[union-attr]
    D.layers[0].register_forward_pre_hook(lambda _, given: seen.update(second=given[0]))  # type: ignore[index]
    logits = D(x, torch.tensor([0, 3]))
    assert torch.equal(seen["first"][0], seen["first"][1])
    assert torch.equal(seen["second"][:, :8], seen["first"])
    expected = torch.zeros(2, 5)
    expected[0, 0] = expected[1, 3] = 1
    assert torch.equal(seen["second"][:, 8:], expected[:, :, None, None].expand(-1, -1, 14, 14))
    assert logits[0] != logits[1]


@pytest.mark.parametrize("size", recipe("age-cgan").sizes)
def test_the_encoder_finds_a_z_for_each_image_and_every_weight_learns(size: int) -> None:
    E = network("E", size)
    z = E(torch.randn(3, 1, size, size))
    assert z.shape == (3, 100)
    z.square().sum().backward()
    for name, value in E.named_parameters():
        assert value.grad is not None, name
        assert value.grad.abs().max() > 0, name


def test_an_encoder_refuses_points_and_sizes_that_g_can_not_make() -> None:
    for domain, said in (
        (Domain(shape=(2,)), "the data are points"),
        (Domain(shape=(1, 48, 48)), "size 48 is not one"),
    ):
        with pytest.raises(UserError, match=said):
            build(Player(network="age-cgan-encoder"), domain)


class Plus(nn.Module):
    """z (N, 1) in class y: an image of one pixel, z + 10 y."""

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        return (z + 10 * y[:, None])[:, :, None, None]


class Last(nn.Module):
    """The last digit of a pixel."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) % 10


def test_an_image_goes_by_its_code_to_another_class_and_its_own_is_the_nearest() -> None:
    both, x = Encoded(Plus(), Last(), 4), torch.tensor([3.0, 27.0, 31.0]).view(3, 1, 1, 1)
    assert both(x, torch.tensor([1, 0, 2])).flatten().tolist() == [13, 7, 21]
    assert both.own(x, both.code(x)).tolist() == [0, 2, 3]
