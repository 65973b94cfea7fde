"""StackGAN's networks: the paper's shapes, what each stage learns and leaves alone, and how a text is heard."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from zerosum.errors import UserError
from zerosum.networks import build
from zerosum.networks.describe import describe_player, totals
from zerosum.networks.stackgan import Conditioning, Reader, StackGanDiscriminator, StackGanGenerator
from zerosum.recipes import recipe
from zerosum.types import Domain

SMALL = {"width": 8, "embedding": 12, "units": 6, "condition": 4, "compressed": 5, "z_dim": 7, "blocks": 1}
TEXT = (9, 5)


def domain_of(size: int, channels: int = 1) -> Domain:
    return Domain(shape=(channels, size, size), text=TEXT)


def players(size: int, channels: int = 1) -> tuple[StackGanGenerator, StackGanDiscriminator]:
    told, domain = recipe("stackgan").override(SMALL), domain_of(size, channels)
    torch.manual_seed(0)
    G, D = (build(told.players[name], domain) for name in "GD")
    assert isinstance(G, StackGanGenerator)
    assert isinstance(D, StackGanDiscriminator)
    return G, D


def words(count: int) -> Tensor:
    return torch.randint(1, TEXT[0], (count, TEXT[1]))


@pytest.mark.parametrize("size", [64, 128, 256])
@pytest.mark.parametrize("channels", [1, 3])
def test_each_stage_draws_in_its_size_and_d_judges_both(size: int, channels: int) -> None:
    G, D = players(size, channels)
    z, y = torch.randn(3, G.z_dim), words(3)
    assert G.z_dim == 7 + 2 * 4
    embedded = G.read(y)
    assert embedded.shape == (3, 12)
    for stage, side in ((1, size // 4), (2, size)):
        G.at(stage)
        images, divergence = G.train().drawn(z, embedded)
        assert images.shape == (3, channels, side, side)
        assert divergence.shape == D(images, embedded).shape == (3,)
        seen = G.eval()(z, y)
        assert seen.shape == (3, channels, size, size)
        assert seen.abs().max() <= 1
        torch.testing.assert_close(G(z[1:2], y[1:2]), seen[1:2], atol=1e-5, rtol=1e-4)
    assert D.look(images[..., : size // 4, : size // 4]).shape == (3, 12)


def test_the_papers_maps_at_256_pixels() -> None:
    """Stage II looks at 64 pixels down to 16x16 maps (M_g), and D ends in 4x4 maps (M_d)."""
    told, domain = recipe("stackgan").players, domain_of(256, 3)
    g = {layer.name: layer.output for layer in describe_player(told["G"], domain)}
    assert g["first.layers.3"] == (1024, 4, 4)
    assert g["first.layers.20"][1:] == (64, 64)
    assert g["second.looks.7"] == (512, 16, 16)
    assert g["second.layers.3.end"] == (512, 16, 16)  # the fourth residual block
    d = {layer.name: layer.output for layer in describe_player(told["D"], domain)}
    assert d["judges.1.compresses.0"] == (128,)
    assert d["judges.1.joins.0"] == (512, 4, 4)
    for name in "GD":
        assert totals(describe_player(told[name], domain))[0] == sum(
            value.numel() for value in build(told[name], domain).parameters()
        )


def test_the_papers_numbers_and_stages() -> None:
    told = recipe("stackgan")
    fields = told.to_dict()
    assert fields["game"] == {
        **fields["game"],
        "kind": "described",
        "loss": "non-saturating",
        "kl": 1.0,
        "mismatch": 0.5,
        "target_real": 1.0,
    }
    assert (told.batch, told.sizes, told.flip) == (64, (64, 128, 256), False)
    assert {key: told.players["G"].args[key] for key in ("z_dim", "condition", "blocks")} == {
        "z_dim": 100,
        "condition": 128,
        "blocks": 4,
    }
    assert told.players["D"].args["compressed"] == 128
    assert [stage.changes["stage"] for stage in told.stages] == [0] + 6 * [1] + 6 * [2]
    for first in (1, 7):  # 600 epochs each, the rate halved every 100
        stretch = told.stages[first : first + 6]
        assert [stage.epochs for stage in stretch] == 6 * [100.0]
        assert [stage.changes["lr"] for stage in stretch] == [2e-4 / 2**k for k in range(6)]


def test_a_stage_teaches_its_own_layers_and_every_layer_has_its_stage() -> None:
    G, D = players(64)
    reached: dict[int, set[str]] = {}
    for stage in (1, 2):
        G.at(stage)
        G.zero_grad()
        with torch.no_grad():
            embedded = G.read(words(8))
        images, divergence = G.drawn(torch.randn(8, G.z_dim), embedded)
        (D(images, embedded).square().sum() + divergence.sum()).backward()
        reached[stage] = {name for name, value in G.named_parameters() if value.grad is not None}
        assert all(value.grad.isfinite().all() for value in G.parameters() if value.grad is not None)
    (G.read(words(8)) * D.look(torch.rand(8, 1, 16, 16))).sum().backward()
    read = {name for name, _ in G.named_parameters() if name.startswith("read.")}
    assert all(value.grad is not None for value in G.read.parameters())
    assert reached[1] == {name for name, _ in G.named_parameters() if name.startswith("first.")}
    assert reached[2] == {name for name, _ in G.named_parameters() if name.startswith("second.")}
    assert reached[1] | reached[2] | read == {name for name, _ in G.named_parameters()}
    assert all(value.grad is not None and value.grad.abs().max() > 0 for value in D.parameters())


def test_stage_one_keeps_its_averages_while_stage_two_learns() -> None:
    G, _ = players(64)
    for stage, moves in ((1, True), (2, False)):
        G.at(stage)
        before = {name: value.clone() for name, value in G.first.named_buffers()}
        G.drawn(torch.randn(8, G.z_dim), G.read(words(8)))
        changed = any(not torch.equal(value, before[name]) for name, value in G.first.named_buffers())
        assert changed == moves
    G.eval()
    assert not any(module.training for module in G.modules())
    G.train()
    assert G.second.training
    assert not G.first.training


def test_a_checkpoint_knows_which_stage_draws() -> None:
    G, _ = players(64)
    G.at(1)
    other, _ = players(64)
    other.load_state_dict(G.state_dict())
    z, y = torch.randn(2, G.z_dim), words(2)
    small = G.eval()(z, y)
    assert torch.equal(other.eval()(z, y), small)
    assert torch.equal(small[..., ::4, ::4].repeat_interleave(4, 2).repeat_interleave(4, 3), small)


def test_the_condition_and_its_divergence_are_those_worked_out_by_hand() -> None:
    layer = Conditioning(2, 1).double()
    with torch.no_grad():
        layer.layer.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
        layer.layer.bias.zero_()
    embedded = torch.tensor([[3.0, math.log(4.0)], [0.0, 0.0]], dtype=torch.float64)
    condition, divergence = layer(embedded, torch.tensor([[0.5], [-2.0]], dtype=torch.float64))
    assert condition.flatten().tolist() == pytest.approx([3 + 0.5 * 2, -2.0])  # a variance of 4 is a deviation of 2
    assert divergence.tolist() == pytest.approx([(9 + 4 - 1 - math.log(4)) / 2, 0.0])


def test_divergence_is_that_of_torchs_distributions() -> None:
    torch.manual_seed(0)
    layer, embedded = Conditioning(6, 5).double(), torch.randn(3, 6, dtype=torch.float64)
    mean, log_variance = layer.layer(embedded).chunk(2, 1)
    theirs = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean, (0.5 * log_variance).exp()),
        torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean)),
    )
    torch.testing.assert_close(layer(embedded, torch.zeros(3, 5, dtype=torch.float64))[1], theirs.mean(1))


def test_what_follows_the_last_word_changes_nothing_and_the_order_of_words_does() -> None:
    torch.manual_seed(0)
    reader = Reader(9, 6, 12)
    short = torch.tensor([[3, 1, 4]])
    longer = torch.tensor([[3, 1, 4, 0, 0, 0]])
    torch.testing.assert_close(reader(short), reader(longer))
    assert not torch.allclose(reader(short), reader(short.flip(1)))
    found = reader(torch.zeros(1, 3, dtype=torch.int64))  # a text without words
    assert found.isfinite().all()


def test_an_embedding_has_mean_zero_and_variance_one() -> None:
    found = Reader(9, 6, 12)(words(4))
    torch.testing.assert_close(found.mean(1), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.var(1, correction=0), torch.ones(4), atol=1e-2, rtol=0)


def test_networks_work_in_float64_and_the_same_seed_gives_the_same_weights() -> None:
    G, D = players(64)
    G, D = G.double(), D.double()
    y = words(2)
    assert D(G(torch.randn(2, G.z_dim, dtype=torch.float64), y), G.read(y)).dtype == torch.float64
    for one, other in zip(players(64), players(64), strict=True):
        assert isinstance(one, nn.Module)
        assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_what_they_cannot_make_is_refused_in_one_line() -> None:
    told = recipe("stackgan").override(SMALL).players
    for player, domain, said in (
        (told["G"], Domain(shape=(1, 48, 48), text=TEXT), "size 48 is not one that stackgan-generator can make"),
        (told["G"], Domain(shape=(1, 64, 64)), "draws what a text says, and this recipe has no captions"),
        (told["D"], Domain(shape=(1, 64, 64)), "take stackgan"),
        (told["D"], Domain(shape=(2,), text=TEXT), "makes images, and the data are points"),
    ):
        with pytest.raises(UserError, match=said) as refusal:
            build(player, domain)
        assert "\n" not in str(refusal.value)
    _, D = players(64)
    with pytest.raises(UserError, match="images have 32 pixels; expected 64, or 16"):
        D(torch.rand(1, 1, 32, 32), torch.rand(1, 12))
