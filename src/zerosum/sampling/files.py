"""Output that is either whole or not there: written beside its place under another name, then renamed."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zerosum.errors import UserError, writing
from zerosum.types import PathLike


def _partial(path: Path) -> Path:
    # Two processes may write the same file. The suffix stays last, because writers choose the format by it.
    return path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")


def require_png(path: Path) -> None:
    """`UserError` where a picture would get a name of another kind."""
    if path.suffix.lower() != ".png":
        raise UserError(f"can't write a picture as {path.name!r}; expected a name that ends in .png")


@contextmanager
def replacing(path: PathLike) -> Iterator[Path]:
    """A file name to write to, which takes the place of `path` at the end and is removed after an error.

    `UnwritableError` where it can't be written.
    """
    path = Path(path)
    partial = _partial(path)
    with writing(path):
        if not path.parent.exists():  # below a file, what comes next says so more plainly
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield partial
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove the files below a folder that killed processes left half written."""
    for path in folder.rglob(".*.partial*"):
        if re.fullmatch(r"\..+\.\d+\.partial(\.\w+)?", path.name) and path.is_file():
            path.unlink(missing_ok=True)


@contextmanager
def new_folder(path: PathLike) -> Iterator[Path]:
    """An empty folder to fill, which becomes `path` at the end; `UserError` where `path` holds something.

    `UnwritableError` where it can't be written.
    """
    path = Path(path)
    partial = _partial(path)
    with writing(path):
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise UserError(f"{path} exists and is not empty; expected a new folder, so choose another name")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            yield partial
            if path.exists():
                path.rmdir()
            partial.rename(path)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def grids(samples: Path) -> list[Path]:
    """A run's sample grids, such as 000500.png, in the order of their steps."""
    return sorted((path for path in samples.glob("*.png") if path.stem.isdecimal()), key=lambda path: int(path.stem))
