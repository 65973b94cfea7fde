"""A verdict in words: its meaning, evidence and advice in a language, from the event that a run or a watch gave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from zerosum.watch.catalogue import Words
from zerosum.watch.verdict import ALARMS


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a person reads."""

    name: str
    meaning: str
    standing: str  # since when, and how sure
    evidence: tuple[str, ...]
    advice: tuple[tuple[str, str | None], ...]  # a sentence, and the command that does it
    alarms: bool


def tell(event: Mapping[str, Any], words: Words) -> Told:
    """A verdict event in words."""
    name = str(event["verdict"])
    since, sure = words("frame.since", step=event["since"]), words("frame.sure", sure=event["sure"])
    return Told(
        name=words(f"verdict.{name}"),
        meaning=words(f"meaning.{name}"),
        standing=f"{since}, {sure}",
        evidence=tuple(words.evidence(found) for found in event["evidence"]),
        advice=tuple((words.advice(tried), tried["command"]) for tried in event["advice"]),
        alarms=name in ALARMS,
    )


def lines(told: Told, words: Words) -> Iterator[str]:
    """The verdict as lines for a terminal."""
    yield f"{told.name} ({told.standing})"
    yield told.meaning
    for title, items in (("frame.evidence", told.evidence), ("frame.try", told.advice)):
        if items:
            yield ""
            yield f"{words(title)}:"
        for item in items:
            text, command = item if isinstance(item, tuple) else (item, None)
            yield f"  - {text}"
            if command:
                yield f"      {command}"
