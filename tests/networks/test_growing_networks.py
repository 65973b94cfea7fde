"""Networks that grow: sizes, fades, and what a loaded one remembers."""

from __future__ import annotations

import pytest
import torch

from zerosum.networks import build
from zerosum.networks.layers.growing import Growing, channels, doublings, faded
from zerosum.recipes import recipe
from zerosum.types import Domain

NAMES = ("progan", "stylegan")
DOMAIN = Domain(shape=(3, 32, 32))


def player(name: str, side: str, domain: Domain = DOMAIN) -> Growing:
    torch.manual_seed(0)
    network = build(recipe(name).override({"width": 8}).players[side], domain)
    assert isinstance(network, Growing)
    return network


def z(count: int = 4) -> torch.Tensor:
    return torch.randn(count, 512, generator=torch.Generator().manual_seed(1))


def test_channels_are_the_papers() -> None:
    """Table 2 of 1710.10196: 512 to 32 pixels, then halves, 16 at 1024."""
    sides = [4, 8, 16, 32, 64, 128, 256, 512, 1024]
    assert [channels(512, side) for side in sides] == [512, 512, 512, 512, 256, 128, 64, 32, 16]
    assert [doublings(size) for size in (28, 32, 1024)] == [2, 3, 8]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("growth", "side"), [(0, 4), (0.25, 8), (1, 8), (1.5, 16), (3, 32), (99, 32)])
def test_images_have_the_side_of_the_newest_layers(name: str, growth: float, side: int) -> None:
    G, D = player(name, "G"), player(name, "D")
    for network in (G, D):
        network.grow(growth)
    images = G(z())
    assert images.shape == (4, 3, side, side)
    assert D(images).shape == (4,)
    seen = G.eval()(z())
    assert seen.shape == (4, 3, 32, 32)
    assert seen.abs().max().item() <= 1
    small = seen[:, :, :: 32 // side, :: 32 // side]
    torch.testing.assert_close(small.repeat_interleave(32 // side, 2).repeat_interleave(32 // side, 3), seen)


@pytest.mark.parametrize("name", NAMES)
def test_a_fade_begins_as_the_smaller_network_and_ends_as_the_larger(name: str) -> None:
    G, D = player(name, "G").eval(), player(name, "D").eval()
    x = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    drawn, said = {}, {}
    for growth in (1.0, 1 + 1e-6, 1.5, 2.0):
        G.grow(growth)
        D.grow(growth)
        drawn[growth], said[growth] = G(z()), D(x)
    torch.testing.assert_close(drawn[1 + 1e-6], drawn[1.0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(said[1 + 1e-6], said[1.0], atol=1e-4, rtol=1e-4)
    assert (drawn[2.0] - drawn[1.0]).abs().max() > 1e-3
    assert (said[2.0] - said[1.0]).abs().max() > 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_half_way_an_image_is_the_mean_of_both_sizes(name: str) -> None:
    G = player(name, "G")
    G.w_mean = getattr(G, "w_mean", torch.zeros(()))
    with torch.no_grad():
        G.eval()
        for end in G.to_image:  # type: ignore[union-attr]
            end.weight.mul_(0.01)  # type: ignore[union-attr,operator]  # within the range, so that nothing is cut off
        images = []
        for growth in (1.0, 2.0, 1.5):
            G.grow(growth)
            images.append(G(z()))
    torch.testing.assert_close(images[2], (images[0] + images[1]) / 2, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_a_loaded_network_draws_at_the_growth_it_was_saved_at(name: str) -> None:
    G = player(name, "G")
    G.grow(1.25)
    other = player(name, "G")
    other.load_state_dict(G.state_dict())
    torch.testing.assert_close(other.eval()(z()), G.eval()(z()))
    assert other.level == (2, 0.25)


@pytest.mark.parametrize("name", NAMES)
def test_layers_that_have_not_grown_yet_get_no_gradient(name: str) -> None:
    def reached_at(level: float) -> set[str]:
        players = {"G": player(name, "G"), "D": player(name, "D")}
        for network in players.values():
            network.grow(level)
        players["D"](players["G"](z())).sum().backward()
        named = [(f"{who}.{key}", value) for who, one in players.items() for key, value in one.named_parameters()]
        return {key for key, value in named if value.grad is not None}

    reached, later = reached_at(1.5), reached_at(3.0) - reached_at(2.0)
    assert {"G.to_image.1.weight", "G.to_image.2.weight", "D.from_image.1.weight", "D.from_image.2.weight"} <= reached
    assert not any(".3." in key.split("weight")[0] and "image" in key for key in reached)
    for who in ("G", "D"):  # whatever a block's number is, it learns from the day on that it takes part
        assert any(key.startswith(f"{who}.blocks.") for key in later)
    assert not reached & later


@pytest.mark.parametrize("name", ["progan", "stylegan", "stylegan2"])
def test_channels_halve_beyond_the_side_that_is_named(name: str) -> None:
    told = recipe(name).override({"width": 16, "full_to": 8, "size": 32})
    G, D = (build(told.players[who], DOMAIN) for who in ("G", "D"))
    ends = [weight.shape for key, weight in G.named_parameters() if key.startswith("to_image") and weight.dim() == 4]
    assert [shape[1] for shape in ends] == [16, 16, 8, 4]
    begins = [
        weight.shape for key, weight in D.named_parameters() if key.startswith("from_image") and weight.dim() == 4
    ]
    assert [shape[0] for shape in begins] == ([4] if name == "stylegan2" else [16, 16, 8, 4])


def test_real_images_fade_as_fakes_do() -> None:
    x = torch.randn(2, 1, 32, 32)
    whole = torch.nn.functional.avg_pool2d(x, 2)
    half = torch.nn.functional.avg_pool2d(x, 4).repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(faded(x, 16, 0.3), 0.7 * half + 0.3 * whole)
    torch.testing.assert_close(faded(x, 16, 1.0), whole)
