"""What every registered network must do, at each size and channel count that its recipe supports."""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass
from xml.etree import ElementTree

import pytest
import torch
from torch import Tensor, nn

from zerosum.errors import UserError
from zerosum.networks import NETWORKS, build, hears_classes
from zerosum.networks.describe import describe_player, totals
from zerosum.networks.diagram import diagram
from zerosum.networks.layers.growing import Growing
from zerosum.recipes import names, recipe
from zerosum.spec import Player
from zerosum.types import Domain

NARROW = {
    "sngan": 8,
    "sagan": 8,
    "biggan": 8,
    "transgan": 256,
    "began": 8,
    "progan": 8,
    "stylegan": 8,
    "stylegan2": 8,
    "r3gan": 16,
    "age-cgan": 8,
}  # recipes whose published widths are not what is tested here
SHALLOW = {"transgan": {"G.first": 1, "G.later": 1, "G.last": 1, "D.depth": 1}}  # and depths


@dataclass(frozen=True)
class Case:
    """A recipe on one kind of data."""

    recipe: str
    domain: Domain

    def __str__(self) -> str:
        return f"{self.recipe}-{'x'.join(map(str, self.domain.shape))}-{self.domain.classes}"

    def player(self, name: str) -> Player:
        width = NARROW.get(self.recipe)
        told = SHALLOW.get(self.recipe, {}) | ({} if width is None else {"width": width})
        return recipe(self.recipe).override(told).players[name]

    def network(self, name: str) -> nn.Module:
        torch.manual_seed(0)
        return build(self.player(name), self.domain)

    def labels(self, count: int) -> Tensor | None:
        return None if self.domain.classes is None else torch.arange(count) % self.domain.classes


def cases() -> list[Case]:
    found = [Case(name, Domain(shape=(2,))) for name in names() if recipe(name).kind in ("any", "points")]
    for name in names():
        told = recipe(name)
        if told.kind == "points" or told.inputs not in ("noise", "codes"):  # see test_translators.py
            continue
        if told.captions == "required":  # and test_stackgan.py these
            continue
        classes: tuple[int | None, ...] = {"ignored": (None,), "optional": (None, 3), "required": (3,)}[told.classes]
        for size in (told.size,) if told.size else told.sizes:
            for channels in (told.channels,) if told.channels else (1, 3):
                for count in classes:
                    if size > 128 and (channels, count) != (3, classes[0]) and told.channels is None:
                        continue  # of large images one kind is enough
                    shape = (channels, size, size)
                    found.append(Case(name, Domain(shape=shape, classes=count, value_range=told.value_range)))
    return found


CASES = cases()
each_case = pytest.mark.parametrize("case", CASES, ids=str)
ONE_OF_EACH = {(case.recipe, len(case.domain.shape)): case for case in reversed(CASES)}.values()
one_of_each = pytest.mark.parametrize("case", ONE_OF_EACH, ids=str)


WITH_CLASSES = {case.recipe: case for case in reversed(CASES) if case.domain.classes is not None}.values()


@functools.cache
def z_dim(case: Case) -> int:
    network = case.network("G")
    assert isinstance(network.z_dim, int)
    return network.z_dim


@each_case
def test_g_draws_samples_of_the_domain_and_d_gives_a_logit_for_each(case: Case) -> None:
    G, D = case.network("G"), case.network("D")
    y = case.labels(3)
    fake = G(torch.randn(3, z_dim(case)), y)
    assert fake.shape == (3, *case.domain.shape)
    assert fake.dtype == torch.float32
    assert D(fake, y).shape == (3,)
    if len(case.domain.shape) == 3:
        low, high = case.domain.value_range
        # A G that ends linearly, as its paper has it, keeps to the range where others look: in eval mode.
        seen = G.eval()(torch.randn(3, z_dim(case)), y) if getattr(G, "linear_end", False) else fake
        assert low <= seen.min().item()
        assert seen.max().item() <= high
        assert seen.std().item() > 0


@each_case
def test_one_sample_can_be_drawn_alone_in_eval_mode(case: Case) -> None:
    G = case.network("G").double().eval()  # deep narrow networks with norms in every layer enlarge what is rounded
    z, y = torch.randn(4, z_dim(case), dtype=torch.float64), case.labels(4)
    alone = G(z[1:2], None if y is None else y[1:2])
    torch.testing.assert_close(alone, G(z, y)[1:2], atol=1e-7, rtol=1e-7)


@pytest.mark.parametrize("case", WITH_CLASSES, ids=str)
def test_g_takes_a_mixture_of_classes_where_it_takes_labels(case: Case) -> None:
    G, z, y = case.network("G").eval(), torch.randn(3, z_dim(case)), case.labels(3)
    with torch.no_grad():
        torch.testing.assert_close(G(z, torch.eye(3)[y]), G(z, y), atol=1e-5, rtol=1e-4)
        assert G(z, torch.full((3, 3), 1 / 3)).isfinite().all()


@pytest.mark.parametrize("case", {str(case): case for case in [*ONE_OF_EACH, *WITH_CLASSES]}.values(), ids=str)
def test_gradients_reach_every_parameter_of_both_players(case: Case) -> None:
    G, D = case.network("G"), case.network("D")
    with torch.no_grad():  # a layer that starts at zero may hide those behind it
        for value in [*G.parameters(), *D.parameters()]:
            value.add_(torch.randn_like(value) * 0.01)
    y = case.labels(8)
    for growth in range(G.top + 1) if isinstance(G, Growing) else [None]:
        if isinstance(G, Growing) and isinstance(D, Growing) and growth is not None:
            G.grow(growth)
            D.grow(growth)
        x = G(torch.randn(8, z_dim(case)), y)
        said = D.both(x) if hasattr(D, "both") else (D(x, y),)
        sum(logits.square().sum() for logits in said).backward()
    for name, value in [*G.named_parameters(), *D.named_parameters()]:
        assert value.grad is not None, name
        assert value.grad.isfinite().all(), name
        assert value.grad.abs().max().item() > 0, name


@pytest.mark.parametrize("case", {str(case): case for case in [*ONE_OF_EACH, *WITH_CLASSES]}.values(), ids=str)
def test_a_gradient_penalty_can_be_learned_from(case: Case) -> None:
    D, y = case.network("D"), case.labels(4)
    x = torch.rand(4, *case.domain.shape, requires_grad=True)
    (slope,) = torch.autograd.grad(D(x, y).sum(), x, create_graph=True)
    slope.flatten(1).norm(2, dim=1).sum().backward()
    gradients = [value.grad for value in D.parameters() if value.grad is not None]
    assert any(gradient.abs().max().item() > 0 for gradient in gradients)
    assert all(gradient.isfinite().all() for gradient in gradients)


@one_of_each
def test_networks_work_in_float64(case: Case) -> None:
    G, D = case.network("G").double(), case.network("D").double()
    y = case.labels(2)
    fake = G(torch.randn(2, z_dim(case), dtype=torch.float64), y)
    assert fake.dtype == torch.float64
    assert D(fake, y).dtype == torch.float64


@pytest.mark.parametrize("case", [case for case in ONE_OF_EACH if len(case.domain.shape) == 3], ids=str)
def test_channels_last_changes_nothing_but_the_order_in_memory(case: Case) -> None:
    G, D = case.network("G").eval(), case.network("D").eval()
    z, y = torch.randn(2, z_dim(case)), case.labels(2)
    fake = G(z, y)
    logits = D(fake, y)
    last = torch.channels_last
    G, D = G.to(memory_format=last), D.to(memory_format=last)  # type: ignore[call-overload]
    torch.testing.assert_close(G(z, y), fake, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(D(fake.to(memory_format=last), y), logits, atol=1e-5, rtol=1e-4)


@one_of_each
def test_the_same_seed_gives_the_same_weights_and_another_seed_others(case: Case) -> None:
    for name in ("G", "D"):
        first, again = case.network(name).state_dict(), case.network(name).state_dict()
        assert all(torch.equal(value, again[key]) for key, value in first.items())
        torch.manual_seed(1)
        other = build(case.player(name), case.domain).state_dict()
        assert any(not torch.equal(value, other[key]) for key, value in first.items())


@each_case
def test_description_on_the_meta_device_has_every_parameter_and_ends_at_the_networks_output(case: Case) -> None:
    for name, shape in (("G", case.domain.shape), ("D", None)):
        layers = describe_player(case.player(name), case.domain)
        assert totals(layers)[0] == sum(value.numel() for value in case.network(name).parameters())
        assert totals(layers)[1] > 0
        if shape is not None:
            assert layers[-1].output == shape


@one_of_each
def test_every_recipe_can_be_drawn(case: Case) -> None:
    players = {name: describe_player(case.player(name), case.domain) for name in ("G", "D")}
    drawn = ElementTree.fromstring(diagram(case.recipe, players))
    texts = list(drawn.iter("{http://www.w3.org/2000/svg}text"))
    assert {"G, the generator", "D, the discriminator"} <= {text.text for text in texts}
    blocks = Counter(text.text for text in texts if text.get("class") == "kind")
    for kind in ("conv", "transposed conv", "linear"):
        assert blocks[kind] == sum(layer.kind == kind for layers in players.values() for layer in layers)


def test_every_registered_network_is_used_by_a_recipe() -> None:
    assert set(NETWORKS) == {player.network for name in names() for player in recipe(name).players.values()}


@pytest.mark.parametrize("network", sorted({case.player(p).network for case in CASES for p in "GD"}))
def test_a_network_for_images_refuses_points_in_one_line_and_the_other_way_round(network: str) -> None:
    if network.startswith("gan-"):
        assert build(Player(network=network), Domain(shape=(2,))) is not None
        return
    unfit = Domain(shape=(1, 28, 28)) if network.startswith("points-") else Domain(shape=(2,))
    with pytest.raises(UserError) as refusal:
        build(Player(network=network), unfit)
    assert "\n" not in str(refusal.value)


def test_an_unknown_argument_is_an_error_with_the_nearest_one() -> None:
    with pytest.raises(UserError, match="no argument 'widht'; did you mean width"):
        build(Player(network="dcgan-generator", args={"widht": 8}), Domain(shape=(1, 28, 28)))
    with pytest.raises(UserError, match="no network 'dcgan-generater'; did you mean dcgan-generator"):
        build(Player(network="dcgan-generater"), Domain(shape=(1, 28, 28)))


@pytest.mark.parametrize("size", [8, 17, 22, 36, 46])
def test_dcgan_refuses_sizes_that_are_no_small_base_doubled(size: int) -> None:
    if size == 8:  # 4 doubled once
        layers = describe_player(Player(network="dcgan-generator"), Domain(shape=(1, 8, 8)))
        assert [layer.output for layer in layers if layer.kernel] == [(64, 4, 4), (1, 8, 8)]
        return
    with pytest.raises(UserError, match=f"size {size} is not one that DCGAN can make"):
        build(Player(network="dcgan-generator"), Domain(shape=(1, size, size)))


def test_tutorial_networks_make_28_pixels_and_no_others() -> None:
    for name in ("dcgan-smooth", "dcgan-lite", "dcgan-k2"):
        for player in recipe(name).players.values():
            with pytest.raises(UserError, match="size 32 is not one that"):
                build(player, Domain(shape=(1, 32, 32)))


def test_a_conditional_gan_needs_labels() -> None:
    with pytest.raises(UserError, match="cgan-generator needs labels"):
        build(Player(network="cgan-generator"), Domain(shape=(1, 28, 28)))


def test_the_label_changes_what_both_players_of_cgan_see() -> None:
    case = Case("cgan", Domain(shape=(1, 28, 28), classes=10, value_range=(0.0, 1.0)))
    G, D = case.network("G").eval(), case.network("D").eval()
    z = torch.randn(1, 100).repeat(2, 1)
    fake = G(z, torch.tensor([3, 8]))
    assert not torch.allclose(fake[0], fake[1])
    logits = D(fake[:1].repeat(2, 1, 1, 1), torch.tensor([3, 8]))
    assert logits[0].item() != logits[1].item()


def test_dropout_acts_in_train_mode_in_either_players_turn() -> None:
    for name in ("dcgan-smooth", "dcgan-lite", "dcgan-k2"):
        case = next(case for case in CASES if case.recipe == name)
        D, x = case.network("D"), torch.rand(2, 1, 28, 28)
        assert not torch.equal(D(x), D(x))
        D.requires_grad_(False)  # as in G's turn
        assert not torch.equal(D(x), D(x))
        D.eval()
        assert torch.equal(D(x), D(x))


def test_the_first_gans_start_as_their_published_code_did() -> None:
    """Weights within 0.05 in G and 0.005 in D, zero biases; cgan's labels are heard from the start."""
    for name in ("gan", "cgan"):
        classes = 10 if name == "cgan" else None
        case = Case(name, Domain(shape=(1, 28, 28), classes=classes, value_range=(0.0, 1.0)))
        for player, span in (("G", 0.05), ("D", 0.005)):
            for key, value in case.network(player).named_parameters():
                if key.startswith("from_y"):
                    assert 0.25 < value.abs().max().item() <= 10**-0.5  # torch's, for ten inputs
                elif key.endswith("bias"):
                    assert value.abs().max().item() == 0
                else:
                    assert 0.95 * span < value.abs().max().item() <= span


@pytest.mark.parametrize("name", [name for name in names() if recipe(name).inputs == "noise"])
def test_a_generator_hears_of_classes_where_its_recipe_takes_them(name: str) -> None:
    told = recipe(name)
    if told.kind == "points" or told.captions == "required":
        return
    size = told.size or told.sizes[-1]
    domain = Domain(shape=(told.channels or 3, size, size), classes=3, value_range=told.value_range)
    # A DCGAN has none in its papers and hears of them where it is told to.
    assert hears_classes(told.players["G"], domain) == (
        told.classes != "ignored" or told.players["G"].network == "dcgan-generator"
    )
