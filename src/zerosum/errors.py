"""Every error that zerosum raises on purpose: one line for the user, and the exit code that goes with it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from zerosum.types import PathLike

FEW = 16  # names that an error line can list


class ZerosumError(Exception):
    """What went wrong, what was expected and what to do, in one line."""

    exit_code = 1


class UserError(ZerosumError):
    """The input is at fault: a name, a value, a file. Nothing was written."""

    exit_code = 2


class UnwritableError(UserError, OSError):
    """A file can't be written where it is wanted. Still an `OSError`: within a training the run says what it means."""

    def __init__(self, path: PathLike, error: OSError, remedy: str) -> None:
        super().__init__(f"{path} can't be written ({error.strerror or error}): {remedy}")
        self.filename, self.strerror = str(path), error.strerror or str(error)

    def __str__(self) -> str:
        return str(self.args[0])  # an OSError would make its own line of the two


@contextmanager
def writing(path: PathLike, remedy: str = "give another place, one that has room and may be written") -> Iterator[None]:
    """Around what writes `path`: an `OSError` becomes an `UnwritableError` that says what to do."""
    try:
        yield
    except OSError as error:
        raise UnwritableError(path, error, remedy) from None


class TrainingError(ZerosumError):
    """Training could not go on: diverged, disk full, a rank lost."""


class DivergedError(TrainingError):
    """A loss term is not finite. `run`: the folder of the run, where there is one."""

    def __init__(self, message: str, run: str | None = None) -> None:
        super().__init__(message)
        self.run = run


class DeadRunError(TrainingError):
    """The watch stopped a run that had been failing for as long as it was told to look on."""


class CheckpointError(UserError):
    """A checkpoint is damaged, missing, or of a kind that is never loaded."""


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of an error line: the closest of `known`, or all of them where none is close."""
    options = sorted(known)
    close = difflib.get_close_matches(name, options, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]}?"
    shown = options[:FEW]
    return f"known: {', '.join(shown)}{f', and {len(options) - FEW} more' if len(options) > FEW else ''}"
