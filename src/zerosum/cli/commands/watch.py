"""`zerosum watch`: how a run is doing, on what evidence, and what to try next."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from zerosum.cli import options
from zerosum.cli.app import app
from zerosum.cli.output import document, tell

POLL = 2.0  # seconds between two looks at a run that goes on


@app.command(rich_help_panel="Look")
def watch(
    run: options.Run,
    lang: options.Language = None,
    follow: Annotated[bool, typer.Option("--follow", help="Stay, and tell each new verdict.")] = False,
    json: options.Json = False,
) -> None:
    """Say how a run is doing, on what evidence, and what to try next; while it trains, or afterwards."""
    from zerosum.watch.catalogue import Words, spoken
    from zerosum.watch.looking import look, look_and_tell

    words = Words(spoken(lang))
    event = look_and_tell(run)
    if json:
        document(event)
        return
    _tell(event, words)
    while follow and look(run).record.ended is None:
        time.sleep(POLL)
        before, event = event, look_and_tell(run)
        if _name(event) != _name(before):
            tell()
            _tell(event, words)


def _name(event: dict[str, Any] | None) -> str | None:
    return None if event is None else str(event["verdict"])


def _tell(event: dict[str, Any] | None, words: Any) -> None:
    from zerosum.watch.telling import lines
    from zerosum.watch.telling import tell as worded

    if event is None:
        tell(words("frame.nothing"))
        return
    for line in lines(worded(event, words), words):
        tell(line)
