"""A run watched from its folder alone: while another process trains in it, or afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zerosum.eventlog import read_events
from zerosum.runinfo import read_info
from zerosum.shell import typed
from zerosum.types import PathLike
from zerosum.watch.watching import Watch, replay


def look(run: PathLike) -> Watch:
    """The watch of a run from its folder alone, finished or not; `UserError` where there is none."""
    recipe = read_info(run).get("recipe")
    return replay(read_events(Path(run) / "events.jsonl"), recipe if isinstance(recipe, Mapping) else {})


def look_and_tell(run: PathLike) -> dict[str, Any] | None:
    """The verdict event of a run's folder as it stands; None before its first logged step."""
    verdict = look(run).verdict
    return None if verdict is None else verdict.event(typed(run))
