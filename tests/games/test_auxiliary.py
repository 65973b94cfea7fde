"""ACGAN's game: what D and G descend beside the adversarial terms, against cross-entropies worked out apart."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import zerosum
from zerosum.api.assemble import assemble, settle
from zerosum.data import open_dataset
from zerosum.engine.engine import Engine
from zerosum.engine.plan import Plan
from zerosum.engine.training import Training
from zerosum.errors import UserError
from zerosum.recipes import recipe

SMALL = {"G.width": 4, "D.width": 2, "dropout": 0.0, "batch": 8, "grid": 10}


def training(**settings: Any) -> Training:
    data = open_dataset("digits")
    told = settle(recipe("acgan").override({**SMALL, **settings}), data)
    return assemble(told, data, Engine("cpu"), Plan.of(told, len(data.train)))


@pytest.mark.parametrize("settings", [{}, {"class_weight": 0.5, "view": "one-batch"}, {"gp": 10.0, "loss": "hinge"}])
def test_both_players_descend_the_cross_entropy_of_the_classes(settings: dict[str, Any]) -> None:
    run = training(**settings, **{"D.lr": 0.0, "G.lr": 0.0})
    D = run.game.networks["D"]
    heard: list[tuple[torch.Tensor, torch.Tensor]] = []
    D.classifier.register_forward_hook(lambda layer, given, found: heard.append(found.detach()))
    labels: list[torch.Tensor] = []
    streams = run.streams
    real, asked = streams.real, streams.labels

    def noted_real(count: int) -> Any:
        x, y = real(count)
        labels.append(y)
        return x, y

    def noted_labels(count: int) -> Any:
        labels.append(asked(count))
        return labels[-1]

    streams.real, streams.labels = noted_real, noted_labels  # type: ignore[method-assign]
    recorded: dict[str, torch.Tensor] = {}
    run.ledger.record = lambda step, terms: recorded.update(terms)  # type: ignore[method-assign]
    run.take_step(observe=True)
    terms = recorded
    weight = settings.get("class_weight", 1.0)
    if settings.get("gp"):  # between images of one class
        labels.insert(1, labels[0])
    of_real, of_fake, of_g = labels
    both = heard[0] if settings.get("view") == "one-batch" else torch.cat(heard[:2])
    d_class = F.cross_entropy(both[:8], of_real) + F.cross_entropy(both[8:], of_fake)  # L_C, equation 3
    assert float(terms["D/class"]) == pytest.approx(weight * float(d_class), rel=1e-5)
    assert float(terms["G/class"]) == pytest.approx(weight * float(F.cross_entropy(heard[-1], of_g)), rel=1e-5)


def test_a_d_that_names_classes_is_asked_by_its_classifier_what_it_believes() -> None:
    """Its logits say nothing of classes: the watch took every run of such a D for one whose classes mean nothing."""
    game = training().game
    D, x, y = game.networks["D"], torch.randn(6, 1, 28, 28), torch.arange(6)
    named = D.both(x)[1].log_softmax(1)
    found, wrong = game.belief(x, y), game.belief(x, y.roll(1))
    assert found is not None
    torch.testing.assert_close(found, named[torch.arange(6), y])
    assert not torch.equal(found, wrong)
    assert torch.equal(game.logits(x, y), game.logits(x, y.roll(1)))


def test_the_labels_weights_in_g_learn() -> None:
    run = training(batch=16)
    G = run.game.networks["G"]
    before = G.layers[0].weight[:, -10:].clone()
    run.take_step(observe=False)
    assert not torch.equal(before, G.layers[0].weight[:, -10:])


def test_a_network_that_names_no_classes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="acgan-discriminator"):
        zerosum.train("acgan", "digits", steps=1, out=tmp_path / "x", settings={"D.network": "dcgan-discriminator"})
    with pytest.raises(UserError, match="two-steps"):
        zerosum.train("acgan", "digits", steps=1, out=tmp_path / "x", settings={**SMALL, "view": "two-steps"})
    assert not (tmp_path / "x").exists()


def test_the_tables_of_the_paper() -> None:
    """CIFAR-10's: 384 maps of 4x4 from 110 numbers, 192, 96, 3; 16 to 512 channels and a linear layer of 11 outputs."""
    from zerosum.networks import build
    from zerosum.types import Domain

    domain, told = Domain(shape=(3, 32, 32), classes=10), recipe("acgan")
    g = 111 * 384 * 16 + 25 * (384 * 192 + 192 * 96 + 96 * 3) + 3 + 2 * (192 + 96)
    widths = (16, 32, 64, 128, 256, 512)
    inner = sum(9 * a * b + 2 * b for a, b in itertools.pairwise(widths))
    d = 9 * 3 * 16 + 16 + inner + (512 * 16 + 1) * 11
    for name, count in (("G", g), ("D", d)):
        network = build(told.players[name], domain)
        assert sum(weight.numel() for weight in network.parameters()) == count
    # ImageNet's at 128 pixels: 768 maps of 8x8, 384, 256, 192, 3, and the same D.
    domain = Domain(shape=(3, 128, 128), classes=10)
    large = d - 512 * 16 * 11 + 512 * 16 * 16 * 11
    assert sum(weight.numel() for weight in build(told.players["D"], domain).parameters()) == large
    g = 111 * 768 * 64 + 25 * (768 * 384 + 384 * 256 + 256 * 192 + 192 * 3) + 3 + 2 * (384 + 256 + 192)
    assert sum(weight.numel() for weight in build(told.players["G"], domain).parameters()) == g
    dropouts = [layer.p for layer in build(told.players["D"], domain).modules() if isinstance(layer, nn.Dropout)]
    assert dropouts == [0.5] * 6
