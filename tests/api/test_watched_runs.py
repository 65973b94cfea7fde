"""The watch beside a run: its verdicts are told, change nothing, and act where they may; and which one is `best`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import zerosum
from zerosum import spec
from zerosum.api import acting
from zerosum.cli import main
from zerosum.errors import DeadRunError, DivergedError, UserError

POINTS: dict[str, Any] = {"batch": 500, "points_width": 8}
FROZEN = {**POINTS, "G.frozen": True}
SMALL = {"batch": 8, "G.width": 8, "D.width": 4, "grid": 20, "grid_steps": 50}


def verdicts(run: zerosum.Run) -> list[str]:
    return [event["verdict"] for event in run.events() if event["event"] == "verdict"]


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> zerosum.Run:
    """A run on points in which G gets no updates: 300 steps, 150,000 points."""
    out = tmp_path_factory.mktemp("failing") / "run"
    run = zerosum.train("gan", "ring", steps=300, out=out, settings=FROZEN)
    assert isinstance(run, zerosum.Run)
    return run


def test_a_frozen_generator_is_told_and_the_folder_alone_says_the_same(
    failing: zerosum.Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verdicts(failing) == ["too early", "D winning"]
    assert main(["watch", str(failing.path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] == "D winning"
    assert told["evidence"][0] == {"key": "silent", "values": {"player": "G"}}
    assert told["advice"][0]["command"] == f"zerosum resume {failing.path} --from start --set G.frozen=false"
    page = (failing.path / "report.html").read_text(encoding="utf-8")
    assert "--set G.frozen=false" in page


def test_the_watch_speaks_vietnamese(failing: zerosum.Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", str(failing.path), "--lang", "vi"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("D đang thắng")
    assert "Nên thử gì tiếp theo" in shown
    assert main(["watch", str(failing.path), "--lang", "fr"]) == 2


def test_following_the_advice_wakes_the_generator(failing: zerosum.Run, tmp_path: Path) -> None:
    advice = next(
        event for event in failing.events() if event["event"] == "verdict" and event["verdict"] == "D winning"
    )
    _, _, setting = advice["advice"][0]["command"].partition(" --set ")
    key, _, value = setting.partition("=")
    healed = zerosum.resume(failing.path, steps=100, settings={key: value}, out=tmp_path / "healed")
    assert isinstance(healed, zerosum.Run)
    before, after = (run.state()["weights"]["G"] for run in (failing, healed))
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_the_watch_changes_nothing(tmp_path: Path) -> None:
    states = []
    for name, watch in (("with", True), ("without", False)):
        run = zerosum.train("quick", "digits", steps=20, out=tmp_path / name, settings=SMALL, watch=watch)
        assert isinstance(run, zerosum.Run)
        assert bool(verdicts(run)) == watch
        states.append(run.state()["weights"])
    for player in ("G", "D"):
        for key, value in states[0][player].items():
            assert torch.equal(value, states[1][player][key]), key


def test_a_dead_run_is_given_up_whole_where_the_watch_may_act(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "dead"
    with pytest.raises(DeadRunError, match=r"D winning for 0\.0001 minutes"):
        zerosum.train("gan", "ring", steps=5000, out=out, settings=FROZEN, act=0.0001)
    run = zerosum.open_run(out)
    assert isinstance(run, zerosum.Run)
    step = run.state()["counters"]["step"]
    assert 50 <= step < 5000
    assert run.end is not None
    assert run.end["reason"] == "failed"
    settings = [argument for key, value in FROZEN.items() for argument in ("--set", f"{key}={str(value).lower()}")]
    command = [
        "train",
        "gan",
        "--data",
        "ring",
        "--steps",
        "5000",
        *settings,
        "--quiet",
        "--out",
        str(tmp_path / "two"),
    ]
    assert main([*command, "--dead-after", "0.0001"]) == 1
    assert "what to try" in capsys.readouterr().err


def test_a_divergence_is_gone_on_from_with_lower_rates_and_every_attempt_is_on_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wild = {**POINTS, "lr": 1e30}
    with pytest.raises(DivergedError):
        zerosum.train("gan", "ring", steps=50, out=tmp_path / "alone" / "run", settings=wild)
    assert len(list((tmp_path / "alone").iterdir())) == 1

    run = zerosum.train("gan", "ring", steps=50, out=tmp_path / "healed" / "run", settings=wild, act=True)
    assert isinstance(run, zerosum.Run)
    assert run.state()["counters"]["step"] == 50
    parent = run.info["parent"]
    assert parent["run"] == str((tmp_path / "healed" / "run").resolve())
    assert (parent["checkpoint"], parent["changes"]) == ("start", {"G.lr": 1e-3, "D.lr": 1e-3})

    monkeypatch.setitem(spec.SANE_RATES, "adam", 1e30)
    with pytest.raises(DivergedError):  # a tenth of 1e30 is no better, nor a quarter of that
        zerosum.train("gan", "ring", steps=50, out=tmp_path / "thrice" / "run", settings=wild, act=True)
    infos = [json.loads(path.read_text()) for path in (tmp_path / "thrice").glob("*/run.json")]
    rates = sorted(info["recipe"]["players"]["G"]["lr"] for info in infos)
    assert rates == pytest.approx([1e29 / 16, 1e29 / 4, 1e29, 1e30])
    assert sum(info["parent"] is not None for info in infos) == acting.TRIES


def test_acting_needs_the_watch(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="needs the watch"):
        zerosum.train("gan", "ring", steps=5, out=tmp_path / "x", act=True, watch=False)
    assert not (tmp_path / "x").exists()


def test_the_best_is_chosen_again_from_the_last_candidates(tmp_path: Path) -> None:
    settings = {**SMALL, "batch": 16, "score_images": 160, "best_of": ["coverage"]}
    run = zerosum.train("quick", "digits", steps=40, out=tmp_path / "run", settings=settings)
    assert isinstance(run, zerosum.Run)
    told = list(run.events())
    scores = {event["step"]: event["value"] for event in told if event["event"] == "score"}
    assert len(scores) >= 4
    chosen = [event for event in told if event["event"] == "chosen"]
    assert len(chosen) == 1
    candidates = {int(name.split()[1]): value for name, value in chosen[0]["candidates"].items()}
    lowest = sorted(scores, key=lambda step: scores[step])
    assert lowest[0] in candidates
    assert 40 in candidates
    assert chosen[0]["value"] == min(candidates.values())
    assert run.state("best")["counters"]["step"] == chosen[0]["step"]
    assert chosen[0]["samples"] == 5_000
    assert {"best", "best-coverage"} <= set(run.checkpoints())
    levels = {event["step"]: event["levels"]["coverage"] for event in told if event["event"] == "score"}
    most = run.state("best-coverage")["counters"]["step"]
    assert levels[most] == max(levels.values())


def test_where_g_plays_first_d_is_asked_again_after_its_update(tmp_path: Path) -> None:
    run = zerosum.train("mlp", "digits", steps=3, out=tmp_path / "mlp", settings={"batch": 16, "lr": 0.01, "grid": 4})
    assert isinstance(run, zerosum.Run)
    steps = [event for event in run.events() if event["event"] == "step"]
    assert all(step["d_fake_before"] is not None and step["d_fake_after"] is not None for step in steps)
    assert any(step["d_fake_before"] != step["d_fake_after"] for step in steps)


def test_files_that_were_left_out_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for index in range(30):
        Image.new("L", (28, 28), 8 * index).save(folder / f"{index:02d}.png")
    for index in range(5):
        (folder / f"broken{index}.png").write_bytes(b"no image")
    run = zerosum.train("quick", f"folder:{folder}", steps=2, out=tmp_path / "run", settings=SMALL)
    assert isinstance(run, zerosum.Run)
    said = [event["message"] for event in run.events() if event["event"] == "warning"]
    assert len(said) == 1
    assert said[0].startswith("5 files left out (broken0.png: ")
    assert "and 2 more" in said[0]
    assert "zerosum data check" in said[0]


def test_a_rate_asked_for_in_a_branch_is_the_rate_it_trains_at(tmp_path: Path) -> None:
    first = zerosum.train("quick", "digits", steps=12, out=tmp_path / "first", settings=SMALL)
    branch = zerosum.resume(first.path, steps=8, settings={"lr": 1e-3}, out=tmp_path / "branch")
    assert isinstance(branch, zerosum.Run)
    rates = [event["lr"]["G"] for event in branch.events() if event["event"] == "step"]
    assert rates[0] == pytest.approx(1e-3)  # and not what is left at the end of the first run's cosine
    assert rates[-1] < 1e-3


@pytest.mark.parametrize(
    ("recipe", "settings", "message"),
    [
        ("dcgan-smooth", {"r1": 10}, "view cannot be two-steps"),
        ("dcgan-smooth", {"loss": "least-squares"}, "no targets to smooth"),
        ("quick", {"batch": 10**11}, "batch is 100000000000"),
    ],
)
def test_settings_without_effect_are_refused(
    recipe: str, settings: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message):
        zerosum.train(recipe, "digits", steps=1, out=tmp_path / "x", settings=settings)
    assert not (tmp_path / "x").exists()


def test_a_fleet_of_unasked_length_has_that_of_its_recipe() -> None:
    from zerosum.api.starting import choose

    assert choose("dcgan-digits", None, fleet=True).steps == 1_000
    assert choose("dcgan-digits", None).steps == 5_000
    assert choose("dcgan-digits", None, fleet=True, steps=7).steps == 7
    assert choose("dcgan-digits", {"epochs": 2}, fleet=True).steps is None


def test_another_figure_is_kept_beside_the_one_that_decides(tmp_path: Path) -> None:
    settings = {**SMALL, "batch": 16, "score_images": 160, "best": "swd", "best_of": ["fid", "coverage"]}
    run = zerosum.train("quick", "digits", steps=20, out=tmp_path / "run", settings=settings)
    assert isinstance(run, zerosum.Run)
    scores = [event for event in run.events() if event["event"] == "score"]
    assert {event["name"] for event in scores} == {"swd"}
    assert {"best", "best-fid", "best-coverage"} <= set(run.checkpoints())
    lowest = min(scores, key=lambda event: event["levels"]["fid"])
    assert run.state("best-fid")["counters"]["step"] == lowest["step"]


def test_figures_that_a_run_has_not_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="best_of=coverage asks for images"):
        zerosum.train("gan", "ring", steps=1, out=tmp_path / "x", settings={"best_of": ["coverage"]})
    with pytest.raises(UserError, match="best=fid asks for images"):
        zerosum.train("gan", "ring", steps=1, out=tmp_path / "x", settings={"best": "fid"})
    for told, said in (({"best_of": ["swd"]}, "best_of=swd is kept of"), ({"best": "fid"}, "best=fid is of")):
        with pytest.raises(UserError, match=f"{said} images from noise, and this run translates"):
            zerosum.train("srgan", "digits", steps=1, out=tmp_path / "x", settings={"size": 32, **told})
    assert not (tmp_path / "x").exists()


def test_a_branch_takes_along_what_it_has_to_beat(tmp_path: Path) -> None:
    settings = {**SMALL, "batch": 16, "score_images": 160}
    run = zerosum.train("quick", "digits", steps=20, out=tmp_path / "run", settings=settings)
    assert isinstance(run, zerosum.Run)
    best = run.state("best")["counters"]["step"]
    worse = zerosum.resume(run.path, steps=5, settings={"lr": 1e-12}, out=tmp_path / "worse")
    other = zerosum.resume(run.path, steps=5, settings={"lr": 1e-12, "best": "swd"}, out=tmp_path / "other")
    assert isinstance(worse, zerosum.Run)
    assert isinstance(other, zerosum.Run)
    assert worse.state("best")["counters"]["step"] in (best, *range(20, 26))
    assert "best" in worse.checkpoints()
    assert other.state("best")["counters"]["step"] >= 20  # by another score, which the parent has not
