"""Every recipe that draws from noise, narrow, on real digits: trained, stopped, gone on with, loaded and drawn from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file

import zerosum
from zerosum.cli import main
from zerosum.errors import UserError
from zerosum.networks import arguments
from zerosum.recipes import names, recipe

WIDTHS = {"sngan": 8, "sagan": 8, "biggan": 8, "transgan": 128, "r3gan": 16}  # the others can be as narrow as 4
NARROW: dict[str, dict[str, Any]] = {
    "transgan": {"G.first": 1, "G.later": 1, "G.last": 1, "D.depth": 1, "G.heads": 1, "D.heads": 1},
    "stylegan": {"depth": 2, "pace": 2e-7},
    "stylegan2": {"depth": 2},
    "progan": {"pace": 2e-6},
}
DRAWN = [
    name
    for name in names()
    if recipe(name).inputs == "noise" and recipe(name).captions != "required" and recipe(name).kind != "points"
]


def settings(name: str) -> dict[str, Any]:
    told = recipe(name)
    found = {"batch": 4, "grid": 10, "best": "g-loss", "schedule": "constant", **NARROW.get(name, {})}
    for player in told.players.values():
        for argument in ("width", "units"):
            if argument in arguments(player.network):
                found[argument] = WIDTHS.get(name, 4)
    return found


def named(run: zerosum.Run) -> str:
    return str(run.info["recipe"]["name"])


@pytest.fixture(scope="module", params=DRAWN)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> zerosum.Run:
    """Four steps."""
    out = tmp_path_factory.mktemp("runs") / request.param
    run = zerosum.train(request.param, "digits", steps=4, out=out, settings=settings(request.param))
    assert isinstance(run, zerosum.Run)
    return run


def test_both_players_learn_and_a_stopped_run_goes_on_bit_for_bit(
    run: zerosum.Run, tmp_path: Path, differences: Callable[[Path, Path], list[str]]
) -> None:
    losses = [event["losses"] for event in run.events() if event["event"] == "step"]
    assert losses
    assert all(np.isfinite(value) for of_step in losses for value in of_step.values())
    name = named(run)
    part = zerosum.train(name, "digits", steps=2, out=tmp_path / "part", settings=settings(name))
    moved = differences(part.path, run.path)
    for player in ("G", "D"):
        assert any(path.startswith(f"/weights/{player}/") for path in moved)
    zerosum.resume(part.path, steps=2)
    assert differences(part.path, run.path) == []


def test_what_is_loaded_draws_and_a_class_is_asked_for_where_the_recipe_has_them(
    run: zerosum.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    generator, told = zerosum.load(run.path, "last"), recipe(named(run))
    drawn = generator.sample(6, seed=1)
    assert drawn.shape == (6, generator.domain.size, generator.domain.size, generator.domain.channels)
    assert drawn.dtype == np.uint8
    assert drawn.std() > 0
    assert (zerosum.load(run.path, "last").sample(6, seed=1) == drawn).all()
    picture = tmp_path / "three.png"
    code = main(["sample", str(run.path), "--class", "3", "-n", "4", "--checkpoint", "last", "--out", str(picture)])
    if told.classes == "ignored":
        assert code == 2
        assert len(capsys.readouterr().err.strip().splitlines()) == 1
        with pytest.raises(UserError):
            generator.sample(2, label=3)
    else:
        assert code == 0
        assert picture.stat().st_size > 0
        assert generator.sample(2, label=3).shape == drawn[:2].shape


def test_the_latent_tools_are_for_all_of_them(run: zerosum.Run, tmp_path: Path) -> None:
    generator = zerosum.load(run.path, "last")
    axes = []
    for method in (None, "pca"):
        picture = zerosum.directions(
            run.path, method=method, count=2, checkpoint="last", out=tmp_path / f"{method}.png"
        )
        assert picture.stat().st_size > 0
        axes.append(load_file(picture.with_suffix(".safetensors"))["directions"].numpy())
    assert len(axes[0][0]) == len(axes[1][0])
    for found in axes:
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    walked = zerosum.walk(run.path, out=tmp_path / "walk.webp", keyframes=2, steps=2, walks=1, checkpoint="last")
    assert walked.stat().st_size > 0
    target = tmp_path / "target.png"
    Image.fromarray(generator.sample(1, seed=5)[0, :, :, 0]).save(target)
    found = zerosum.project(run.path, target, steps=3, checkpoint="last", out=tmp_path / "projection")
    assert all(path.stat().st_size > 0 for path in found.files)


@pytest.mark.parametrize("name", [name for name in DRAWN if recipe(name).sizes])
def test_a_size_that_it_can_not_make_is_one_line_and_code_two(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = ["train", name, "--data", "digits", "--size", "17", "--steps", "1", "--out", str(tmp_path / "run")]
    assert main(told) == 2
    assert not (tmp_path / "run").exists()
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert "17" in lines[0]
