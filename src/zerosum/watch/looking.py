"""A run watched from its folder alone: while another process trains in it, or afterwards."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zerosum.errors import UserError
from zerosum.eventlog import read_events
from zerosum.types import PathLike
from zerosum.watch.watching import Watch, replay


def look(run: PathLike) -> Watch:
    """The watch of a run from its folder alone, finished or not; `UserError` where there is none."""
    folder = Path(run)
    try:
        recipe = json.loads((folder / "run.json").read_bytes())["recipe"]
    except (FileNotFoundError, NotADirectoryError):
        if (folder / "fleet.json").exists():
            raise UserError(f"{folder} is a fleet; expected a single run: name one of the folders in it") from None
        raise UserError(f"{folder} is not the folder of a run: it has no run.json") from None
    except OSError as error:
        raise UserError(f"{folder / 'run.json'} can't be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{folder / 'run.json'} is damaged: it does not describe a run") from None
    return replay(read_events(folder / "events.jsonl"), recipe if isinstance(recipe, Mapping) else {})


def look_and_tell(run: PathLike) -> dict[str, Any] | None:
    """The verdict event of a run's folder as it stands; None before its first logged step."""
    verdict = look(run).verdict
    return None if verdict is None else verdict.event(shlex.quote(str(run)))
