"""How a class reaches a network, by each way that a recipe can choose."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
import torch

import zerosum
from zerosum.errors import UserError
from zerosum.networks import build
from zerosum.networks.layers.conditioning import IN_D, IN_G, ClassMaps, with_class
from zerosum.recipes import recipe
from zerosum.types import Domain

DOMAIN = Domain(shape=(1, 28, 28), classes=3)
TWO = torch.tensor([0, 2])


def test_a_class_beside_z_is_one_hot_or_a_learned_vector() -> None:
    z = torch.tensor([[1.0, -1.0], [0.5, 2.0]])
    hot = with_class(2, 3, "concatenation")
    assert hot is not None
    assert hot(z, TWO).tolist() == [[1, -1, 1, 0, 0], [0.5, 2, 0, 0, 1]]
    assert hot(z, torch.full((2, 3), 0.25)).tolist() == [[1, -1, 0.25, 0.25, 0.25], [0.5, 2, 0.25, 0.25, 0.25]]
    learned = with_class(2, 3, "embedding")
    assert learned is not None
    assert learned.embed is not None
    with torch.no_grad():
        learned.embed.weight.copy_(torch.arange(6.0).view(3, 2))
    assert learned(z, TWO).tolist() == [[1, -1, 0, 1], [0.5, 2, 4, 5]]
    assert [way.outputs for way in (hot, learned)] == [5, 4]
    assert with_class(2, None, "embedding") is with_class(2, 3, "batch-norm") is with_class(2, 3, None) is None


def test_class_maps_are_ones_in_the_map_of_the_class() -> None:
    x = torch.rand(2, 1, 4, 4)
    seen = ClassMaps(3)(x, TWO)
    assert torch.equal(seen[:, :1], x)
    expected = torch.zeros(2, 3, 4, 4)
    expected[0, 0] = expected[1, 2] = 1
    assert torch.equal(seen[:, 1:], expected)


@pytest.mark.parametrize("name", ["sngan", "sagan"])
@pytest.mark.parametrize(("in_g", "in_d"), list(product(IN_G, IN_D)))
def test_each_way_tells_both_players_the_class_and_learns_from_it(name: str, in_g: str, in_d: str) -> None:
    torch.manual_seed(0)
    told = recipe(name).override({"width": 4, "G.conditioning": in_g, "D.conditioning": in_d})
    G, D = (build(told.players[player], DOMAIN) for player in "GD")
    with torch.no_grad():  # tables that begin alike for all classes, or at zero
        for value in [*G.parameters(), *D.parameters()]:
            value.add_(torch.randn_like(value) * 0.1)
    z = torch.randn(1, 128).repeat(2, 1)
    fake = G.eval()(z, TWO)
    assert not torch.allclose(fake[0], fake[1])
    logits = D.eval()(fake[:1].repeat(2, 1, 1, 1), TWO)
    assert logits.shape == (2,)
    assert logits[0].item() != logits[1].item()
    G.train(), D.train()
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    D(G(torch.randn(6, 128), labels), labels).square().sum().backward()
    for key, value in [*G.named_parameters(), *D.named_parameters()]:
        assert value.grad is not None, key
        assert value.grad.abs().max().item() > 0, key


def test_without_classes_the_way_changes_nothing() -> None:
    plain = Domain(shape=(1, 28, 28))
    for player, ways in (("G", IN_G), ("D", IN_D)):
        shapes = []
        for way in ways:
            told = recipe("sngan").override({"width": 4, f"{player}.conditioning": way}).players[player]
            shapes.append({key: value.shape for key, value in build(told, plain).state_dict().items()})
        assert shapes[0] == shapes[1] == shapes[2]


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("dcgan-digits", "concatenation"),
        ("dcgan-digits", "embedding"),
        ("wgan-gp", "embedding"),
        ("dragan", "embedding"),
    ],
)
def test_a_dcgan_takes_classes_where_the_recipe_says_so(name: str, way: str, tmp_path: Path) -> None:
    settings = {"classes": "optional", "width": 4, "batch": 8, "grid": 10, "G.conditioning": way}
    out = tmp_path / "run"
    zerosum.train(name, "digits", steps=3, out=out, settings=settings)
    generator = zerosum.load(out, "last")
    assert generator.domain.classes == 10
    one, other = (generator.sample(2, label=label, seed=0) for label in (3, 8))
    assert (one != other).any()
    first = generator.sample(2, label=3, seed=0)
    assert (first == one).all()


def test_a_way_that_there_is_not_is_an_error_in_one_line() -> None:
    for name, player, way in (("sngan", "G", "projection"), ("sagan", "D", "embedding"), ("dcgan-digits", "G", "x")):
        told = recipe(name).override({f"{player}.conditioning": way})
        with pytest.raises(UserError, match=f"conditioning is '{way}'; expected one of concatenation, ") as refusal:
            build(told.players[player], DOMAIN)
        assert "\n" not in str(refusal.value)
