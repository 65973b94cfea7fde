"""The vocabulary, its check, the bus that no listener breaks, and the log that no crash breaks."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerosum.engine import events
from zerosum.engine.events import Bus, Event, check_event, only_finite
from zerosum.engine.listeners import EventLog, read_events

COUNT = st.integers(0, 2**40)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
POSITIVE = st.floats(0, 1e12)
SHARE = st.floats(0, 1)
TEXT = st.text(max_size=20)
TERMS = st.dictionaries(TEXT, st.none() | FINITE, max_size=4)
CHANGES = st.dictionaries(TEXT, st.none() | FINITE | TEXT | st.lists(st.integers(), max_size=3), max_size=3)


def shape(kind: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"event": st.just(kind), "step": COUNT, **fields})


EVENTS = st.one_of(
    shape(
        "start",
        schema=st.just(events.SCHEMA),
        name=TEXT,
        recipe=TEXT,
        steps=st.none() | COUNT,
        minutes=st.none() | POSITIVE,
    ),
    shape("stage", stage=st.integers(1, 9), stages=st.integers(1, 9), changes=CHANGES),
    shape(
        "step",
        images=COUNT,
        seconds=POSITIVE,
        images_per_second=st.none() | POSITIVE,
        losses=TERMS,
        d_real=st.none() | FINITE,
        d_fake_before=st.none() | FINITE,
        d_fake_after=st.none() | FINITE,
        acc_real=st.none() | SHARE,
        acc_fake=st.none() | SHARE,
        margin=st.none() | FINITE,
        separation=st.none() | FINITE,
        grad_norm=TERMS,
        lr=TERMS,
    ),
    shape("grid", path=TEXT),
    shape("checkpoint", name=TEXT, path=TEXT),
    shape("score", name=TEXT, value=st.none() | FINITE, levels=TERMS, best=st.booleans()),
    shape(
        "held_out",
        samples=COUNT,
        d_real=st.none() | FINITE,
        d_fake=st.none() | FINITE,
        acc_real=st.none() | SHARE,
        acc_fake=st.none() | SHARE,
        dis_acc=st.none() | FINITE,
        gan_acc=st.none() | FINITE,
    ),
    shape(
        "exam",
        images=COUNT,
        samples=COUNT,
        spread=st.none() | FINITE,
        nearest=st.none() | FINITE,
        coverage=st.none() | SHARE,
        reach=st.none() | FINITE,
        gap=st.none() | FINITE,
        label_gap=st.none() | FINITE,
        probes=TERMS,
    ),
    shape("chosen", name=TEXT, value=st.none() | FINITE, samples=COUNT, candidates=TERMS),
    shape(
        "verdict",
        verdict=TEXT,
        since=COUNT,
        sure=SHARE,
        evidence=st.lists(st.fixed_dictionaries({"key": TEXT, "values": st.dictionaries(TEXT, FINITE | TEXT)})),
        advice=st.lists(st.fixed_dictionaries({"key": TEXT, "command": st.none() | TEXT})),
    ),
    shape("warning", message=TEXT),
    shape("end", reason=st.sampled_from(get_args(events.EndReason)), images=COUNT, seconds=POSITIVE, message=TEXT),
)


def step(number: int, **fields: Any) -> Event:
    told = {"losses": {"D/adv": 1.25, "G/adv": 0.5}, "d_real": 0.75, "d_fake_before": 0.25, "d_fake_after": 0.125}
    told |= {"acc_real": 1.0, "acc_fake": None, "margin": 1.5, "separation": 2.5}
    told |= {"grad_norm": {"D": 2.0, "G": None}, "lr": {"D": 1e-4, "G": 2e-4}}
    count = {"step": number, "images": 64 * number, "seconds": number / 8, "images_per_second": 512.0}
    return check_event({"event": "step", **count, **told, **fields})


def start(number: int = 0) -> Event:
    goal = {"steps": 100, "minutes": None}
    return check_event(
        {"event": "start", "schema": events.SCHEMA, "name": "run", "recipe": "quick", "step": number, **goal}
    )


def end(number: int, reason: str = "stopped") -> Event:
    told = {"images": 64 * number, "seconds": 1.0, "message": None}
    return check_event({"event": "end", "reason": reason, "step": number, **told})


class Ear:
    """Remembers what it heard, and raises where it is told to."""

    def __init__(self, raises: type[BaseException] | None = None, at: str = "step") -> None:
        self.heard: list[Event] = []
        self.closed = 0
        self.raises, self.at = raises, at

    def __call__(self, event: Event, /) -> None:
        self.heard.append(event)
        if self.raises and event["event"] == self.at:
            raise self.raises("no\nroom")

    def close(self) -> None:
        self.closed += 1
        if self.raises and self.at == "close":
            raise self.raises("no room")

    @property
    def kinds(self) -> list[str]:
        return [event["event"] for event in self.heard]


class TestCheck:
    @given(EVENTS)
    def test_every_event_of_the_schema_passes_and_comes_back_the_same_through_json(self, fields: dict) -> None:
        assert check_event(fields) == fields
        assert check_event(json.loads(json.dumps(fields, allow_nan=False))) == fields

    @given(EVENTS, st.data())
    def test_a_missing_field_is_refused_by_name(self, fields: dict, data: st.DataObject) -> None:
        gone = data.draw(st.sampled_from([key for key in fields if key != "event"]))
        with pytest.raises(ValueError, match=rf"{gone}: Field required"):
            check_event({key: value for key, value in fields.items() if key != gone})

    @given(EVENTS, TEXT)
    def test_an_unknown_field_is_refused(self, fields: dict, name: str) -> None:
        with pytest.raises(ValueError, match="Extra inputs"):
            check_event({**fields, f"x{name}": 0})

    @given(EVENTS, st.data())
    def test_a_field_of_another_type_is_refused(self, fields: dict, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from([key for key in fields if key != "event"]))
        wrong = data.draw(st.sampled_from([object(), b"bytes", math.nan, math.inf, {1, 2}, {"x": {"y": object}}]))
        if key == "changes" and isinstance(wrong, dict):
            return
        with pytest.raises(ValueError, match=rf"{fields['event']}\.{key}"):
            check_event({**fields, key: wrong})

    @pytest.mark.parametrize(
        ("field", "value"),
        [("step", -1), ("step", 1.5), ("step", True), ("step", "1"), ("acc_real", 1.5), ("losses", {"D": True})],
    )
    def test_numbers_are_numbers_in_their_range(self, field: str, value: Any) -> None:
        with pytest.raises(ValueError, match=f"step.{field}"):
            check_event({**step(1), field: value})

    @pytest.mark.parametrize("schema", [1, 3, True, "2", None])
    def test_only_the_present_schema_passes(self, schema: Any) -> None:
        with pytest.raises(ValueError, match=r"start\.schema"):
            check_event({**start(), "schema": schema})

    def test_a_start_may_say_more(self) -> None:
        more = {"images": 640, "seconds": 1.5, "epoch_steps": None, "data": "digits", "device": "cpu"}
        assert check_event({**start(10), **more}) == {**start(10), **more}

    @pytest.mark.parametrize("fields", [{}, {"event": None}, {"event": "stop"}, {"step": 1}])
    def test_what_is_no_event_is_refused(self, fields: dict) -> None:
        with pytest.raises(ValueError, match="event"):
            check_event(fields)

    def test_every_event_and_field_is_in_the_documentation(self) -> None:
        text = (Path(__file__).parents[2] / "docs" / "events.md").read_text(encoding="utf-8")
        sections = {part.partition("\n")[0].strip(): part for part in text.split("\n## ")[1:]}
        for kind in get_args(events.Event):
            fields = get_type_hints(kind)
            (name,) = get_args(fields.pop("event"))
            told = [line.split("`")[1] for line in sections[name].splitlines() if line.startswith("| `")]
            assert sorted(told) == sorted(fields), name


class TestBus:
    def test_all_hear_everything_in_order(self) -> None:
        one, two = Ear(), Ear()
        bus = Bus([one])
        bus.add(two)
        told = [start(), step(1), end(1)]
        for event in told:
            bus.emit(event)
        assert one.heard == two.heard == told

    def test_a_listener_that_raises_is_reported_once_and_dropped(self) -> None:
        bad, good = Ear(OSError), Ear()
        bus = Bus([bad, good])
        bus.emit(start())
        bus.emit(step(7))
        bus.emit(step(8))
        assert bad.kinds == ["start", "step"]
        assert bad.closed == 1
        assert good.kinds == ["start", "step", "warning", "step"]
        warning = check_event(good.heard[2])
        assert warning == {
            "event": "warning",
            "step": 7,
            "message": "Ear failed and was dropped: OSError: no room",
        }

    def test_listeners_that_raise_at_the_report_of_another_are_dropped_too(self) -> None:
        bad = [Ear(ValueError), Ear(ValueError, at="warning"), Ear(ValueError, at="warning")]
        good = Ear()
        Bus([*bad, good]).emit(step(1))
        assert good.kinds == ["step", "warning", "warning", "warning"]
        assert [ear.closed for ear in bad] == [1, 1, 1]

    def test_the_last_listener_that_breaks_is_reported_to_the_log(self, caplog: pytest.LogCaptureFixture) -> None:
        bus = Bus([Ear(ZeroDivisionError)])
        with caplog.at_level(logging.WARNING, logger="zerosum"):
            bus.emit(step(1))
            bus.emit(step(2))
        assert [record.message for record in caplog.records] == [
            "Ear failed and was dropped: ZeroDivisionError: no room"
        ]

    @pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
    def test_an_interrupt_passes_through_and_the_bus_still_works(self, stop: type[BaseException]) -> None:
        ear = Ear()
        bus = Bus([ear, Ear(stop)])
        with pytest.raises(stop):
            bus.emit(step(1))
        bus.emit(end(1))
        assert ear.kinds == ["step", "end"]

    def test_what_a_listener_emits_comes_after_what_it_heard_for_everybody(self) -> None:
        ear = Ear()

        class Watch(Ear):
            def __call__(self, event: Event, /) -> None:
                if event["event"] == "step":
                    bus.warn("G stands still")

        bus = Bus([Watch(), ear])
        bus.emit(step(3))
        assert ear.kinds == ["step", "warning"]
        assert ear.heard[1]["step"] == 3

    def test_a_number_that_is_not_finite_becomes_null_and_is_named(self) -> None:
        ear = Ear()
        bad = dict(step(5)) | {"losses": {"D/adv": math.nan, "G/adv": 0.5}, "d_real": -math.inf}
        Bus([ear]).emit(bad)  # type: ignore[arg-type]
        assert ear.heard[0] == step(5, losses={"D/adv": None, "G/adv": 0.5}, d_real=None)
        assert ear.heard[1]["message"] == "not finite: losses.D/adv, d_real"

    @given(EVENTS)
    def test_a_finite_event_is_handed_on_untouched(self, fields: dict) -> None:
        cleaned, names = only_finite(fields)  # type: ignore[arg-type]
        assert cleaned is fields
        assert names == []

    def test_close_closes_all_and_the_others_hear_who_could_not(self) -> None:
        first, bad, last = Ear(), Ear(OSError, at="close"), Ear()
        bus = Bus([first, bad, last])
        bus.close()
        bus.close()
        assert (first.closed, bad.closed, last.closed) == (1, 1, 1)
        assert first.kinds == ["warning"]


class TestLog:
    @given(st.lists(EVENTS, max_size=8))
    def test_what_is_written_is_read_again(self, tmp_path_factory: pytest.TempPathFactory, told: list[dict]) -> None:
        path = tmp_path_factory.mktemp("log") / "events.jsonl"
        log = EventLog(path)
        for event in told:
            log(event)  # type: ignore[arg-type]
        assert list(read_events(path)) == told  # before it is closed: written at once
        log.close()
        assert len(path.read_bytes().splitlines()) == len(told)

    def test_a_log_that_is_not_there_has_no_events(self, tmp_path: Path) -> None:
        assert list(read_events(tmp_path / "none.jsonl")) == []

    def test_a_line_that_is_not_strict_json_is_never_written(self, tmp_path: Path) -> None:
        log = EventLog(tmp_path / "events.jsonl")
        with pytest.raises(ValueError, match="JSON compliant"):
            log(dict(step(1)) | {"d_real": math.nan})  # type: ignore[arg-type]
        log(end(1))
        assert list(read_events(log.path)) == [end(1)]

    def test_wherever_the_last_line_is_torn_reopening_leaves_the_whole_lines(self, tmp_path: Path) -> None:
        path = tmp_path / "events.jsonl"
        log = EventLog(path)
        log(start())
        whole = path.read_bytes()
        log(step(1))
        log.close()
        full = path.read_bytes()
        for length in range(len(whole), len(full)):
            path.write_bytes(full[:length])
            assert list(read_events(path)) == [start()]
            again = EventLog(path)
            assert path.read_bytes() == whole
            again(step(2))
            again.close()
            assert list(read_events(path)) == [start(), step(2)]

    def test_a_torn_line_longer_than_a_block_is_cut_off(self, tmp_path: Path) -> None:
        path = tmp_path / "events.jsonl"
        path.write_bytes(json.dumps(start()).encode() + b"\n" + b'{"event": "' + b"x" * 200_000)
        EventLog(path).close()
        assert path.read_bytes() == json.dumps(start()).encode() + b"\n"
        path.write_bytes(b"\0" * 70_000)
        EventLog(path).close()
        assert path.read_bytes() == b""

    @given(st.lists(st.binary(max_size=40) | st.sampled_from([b'{"event": 1}', b"[]", b'{"event": "x", "v": NaN}'])))
    def test_lines_that_are_no_events_are_left_out(
        self, tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]
    ) -> None:
        path = tmp_path_factory.mktemp("log") / "events.jsonl"
        path.write_bytes(b"\n".join(lines) + b"\n" + json.dumps(step(1)).encode() + b"\n")
        found = list(read_events(path))
        assert found[-1] == step(1)
        assert all(isinstance(event["event"], str) for event in found)

    def test_a_deep_line_does_not_break_the_reader(self, tmp_path: Path) -> None:
        path = tmp_path / "events.jsonl"
        path.write_bytes(b'{"event":' * 100_000 + b"\n" + json.dumps(end(1)).encode() + b"\n")
        assert list(read_events(path)) == [end(1)]

    def test_a_resumed_log_is_that_of_an_uninterrupted_run(self, tmp_path: Path) -> None:
        def steps(first: int, last: int) -> Iterator[Event]:
            for number in range(first, last + 1):
                yield step(number)
                if number % 4 == 0:
                    yield check_event(
                        {"event": "checkpoint", "step": number, "name": "last", "path": "checkpoints/last"}
                    )

        straight, halting = EventLog(tmp_path / "a.jsonl"), EventLog(tmp_path / "b.jsonl")
        for event in [start(), *steps(1, 20), end(20, "finished")]:
            straight(event)
        for event in [start(), *steps(1, 11), end(11)]:  # stopped at 11; the last checkpoint is of step 8
            halting(event)
        halting.close()
        resumed = EventLog(tmp_path / "b.jsonl")
        resumed.truncate_after(8)
        for event in [start(8), *steps(9, 20), end(20, "finished")]:
            resumed(event)
        told = [event for event in read_events(tmp_path / "b.jsonl") if event != start(8)]
        assert told == list(read_events(tmp_path / "a.jsonl"))
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl", "b.jsonl"]

    def test_truncating_where_nothing_is_later_leaves_the_very_bytes(self, tmp_path: Path) -> None:
        log = EventLog(tmp_path / "events.jsonl")
        for event in (start(), step(1)):
            log(event)
        before = log.path.stat().st_ino, log.path.read_bytes()
        log.truncate_after(1)
        assert (log.path.stat().st_ino, log.path.read_bytes()) == before

    def test_a_stage_that_begins_where_a_run_is_resumed_is_told_once(self, tmp_path: Path) -> None:
        log = EventLog(tmp_path / "events.jsonl")
        stage = check_event({"event": "stage", "step": 4, "stage": 2, "stages": 2, "changes": {"lr": 1e-4}})
        for event in [start(), *map(step, range(1, 5)), stage, step(5)]:
            log(event)
        log.truncate_after(4)  # the checkpoint of step 4 was written before the stage began
        for event in [stage, step(5)]:
            log(event)
        assert list(read_events(log.path)) == [start(), *map(step, range(1, 5)), stage, step(5)]

    def test_a_full_disk_drops_the_log_and_the_others_hear_why(self) -> None:
        if not Path("/dev/full").exists():
            pytest.skip("no /dev/full here")
        ear = Ear()
        log = EventLog.__new__(EventLog)
        log.path = Path("/dev/full")
        log._file = log.path.open("ab", buffering=0)
        Bus([log, ear]).emit(step(1))
        assert ear.kinds == ["step", "warning"]
        assert "No space left on device" in ear.heard[1]["message"]
