"""Watching a run: events in, verdicts out, whether the run goes on beside it or lies finished in its folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from zerosum.watch.advice import advice
from zerosum.watch.record import Record
from zerosum.watch.rules import Finding, judge
from zerosum.watch.signals import read
from zerosum.watch.verdict import ALARMS, Verdict

EVERY = 4  # step events between two judgements, besides those after each exam, score and end
PATIENCE = 2  # judgements in a row that an alarm needs before it is told,
LASTING = 1.05  # and times the images at which it was first found
JUDGED = ("exam", "score", "end")


class Watch:
    """Takes a run's events in order; `verdict` is what stands now, None before the first step.

    An alarm is told only when it lasts: found PATIENCE times in a row, over a twentieth of the run so far (a divergence
    at once). Until then the verdict before it stands. recipe: as run.json has it.
    """

    def __init__(self, recipe: Mapping[str, Any]) -> None:
        self.recipe = recipe
        self.record = Record()
        self.verdict: Verdict | None = None
        self._found: Finding | None = None  # by the last judgement
        self._since, self._since_images = 0, 0.0
        self._times, self._steps = 0, 0

    def take(self, event: Mapping[str, Any]) -> Verdict | None:
        """The verdict that the event brings, where it is another one than before."""
        self.record.take(event)
        kind = event.get("event")
        self._steps += kind == "step"
        if kind not in JUDGED and not (kind == "step" and self._steps % EVERY == 1):
            return None
        if not len(self.record.steps):
            return None
        return self._judge()

    def _judge(self) -> Verdict | None:
        now = read(self.record, self.recipe)
        found = judge(now)
        if self._found is None or found.name != self._found.name:
            self._since, self._since_images, self._times = now.step, now.images, 0
        self._found = found
        self._times += 1
        told = self.verdict
        lasts = self._times >= PATIENCE and now.images >= LASTING * self._since_images
        if found.name in ALARMS and found.name != "diverged" and not lasts:
            return None
        self.verdict = Verdict(
            name=found.name,
            step=now.step,
            since=told.since if told is not None and told.name == found.name else self._since,
            sure=round(found.strength * (1 - 0.5**self._times) if found.name in ALARMS else found.strength, 2),
            evidence=found.evidence,
            advice=advice(found, now, self.recipe),
        )
        return None if told is not None and told.name == found.name else self.verdict


def replay(events: Iterable[Mapping[str, Any]], recipe: Mapping[str, Any]) -> Watch:
    """The watch of a run after these events."""
    watch = Watch(recipe)
    for event in events:
        watch.take(event)
    return watch


DEADLY = ("D winning", "G winning", "mode collapse", "not learning", "oscillating")


class Watcher:
    """A listener that tells each new verdict as an event; `run` is how commands name the run."""

    def __init__(self, watch: Watch, emit: Callable[[Any], None], run: str) -> None:
        self.watch, self._emit, self._run = watch, emit, run
        self._seconds = watch.record.seconds  # of a run that is gone on with
        self._failing_since: float | None = None  # seconds of training

    def __call__(self, event: Any, /) -> None:
        if event["event"] == "step":
            self._seconds = event["seconds"]
        verdict = self.watch.take(event)
        standing = self.watch.verdict
        if standing is None or standing.name not in DEADLY:
            self._failing_since = None
        elif self._failing_since is None:
            self._failing_since = self._seconds
        if verdict is not None and event["event"] != "end":
            self._emit(verdict.event(self._run))

    def dead(self, minutes: float) -> str | None:
        """Why the run should be given up: some such verdict has stood for so many minutes; None while it should not."""
        if self._failing_since is None or self._seconds - self._failing_since < 60 * minutes:
            return None
        assert self.watch.verdict is not None
        return (
            f"the watch gave the run up: {self.watch.verdict.name} for {minutes:g} minutes; its checkpoints are whole, "
            f"and `zerosum watch {self._run}` says what to try"
        )

    def close(self) -> None:
        """Nothing is held."""
