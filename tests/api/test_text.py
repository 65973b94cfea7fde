"""Runs that draw what a text says: trained in three stages, gone on with exactly, and used without their data."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import zerosum
from zerosum.cli import main
from zerosum.data import Dataset, open_dataset
from zerosum.data.captions import Vocabulary
from zerosum.engine.checkpoint import read, write
from zerosum.errors import UserError

SMALL = {
    "width": 4,
    "embedding": 8,
    "units": 8,
    "condition": 4,
    "compressed": 4,
    "z_dim": 8,
    "blocks": 1,
    "batch": 8,
    "grid": 6,
    "best": "g-loss",
}
STAGES = [{"steps": 3, "changes": {"stage": stage}, "gradually": {}} for stage in range(3)]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A hundred digits of 64 pixels, each with a file of captions, as a folder."""
    data: Dataset = open_dataset("captions:digits", size=28)
    folder = tmp_path_factory.mktemp("captioned")
    assert data.text is not None
    assert data.train.captions is not None
    vocabulary = Vocabulary(data.words, data.text[1])
    for number in range(100):
        image = Image.fromarray(data.train.samples[number, :, :, 0]).resize((64, 64))
        image.save(folder / f"{number:02}.png")
        rows = data.train.captions[number]
        (folder / f"{number:02}.txt").write_text("\n".join(vocabulary.text(row) for row in rows))
    return f"captions:{folder}"


def trained(source: str, out: Path, **more: Any) -> zerosum.Run:
    run = zerosum.train("stackgan", source, out=out, settings={**SMALL, "stages": STAGES, **more})
    assert isinstance(run, zerosum.Run)
    return run


@pytest.fixture(scope="session")
def run(source: str, tmp_path_factory: pytest.TempPathFactory) -> zerosum.Run:
    return trained(source, tmp_path_factory.mktemp("texts") / "run")


def awaken(run: Path) -> None:
    """Give G larger weights: after nine steps its images are still of one grey."""
    last = run / "checkpoints" / "last"
    state = read(last)
    torch.manual_seed(0)
    for value in state["weights"]["G"].values():
        if value.dim() > 1:
            value.normal_(0, 0.5)
    for name in ("best", "last"):
        if (run / "checkpoints" / name).exists():
            write(run / "checkpoints" / name, state)


@pytest.mark.parametrize("step", [2, 3, 7])
def test_stopped_within_any_stage_it_goes_on_bit_for_bit(
    step: int, run: zerosum.Run, source: str, tmp_path: Path, differences: Callable[[Path, Path], list[str]]
) -> None:
    part = trained(source, tmp_path / "part", steps=step)
    zerosum.resume(part.path, steps=9 - step)
    assert differences(part.path, run.path) == []


def test_each_stage_leaves_what_came_before_as_it_is(source: str, run: zerosum.Run, tmp_path: Path) -> None:
    after = [read(trained(source, tmp_path / str(step), steps=step).path / "checkpoints" / "last") for step in (3, 6)]
    after.append(read(run.path / "checkpoints" / "last"))
    weights = [{**{f"G.{k}": v for k, v in one["weights"]["G"].items()}} for one in after]

    def moved(part: str, one: int, other: int) -> bool:
        return any(not torch.equal(weights[one][k], weights[other][k]) for k in weights[0] if k.startswith(part))

    assert not moved("G.read", 0, 1)
    assert not moved("G.read", 1, 2)
    assert moved("G.first", 0, 1)
    assert not moved("G.first", 1, 2)  # its norms' averages too
    assert not moved("G.second", 0, 1)
    assert moved("G.second", 1, 2)


def test_events_tell_what_each_stage_plays_and_scores_begin_with_drawing(run: zerosum.Run) -> None:
    events = list(run.events())
    assert [event["changes"]["stage"] for event in events if event["event"] == "stage"] == [0, 1, 2]
    first = next(event for event in events if event["event"] == "step")
    assert set(first["losses"]) == {"D/meet", "G/meet"}
    last = [event for event in events if event["event"] == "step"][-1]
    assert {"D/adv", "G/adv", "G/kl"} <= set(last["losses"])
    assert all(event["step"] > 3 for event in events if event["event"] in ("score", "held_out", "exam"))


def test_a_text_draws_the_same_pictures_for_a_seed_and_others_for_another(run: zerosum.Run, tmp_path: Path) -> None:
    folder = shutil.copytree(run.path, tmp_path / "lively")
    awaken(folder)
    G = zerosum.load(folder)
    one, again = (G.text("a thick seven leaning left", 3, seed=5) for _ in range(2))
    assert one.shape == (3, 64, 64, 1)
    assert np.array_equal(one, again)
    assert not np.array_equal(one, G.text("a thick seven leaning left", 3, seed=6))
    assert not np.array_equal(one, G.text("a thin seven leaning left", 3, seed=5))
    assert np.array_equal(one, G.text("A thick seven, leaning LEFT!", 3, seed=5))
    path = zerosum.text(folder, "a thick seven leaning left", 3, seed=5, out=tmp_path / "sevens.npz")
    with np.load(path) as found:
        assert np.array_equal(found["images"], one)
        assert found["labels"].shape == (3, G.domain.text[1])  # type: ignore[index]


def test_the_command_writes_a_grid_a_folder_or_an_array(run: zerosum.Run, capsys: pytest.CaptureFixture[str]) -> None:
    told = ["text", str(run.path), "a thin three", "-n", "4", "--seed", "2"]
    for out in ("three.png", "three.npz", "threes"):
        assert main([*told, "--out", out]) == 0
        assert capsys.readouterr().out == f"{out}\n"
    assert len(list(Path("threes").glob("*.png"))) == 4
    assert Image.open("three.png").size == (134, 134)
    assert main(told) == 0
    assert capsys.readouterr().out.strip() == str(run.path / "text-2.png")


def test_a_checkpoint_alone_draws_texts_and_captions_of_its_data(run: zerosum.Run, tmp_path: Path) -> None:
    shutil.copytree(run.path / "checkpoints" / "last", tmp_path / "alone")
    G = zerosum.load(tmp_path / "alone")
    assert np.array_equal(G.text("a thin three", 2), zerosum.load(run.path, "last").text("a thin three", 2))
    assert G.vocabulary is not None
    assert len(G.captions) > 2
    assert all(G.vocabulary.row(caption).any() for caption in G.captions)
    rows = G.labels(len(G.captions) + 1)
    assert rows is not None
    assert [G.vocabulary.text(row) for row in rows] == [*G.captions, G.captions[0]]
    assert zerosum.sample(tmp_path / "alone", 5, out=tmp_path / "five.png").exists()
    assert zerosum.walk(run.path, steps=2, keyframes=2, walks=2, out=tmp_path / "walk.webp").exists()


def test_grids_have_their_captions_beside_them(run: zerosum.Run, source: str) -> None:
    lines = (run.path / "samples" / "captions.txt").read_text().splitlines()
    data = open_dataset(source, size=64)
    assert data.text is not None
    assert data.held_out.captions is not None
    assert len(lines) == 6
    vocabulary = Vocabulary(data.words, data.text[1])
    assert lines[0] == vocabulary.text(data.held_out.captions[0, 0])
    assert data.train.captions is not None
    known = {
        vocabulary.text(row) for one in (data.held_out, data.train) for row in one.captions.reshape(-1, data.text[1])
    }  # type: ignore[union-attr]
    assert set(lines) <= known


def test_a_run_of_texts_is_judged_against_its_data(run: zerosum.Run) -> None:
    judged = zerosum.evaluate(run.path, n=32, metrics=["swd"])
    assert judged["swd"] > 0
    other = zerosum.evaluate(run.path, "digits", n=16, metrics=["swd"])  # whose words are not the run's: its own
    assert other["swd"] > 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["text", "RUN", ""], "has no word"),
        (["text", "RUN", "a thik zebra"], "'thik', did you mean thick?; 'zebra'"),
        (["text", "RUN", "a " * 5_000], "has 10,000 characters"),
        (["text", "RUN", "a seven", "--out", "seven.jpg"], "can't write samples as .jpg"),
        (["text", "RUN", "a seven", "--psi", "2"], "psi is 2"),
        (["sample", "RUN", "--class", "3"], "takes no class"),
        (["walk", "RUN", "--morph", "1,2"], "takes no class"),
        (["directions", "RUN"], "draws what a text says: `zerosum text RUN TEXT`"),
        (["project", "RUN", "x.png"], "draws what a text says"),
        (["resume", "RUN", "--steps", "+1", "--set", "loss=relativistic"], "compares real with fake one by one"),
    ],
)
def test_what_a_run_of_texts_cannot_do_is_one_line(
    line: list[str], said: str, run: zerosum.Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(run.path) if part == "RUN" else part for part in line]) == 2
    out, err = capsys.readouterr()
    assert said in err
    assert (out, err.count("\n")) == ("", 1)
    assert not list(Path().glob("*.jpg"))


def test_other_runs_hear_no_text_and_other_data_has_none(tmp_path: Path, source: str) -> None:
    small = {"width": 4, "grid": 10}
    other = zerosum.train("quick", "digits", steps=1, out=tmp_path / "quick", settings=small)
    assert isinstance(other, zerosum.Run)
    with pytest.raises(UserError, match="this run of quick hears no text: `zerosum sample RUN`"):
        zerosum.text(other.path, "a seven")
    with pytest.raises(
        UserError, match="stackgan learns from captions, and digits has none: name --data captions:PATH"
    ):
        zerosum.train("stackgan", "digits", steps=1, out=tmp_path / "none", settings=SMALL)
    with pytest.raises(UserError, match=r"G\.embedding is 8 and D\.embedding 16"):
        zerosum.train("stackgan", source, out=tmp_path / "none", settings={**SMALL, "D.embedding": 16})
    assert not (tmp_path / "none").exists()
    plain = zerosum.train("quick", source, steps=1, out=tmp_path / "plain", settings={**small, "size": 32})
    assert isinstance(plain, zerosum.Run)
    assert plain.generator().domain == dataclasses.replace(plain.generator().domain, text=None, classes=None)


def test_a_branch_knows_the_words_that_its_run_knows(run: zerosum.Run, tmp_path: Path) -> None:
    branched = zerosum.resume(run.path, steps=1, settings={"kl": 0.5}, out=tmp_path / "branch")
    assert branched.info["recipe"]["game"]["kl"] == 0.5
    for number in range(20):
        Image.new("L", (64, 64), number).save(tmp_path / f"{number}.png")
        (tmp_path / f"{number}.txt").write_text("a grey square")
    with pytest.raises(UserError, match="has captions of other words than those that the run knows: go --from start"):
        zerosum.resume(run.path, steps=1, settings={"data": f"captions:{tmp_path}"}, out=tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_run_json_says_how_many_words_there_are(run: zerosum.Run) -> None:
    info = json.loads((run.path / "run.json").read_text())
    assert info["data"]["words"] > 10
    about = read(run.path / "checkpoints" / "last")["about"]
    assert len(about["text"]["words"]) == info["data"]["words"]
    assert tuple(about["domain"]["text"]) == (info["data"]["words"] + 1, about["text"]["length"])
