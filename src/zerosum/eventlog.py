"""Reading `events.jsonl`, for whoever looks at a run: the engine, the report, the watch, the commands."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zerosum.types import PathLike


def parse_event(line: bytes) -> dict[str, Any] | None:
    """The object of one line, NaN and Infinity as None; None where the line is not an event."""
    try:
        fields = json.loads(line, parse_constant=lambda token: None)
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) and isinstance(fields.get("event"), str) else None


def read_events(path: PathLike) -> Iterator[dict[str, Any]]:
    """The events of a log in order, while it grows or after a crash.

    A last line without its newline is still being written, or torn: it is left out, as is a line that is no
    JSON object with an "event". The fields are as they were written; `check_event` checks them. A missing
    file has no events.
    """
    if not Path(path).exists():
        return
    with Path(path).open("rb") as file:
        for line in file:
            if line.endswith(b"\n") and (fields := parse_event(line)) is not None:
                yield fields


def number(value: Any) -> float:
    """A number that can be drawn (finite, below 1e100) as it is, anything else as NaN."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        found = float(value)
    except OverflowError:
        return math.nan
    return found if abs(found) < 1e100 else math.nan
