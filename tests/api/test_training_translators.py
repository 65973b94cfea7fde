"""Translators trained on real pairs and sets, examined and scored, and gone on with exactly."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import zerosum
from zerosum.data import open_dataset
from zerosum.errors import UserError
from zerosum.metrics.features import Extractor
from zerosum.metrics.features.classifier import Classifier

pytestmark = pytest.mark.usefixtures("elsewhere")
Train = Callable[..., zerosum.Run]
Runs = dict[str, zerosum.Run]
Settings = dict[str, tuple[str, dict[str, object]]]
Differences = Callable[[Path, Path], list[str]]


@pytest.mark.parametrize("name", ["pix2pix", "cyclegan", "discogan", "stargan", "pix2pixhd", "srgan", "pg2"])
def test_a_run_that_was_stopped_goes_on_bit_for_bit(
    name: str, trained: Train, settings: Settings, runs: Runs, tmp_path: Path, differences: Differences
) -> None:
    """Stopped after two steps, or after the first of its second stage."""
    (data, told), whole = settings[name], runs[name]
    done = 4 if "stages" in told else 2
    part = trained(name, data, tmp_path / "part", steps=done, **told)
    assert differences(part.path, whole.path)
    zerosum.resume(part.path, steps=6 - done)
    assert differences(part.path, whole.path) == []


def test_a_run_has_grids_scores_and_ds_word_on_held_out_images(runs: Runs) -> None:
    for name, score, columns in (("pix2pix", "l1", 6), ("cyclegan", "swd", 4), ("discogan", "swd", 4)):
        run = runs[name]
        events = list(run.events())
        scores = [event for event in events if event["event"] == "score"]
        assert scores
        assert {event["name"] for event in scores} == {score}
        assert all(0 < event["value"] < (1 if score == "l1" else 1e5) for event in scores)
        assert any(event["event"] == "held_out" for event in events)
        picture = Image.open(next(run.path.glob("samples/*.png")))
        assert picture.width == 2 + columns * (64 + 2)  # 32 pixels, enlarged twice
        warnings = [event["message"] for event in events if event["event"] == "warning"]
        assert not [said for said in warnings if "left out" not in said and "stages begins at" not in said]


def test_a_run_is_examined_and_asked_what_its_game_can_answer(runs: Runs) -> None:
    cycles = ["apart", "arrived", "asked", "change", "cycle", "fragile"]
    asked = {"pix2pix": ["condition"], "srgan": [], "cyclegan": cycles, "stargan": cycles}
    for name, probes in asked.items():
        exams = [event for event in runs[name].events() if event["event"] == "exam"]
        assert [event["step"] for event in exams] == [2, 4, 6]
        assert all(sorted(event["probes"]) == probes for event in exams)
        assert all(event["spread"] > 0 for event in exams)
        assert exams[0]["probes"] != exams[-1]["probes"] or not probes


def test_the_score_of_pairs_is_the_mean_error_to_the_held_out_partners(runs: Runs) -> None:
    from zerosum.api.tasks import TaskScorer, spread
    from zerosum.types import Domain

    data = open_dataset(runs["pix2pix"].info["recipe"]["data"], size=32)

    class Same(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(()))

        def forward(self, x: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
            return x

    domain = Domain(shape=(3, 32, 32), source=(3, 32, 32))
    found = TaskScorer(domain, data).score(Same())
    split = data.held_out
    assert split.partners is not None
    rows = spread(len(split), 200)
    expected = np.abs(split.samples[rows].astype(float) - split.partners[rows]).mean() / 255
    assert found["value"] == pytest.approx(expected, rel=1e-4)

    class Grey(Same):
        def forward(self, x: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
            return torch.zeros_like(x)

    # Beside the label maps grey squares are nearer than the photos, one by one, and farther away as a set.
    l1, swd = (TaskScorer(domain, data, best) for best in ("auto", "swd"))
    assert [l1.score(Same())["name"], swd.score(Same())["name"]] == ["l1", "swd"]
    assert l1.score(Grey())["value"] < l1.score(Same())["value"]
    assert swd.score(Grey())["value"] > swd.score(Same())["value"]


def test_the_other_direction_swaps_what_is_given_and_what_is_made(
    trained: Train, tmp_path: Path, real_data: Path
) -> None:
    streets = f"pairs:{real_data / 'pairs' / 'camvid128.tar'}"
    run = trained("pix2pix", streets, tmp_path / "back", steps=1, direction="B2A")
    assert json.loads((run.path / "run.json").read_text())["recipe"]["direction"] == "B2A"
    picture = np.asarray(Image.open(next(run.path.glob("samples/*.png"))))

    data = open_dataset(streets, size=32)
    assert data.held_out.partners is not None
    cell = picture[2 : 2 + 64 : 2, 2 : 2 + 64 : 2]
    assert (cell == data.held_out.samples[0]).all()


def test_a_judge_joins_after_the_first_stage_and_brings_a_feature_network(
    trained: Train, tmp_path: Path, differences: Differences
) -> None:
    """And a run that was stopped between its first two steps goes on with them bit for bit."""
    stages = [
        {"steps": 2, "changes": {}, "gradually": {}},
        {"steps": 2, "changes": {"adversarial": 1e-3, "content": 0.5, "l2": 0.0}, "gradually": {}},
    ]
    run = trained("srgan", "upscale:digits", tmp_path / "staged", blocks=1, units=8, stages=stages)
    losses = [event["losses"] for event in run.events() if event["event"] == "step"]
    assert set(losses[0]) == {"G/l2"}
    assert {"D/adv", "G/adv", "G/content"} <= set(losses[-1])
    told: dict[str, object] = {"blocks": 1, "units": 8, "stages": stages}
    part = trained("srgan", "upscale:digits", tmp_path / "part", steps=3, **told)
    zerosum.resume(part.path, steps=1)
    assert differences(part.path, run.path) == []


def test_content_is_compared_by_the_network_that_was_named(trained: Train, tmp_path: Path) -> None:
    told = {"blocks": 1, "units": 8, "content": 1.0, "content_network": "digits-net"}
    run = trained("srgan", "upscale:digits", tmp_path / "run", steps=2, **told)
    assert all(event["losses"]["G/content"] > 0 for event in run.events() if event["event"] == "step")
    assert set(run.info["feature_networks"]) == {"digits-net"}


def test_a_feature_network_without_maps_is_refused_before_the_stage_that_needs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Classifier, "maps", Extractor.maps)
    told = {"size": 32, "width": 4, "blocks": 1, "units": 4, "content_network": "digits-net"}
    with pytest.raises(UserError, match="digits-net has no maps to compare"):
        zerosum.train("srgan", "digits", out=tmp_path / "run", settings=told)
    assert not (tmp_path / "run").exists()


def test_another_feature_network_than_the_run_began_with_is_said(runs: Runs, tmp_path: Path) -> None:
    """As on another machine, whose cache has none, or one made by another number of threads."""
    run = shutil.copytree(runs["srgan"].path, tmp_path / "run")
    known = json.loads((run / "run.json").read_text())
    assert known["feature_networks"] == {}  # its six steps are without content
    known["feature_networks"] = {"encoder": "0" * 64}
    known["recipe"]["game"]["content"] = 0.1
    (run / "run.json").write_text(json.dumps(known))
    more = zerosum.resume(run, steps=1)
    assert isinstance(more, zerosum.Run)
    said = [event["message"] for event in more.events() if event["event"] == "warning"]
    assert any(message.startswith("encoder is another one than the run began with") for message in said)


def test_a_run_with_poses_learns_its_parts_one_after_the_other(
    trained: Train, settings: Settings, runs: Runs, tmp_path: Path, tensors: Callable[[Path], dict[str, torch.Tensor]]
) -> None:
    run, (data, told) = runs["pg2"], settings["pg2"]
    losses = [event["losses"] for event in run.events() if event["event"] == "step"]
    assert set(losses[0]) == {"G/l1"}
    assert set(losses[-1]) == {"D/adv", "G/adv", "G/l1"}
    assert run.info["data"]["shape"] == [1, 32, 32]
    picture = Image.open(next(run.path.glob("samples/*.png")))
    assert picture.width == 2 + 8 * (64 + 2)  # given, pose, made and target, twice
    stages = told["stages"]
    assert isinstance(stages, list)
    mine, theirs = (
        tensors(one.path) for one in (trained("pg2", data, tmp_path / "part", **{**told, "stages": stages[:1]}), run)
    )
    # The coarse part is as its own stage left it, and the others as they were made.
    for key in (key for key in mine if key.startswith("/weights")):
        moved = not torch.equal(mine[key], theirs[key])
        assert moved == ("coarse" not in key and not key.endswith("num_batches_tracked")), key
