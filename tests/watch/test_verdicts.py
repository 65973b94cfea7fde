"""Each verdict stands on the signs that mean it, comes with evidence and a command, and none comes too early."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from zerosum.cli.app import main
from zerosum.cli.options import settings
from zerosum.engine.events import check_event
from zerosum.recipes import names
from zerosum.recipes import recipe as recipe_of
from zerosum.watch.record import KEPT
from zerosum.watch.signals import read
from zerosum.watch.verdict import ALARMS
from zerosum.watch.watching import Watch, Watcher, replay

FALLING = (100.0, 60.0, 40.0, 30.0, 25.0, 22.0)
STUCK = (100.0, 99.0, 104.0, 101.0, 100.0, 103.0, 99.5, 102.0)
SURE = {"acc_real": 1.0, "acc_fake": 1.0, "separation": 15.0}
HONEST = {"change": 0.5, "arrived": 0.4, "apart": 2.0, "cycle": 0.1, "fragile": 0.3, "asked": 0.5}


def judged(events: list[dict[str, Any]], recipe: dict[str, Any]) -> Watch:
    return replay(events, recipe)


LEVEL = (100.0, 30.0, 20.0, 21.0, 20.5, 21.0, 20.8)
WORSE = (100.0, 30.0, 20.0, 21.0, 24.0, 27.0, 30.0, 33.0)
SIGNS: list[tuple[str, dict[str, Any]]] = [
    ("learning", {"scores": FALLING}),
    ("balanced", {"scores": LEVEL}),
    ("D winning", {"steps": {"acc_real": 1.0, "acc_fake": 0.99, "separation": 6.0}, "scores": STUCK}),
    # Samples that look alike because D was sure before G had learned anything; and one flat image, which is a collapse.
    ("D winning", {"steps": SURE, "exams": {"spread": 0.1, "nearest": 0.15, "reach": 0.3}, "scores": STUCK}),
    ("mode collapse", {"steps": SURE, "exams": {"spread": 0.0, "nearest": 0.0, "reach": 0.0}, "scores": STUCK}),
    ("D winning", {"steps": {"grad_norm": {"D": 0.1, "G": None}}, "scores": FALLING}),
    ("G winning", {"steps": {"acc_real": 0.3, "acc_fake": 0.2, "separation": -1.0}, "scores": STUCK}),
    ("G winning", {"steps": {"grad_norm": {"D": None, "G": 1.0}}, "scores": STUCK}),
    ("G winning", {"steps": {"lr": {"D": 0.0, "G": 2e-4}}, "scores": STUCK}),
    ("G winning", {"steps": {"acc_real": 0.5, "acc_fake": 0.5, "separation": 0.01}, "scores": WORSE}),
    ("balanced", {"steps": {"acc_real": 0.5, "acc_fake": 0.5, "separation": 0.01}, "scores": LEVEL}),
    ("mode collapse", {"exams": {"spread": 0.05, "nearest": 0.01}, "scores": STUCK}),
    ("mode collapse", {"exams": {"spread": 0.8, "nearest": 0.02}, "scores": STUCK}),
    (
        "D winning",
        {"steps": {"acc_real": 1.0, "acc_fake": 1.0}, "exams": {"reach": 0.01, "spread": 0.01, "nearest": 0.01}},
    ),
    ("memorising", {"exams": {"gap": 2.5}, "scores": FALLING}),
    ("identity collapse", {"exams": {"probes": {**HONEST, "change": 0.02, "arrived": 0.98}}, "scores": STUCK}),
    ("steganographic", {"exams": {"probes": {**HONEST, "fragile": 8.0}}, "scores": FALLING}),
    ("condition ignored", {"exams": {"probes": {"condition": 0.0}}, "scores": FALLING}),
    ("condition ignored", {"exams": {"probes": {**HONEST, "asked": 0.01}}, "scores": FALLING}),
    ("learning", {"exams": {"probes": {**HONEST, "asked": 0.03, "apart": 1.05}}, "scores": FALLING}),
    # What is honest: it changes little where domains hardly differ, or arrives; its cycle is far from exact.
    ("learning", {"exams": {"probes": HONEST}, "scores": FALLING}),
    ("learning", {"exams": {"probes": {**HONEST, "change": 0.02, "arrived": 1.0, "apart": 1.1}}, "scores": FALLING}),
    ("learning", {"exams": {"probes": {**HONEST, "change": 0.08, "arrived": 0.5}}, "scores": FALLING}),
    ("learning", {"exams": {"probes": {**HONEST, "cycle": 0.6, "fragile": 8.0}}, "scores": FALLING}),
    ("learning", {"exams": {"probes": {"condition": 0.3}}, "scores": FALLING}),
    ("not learning", {"scores": STUCK}),
    ("not learning", {"exams": {"label_gap": 0.01}, "scores": FALLING}),
    # Each class near a single image: a collapse where the score stands still, and not while it still gets better.
    ("mode collapse", {"exams": {"spread": 0.9, "nearest": 0.3}, "scores": LEVEL}),
    ("learning", {"exams": {"spread": 0.9, "nearest": 0.3}, "scores": FALLING}),
    ("oscillating", {"scores": (100.0, 30.0, 90.0, 35.0, 95.0, 40.0, 99.0, 45.0)}),
]


@pytest.mark.parametrize(("name", "signs"), SIGNS)
def test_signs_give_their_verdict_with_evidence_and_advice(name: str, signs: Any, story: Any, recipe: Any) -> None:
    watch = judged(story(**signs), recipe)
    assert watch.verdict is not None
    assert watch.verdict.name == name
    assert watch.verdict.evidence
    assert watch.verdict.advice
    assert watch.verdict.alarms == (name in ALARMS)
    assert all("RUN" not in (tried["command"] or "") for tried in watch.verdict.event("runs/x")["advice"])
    check_event(watch.verdict.event("runs/x"))


@pytest.mark.parametrize(("name", "signs"), SIGNS)
def test_no_sign_alarms_in_the_first_thousand_steps_of_few_images(
    name: str, signs: Any, story: Any, recipe: Any
) -> None:
    watch = judged(story(**signs, upto=380), recipe)  # 24,320 images
    assert watch.verdict is not None
    assert watch.verdict.name == "too early"


def test_a_divergence_is_told_at_once_and_at_any_time(story: Any, recipe: Any) -> None:
    events = story(upto=100)
    end = {"event": "end", "reason": "diverged", "step": 101, "images": 6464, "seconds": 9.0, "message": "G/adv is nan"}
    watch = judged([*events, end], recipe)
    assert watch.verdict is not None
    assert (watch.verdict.name, watch.verdict.sure) == ("diverged", 0.5)
    assert watch.verdict.advice[0].command == "zerosum resume RUN --lr 2e-05"


def test_an_alarm_is_told_once_it_lasts_and_remembers_since_when(story: Any, step_at: Any, recipe: Any) -> None:
    watch = judged(story(scores=FALLING), recipe)
    told = []
    for step in range(4125, 5001, 125):
        exam = {"event": "exam", "step": step, "images": 64 * step, "spread": 0.1, "nearest": 0.1, "coverage": 0.0}
        verdicts = [watch.take(step_at(step)), watch.take(exam)]
        told += [(verdict.name, verdict.step, verdict.since) for verdict in verdicts if verdict is not None]
    # Two of the last three exams are bad from 4,250 on; a twentieth more of the run is at 4,462.
    assert told == [("mode collapse", 4500, 4250)]


def test_variety_that_never_was_is_not_lost_until_late_unless_there_is_none(story: Any, recipe: Any) -> None:
    """The original GAN draws a single digit for its first 100,000 images; a G without noise never draws another."""
    few, none = {"spread": 0.1, "nearest": 0.03}, {"spread": 0.0, "nearest": 0.0}
    names = {}
    for said, exams in (("few", few), ("none", none)):
        watch = judged(story(exams=exams, upto=2500), recipe)  # 160,000 images
        assert watch.verdict is not None
        names[said] = watch.verdict.name
    assert names == {"few": "learning", "none": "mode collapse"}  # without scores it is taken to be improving


def test_nothing_is_judged_in_the_first_seconds_but_what_is_plain(story: Any, step_at: Any, recipe: Any) -> None:
    """Points: 2,000 steps a second."""
    collapsed = story(exams={"spread": 0.05, "nearest": 0.001}, scores=STUCK)
    fast = [event | {"seconds": event["step"] / 2000} if "seconds" in event else event for event in collapsed]
    for events, name in ((fast, "too early"), (collapsed, "mode collapse")):
        watch = judged(events, recipe)
        assert watch.verdict is not None
        assert watch.verdict.name == name
    frozen = [event | {"grad_norm": {"D": None, "G": 1.0}} if event["event"] == "step" else event for event in fast]
    watch = judged(frozen, recipe)
    assert watch.verdict is not None
    assert watch.verdict.name == "G winning"


def test_a_player_that_a_stage_leaves_out_is_not_beaten_and_one_whose_turns_change_nothing_is(
    story: Any, recipe: Any
) -> None:
    unseen = {"acc_real": None, "acc_fake": None, "separation": None}
    encoding = unseen | {"losses": {"E/z": 0.5}, "grad_norm": {"D": None, "G": None, "E": 0.5}}
    pretraining = unseen | {"losses": {"G/l2": 0.1}, "grad_norm": {"D": None, "G": 0.5}}
    frozen = unseen | {"grad_norm": {"D": None, "G": None}}
    for stage, name in ((encoding, "learning"), (pretraining, "learning"), (frozen, "D winning")):
        events = [
            event | (stage if event["event"] == "step" and event["step"] > 2000 else {})
            for event in story(scores=FALLING)
            if event["event"] != "exam"
        ]
        watch = judged(events, recipe)
        assert watch.verdict is not None
        assert watch.verdict.name == name


def test_what_an_exam_does_not_ask_is_no_evidence(story: Any, recipe: Any) -> None:
    """A translator's exam has no coverage."""
    for coverage, key in ((None, "variety.alone"), (0.7, "variety")):
        watch = judged(story(exams={"spread": 0.05, "nearest": 0.01, "coverage": coverage}, scores=STUCK), recipe)
        assert watch.verdict is not None
        assert watch.verdict.name == "mode collapse"
        told = watch.verdict.evidence[0]
        assert told.key == key
        assert all(math.isfinite(float(value)) for value in told.values.values())


def test_one_noisy_exam_does_not_give_labels_a_meaning(story: Any, recipe: Any) -> None:
    events = story(exams={"label_gap": 0.0}, scores=FALLING)
    exams = [event for event in events if event["event"] == "exam"]
    for index in (3, 9, 15):
        exams[index]["label_gap"] = 0.4
    watch = judged(events, recipe)
    assert watch.verdict is not None
    assert watch.verdict.name == "not learning"


def test_a_d_that_holds_wrong_classes_for_likelier_knows_them_apart(story: Any, recipe: Any) -> None:
    """A relativistic D of 500 images did, and drew every class as asked."""
    watch = judged(story(exams={"label_gap": -0.7}, scores=FALLING), recipe)
    assert watch.verdict is not None
    assert watch.verdict.name == "learning"


def test_healthy_lopsided_games_are_no_alarm_while_the_score_falls(story: Any, recipe: Any) -> None:
    sure = {"acc_real": 0.99, "acc_fake": 0.99, "separation": 5.0}  # as the tutorials' anime faces end
    watch = judged(story(steps=sure, scores=FALLING), recipe)
    assert watch.verdict is not None
    assert watch.verdict.name == "learning"


def test_a_critic_has_no_accuracy_but_a_separation(story: Any, recipe: Any) -> None:
    recipe["game"]["loss"] = "wasserstein"
    sure = {"acc_real": 1.0, "acc_fake": 1.0, "separation": 5.0}
    watch = judged(story(steps=sure, scores=STUCK), recipe)
    assert watch.verdict is not None
    assert watch.verdict.name == "not learning"
    keys = [found.key for found in watch.verdict.evidence]
    assert "critic" in keys
    assert "accuracy" not in keys


def test_the_losses_stand_beside_log_2(story: Any, recipe: Any) -> None:
    watch = judged(story(scores=FALLING), recipe)
    assert watch.verdict is not None
    loss = next(found for found in watch.verdict.evidence if found.key == "loss")
    assert loss.values["rest_G"] == pytest.approx(math.log(2))
    assert loss.values["rest_D"] == pytest.approx(math.log(2))  # d_scale is a half
    assert (loss.values["D"], loss.values["G"]) == (0.6, 0.9)


def test_what_translators_are_told_to_try_has_their_own_weights(story: Any, recipe: Any) -> None:
    recipe["game"] = {"kind": "cycle", "loss": "least-squares", "cycle": 40.0, "identity": 0.5}
    same = judged(story(exams={"probes": {**HONEST, "change": 0.02, "arrived": 1.0}}, scores=STUCK), recipe)
    hidden = judged(story(exams={"probes": {**HONEST, "fragile": 8.0}}, scores=FALLING), recipe)
    assert same.verdict is not None
    assert hidden.verdict is not None
    commands = [[tried.command for tried in verdict.advice] for verdict in (same.verdict, hidden.verdict)]
    assert commands == [
        [
            "zerosum resume RUN --from start --set identity=0",
            "zerosum resume RUN --from start --set cycle=10",
            "zerosum data show mnist",
        ],
        [
            "zerosum resume RUN --from best --set cycle=10",
            "zerosum data show mnist",
            "zerosum train pix2pix --data pairs:PATH",
        ],
    ]


def test_advice_has_the_runs_own_numbers(story: Any, recipe: Any) -> None:
    recipe["players"]["D"]["lr"] = 1e-2
    recipe["game"]["loss"] = "saturating"
    sure = {"acc_real": 1.0, "acc_fake": 1.0, "separation": 9.0}
    watch = judged(story(steps=sure, scores=STUCK), recipe)
    assert watch.verdict is not None
    commands = [tried.command for tried in watch.verdict.advice]
    assert commands == [
        "zerosum resume RUN --from start --set D.lr=0.0002",  # G's, of which it is fifty times
        "zerosum resume RUN --from start --set loss=non-saturating",
        "zerosum resume RUN --from start --set D.lr=0.001",
    ]


@pytest.mark.parametrize(("name", "signs"), SIGNS)
def test_a_branch_that_is_advised_has_only_options_that_exist(
    name: str, signs: Any, story: Any, recipe: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    watch = judged(story(**signs), recipe)
    assert watch.verdict is not None
    commands = [tried.command for tried in watch.verdict.advice if tried.command is not None]
    for command in (command for command in commands if command.startswith("zerosum resume RUN")):
        assert main([str(tmp_path) if word == "RUN" else word for word in command.split()[1:]]) == 2
        assert (
            f"{tmp_path} is not the folder of a run" in capsys.readouterr().err
        )  # and not that there is no such option


@pytest.mark.parametrize(("scores", "source"), [(STUCK, "start"), ((100.0, 30.0, 60.0, 70.0), "best")])
def test_what_stands_out_in_the_settings_is_advised_first(scores: Any, source: str, story: Any, recipe: Any) -> None:
    """From the start where nothing was ever better than at first: those weights are not worth going on with."""
    recipe["players"]["G"] |= {"lr": 1e-2, "betas": [0.99, 0.999]}
    watch = judged(story(exams={"spread": 0.05, "nearest": 0.001}, scores=scores), recipe)
    assert watch.verdict is not None
    assert [tried.command for tried in watch.verdict.advice][:2] == [
        f"zerosum resume RUN --from {source} --beta1 0.5",
        f"zerosum resume RUN --from {source} --set G.lr=0.0002",
    ]


def test_the_record_is_bounded_and_keeps_the_newest(step_at: Any, recipe: Any) -> None:

    watch = Watch(recipe)
    for step in range(1, 10 * KEPT):
        watch.record.take(step_at(step))
    steps = watch.record.steps.column("step")
    assert len(steps) <= KEPT
    assert steps[-1] == 10 * KEPT - 1
    assert (steps[1:] > steps[:-1]).all()
    assert read(watch.record, recipe).acc_real == 0.7


def test_steps_told_again_after_a_resume_count_once(step_at: Any, recipe: Any) -> None:

    watch = Watch(recipe)
    for step in (1, 50, 100, 50, 100, 150):
        watch.record.take(step_at(step))
    assert watch.record.steps.column("step").tolist() == [1, 50, 100, 150]


def test_a_d_that_once_knew_the_classes_may_forget_them(story: Any, recipe: Any) -> None:
    """As r3gan's does, once its G obeys them: then it is never shown a fake of a wrong class."""
    told = story(exams={"label_gap": 0.01}, scores=FALLING)
    next(event for event in told if event["event"] == "exam")["label_gap"] = 0.85
    watch = judged(told, recipe)
    assert watch.verdict is not None
    assert watch.verdict.name == "learning"


@pytest.mark.parametrize("name", names())
def test_no_run_is_advised_a_setting_that_it_does_not_know(name: str, story: Any) -> None:
    known = recipe_of(name)
    stored = json.loads(json.dumps(known.to_dict()))
    tried = 0
    for _, signs in SIGNS:
        watch = judged(story(**signs), stored)
        assert watch.verdict is not None
        for command in (one.command for one in watch.verdict.advice if one.command):
            told = re.findall(r"--set (\S+)", command)
            known.override(settings(told))
            tried += len(told)
    assert tried


def test_a_balance_is_not_advised_a_penalty_that_it_refuses(story: Any) -> None:
    stored = recipe_of("began").to_dict()
    for name, signs in SIGNS:
        watch = judged(story(**signs), stored)
        assert watch.verdict is not None
        assert not any("--set r1=" in (one.command or "") for one in watch.verdict.advice), name

    stored = recipe_of("began").override({"augment": ["colour"]}).to_dict()
    watch = judged(story(exams={"gap": 2.5}, scores=FALLING), stored)
    assert watch.verdict is not None
    assert watch.verdict.name == "memorising"
    assert not any("ada_target" in (one.command or "") for one in watch.verdict.advice)


def test_commands_name_the_run_and_the_data_as_a_shell_reads_them(story: Any, recipe: Any) -> None:
    recipe["data"] = "folder:/data/RUN 1"
    watch = judged(story(exams={"label_gap": 0.01}, scores=FALLING), recipe)
    assert watch.verdict is not None
    told = watch.verdict.event("runs/x")["advice"]
    assert [tried["command"] for tried in told] == ["zerosum data show 'folder:/data/RUN 1'"]


def test_a_run_that_is_gone_on_with_is_not_dead_for_the_time_before(story: Any, recipe: Any, step_at: Any) -> None:
    """Its verdict has stood since it was taken up again, whatever its clock says."""
    watch = judged(story(exams={"spread": 0.05, "nearest": 0.01}, scores=STUCK), recipe)
    heard: list[Any] = []
    watcher = Watcher(watch, heard.append, "runs/x")
    watcher({"event": "start"})
    watcher(step_at(4_050, seconds=405.0))
    assert watcher.dead(minutes=1.0) is None
    watcher(step_at(4_100, seconds=470.0))
    assert "gave the run up" in str(watcher.dead(minutes=1.0))


@pytest.mark.parametrize(("last", "name"), [(0.8, "balanced"), (0.97, "not learning")])
def test_a_distance_to_partners_gains_less_after_it_is_first_measured(
    last: float, name: str, story: Any, recipe: Any
) -> None:
    """pix2pix on street scenes gains a quarter in all, and then no more: it has learned what there was to learn."""
    told = story(scores=(1.0, 0.9, last, last, last, last, last, last, last))
    for event in told:
        if event["event"] == "score":
            event["name"] = "l1"
    watch = judged(told, recipe)
    assert watch.verdict is not None
    assert watch.verdict.name == name


@pytest.mark.parametrize(
    ("score", "last", "name"), [("l1", 0.97, "learning"), ("l1", 0.99, "D winning"), ("swd", 0.97, "D winning")]
)
def test_a_sure_d_has_not_won_while_the_distance_to_partners_falls(
    score: str, last: float, name: str, story: Any, recipe: Any
) -> None:
    told = story(steps=SURE, scores=(1.0, 0.99, last, last))
    watch = judged([event | ({"name": score} if event["event"] == "score" else {}) for event in told], recipe)
    assert watch.verdict is not None
    assert watch.verdict.name == name


def test_where_all_rates_have_been_led_to_0_nobody_is_beaten(story: Any, recipe: Any) -> None:
    rest = {"lr": {"D": 0.0, "G": 0.0}}
    events = [
        event | (rest if event["event"] == "step" and event["step"] > 2000 else {}) for event in story(scores=FALLING)
    ]
    watch = judged(events, recipe)
    assert watch.verdict is not None
    assert watch.verdict.name == "learning"
