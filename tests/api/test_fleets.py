"""Fleets, one model for each label: trained, drawn from, judged and gone on with as one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import zerosum
from zerosum.errors import UserError


def test_a_fleet_has_a_model_and_a_row_for_each_label(tmp_path: Path) -> None:
    for label, level in (("cats", 40), ("dogs", 200)):
        (tmp_path / "data" / label).mkdir(parents=True)
        for number in range(8):
            shade = np.full((28, 28), level + number, np.uint8)
            Image.fromarray(shade).save(tmp_path / "data" / label / f"{number}.png")
    source = f"folder:{tmp_path / 'data'}"
    fleet = zerosum.train("mlp", source, steps=1, per_class=True, out=tmp_path / "fleet", settings={"batch": 4})
    assert list(fleet.members) == ["cats", "dogs"]
    assert fleet.sample(2).shape == (4, 28, 28, 1)
    with np.load(zerosum.sample(fleet.path, 3, out=tmp_path / "fleet.npz")) as found:
        assert found["labels"].tolist() == [0, 0, 0, 1, 1, 1]
    with Image.open(zerosum.sample(fleet.path, 65, out=tmp_path / "fleet.png")) as grid:
        assert grid.size == (12 * (56 + 2) + 2, 11 * (56 + 2) + 2)  # 65 in a row are too many: all 130 in a square
    member = fleet.members["dogs"]
    assert member.info["recipe"]["only_class"] == "dogs"
    assert member.info["data"]["classes"] is None
    with pytest.raises(UserError, match="is finished"):
        zerosum.resume(fleet.path)
    longer = zerosum.resume(fleet.path, steps=1)
    assert {run.end["step"] for run in longer.members.values()} == {2}


def test_a_fleet_goes_on_where_and_as_precisely_as_it_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    about = {"labels": [], "device": {"device": "cpu", "precision": "64-true"}}
    (tmp_path / "fleet.json").write_text(json.dumps(about))
    asked = []

    def engine(*how: str) -> None:
        asked.append(how)
        raise UserError("enough")

    monkeypatch.setattr("zerosum.api.fleets.Engine", engine)
    for how in ({}, {"device": "auto"}):
        with pytest.raises(UserError, match="enough"):
            zerosum.resume(tmp_path, **how)
    assert asked == [("cpu", "64-true"), ("auto", "64-true")]


def test_a_recipe_that_needs_labels_can_be_a_fleet_too(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (tmp_path / "data" / label).mkdir(parents=True)
        for index in range(4):
            picture = random.integers(0, 256, (28, 28), dtype=np.uint8)
            Image.fromarray(picture).save(tmp_path / "data" / label / f"{index}.png")
    how = {"steps": 1, "per_class": True, "settings": {"batch": 2, "grid": 4}}
    fleet = zerosum.train("cgan", f"folder:{tmp_path / 'data'}", out=tmp_path / "fleet", **how)
    written = zerosum.sample(fleet.path, 3, seed=1, out=tmp_path / "drawn.npz")
    with np.load(written) as drawn:
        assert np.array_equal(drawn["images"], fleet.sample(3, seed=1))
        assert drawn["labels"].tolist() == [0] * 3 + [1] * 3
    assert {label: run.info["data"]["classes"] for label, run in fleet.members.items()} == {
        "cat": ["cat"],
        "dog": ["dog"],
    }
    with pytest.raises(UserError, match="is a fleet; expected a single run"):
        zerosum.walk(fleet.path)
    longer = zerosum.resume(fleet.path, steps=1)
    assert [run.end["step"] for run in longer.members.values()] == [2, 2]


class Ear:
    """Counts how often it is closed."""

    def __init__(self) -> None:
        self.closed = 0
        self.heard = 0

    def __call__(self, event: object, /) -> None:
        assert not self.closed
        self.heard += 1

    def close(self) -> None:
        self.closed += 1


def test_a_listener_hears_a_whole_fleet_and_is_closed_once(tmp_path: Path) -> None:
    ear = Ear()
    for label in ("a", "b"):
        (tmp_path / "data" / label).mkdir(parents=True)
        for number in range(4):
            Image.fromarray(np.full((28, 28), 60 * number, np.uint8)).save(tmp_path / "data" / label / f"{number}.png")
    source, out = f"folder:{tmp_path / 'data'}", tmp_path / "fleet"
    zerosum.train("mlp", source, steps=1, per_class=True, out=out, settings={"batch": 4}, listeners=[ear])
    assert ear.closed == 1
    assert ear.heard > 2 * 4


def test_a_fleet_of_three_is_judged_and_not_acted_on(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for label, level in (("cats", 40), ("dogs", 120), ("owls", 200)):
        (data / label).mkdir(parents=True)
        for number in range(8):
            Image.fromarray(np.full((28, 28), level + number, np.uint8)).save(data / label / f"{number}.png")
    fleet = zerosum.train(
        "mlp", f"folder:{data}", steps=1, per_class=True, out=tmp_path / "fleet", settings={"batch": 4}
    )
    assert zerosum.evaluate(fleet.path, n=9, metrics=("swd",))["swd"] > 0
    with pytest.raises(UserError, match="act is for single runs"):
        zerosum.resume(fleet.path, steps=1, act=True)
