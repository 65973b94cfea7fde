"""Where data is looked for and where conversions are kept, written beside and then renamed."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from zerosum.errors import UserError

LOCK_SECONDS = 3600.0


def data_folder() -> Path | None:
    """The folder that ZEROSUM_DATA names, with `mnist/` and such inside; None where it is not set."""
    value = os.environ.get("ZEROSUM_DATA")
    return Path(value).expanduser() if value else None


def cache_folder() -> Path:
    """ZEROSUM_CACHE, else the platform's place for what can be made again; it need not exist yet."""
    chosen = os.environ.get("ZEROSUM_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"]) / "zerosum"
    if sys.platform == "win32" and os.environ.get("LOCALAPPDATA"):
        return Path(os.environ["LOCALAPPDATA"]) / "zerosum" / "cache"
    home = os.path.expanduser("~")
    if not os.path.isabs(home):  # no home is known: an account without one
        return Path(tempfile.gettempdir()) / "zerosum-cache"
    return Path(home) / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "zerosum"


def cannot_write(folder: Path, error: OSError) -> UserError:
    """The line for a cache that is read-only or full."""
    return UserError(
        f"can't write in {folder}: {error.strerror or error}; expected room for converted data: "
        "free some space, or name another folder in ZEROSUM_CACHE"
    )


def write_atomically(path: Path, data: bytes) -> None:
    """The file appears whole or not at all; its folder is made. `OSError` where it can't be written."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        part.write_bytes(data)
        os.replace(part, path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def keep(path: Path, data: bytes) -> None:
    """Writes a file of the cache; `UserError` where that can't be."""
    try:
        write_atomically(path, data)
    except OSError as error:
        raise cannot_write(path.parent, error) from None


@contextmanager
def sole_writer(path: Path) -> Iterator[None]:
    """While this is held, no other process makes `path`: the ranks of one run convert a folder once."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=LOCK_SECONDS)
        lock.acquire()
    except Timeout:
        raise UserError(
            f"another process has been converting data into {path} for an hour; wait for it, or end it"
        ) from None
    except OSError as error:
        raise cannot_write(path.parent, error) from None
    try:
        yield
    finally:
        lock.release()
