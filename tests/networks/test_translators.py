"""Networks that make images of images: shapes, the published numbers of parameters, gradients, size by size."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from zerosum.cli.commands.recipes import MAPS
from zerosum.errors import UserError
from zerosum.networks import build
from zerosum.networks.describe import describe_player, totals
from zerosum.networks.layers.norms import InstanceNorm
from zerosum.networks.tpgan import patch_at
from zerosum.networks.unet import NoisyDropout
from zerosum.recipes import names, recipe
from zerosum.spec import Player, Recipe
from zerosum.types import Domain

NARROW = {"width": 4}
FEW = {"pix2pixhd": {"G.halvings": 2, "blocks": 1, "D.layers": 2, "scales": 2}}  # for 64 pixels
TRANSLATORS = [name for name in names() if recipe(name).inputs not in ("noise", "codes")]
CASES = [(name, size) for name in TRANSLATORS for size in recipe(name).sizes if size < 512]
ALONE = {"pix2pixhd": "coarse_end", "pg2": "coarse."}  # parts of G that do not learn with the others
each_case = pytest.mark.parametrize(("name", "size"), CASES)


def domain_of(told: Recipe, size: int, channels: int = 3) -> Domain:
    classes = 2 if told.inputs in ("domains", "profiles") else None
    given = size // 4 if told.name == "srgan" else size
    source = (channels + MAPS[told.inputs] if told.inputs in MAPS else 3, given, given)
    return Domain(shape=(channels, size, size), classes=classes, value_range=told.value_range, source=source)


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
    if name in ("srgan", "pix2pixhd", "pg2"):
        assert logits.shape == ((2,) if name != "pix2pixhd" else (2, 1, size // 4 - 2, size // 4 - 2))
        return
    assert logits.shape[:2] == (2, 1)
    assert (
        logits.shape[2]
        == logits.shape[3]
        == {
            "discogan": 1,
            "stargan": {28: 3, 256: 4}.get(size, 2),
            "tp-gan": 2,
        }.get(name, max(size // 8 - 2, 1))
    )


@pytest.mark.parametrize("name", sorted({name for name, _ in CASES}))
def test_gradients_reach_every_parameter_and_colours_can_be_made_of_grey(name: str) -> None:
    G, D, domain = players(name, 64, channels=1)
    assert domain.source is not None
    x = torch.rand(2, *domain.source)
    if name == "pg2":
        G.play(2)
    made = called(G, x, domain, x)
    if name == "tp-gan":
        views = G.views(x)
        made = views.image
        aside = [*views.smaller, *views.patches, views.named]
        sum(one.square().sum() for one in aside).backward(retain_graph=True)
    said = D.both(made) if hasattr(D, "both") else (called(D, made, domain, x),)
    if name == "pix2pixhd":
        said = [layers[-1] for layers in D.scales(made, x)]
    sum(logits.square().sum() for logits in said).backward()
    for key, value in [*G.named_parameters(), *D.named_parameters()]:
        if name in ALONE and key.startswith(ALONE[name]):
            assert value.grad is None
            continue
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


def test_pix2pixhds_d_judges_three_scales_a_half_and_a_quarter_of_the_first() -> None:
    with torch.device("meta"):
        D = build(recipe("pix2pixhd").players["D"], Domain(shape=(3, 256, 256), source=(36, 256, 256)))
        maps = D.scales(torch.empty(1, 3, 256, 256), torch.empty(1, 36, 256, 256))
    assert [tuple(layers[-1].shape) for layers in maps] == [(1, 1, side, side) for side in (30, 14, 6)]


def test_pix2pixhds_global_network_has_the_parameters_of_the_authors() -> None:
    with torch.device("meta"):  # of 35 classes and a map of edges
        G = build(recipe("pix2pixhd").players["G"], Domain(shape=(3, 256, 256), source=(36, 256, 256)))
    assert sum(value.numel() for part in (G.coarse, G.coarse_end) for value in part.parameters()) == 182_546_755


def test_the_fine_network_adds_to_what_the_coarse_one_makes_and_a_checkpoint_knows_it() -> None:
    G, D, _ = players("pg2", 32)
    x = torch.rand(2, 22, 32, 32)
    coarse = G.train()(x)
    coarse.square().sum().backward()
    assert {key.partition(".")[0] for key, value in G.named_parameters() if value.grad is not None} == {"coarse"}
    assert all(value.grad is not None for value in G.coarse.parameters())
    G.play(2)
    added = G.fine(torch.cat([x[:, :3], coarse], dim=1))
    torch.testing.assert_close(G(x), coarse + added)
    other, _, _ = players("pg2", 32)
    other.load_state_dict(G.state_dict())
    assert torch.equal(other.eval()(x), G.eval()(x))
    assert torch.equal(G(x), (coarse + added).clamp(-1, 1))
    hidden = torch.cat([x[:, :-1], -x[:, -1:]], dim=1)
    assert torch.equal(G(hidden), G(x))  # the mask is the game's
    said = D(coarse, x)
    assert torch.equal(said, D(coarse, torch.cat([x[:, :3], -x[:, 3:]], dim=1)))  # D sees images alone
    assert not torch.equal(said, D(coarse, -x))


def test_pg2_has_six_blocks_at_256_pixels_whose_maps_grow_evenly() -> None:
    domain = Domain(shape=(3, 256, 256), source=(22, 256, 256))
    with torch.device("meta"):
        G = build(recipe("pg2").players["G"], domain)
    maps = [block.layers[0].out_channels for block in G.coarse.down]
    assert maps == [128, 256, 384, 512, 640, 768]
    flat = 768 * 8 * 8
    assert sum(value.numel() for value in G.coarse.middle.parameters()) == flat * 64 + 64 + 64 * flat + flat
    assert not list(G.fine.middle.parameters())
    assert [block.layers[0].out_channels for block in G.fine.down] == [128, 256, 384, 512]  # two fewer


def test_stargans_judge_halves_six_times_at_most() -> None:
    """Table 5 ends at a 64th of the side, with 2,048 maps, and a kernel of that side names the domain."""
    domain = Domain(shape=(3, 256, 256), source=(3, 256, 256), classes=5)
    with torch.device("meta"):
        D = build(recipe("stargan").players["D"], domain)
    assert D.real.weight.shape == (1, 2048, 3, 3)
    assert D.classifier.weight.shape == (5, 2048, 4, 4)


def test_patches_are_cut_around_landmarks_and_put_where_they_lie_from_the_front() -> None:
    from zerosum.data.keypoints import discs

    G, _, _ = players("tp-gan", 128)
    points = torch.tensor([[[30.0, 50.0], [70.0, 52.0], [52.0, 80.0], [40.0, 100.0], [60.0, 104.0]]])
    maps = torch.from_numpy(discs(points.numpy(), 128)).permute(0, 3, 1, 2).float() / 127.5 - 1
    maps[:, 1] = -1  # the right eye is hidden
    x = torch.cat([torch.rand(1, 3, 128, 128), maps], dim=1)
    left, right, nose, mouth = (at[0].tolist() for at in G.middles(x))
    assert left == pytest.approx([30, 50])
    assert nose == pytest.approx([52, 80])
    assert mouth == pytest.approx([50, 102])
    top, beside = G.corners[1]
    assert right == pytest.approx([beside + 19.5, top + 19.5])  # where it is in a frontal face: 0.67 and 0.4 of 128
    assert (beside, top) == (66, 31)
    cut = patch_at(x[:, :3], torch.tensor([[51.5, 81.5]]), 32, 40)
    torch.testing.assert_close(cut, x[:, :3, 66:98, 32:72], atol=1e-4, rtol=1e-4)
    views = G.eval().views(x)
    assert [tuple(one.shape[1:]) for one in views.smaller] == [(3, 32, 32), (3, 64, 64)]
    assert [tuple(one.shape[2:]) for one in views.patches] == [(40, 40), (40, 40), (32, 40), (32, 48)]
    assert views.named.shape == (1, 2)
    torch.manual_seed(0)
    one = G(x)
    assert not torch.equal(G(x), one)  # z is noise,
    torch.manual_seed(0)
    assert torch.equal(G(x), one)  # and a seed's


def test_tp_gans_encoder_leads_to_a_vector_of_256_numbers_by_the_papers_maps() -> None:
    with torch.device("meta"):
        G = build(recipe("tp-gan").players["G"], Domain(shape=(3, 128, 128), source=(8, 128, 128), classes=337))
        found, vector = G.encoder(torch.empty(1, 3, 128, 128))
    assert [tuple(maps.shape[1:]) for maps in found] == [
        *((64, 128, 128), (64, 64, 64), (128, 32, 32), (256, 16, 16), (512, 8, 8)),
    ]
    assert [layer[0][0].kernel_size[0] for layer in G.encoder.layers] == [7, 5, 3, 3, 3]
    assert tuple(vector.shape) == (1, 256)
    assert G.decoder.begins[0].in_features == 356


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
        (recipe("pg2").players["G"], Domain(shape=(3, 64, 64), source=(3, 64, 64)), "given a pose beside the image"),
        (
            recipe("tp-gan").players["G"],
            Domain(shape=(3, 64, 64), source=(3, 64, 64), classes=2),
            "given landmarks beside the face",
        ),
        (recipe("cyclegan").players["G"], Domain(shape=(3, 30, 30), classes=2, source=(3, 30, 30)), "multiple of 4"),
        (recipe("cyclegan").players["G"], Domain(shape=(3, 32, 32), classes=3, source=(3, 32, 32)), "for two domains"),
    ):
        with pytest.raises(UserError, match=said) as refusal:
            build(player, domain)
        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", ["cyclegan", "discogan", "stargan", "srgan", "pix2pixhd"])
def test_translators_that_say_so_take_images_of_any_size(name: str) -> None:
    """Of a side that is so many times their granularity; an image of another shape has what it has alone."""
    G, _, domain = players(name, 64)
    assert domain.source is not None
    G.eval()
    height, width = (3 * max(G.granularity, 16), 5 * max(G.granularity, 16))
    y = None if domain.classes is None else torch.zeros(1, dtype=torch.long)
    factor = getattr(G, "factor", 1)
    with torch.no_grad():
        made = G(torch.rand(1, domain.source[0], height, width), y)
    assert made.shape == (1, 3, factor * height, factor * width)
