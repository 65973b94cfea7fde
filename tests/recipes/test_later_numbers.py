"""The recipes beyond the tutorials have the numbers of their papers, typed in apart from the recipes."""

from __future__ import annotations

from typing import Any

import pytest
from tests.recipes.test_published_numbers import NUMBERS as OF_TUTORIALS
from tests.recipes.test_published_numbers import look

from zerosum.recipes import names, recipe
from zerosum.spec import Stage


def adam(lr: float, *betas: float, d_lr: float | None = None) -> dict[str, Any]:
    """Both players' Adam."""
    rates = {"G": lr, "D": lr if d_lr is None else d_lr}
    every = {"optimizer": "adam", "betas": list(betas)}
    told = {f"{player}.{key}": value for player in "GD" for key, value in every.items()}
    return told | {f"{player}.lr": rate for player, rate in rates.items()}


NUMBERS: dict[str, dict[str, Any]] = {
    # 1802.05957, section 4 and table 4: setting of the ResNets
    "sngan": {**adam(2e-4, 0.0, 0.9), "loss": "hinge", "n_critic": 5, "batch": 64, "steps": 50_000, "G.z_dim": 128},
    # 1805.08318, section 5
    "sagan": {**adam(1e-4, 0.0, 0.9, d_lr=4e-4), "loss": "hinge", "n_critic": 1, "batch": 256, "G.z_dim": 128},
    # 1809.11096, sections 3 and 4, appendix C
    "biggan": {
        **adam(5e-5, 0.0, 0.999, d_lr=2e-4),
        "loss": "hinge",
        "n_critic": 2,
        "ortho": 1e-4,
        "ema": 0.9999,
        "G.part": 20,
        "G.embedded": 128,
        "G.width": 96,
        "D.width": 96,
    },
    # 1710.10196, appendix A
    "progan": {
        **adam(1e-3, 0.0, 0.99),
        "loss": "wasserstein",
        "gp": 10.0,
        "drift": 1e-3,
        "n_critic": 1,
        "batch": 16,
        "ema": 0.999,
        "G.z_dim": 512,
    },
    # 1812.04948, section 2 and appendix C
    "stylegan": {
        **adam(1e-3, 0.0, 0.99),
        "loss": "non-saturating",
        "r1": 10.0,
        "penalty_every": 1,
        "ema": 0.999,
        "G.mixing": 0.9,
        "G.spread": 0.0,
        "G.depth": 8,
        "G.z_dim": 512,
        "G.w_dim": 512,
    },
    # 1912.04958, appendix B
    "stylegan2": {
        "loss": "non-saturating",
        "r1": 10.0,
        "penalty_every": 16,
        "path_weight": 2.0,
        "path_every": 4,
        "batch": 32,
        "G.z_dim": 512,
        "G.w_dim": 512,
        "G.depth": 8,
        "G.mixing": 0.9,
    },
    # 1610.09585, appendix A
    "acgan": {**adam(2e-4, 0.5, 0.999), "batch": 100, "D.dropout": 0.5, "class_weight": 1.0},
    # 1606.03657, appendix C.1
    "infogan": {**adam(1e-3, 0.5, 0.999, d_lr=2e-4), "G.noise": 62, "G.categories": 10, "G.continuous": 2},
    # 1705.07215, Algorithm 1
    "dragan": {"gp": 10.0, "gp_at": "around-real", "n_critic": 1, "loss": "non-saturating"},
    # 1703.10717, section 3
    "began": {"k_rate": 1e-3, "batch": 16, "G.lr": 1e-4, "D.lr": 1e-4, "G.z_dim": 64, "D.hidden": 64},
    # 2102.07074, section 4
    "transgan": {
        **adam(1e-4, 0.0, 0.99),
        "loss": "wasserstein",
        "gp": 10.0,
        "n_critic": 5,
        "batch": 128,
        "d_share": 0.5,
        "G.width": 384,
        "augment": ["colour", "translation", "cutout"],
    },
    # 2501.05441, the table of hyper-parameters: CIFAR-10
    "r3gan": {"loss": "relativistic", "r1": 0.05, "r2": 0.05, "penalty_every": 1, "batch": 512, "G.z_dim": 64},
    # 1611.07004, sections 3.3 and 6.2
    "pix2pix": {**adam(2e-4, 0.5, 0.999), "loss": "non-saturating", "l1": 100.0, "batch": 1, "epochs": 200},
    # 1703.10593, sections 4 and 7
    "cyclegan": {"adversarial": 2.0, "loss": "least-squares", "cycle": 10.0, "identity": 0.5, "pool": 50, "batch": 1},
    # 1703.05192, section 4 and the authors' settings
    "discogan": {**adam(2e-4, 0.5, 0.999), "batch": 200, "G.weight_decay": 1e-4, "D.weight_decay": 1e-4}
    | {"loss": "non-saturating", "cycle": 1.0, "distance": "l2", "identity": 0.0, "pool": 0},
    # 1711.09020, sections 3 and 4.4
    "stargan": {**adam(1e-4, 0.5, 0.999), "n_critic": 5, "gp": 10.0, "cycle": 10.0, "class_weight": 1.0, "batch": 16},
    # 1609.04802, section 3.2
    "srgan": {**adam(1e-4, 0.9, 0.999), "batch": 16, "G.blocks": 16},
    # 1612.03242, section 4.4
    "stackgan": {**adam(2e-4, 0.5, 0.999), "batch": 64, "G.z_dim": 100, "G.condition": 128},
    # 1705.09368, section 4.2
    "pg2": {**adam(2e-5, 0.5, 0.999), "batch": 8},
    # 1704.04086, section 4
    # 1711.11585, sections 3.2 and 4
    "pix2pixhd": {
        **adam(2e-4, 0.5, 0.999),
        "loss": "least-squares",
        "matching": 10.0,
        "batch": 1,
        "D.scales": 3,
        "G.blocks": 9,
        "G.local_blocks": 3,
    },
    # 1702.01983, section 3: DCGAN's (1511.06434) optimizer and z
    "age-cgan": {**adam(2e-4, 0.5, 0.999), "batch": 64, "G.z_dim": 100},
    "tp-gan": {"G.lr": 1e-4, "D.lr": 1e-4, "batch": 10, "G.noise": 100, "adversarial": 1e-3, "symmetry": 0.3},
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_are_the_papers(name: str) -> None:
    fields = recipe(name).to_dict()
    assert {key: look(fields, key) for key in NUMBERS[name]} == NUMBERS[name]


def test_there_is_none_without_numbers() -> None:
    own = {"quick", "quick-points"}  # the project's own
    assert set(NUMBERS) | set(OF_TUTORIALS) | own == set(names())


STAGES = {
    # 1703.10593, section 7; 1711.11585, section 4 (coarse first: section 3.1)
    "cyclegan": [(100.0, {}, {}), (100.0, {}, {"lr": 0.0})],
    "pix2pixhd": [(100.0, {}, {}), (100.0, {"coarse": 0}, {"lr": 0.0})],
    # 1711.09020, section 5.1
    "stargan": [(10.0, {}, {}), (10.0, {}, {"lr": 0.0})],
    # 1609.04802, section 3.2: a million updates for MSE, then a tenth each at two rates
    "srgan": [
        (1_000_000, {}, {}),
        (100_000, {"adversarial": 1e-3, "content": 1.0, "l2": 0.0}, {}),
        (100_000, {"lr": 1e-5}, {}),
    ],
    # 1705.09368, section 4.2
    "pg2": [(30_000, {}, {}), (20_000, {"part": 2, "adversarial": 1.0, "l1": 10.0}, {})],
}


@pytest.mark.parametrize("name", STAGES)
def test_stages_are_the_papers(name: str) -> None:
    found = [(stage.steps or stage.epochs, dict(stage.changes), dict(stage.gradually)) for stage in recipe(name).stages]
    assert found == STAGES[name]


def images(stages: tuple[Stage, ...]) -> int:
    return sum(stage.images or 0 for stage in stages)


def test_growing_recipes_see_as_many_images_as_their_papers() -> None:
    """800,000 and 600,000 on each size and while each fades in; StyleGAN's 25 million in all."""
    assert [stage.images for stage in recipe("progan").stages] == [800_000] * 17
    assert {stage.images for stage in recipe("stylegan").stages[:-1]} == {600_000}
    assert images(recipe("stylegan").stages) == 25_000_000
    steps = recipe("stylegan2").steps
    assert steps is not None
    assert steps * 32 == pytest.approx(25_000_000, rel=0.01)


def test_lazy_regularization_corrects_rates_and_betas_for_its_interval() -> None:
    """1912.04958, appendix B: c = k / (k + 1) for rates, betas to its power."""
    players = recipe("stylegan2").players
    for name, interval in (("G", 4), ("D", 16)):
        share = interval / (interval + 1)
        assert players[name].lr == pytest.approx(2e-3 * share, rel=1e-2)
        assert players[name].betas == pytest.approx((0.0, 0.99**share), rel=1e-4)
