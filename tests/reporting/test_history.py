"""A log becomes columns: the right numbers, few enough of them, whatever the log is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerosum.eventlog import number, read_events
from zerosum.reporting.history import History, Thinned

MakeRun = Callable[..., Path]


def test_columns_hold_what_the_events_say(make_run: MakeRun) -> None:
    folder = make_run()
    steps = [event for event in read_events(folder / "events.jsonl") if event["event"] == "step"]
    history = History.read(folder)
    assert history.step.tolist() == [event["step"] for event in steps]
    assert history.losses["G/adv"].tolist() == [event["losses"]["G/adv"] for event in steps]
    assert history.grad_norm["D"].tolist() == [event["grad_norm"]["D"] for event in steps]
    assert history.acc_fake.tolist() == [event["acc_fake"] for event in steps]
    assert history.score_step.tolist() == list(range(100, 1001, 100))
    assert history.score_images.tolist() == [6400 * index for index in range(1, 11)]
    assert history.best == (700, 0.1)
    assert history.end is not None
    assert history.end["reason"] == "finished"
    assert len(history.grids) == 11


def test_the_latest_checkpoint_under_a_path_counts(make_run: MakeRun) -> None:
    found = {event["name"]: event["step"] for event in History.read(make_run()).checkpoints}
    assert found["last"] == 1000
    assert found["best"] == 700
    assert len(found) == 2 + 8


def test_a_number_that_is_absent_or_null_is_nan(make_run: MakeRun) -> None:
    folder = make_run()
    with (folder / "events.jsonl").open("w") as file:
        for step, losses in enumerate([{"D": 1.0}, {"D": None, "G": 2}, {"G": 3.0}], start=1):
            file.write(json.dumps({"event": "step", "step": step, "losses": losses}) + "\n")
    history = History.read(folder)
    assert np.array_equal(history.losses["D"], [1, np.nan, np.nan], equal_nan=True)
    assert np.array_equal(history.losses["G"], [np.nan, 2, 3], equal_nan=True)
    assert np.isnan(history.d_real).all()
    assert history.best is None
    assert history.end is None


@pytest.mark.parametrize("count", [0, 1, 2, 9, 10, 11, 999, 12_345])
def test_thinning_keeps_the_ends_and_even_gaps(count: int) -> None:
    thinned: Thinned[int] = Thinned(10)
    for item in range(count):
        thinned.append(item)
    kept = list(thinned)
    assert len(kept) == min(count, len(kept)) <= 10
    if count:
        assert (kept[0], kept[-1]) == (0, count - 1)
    assert len(set(np.diff(kept[:-1]))) <= 1
    assert len(kept) >= min(count, 5)


def test_a_long_run_gives_at_most_the_points_asked_for(tmp_path: Path) -> None:
    with (tmp_path / "events.jsonl").open("w") as file:
        for step in range(1, 20_001):
            file.write(f'{{"event":"step","step":{step},"losses":{{"D":{step}}}}}\n')
    history = History.read(tmp_path)
    assert 2500 <= len(history.step) <= 5000
    assert history.step[-1] == 20_000
    assert np.array_equal(history.losses["D"], history.step)


def test_a_resumed_run_is_going_on_until_its_next_end(tmp_path: Path) -> None:
    kinds = [("start", 0), ("step", 1), ("end", 1), ("start", 1), ("step", 2)]
    lines = [json.dumps({"event": kind, "step": step}) for kind, step in kinds]
    (tmp_path / "events.jsonl").write_text("\n".join(lines) + "\n")
    history = History.read(tmp_path)
    assert history.end is None
    assert history.step.tolist() == [1, 2]


def test_a_run_without_a_log_has_an_empty_history(tmp_path: Path) -> None:
    history = History.read(tmp_path)
    assert len(history.step) == 0
    assert history.losses == {}
    assert history.start is None
    assert np.isnan(history.at(5, history.images))


def test_at_gives_the_last_value_up_to_a_step(make_run: MakeRun) -> None:
    history = History.read(make_run())
    assert history.at(10, history.images) == 640
    assert history.at(19, history.images) == 640
    assert history.at(5000, history.images) == 64_000


def test_d_in_two_updates_loses_their_sum(tmp_path: Path) -> None:
    line = {"event": "step", "step": 1, "losses": {"D/real": 0.25, "D/fake": 0.5, "G/adv": 1.0}}
    (tmp_path / "events.jsonl").write_text(json.dumps(line) + "\n")
    history = History.read(tmp_path)
    assert history.loss("D") == pytest.approx([0.75])
    assert history.loss("G") == pytest.approx([1.0])
    assert history.loss("F") is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["D", "step", "é"]), inner, max_size=3),
    max_leaves=6,
)
FIELDS = (
    *("step", "images", "seconds", "losses", "d_real", "grad_norm", "name", "value", "path", "message", "reason"),
    *("levels", "changes", "images_per_second", "lr"),
)
KINDS = ("start", "stage", "step", "grid", "checkpoint", "score", "verdict", "warning", "end", "new")


@given(
    st.lists(
        st.builds(
            lambda kind, fields: {**fields, "event": kind},
            st.sampled_from(KINDS),
            st.dictionaries(st.sampled_from(FIELDS), JSON),
        ),
        max_size=12,
    )
)
def test_no_field_of_another_type_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, told: list[dict]) -> None:
    folder = tmp_path_factory.mktemp("run")
    (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in told))
    history = History.read(folder)
    assert (np.diff(history.step) > 0).all()
    for column in (history.images, history.d_real, *history.losses.values(), history.score):
        assert not np.isinf(column).any()


@pytest.mark.parametrize("value", [None, True, "1", [1], 10**400, float("inf")])
def test_what_is_no_finite_number_is_nan(value: object) -> None:
    assert np.isnan(number(value))


def test_the_loss_of_a_cycle_is_that_of_both_judges(tmp_path: Path) -> None:
    losses = {"G/adv_A": 0.5, "G/adv_B": 0.25, "G/cycle_A": 3.0, "D/adv_A": 0.1, "D/adv_B": 0.2}
    step = {"event": "step", "step": 1, "images": 8, "seconds": 1.0, "losses": losses}
    (tmp_path / "events.jsonl").write_text(json.dumps(step) + "\n")
    history = History.read(tmp_path)
    for player, expected in (("G", 0.75), ("D", 0.3)):
        loss = history.loss(player)
        assert loss is not None
        assert loss.tolist() == pytest.approx([expected])
