"""Every recipe has the numbers of SYSTEMS.md and of the papers that it cites, and is the same after JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from zerosum.errors import UserError
from zerosum.networks import arguments
from zerosum.recipes import names, recipe
from zerosum.spec import Recipe

TUTORIALS = ("mlp", "dcgan-smooth", "dcgan-lite", "dcgan-k2", "dcgan-faces", "dcgan-digits")
PAPERS = {"gan": "1406.2661", "lsgan": "1611.04076", "wgan": "1701.07875", "wgan-gp": "1704.00028", "cgan": "1411.1784"}

KERAS = {"G.eps": 1e-7, "D.eps": 1e-7, "size": 28, "channels": 1, "data": "mnist", "draw": "replacement", "grid": 25}
ADAM = {"G.optimizer": "adam", "D.optimizer": "adam"}
MOMENTUM = {"optimizer": "sgd", "lr": 0.1, "momentum": 0.5}
HALVES = {"d_share": 0.5, "d_scale": 0.5, "view": "one-batch", "fakes": "fresh", "batch": 256, "epochs": 100}

NUMBERS: dict[str, dict[str, Any]] = {
    "mlp": {
        **ADAM,
        "first": "G",
        "fakes": "same",
        "d_scale": 0.5,
        "loss": "non-saturating",
        "G.lr": 2e-4,
        "D.lr": 2e-4,
        "G.betas": [0.5, 0.999],
        "D.betas": [0.5, 0.999],
        "batch": 64,
        "epochs": 200,
        "best": "g-loss",
        "value_range": [-1, 1],
        "data": "mnist",
        "grid_at": [1000, 10_000, 20_000, 30_000, 40_000, 50_000, 187_000],
    },
    "dcgan-smooth": {
        **ADAM,
        **KERAS,
        "target_real": 0.9,
        "target_fake": 0.1,
        "target_g": 0.9,
        "view": "two-steps",
        "fakes": "same-z",
        "fakes_mode": "eval",
        "d_scale": 1.0,
        "d_share": 1.0,
        "value_range": [-1, 1],
        "G.lr": 1e-4,
        "D.lr": 1e-4,
        "G.betas": [0.3, 0.999],
        "D.betas": [0.3, 0.999],
        "batch": 8,
        "epochs": 5,
        "epoch_share": 0.1,
        "grid_epochs": 1.0,
    },
    "dcgan-lite": {
        **ADAM,
        **KERAS,
        **HALVES,
        "G.lr": 2e-4,
        "D.lr": 2e-4,
        "G.betas": [0.5, 0.999],
        "D.betas": [0.5, 0.999],
        "value_range": [0, 1],
        "keep_epochs": 10,
        "d_every": 1,
    },
    "dcgan-k2": {
        **ADAM,
        **KERAS,
        **HALVES,
        "G.lr": 2e-4,
        "D.lr": 2e-4,
        "G.betas": [0.5, 0.999],
        "D.betas": [0.5, 0.999],
        "value_range": [0, 1],
        "d_every": 2,
    },
    "dcgan-faces": {
        **ADAM,
        "view": "two-batches",
        "fakes": "same",
        "d_scale": 1.0,
        "batch": 128,
        "data": None,
        "size": 64,
        "channels": 3,
        "value_range": [-1, 1],
        "grid_epochs": 1.0,
        "G.lr": 2e-4,
        "D.lr": 2e-4,
        "G.betas": [0.5, 0.999],
        "D.betas": [0.5, 0.999],
    },
    "dcgan-digits": {
        **ADAM,
        "G.lr": 2e-4,
        "D.lr": 2e-4,
        "G.betas": [0.5, 0.999],
        "D.betas": [0.5, 0.999],
        "steps": 5000,
        "value_range": [-1, 1],
        "data": "mnist",
    },
    "gan": {
        **ADAM,
        "G.lr": 2e-4,
        "D.lr": 1e-4,
        "loss": "non-saturating",
        "n_critic": 1,
        "batch": 100,
        "value_range": [0, 1],
    },
    "lsgan": {**ADAM, "loss": "least-squares", "labels": [0, 1, 1], "G.betas": [0.5, 0.999], "d_scale": 1.0},
    "wgan": {
        "G.optimizer": "rmsprop",
        "D.optimizer": "rmsprop",
        "G.lr": 5e-5,
        "D.lr": 5e-5,
        "D.clip": 0.01,
        "G.clip": None,
        "n_critic": 5,
        "batch": 64,
        "loss": "wasserstein",
        "gp": 0.0,
    },
    "wgan-gp": {
        **ADAM,
        "G.lr": 1e-4,
        "D.lr": 1e-4,
        "G.betas": [0, 0.9],
        "D.betas": [0, 0.9],
        "D.norm": "none",
        "D.clip": None,
        "n_critic": 5,
        "batch": 64,
        "loss": "wasserstein",
        "gp": 10.0,
        "penalty_every": 1,
    },
    "cgan": {
        "classes": "required",
        "batch": 100,
        "value_range": [0, 1],
        "loss": "non-saturating",
        **{f"{player}.{key}": value for player in "GD" for key, value in MOMENTUM.items()},
    },
}


def look(fields: dict[str, Any], key: str) -> Any:
    head, _, rest = key.partition(".")
    if rest:
        player = fields["players"][head]
        return player["args"][rest] if rest in player["args"] else player[rest]
    return fields["game"][key] if key in fields["game"] else fields[key]


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_are_those_of_the_source(name: str) -> None:
    fields = recipe(name).to_dict()
    assert {key: look(fields, key) for key in NUMBERS[name]} == NUMBERS[name]


def test_every_tutorial_and_paper_has_its_recipe() -> None:
    assert set(NUMBERS) == {*TUTORIALS, *PAPERS}
    assert set(NUMBERS) <= set(names())


@pytest.mark.parametrize("name", PAPERS)
def test_papers_are_cited(name: str) -> None:
    assert f"arXiv {PAPERS[name]}" in recipe(name).source


def test_faces_are_trained_in_four_stages() -> None:
    stages = recipe("dcgan-faces").stages
    assert [stage.epochs for stage in stages] == [5, 5, 10, 10]
    assert [stage.changes for stage in stages] == [
        {"lr": 2e-4, "beta1": 0.5},
        {"lr": 1e-4, "beta1": 0.3},
        {"lr": 1e-4, "beta1": 0.5},
        {"lr": 1e-5, "beta1": 0.5},
    ]


@pytest.mark.parametrize("name", names())
def test_stages_change_what_the_recipe_has(name: str) -> None:
    found = recipe(name)
    for stage in found.stages:
        changed = found.override(stage.changes)
        for player in changed.players.values():
            assert player.lr == stage.changes.get("lr", player.lr)
            assert player.betas[0] == stage.changes.get("beta1", player.betas[0])


def test_the_original_gan_takes_images_and_points_and_the_others_images() -> None:
    assert {name: recipe(name).kind for name in NUMBERS} == {
        name: "any" if name == "gan" else "images" for name in NUMBERS
    }


def test_lsgan_takes_the_papers_other_labels() -> None:
    changed = recipe("lsgan").override({"labels": "-1,1,0"})
    assert changed.to_dict()["game"]["labels"] == [-1, 1, 0]


@pytest.mark.parametrize("name", names())
def test_recipe_is_equal_after_json(name: str) -> None:
    found = recipe(name)
    assert Recipe.from_dict(json.loads(json.dumps(found.to_dict()))) == found


@pytest.mark.parametrize("name", names())
def test_recipe_spells_out_every_argument_of_its_networks_with_the_type_of_its_default(name: str) -> None:
    for player in recipe(name).players.values():
        known = arguments(player.network)
        assert {key: type(value) for key, value in player.args.items()} == {
            key: type(value) for key, value in known.items()
        }


@pytest.mark.parametrize("name", [name for name in names() if recipe(name).kind != "points"])
def test_a_size_that_the_networks_cannot_make_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(UserError, match="size 17 is not one that") as refusal:
        recipe(name).override({"size": 17})
    assert "\n" not in str(refusal.value)
