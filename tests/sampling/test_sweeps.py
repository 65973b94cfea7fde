"""InfoGAN's codes led through: what is asked for is what G is told, and nothing else of z moves."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

import zerosum
from zerosum.errors import UserError
from zerosum.networks import build
from zerosum.recipes import recipe
from zerosum.sampling.directions import find
from zerosum.sampling.draw import latents
from zerosum.sampling.sweeps import along_codes, sweeps, told
from zerosum.types import Domain

G = build(recipe("infogan").override({"width": 4}).players["G"], Domain(shape=(1, 28, 28), value_range=(0.0, 1.0)))


def test_a_code_is_led_through_with_its_category_and_the_noise_stays() -> None:
    z = next(latents(1, 74, seed=3))
    places = torch.tensor([-1.0, 0.0, 2.0])
    moved = told(G, z, 7, 1, places)
    category, continuous = G.codes(moved)
    assert category.tolist() == [7, 7, 7]
    assert continuous[:, 1].tolist() == pytest.approx(torch.erf(places / 2**0.5).tolist())
    assert torch.equal(moved[:, :62], z[:, :62].expand(3, -1))
    assert torch.equal(moved[:, 72], z[0, 72].expand(3))


def test_there_is_a_row_for_each_code_and_category() -> None:
    made, names = sweeps(G, seed=0, value_range=(0.0, 1.0))
    assert made.shape == (2 * 10 * 7, 28, 28, 1)
    assert (names[0], names[-1]) == ("0, code 1", "9, code 2")
    found = along_codes(G)
    assert found.directions.argmax(axis=1).tolist() == [72, 73]


def test_the_command_draws_them_and_other_generators_have_none(tmp_path: Path) -> None:
    told = {"width": 4, "batch": 8, "grid": 4}
    run = zerosum.train("infogan", "digits", steps=1, out=tmp_path / "run", settings=told)
    assert isinstance(run, zerosum.Run)
    for method in (None, "codes"):  # of such a run the same
        with Image.open(zerosum.directions(run.path, method=method)) as picture:
            assert picture.height > 20 * 28
    with pytest.raises(UserError, match="expected method codes, or pca"):
        find(G, "sefa", 2, seed=0)
    other = zerosum.train("mlp", "digits", steps=1, out=tmp_path / "mlp", settings={"batch": 8, "grid": 4})
    assert isinstance(other, zerosum.Run)
    with pytest.raises(UserError, match="this generator has none"):
        zerosum.directions(other.path, method="codes")
