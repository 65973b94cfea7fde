"""The progress display: plain lines without a terminal, a live block in one, and the right time left."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from typing import Any

import pytest
from rich.console import Console

from zerosum.cli.livelines import lines
from zerosum.cli.progress import Progress, State, clock
from zerosum.engine.events import Bus, Event, check_event


def start(**fields: Any) -> Event:
    goal = {"steps": 2000, "minutes": None}
    told = {"event": "start", "schema": 2, "name": "0602-quick", "recipe": "quick", "step": 0, **goal}
    return check_event({**told, "data": "digits", "epoch_steps": 100, **fields})


def step(number: int, seconds: float, **fields: Any) -> Event:
    told = {"losses": {"D/adv": 0.65, "G/adv": 0.81, "D/r1": None}, "d_real": 0.61, "d_fake_before": 0.4}
    told |= {
        "d_fake_after": 0.37,
        "acc_real": 0.71,
        "acc_fake": 0.77,
        "margin": 1.0,
        "separation": 1.3,
        "grad_norm": {},
        "lr": {},
    }
    count = {"step": number, "images": 64 * number, "seconds": seconds, "images_per_second": 1318.0}
    return check_event({"event": "step", **count, **told, **fields})


def other(kind: str, **fields: Any) -> Event:
    return check_event({"event": kind, "step": 500, **fields})


END = check_event(
    {"event": "end", "reason": "finished", "step": 2000, "images": 128_000, "seconds": 121.0, "message": None}
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Plain:
    """A progress display that writes to a file, with a clock that the test moves."""

    def __init__(self) -> None:
        self.file = io.StringIO()
        self.time = 100.0
        self.progress = Progress(Console(file=self.file), now=lambda: self.time)

    def tell(self, *told: Event) -> list[str]:
        for event in told:
            self.progress(event)
        return self.file.getvalue().splitlines()


class TestPlainLines:
    def test_start_and_step_are_one_line_each(self) -> None:
        first, second = Plain().tell(start(), step(500, 30.0))
        assert first == "0602-quick: quick on digits · 2,000 steps"
        assert second == (
            "step 500/2,000, epoch 5.0 · D 0.65 · G 0.81 · D(x) 0.61 · D(G(z)) 0.4 / 0.37 · "
            "D right: 71% real, 77% fake · 1:30 left · 0:30 gone · 1,318 images/s"
        )

    def test_steps_come_every_ten_seconds_of_the_clock(self) -> None:
        plain = Plain()
        plain.tell(start())
        for second in range(61):
            plain.time = 100.0 + second
            plain.tell(step(second + 1, float(second)))
        shown = [line for line in plain.tell() if line.startswith("step")]
        assert [line.split("/")[0] for line in shown] == [f"step {n}" for n in (1, 11, 21, 31, 41, 51, 61)]

    def test_other_events_get_their_line_at_once_and_checkpoints_once_each(self) -> None:
        last = other("checkpoint", name="last", path="checkpoints/last")
        told = Plain().tell(
            other("grid", path="samples/000500.png"),
            last,
            other("checkpoint", name="best", path="checkpoints/best"),
            last,
            other("score", name="swd", value=0.125, levels={}, best=True),
            other("warning", message="TensorBoardLog failed"),
            other("stage", stage=2, stages=4, changes={}),
            other("verdict", verdict="learning", since=400, sure=0.8, evidence=[], advice=[]),
            other("chosen", name="fid", value=1.5, samples=5000, candidates={}),
        )
        assert told == [
            "step 500 · samples in samples/000500.png",
            "step 500 · checkpoint last in checkpoints/last",
            "step 500 · checkpoint best in checkpoints/best",
            "step 500 · swd 0.125, the best so far",
            "step 500 · warning: TensorBoardLog failed",
            "step 500 · stage 2 of 4 begins",
            "step 500 · learning",
            "step 500 · the best, by fid 1.50 of 5,000 samples",
        ]

    def test_the_end_is_told_with_its_message(self) -> None:
        assert Plain().tell(END) == ["finished at step 2,000: 128,000 images in 2:01"]
        failed = check_event({**END, "reason": "diverged", "message": "D/gp is nan: try gp=1"})
        assert Plain().tell(failed)[0].endswith("in 2:01. D/gp is nan: try gp=1")

    def test_there_are_no_control_codes_even_where_colour_is_forced(self) -> None:
        script = (
            "from zerosum.cli.progress import Progress\n"
            "progress = Progress()\n"
            f"for event in {[start(), step(1, 0.5), END]!r}: progress(event)\n"
            "progress.close()\n"
        )
        environment = {**os.environ, "FORCE_COLOR": "1", "TERM": "xterm-256color", "PYTHONIOENCODING": "ascii"}
        done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, check=True)
        assert done.stdout == b""
        assert len(done.stderr.splitlines()) == 3
        assert all(32 <= byte < 127 or byte == 10 for byte in done.stderr)  # an ASCII stream gets ASCII

    def test_a_critic_without_probabilities_shows_what_it_has(self) -> None:
        bare = {"d_real": None, "d_fake_before": None, "d_fake_after": None, "acc_real": None, "acc_fake": None}
        line = Plain().tell(start(epoch_steps=None), step(50, 1.0, losses={"D/adv": -123.4}, **bare))[1]
        assert line == "step 50/2,000 · D -123 · 0:39 left · 0:01 gone · 1,318 images/s"


class TestTimeLeft:
    def left(self, *told: Event) -> float | None:
        state = State()
        for event in told:
            state.take(event)
        return state.seconds_left

    def test_follows_the_steps_of_the_goal(self) -> None:
        assert self.left(start(), step(500, 30.0)) == pytest.approx(90.0)

    def test_follows_the_minutes_of_the_goal(self) -> None:
        assert self.left(start(steps=None, minutes=2.0), step(500, 30.0)) == pytest.approx(90.0)
        assert self.left(start(steps=None, minutes=2.0), step(500, 130.0)) == 0.0

    def test_after_a_resume_counts_only_the_speed_of_this_session(self) -> None:
        # 1,000 steps took 500 s before; now 100 steps take 10 s, so 900 more take 90 s.
        assert self.left(start(step=1000, seconds=500.0), step(1100, 510.0)) == pytest.approx(90.0)

    def test_follows_a_change_of_speed(self) -> None:
        slow = [step(n, 2.0 * n) for n in range(1, 101)]
        fast = [step(100 + n, 200 + n / 10) for n in range(1, 101)]
        assert self.left(start(), *slow, *fast) == pytest.approx(180.0)

    @pytest.mark.parametrize("told", [[], [start()], [start(steps=None), step(5, 1.0)], [start(), step(1, 0.0)]])
    def test_is_unknown_without_a_goal_or_a_speed(self, told: list[Event]) -> None:
        assert self.left(*told) is None

    @pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.9, "0:59"), (61, "1:01"), (36_610, "10:10:10")])
    def test_is_shown_as_on_a_watch(self, seconds: float, text: str) -> None:
        assert clock(seconds) == text


class TestLiveBlock:
    def block(self, width: int, *told: Event) -> list[str]:
        state = State()
        for event in told:
            state.take(event)
        console = Console(file=io.StringIO(), width=width, color_system=None, force_terminal=True)
        console.print(lines(state, width))
        return console.file.getvalue().splitlines()  # type: ignore[attr-defined]

    def test_shows_the_share_the_time_left_and_the_numbers(self) -> None:
        head, numbers = self.block(120, start(), step(500, 30.0))
        assert head.startswith("quick on digits  ━")
        assert re.search(r"━ 25%  1:30 left  step 500/2,000, epoch 5\.0  0:30 gone  1,318 images/s$", head)
        assert numbers == "D 0.65  G 0.81  D(x) 0.61  D(G(z)) 0.4 / 0.37  D right: 71% real, 77% fake"

    @pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 200])
    def test_fits_the_terminal_and_keeps_the_time_left(self, width: int) -> None:
        advice = [{"key": "lower.D", "command": "zerosum resume runs/x --from best --set D.lr=2e-05"}]
        verdict = other("verdict", verdict="D winning", since=400, sure=0.8, evidence=[], advice=advice)
        rows = self.block(width, start(), step(500, 30.0), verdict)
        assert len(rows) == 3
        assert all(len(row) <= width for row in rows)
        assert width < 60 or "1:30 left" in rows[0]

    def test_says_starting_before_the_first_step(self) -> None:
        assert "starting" in self.block(100, start())[0]
        assert "starting" in self.block(100, other("stage", stage=1, stages=4, changes={}))[0]


class TestTerminal:
    @pytest.fixture
    def terminal(self, monkeypatch: pytest.MonkeyPatch) -> Terminal:
        monkeypatch.setenv("TERM", "xterm-256color")
        return Terminal()

    def test_refreshes_at_most_four_times_a_second(self, terminal: Terminal) -> None:
        now = [0.0]
        progress = Progress(Console(file=terminal, force_terminal=True, width=100), now=lambda: now[0])
        progress(start())
        for number in range(1, 1001):
            now[0] = number / 100
            progress(step(number, now[0]))
        assert 38 <= terminal.getvalue().count("gone") <= 42

    def test_hides_the_cursor_and_gives_it_back_whatever_happens(self, terminal: Terminal) -> None:
        bus = Bus([Progress(Console(file=terminal, force_terminal=True, width=100))])
        bus.emit(start())
        bus.emit(step(1, 0.1))
        assert terminal.getvalue().count("\x1b[?25l") == 1
        assert "\x1b[?25h" not in terminal.getvalue()
        bus.close()  # as after an exception: no end event came
        assert terminal.getvalue().count("\x1b[?25h") == 1

    def test_warnings_stay_above_the_block(self, terminal: Terminal) -> None:
        progress = Progress(Console(file=terminal, force_terminal=True, width=100))
        for event in (start(), step(1, 0.1), other("warning", message="[red]D stands still"), END):
            progress(event)
        shown = terminal.getvalue()
        assert "warning: [red]D stands still" in shown
        assert shown.rindex("warning") < shown.rindex("quick on digits")

    def test_a_dumb_terminal_gets_plain_lines(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TERM", "dumb")
        file = Terminal()
        progress = Progress(Console(file=file))
        for event in (start(), step(1, 0.1), END):
            progress(event)
        assert len(file.getvalue().splitlines()) == 3
        assert "\x1b" not in file.getvalue()


def test_neither_torch_nor_matplotlib_is_needed() -> None:
    code = "import sys, zerosum.cli.progress; print([m for m in ('torch', 'matplotlib', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
