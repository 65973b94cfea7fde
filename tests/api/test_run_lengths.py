"""How long a run is: where one in minutes ends, and what is said of lengths that can't be what was meant."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import zerosum
from zerosum.engine.clock import Clock
from zerosum.engine.loop import Loop
from zerosum.engine.training import Training
from zerosum.errors import UserError

SMALL = {"batch": 8, "G.width": 8, "D.width": 4, "grid": 20, "grid_steps": 3, "score_images": 32}


def test_a_run_in_minutes_ends_by_the_speed_of_its_last_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As networks that grow: 20 steps of a second, then such of four, of which 25 fit into what is left of two minutes.

    By the speed of the first stage the end would be at step 120, the rates hardly fallen, and the time over before.
    """
    step, now, rates = Training.take_step, [0.0], []

    def take_step(training: Training, *, observe: bool) -> Any:
        now[0] += 1.0 if training.step < 20 else 4.0
        rates.append(training.plan.lr_factor(training.step + 1, training.recipe))
        return step(training, observe=observe)

    monkeypatch.setattr(Training, "take_step", take_step)
    monkeypatch.setattr("zerosum.engine.clock.time", SimpleNamespace(monotonic=lambda: now[0]))
    stages = [{"steps": 20, "changes": {}}, {"steps": 5, "changes": {"lr": 1e-3}}]
    settings = {**SMALL, "schedule": "linear", "stages": stages}
    run = zerosum.train("quick", "digits", minutes=2, out=tmp_path / "a", settings=settings)
    assert run.info["horizon"]["steps"] == pytest.approx(45, abs=1)
    assert now[0] == pytest.approx(120, abs=4)
    assert rates[0] == 1.0
    assert rates[-1] < 0.05


def test_a_slow_beginning_does_not_end_a_run_in_minutes_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five minutes: a step takes half a second, after four seconds a quarter, as where a machine does more at first."""
    step, now = Training.take_step, [0.0]

    def take_step(training: Training, *, observe: bool) -> Any:
        now[0] += 0.5 if now[0] < 4.5 else 0.25
        return step(training, observe=observe)

    monkeypatch.setattr(Training, "take_step", take_step)
    monkeypatch.setattr("zerosum.engine.clock.time", SimpleNamespace(monotonic=lambda: now[0]))
    run = zerosum.train("gan", "ring", minutes=5, out=tmp_path / "a", settings={"batch": 8, "schedule": "linear"})
    assert run.info["horizon"]["steps"] == pytest.approx(0.95 * 300 / 0.25, rel=0.03)
    assert now[0] > 0.93 * 300


def test_what_comes_once_beside_training_does_not_end_a_run_in_minutes_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first score may train a network for 40 seconds: steps of a second then still fill two minutes."""
    step, look_after, now = Training.take_step, Loop._look_after, [0.0]

    def take_step(training: Training, *, observe: bool) -> Any:
        now[0] += 1.0
        return step(training, observe=observe)

    def looked_after(loop: Loop) -> None:
        now[0] += 40.0 if loop.training.step == 5 else 0.0
        look_after(loop)

    monkeypatch.setattr(Training, "take_step", take_step)
    monkeypatch.setattr(Loop, "_look_after", looked_after)
    monkeypatch.setattr("zerosum.engine.clock.time", SimpleNamespace(monotonic=lambda: now[0]))
    run = zerosum.train("quick", "digits", minutes=2, out=tmp_path / "a", settings=SMALL)
    assert run.info["horizon"]["steps"] == pytest.approx(78, abs=3)
    assert now[0] == pytest.approx(118, abs=3)


def warnings_of(run: zerosum.Run) -> list[str]:
    return [event["message"] for event in run.events() if event["event"] == "warning"]


def test_stages_that_a_run_will_not_reach_are_said_with_the_pace_that_fits(tmp_path: Path) -> None:
    stages = [{"steps": 6, "changes": {}}, {"steps": 4, "changes": {"lr": 1e-3}}]
    settings = {**SMALL, "stages": stages}
    short = zerosum.train("quick", "digits", steps=5, out=tmp_path / "short", settings=settings)
    said = "the run will end at step 5, and the last of its 2 stages begins at 6: all of them fit in with `--set pace="
    assert [message for message in warnings_of(short) if message.startswith(said)]
    pace = float(warnings_of(short)[0].partition("pace=")[2].rstrip("`"))
    whole = zerosum.train("quick", "digits", steps=5, out=tmp_path / "whole", settings={**settings, "pace": pace})
    assert [event["stage"] for event in whole.events() if event["event"] == "stage"] == [1, 2]
    assert not any("stages" in message for message in warnings_of(whole))


def test_epochs_of_a_small_set_that_teach_nothing_are_said(tmp_path: Path) -> None:
    run = zerosum.train("quick", "digits", epochs=0.001, out=tmp_path / "a", settings=SMALL)
    assert any(message.startswith("9,000 images make 1 steps") for message in warnings_of(run))


def test_the_steps_before_a_run_in_minutes_knows_its_end_never_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def horizon(clock: Clock) -> int:
        return 5 if clock.training.step == 3 and clock.training.plan.steps is None else 0

    monkeypatch.setattr(Clock, "horizon", horizon)
    run = zerosum.train("quick", "digits", minutes=5, out=tmp_path / "a", settings=SMALL)
    assert run.info["horizon"] == {"steps": 5, "images": 40}
    saved = [event["step"] for event in run.events() if event["event"] == "checkpoint" and event["name"] == "last"]
    assert saved == [0, 3, 5]


def test_a_run_in_minutes_ends_where_its_rates_come_to_0(tmp_path: Path) -> None:
    stages = [{"steps": 2}, {"steps": 3, "gradually": {"lr": 0.0}}]
    run = zerosum.train("gan", "ring", minutes=5, out=tmp_path / "run", settings={"stages": stages, "batch": 8})
    assert isinstance(run, zerosum.Run)
    assert run.end is not None
    assert (run.end["reason"], run.end["step"]) == ("finished", 5)
    for more in ({"minutes": 1}, {"steps": 3}, {"epochs": 1}, {"steps": 3, "settings": {"batch": 4}}, {}):
        with pytest.raises(UserError, match="is finished at step 5, where its rates came to 0: branch it with another"):
            zerosum.resume(run.path, **more)  # type: ignore[arg-type]
    on = zerosum.resume(run.path, steps=3, settings={"lr": 1e-4}, out=tmp_path / "on")
    assert isinstance(on, zerosum.Run)
    assert on.end is not None
    assert (on.end["reason"], on.end["step"]) == ("finished", 8)
