"""Reading `run.json`, for whoever looks at a run's folder: the engine, the watch, the report; without torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from zerosum.errors import UserError
from zerosum.types import PathLike


def read_info(run: PathLike) -> dict[str, Any]:
    """The fields of a run's run.json; `UserError` where the folder is no run's, or the file is damaged."""
    folder = Path(run)
    try:
        info = json.loads((folder / "run.json").read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        if (folder / "fleet.json").exists():
            raise UserError(f"{folder} is a fleet; expected a single run: name one of the folders in it") from None
        raise UserError(f"{folder} is not the folder of a run: it has no run.json") from None
    except OSError as error:
        raise UserError(f"{folder / 'run.json'} can't be read: {error.strerror}") from None
    except ValueError:
        raise damaged(folder) from None
    if not isinstance(info, dict):
        raise damaged(folder)
    return info


def damaged(folder: Path) -> UserError:
    """What to say of a run.json that is there and does not describe a run."""
    return UserError(f"{folder / 'run.json'} is damaged: it does not describe a run")
