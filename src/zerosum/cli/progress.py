"""The display of a run while it trains: two live lines in a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import math
import os
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from zerosum.engine.events import EndEvent, Event, StartEvent, StepEvent, VerdictEvent
from zerosum.watch.catalogue import Words
from zerosum.watch.telling import tell

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live

REFRESH = 0.25  # seconds between two refreshes of the live lines
INTERVAL = 10.0  # seconds between two plain lines
RECENT = 30  # step events that the speed of the time left is taken from


class State:
    """What the events have told so far: the latest step, the goal, and the time left from both."""

    def __init__(self, words: Words | None = None) -> None:
        self.words = words or Words()
        self.start: StartEvent | None = None
        self.step: StepEvent | None = None
        self.verdict: str | None = None
        self.stage: str | None = None
        self._recent: deque[tuple[int, float]] = deque(maxlen=RECENT)

    def take(self, event: Event) -> None:
        """Remember what the display shows of an event."""
        if event["event"] == "start":
            self.start = event
            self.step = None
            self._recent.clear()
            self._recent.append((event["step"], event.get("seconds", 0.0)))
        elif event["event"] == "step":
            self.step = event
            self._recent.append((event["step"], event["seconds"]))
        elif event["event"] == "verdict":
            self.verdict = self.say(event)
        elif event["event"] == "stage":
            self.stage = f"stage {event['stage']}/{event['stages']}"

    def say(self, event: VerdictEvent) -> str:
        """A verdict in one line: its name and, where it alarms, what it means and the first thing to try."""
        told = tell(event, self.words)
        if not told.alarms:
            return told.name
        commands = [command for _, command in told.advice if command]
        return " · ".join([f"{told.name} ({told.standing})", told.meaning, *commands[:1]])

    @property
    def title(self) -> str:
        """Recipe and data: "dcgan-lite on mnist"."""
        if self.start is None:
            return "training"
        data = self.start.get("data")
        return f"{self.start['recipe']} on {data}" if data else self.start["recipe"]

    @property
    def share(self) -> float | None:
        """How much of the run is done, 0 to 1; None without a goal."""
        if self.start is None:
            return None
        step, seconds = self._recent[-1]
        if self.start["steps"]:
            return min(1.0, step / self.start["steps"])
        if self.start["minutes"]:
            return min(1.0, seconds / (60 * self.start["minutes"]))
        return None

    @property
    def seconds_left(self) -> float | None:
        """Until the goal, at the speed of the last events; None where it cannot be said."""
        if self.start is None or self.step is None:
            return None
        (first, since), (step, seconds) = self._recent[0], self._recent[-1]
        if self.start["steps"]:
            if step <= first or seconds <= since:
                return None
            return max(0.0, (self.start["steps"] - step) * (seconds - since) / (step - first))
        return max(0.0, 60 * self.start["minutes"] - seconds) if self.start["minutes"] else None

    @property
    def done(self) -> str:
        """Steps of the goal, epochs where the run counts them: "step 500/2,000, epoch 2.1"."""
        step = self._recent[-1][0] if self._recent else 0
        total = self.start["steps"] if self.start else None
        text = f"step {step:,}/{total:,}" if total else f"step {step:,}"
        per_epoch = self.start.get("epoch_steps") if self.start else None
        return f"{text}, epoch {step / per_epoch:.1f}" if per_epoch else text

    def numbers(self) -> list[str]:
        """Losses, what D thinks, its accuracies: what there is of them."""
        step = self.step
        if step is None:
            return []
        shown = [f"{_name(name)} {_number(value)}" for name, value in step["losses"].items() if value is not None]
        if step["d_real"] is not None:
            shown.append(f"D(x) {_number(step['d_real'])}")
        fakes = [_number(value) for value in (step["d_fake_before"], step["d_fake_after"]) if value is not None]
        if fakes:
            shown.append(f"D(G(z)) {' / '.join(fakes)}")
        accuracies = [
            f"{value:.0%} {name}"
            for name, value in (("real", step["acc_real"]), ("fake", step["acc_fake"]))
            if value is not None
        ]
        if accuracies:
            shown.append(f"D right: {', '.join(accuracies)}")
        return shown

    def times(self) -> list[str]:
        """Time left, time gone, speed: in the order in which one wants to know."""
        if self.step is None:
            return ["starting"]
        left, speed = self.seconds_left, self.step["images_per_second"]
        shown = [] if left is None else [f"{clock(left)} left"]
        shown.append(f"{clock(self.step['seconds'])} gone")
        return shown if speed is None else [*shown, f"{_number(speed)} images/s"]


class Progress:
    """A listener that shows a run: live in a terminal, plain lines without control codes elsewhere.

    It refreshes at most four times a second, only when an event comes, from the training thread: there is
    no thread of its own to take time from training. `now` is a clock in seconds.
    """

    def __init__(
        self,
        console: Console | None = None,
        *,
        interval: float = INTERVAL,
        now: Callable[[], float] = time.monotonic,
        words: Words | None = None,
    ) -> None:
        self.state = State(words)
        self._console = console
        self._file: TextIO = console.file if console else sys.stderr  # type: ignore[assignment]
        self._live: Live | None = None
        self._is_live = self._file.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
        self._interval = interval
        self._now = now
        self._shown_at = -math.inf
        self._told: set[str] = set()

    def __call__(self, event: Event, /) -> None:
        self.state.take(event)
        if self._is_live:
            self._show_live(event)
        else:
            self._show_plain(event)

    def close(self) -> None:
        """Give the terminal back; a second time does nothing."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _show_live(self, event: Event) -> None:
        if event["event"] == "start" or (self._live is None and event["event"] != "end"):
            self._open()
        if event["event"] == "end":
            self._refresh(force=True)  # and stays there; how it ended, the command says
            self.close()
        elif event["event"] == "warning":
            self._print(_news(event))
        else:
            self._refresh(force=event["event"] == "start")

    def _open(self) -> None:
        if self._live is None:
            from rich.console import Console
            from rich.live import Live

            self._console = self._console or Console(stderr=True)
            self._live = Live(console=self._console, auto_refresh=False, transient=False)
            self._live.start()

    def _refresh(self, *, force: bool = False) -> None:
        now = self._now()
        if self._live is None or (not force and now - self._shown_at < REFRESH):
            return
        self._shown_at = now
        from zerosum.cli.livelines import lines

        self._live.update(lines(self.state, self._live.console.width), refresh=True)

    def _print(self, text: str) -> None:
        if self._live is not None:
            self._live.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _show_plain(self, event: Event) -> None:
        now = self._now()
        if event["event"] == "step":
            if now - self._shown_at < self._interval:
                return
            self._shown_at = now
            parts = [self.state.done, *self.state.numbers(), *self.state.times()]
            self._write(" · ".join(parts))
        elif event["event"] == "start":
            self._write(_beginning(self.state, event))
        elif event["event"] == "verdict":
            self._write(f"step {event['step']:,} · {self.state.verdict}")
        elif event["event"] != "exam" and (event["event"] != "checkpoint" or event["path"] not in self._told):
            self._write(_news(event))
            if event["event"] == "checkpoint":
                self._told.add(event["path"])  # last and best are written over and over

    def _write(self, text: str) -> None:
        encoding = self._file.encoding or "utf-8"
        self._file.write(text.encode(encoding, "replace").decode(encoding) + "\n")
        self._file.flush()


def clock(seconds: float) -> str:
    """A time as a watch shows it: 0:07, 12:40, 3:05:09."""
    whole = int(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def _name(term: str) -> str:
    """A loss term as it is shown: the adversarial one by its player alone."""
    return term.removesuffix("/adv")


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}"


def _beginning(state: State, event: StartEvent) -> str:
    goal = (
        f"{event['steps']:,} steps" if event["steps"] else f"{event['minutes']:g} minutes" if event["minutes"] else ""
    )
    device = event.get("device")
    parts = [f"{event['name']}: {state.title}", goal, f"device {device}" if device else ""]
    if event["step"]:
        parts.append(f"going on from step {event['step']:,}")
    return " · ".join(part for part in parts if part)


def _news(event: Event) -> str:
    """The line that an event gets of its own."""
    at = f"step {event.get('step', 0):,}"
    match event["event"]:
        case "grid":
            return f"{at} · samples in {event['path']}"
        case "checkpoint":
            return f"{at} · checkpoint {event['name']} in {event['path']}"
        case "score":
            best = ", the best so far" if event["best"] else ""
            return f"{at} · {event['name']} {_number(event['value'] or 0)}{best}"
        case "held_out":
            return (
                f"{at} · held-out images: D(x) {_number(event['d_real'] or 0)}, D(G(z)) {_number(event['d_fake'] or 0)}"
            )
        case "warning":
            return f"{at} · warning: {event['message']}"
        case "stage":
            return f"{at} · stage {event['stage']} of {event['stages']} begins"
        case "chosen":
            score = f"{event['name']} {_number(event['value'] or 0)}"
            return f"{at} · the best, by {score} of {event['samples']:,} samples"
        case "end":
            return _ending(event)
        case _:
            return at


def _ending(event: EndEvent) -> str:
    text = f"{event['reason']} at step {event['step']:,}: {event['images']:,} images in {clock(event['seconds'])}"
    return f"{text}. {event['message']}" if event["message"] else text
