"""Networks that make images of images: shapes, the published numbers of parameters, gradients, size by size."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from zerosum.errors import UserError
from zerosum.networks import build
from zerosum.networks.describe import describe_player, totals
from zerosum.networks.layers import InstanceNorm, NoisyDropout
from zerosum.recipes import names, recipe
from zerosum.spec import Player, Recipe
from zerosum.types import Domain

NARROW = {"width": 4}
FEW = {"pix2pixhd": {"G.halvings": 2, "blocks": 1, "D.layers": 2, "scales": 2}}  # for 64 pixels
TRANSLATORS = [name for name in names() if recipe(name).inputs not in ("noise", "codes")]
CASES = [(name, size) for name in TRANSLATORS for size in recipe(name).sizes if size < 512]
each_case = pytest.mark.parametrize(("name", "size"), CASES)


def domain_of(told: Recipe, size: int, channels: int = 3) -> Domain:
    classes = 2 if told.inputs == "domains" else None
    given = size // 4 if told.name == "srgan" else size
    return Domain(shape=(channels, size, size), classes=classes, value_range=told.value_range, source=(3, given, given))


def players(name: str, size: int, channels: int = 3) -> tuple[nn.Module, nn.Module, Domain]:
    told, domain = recipe(name).override(NARROW | FEW.get(name, {})), domain_of(recipe(name), size, channels)
    torch.manual_seed(0)
    G, D = (build(told.players[player], domain) for player in "GD")
    return G, D, domain


def called(network: nn.Module, x: torch.Tensor, domain: Domain, source: torch.Tensor) -> torch.Tensor:
    other = torch.tensor([0, 1]) if domain.classes else source if getattr(network, "sees_source", False) else None
    made: torch.Tensor = network(x, other)
    return made


@each_case
def test_g_makes_images_of_the_domain_and_d_a_map_of_logits(name: str, size: int) -> None:
    G, D, domain = players(name, size)
    assert domain.source is not None
    x = torch.rand(2, *domain.source) * 2 - 1
    made = called(G, x, domain, x)
    assert made.shape == (2, 3, size, size)
    assert called(G.eval(), x, domain, x).abs().max() <= 1
    logits = called(D, made, domain, x)
    if name in ("srgan", "pix2pixhd"):
        assert logits.shape == ((2,) if name == "srgan" else (2, 1, size // 4 - 2, size // 4 - 2))
        return
    assert logits.shape[:2] == (2, 1)
    assert (
        logits.shape[2]
        == logits.shape[3]
        == {
            "discogan": 1,
            "stargan": 3 if size == 28 else 2,
        }.get(name, max(size // 8 - 2, 1))
    )


@pytest.mark.parametrize("name", sorted({name for name, _ in CASES}))
def test_gradients_reach_every_parameter_and_colours_can_be_made_of_grey(name: str) -> None:
    G, D, domain = players(name, 64, channels=1)
    assert domain.source is not None
    x = torch.rand(2, *domain.source)
    made = called(G, x, domain, x)
    said = D.both(made) if hasattr(D, "both") else (called(D, made, domain, x),)
    if name == "pix2pixhd":
        said = [layers[-1] for layers in D.scales(made, x)]
    sum(logits.square().sum() for logits in said).backward()
    for key, value in [*G.named_parameters(), *D.named_parameters()]:
        if key.startswith("coarse_end"):
            continue  # the end of the global network alone
        assert value.grad is not None, key
        assert value.grad.isfinite().all(), key


@each_case
def test_the_description_has_every_parameter(name: str, size: int) -> None:
    told, domain = recipe(name).override(NARROW | FEW.get(name, {})), domain_of(recipe(name), size)
    for player in told.players.values():
        layers = describe_player(player, domain)
        assert totals(layers)[0] == sum(value.numel() for value in build(player, domain).parameters())


def parameters(player: Player, size: int, classes: int | None = None) -> int:
    domain = Domain(shape=(3, size, size), classes=classes, source=(3, size, size))
    return totals(describe_player(player, domain))[0]


def test_networks_have_the_parameters_that_the_public_implementations_count() -> None:
    pix2pix, cyclegan = recipe("pix2pix"), recipe("cyclegan").override({"blocks": 9})
    assert parameters(pix2pix.players["G"], 256) == 54_413_955  # "54.414 M"
    judge = pix2pix.override({"D.norm": "batch"}).players["D"]
    assert parameters(judge, 256) == 2_768_705  # "2.769 M"
    assert parameters(cyclegan.players["G"], 256, classes=2) == 2 * 11_378_179  # "11.378 M"
    srgan = recipe("srgan").players["G"]
    assert totals(describe_player(srgan, Domain(shape=(3, 96, 96), source=(3, 24, 24))))[0] == 1_547_350
    stargan = recipe("stargan")
    assert parameters(stargan.players["G"], 128, classes=5) == 8_430_528  # "8430528", with five attributes
    assert parameters(stargan.players["D"], 128, classes=5) == 44_762_048  # "44762048"
    assert parameters(cyclegan.players["D"], 256, classes=2) == 2 * 2_764_737  # "2.765 M"


def test_a_logit_of_patchgan_sees_seventy_pixels() -> None:
    D = build(
        Player(network="patchgan", args={"width": 4, "norm": "batch", "paired": False}), Domain(shape=(1, 256, 256))
    )
    x = torch.randn(1, 1, 256, 256, requires_grad=True)
    D.eval()(x)[0, 0, 15, 15].backward()
    assert x.grad is not None
    rows = x.grad[0, 0].abs().sum(1).nonzero().flatten()
    assert int(rows.max() - rows.min()) + 1 == 70


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("count", [1, 3])
def test_an_instance_norm_is_torchs_and_each_sample_its_own(layout: torch.memory_format, count: int) -> None:
    torch.manual_seed(0)
    x = (torch.randn(count, 5, 7, 6, dtype=torch.float64) * 4 + 2).to(memory_format=layout).requires_grad_()
    layer, theirs = InstanceNorm(5, affine=True).double(), nn.InstanceNorm2d(5, affine=True).double()
    with torch.no_grad():
        for mine, other in zip(layer.parameters(), theirs.parameters(), strict=True):
            other.copy_(mine.normal_())
    expected = theirs(x.contiguous())
    torch.testing.assert_close(layer(x), expected)
    pull = torch.randn_like(expected)
    found, wanted = (
        torch.autograd.grad(y, [x, *net.parameters()], pull) for y, net in ((layer(x), layer), (expected, theirs))
    )
    for mine, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(mine, other)
    torch.testing.assert_close(layer(x)[-1:], layer(x[-1:]))


def test_an_instance_norm_can_be_differentiated_twice() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 3, 2, dtype=torch.float64).to(memory_format=torch.channels_last).requires_grad_()
    layer = InstanceNorm(3).double()
    assert torch.autograd.gradcheck(layer, x)
    assert torch.autograd.gradgradcheck(layer, x)


def test_noise_by_dropout_stays_in_eval_mode() -> None:
    G, _, _ = players("pix2pix", 32)
    x = torch.randn(1, 3, 32, 32)
    G.eval()
    assert not torch.equal(G(x), G(x))
    for module in G.modules():
        if isinstance(module, NoisyDropout):
            module.p = 0.0
    assert torch.equal(G(x), G(x))


def test_each_label_leads_through_its_own_translator() -> None:
    G, _, _ = players("cyclegan", 32)
    x = torch.randn(4, 3, 32, 32)
    mixed = G(x, torch.tensor([0, 1, 1, 0]))
    there, back = G.of[1](x), G.of[0](x)  # type: ignore[index]
    torch.testing.assert_close(mixed, torch.stack([back[0], there[1], there[2], back[3]]))
    assert torch.equal(G(x, torch.ones(4, dtype=torch.int64)), there)


def test_the_coarse_network_is_alone_until_it_is_told_and_a_checkpoint_knows_it() -> None:
    G, D, _ = players("pix2pixhd", 64)
    x = torch.rand(1, 3, 64, 64)
    G.at(1)
    assert G.train()(x).shape == (1, 3, 32, 32)
    assert G.eval()(x).shape == (1, 3, 64, 64)
    other, _, _ = players("pix2pixhd", 64)
    other.load_state_dict(G.state_dict())
    assert torch.equal(other.eval()(x), G(x))
    G.at(0)
    assert G.train()(x).shape == (1, 3, 64, 64)
    sides = [layers[-1].shape[-1] for layers in D.scales(x, x)]
    assert sides == [14, 6]
    with pytest.raises(UserError, match="coarse is 2"):
        G.at(2)


def test_pix2pixhds_global_network_has_the_parameters_of_the_authors() -> None:
    with torch.device("meta"):  # of 35 classes and a map of edges
        G = build(recipe("pix2pixhd").players["G"], Domain(shape=(3, 256, 256), source=(36, 256, 256)))
    assert sum(value.numel() for part in (G.coarse, G.coarse_end) for value in part.parameters()) == 182_546_755


def test_what_a_translator_cannot_make_is_refused_in_one_line() -> None:
    told = recipe("pix2pix").players
    for player, domain, said in (
        (told["G"], Domain(shape=(3, 48, 48), source=(3, 48, 48)), "size 48 is not one that unet-generator can make"),
        (told["G"], Domain(shape=(3, 64, 64)), "translates images, and this recipe draws from noise"),
        (
            told["D"],
            Domain(shape=(3, 16, 16), source=(3, 16, 16)),
            "too small for patchgan, which halves 3 times: 24 or more",
        ),
        (recipe("srgan").players["G"], Domain(shape=(3, 96, 96), source=(3, 32, 32)), "enlarges 2, 4 or 8 times"),
        (recipe("cyclegan").players["G"], Domain(shape=(3, 30, 30), classes=2, source=(3, 30, 30)), "multiple of 4"),
        (recipe("cyclegan").players["G"], Domain(shape=(3, 32, 32), classes=3, source=(3, 32, 32)), "for two domains"),
    ):
        with pytest.raises(UserError, match=said) as refusal:
            build(player, domain)
        assert "\n" not in str(refusal.value)
