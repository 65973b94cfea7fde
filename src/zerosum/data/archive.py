"""The files inside a folder, a tar or a zip, read one after the other in bounded memory and never unpacked."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import os
import re
import stat
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from zerosum.data.dataset import Skipped
from zerosum.errors import UserError

MAX_BYTES = 256 * 2**20  # of one file
MOST_FOLDERS = 1_000  # of an archive that names its folders, beyond which nobody asks which ones are empty
MAX_RATIO = 100  # an image file hardly compresses; a bomb does, a thousandfold
FREE_BYTES = 64 * 2**20  # below this the ratio says nothing

READ_ERRORS = (
    OSError,
    EOFError,
    ValueError,
    OverflowError,
    NotImplementedError,  # a zip method that this Python lacks
    RuntimeError,  # an encrypted zip member
    struct.error,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    tarfile.TarError,
)
COMPRESSIONS = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\x00", lzma.open))
IGNORED = {"__MACOSX", "Thumbs.db", "desktop.ini"}


@dataclass(frozen=True)
class File:
    """One file's name, with / between folders and every odd character escaped, and its bytes."""

    name: str
    data: bytes


def read_files(path: Path) -> Iterator[File | Skipped]:
    """Every file in a folder (in order of names), tar or zip (as they lie), but hidden ones.

    A file that can't be read, or that is larger than 256 MiB, comes as `Skipped`. `UserError` where `path`
    is absent or none of the three.
    """
    if _is_folder(path):
        yield from _read_folder(path)
        return
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        raise UserError(
            f"can't open {shown(path)}: {_reason(error)}; expected a folder, tar or zip of images"
        ) from None
    yield from _files_of(_read_zip(path) if start.startswith(b"PK") else _read_tar(path, start))


def places(folder: Path) -> dict[str, Path | Skipped]:
    """Where each file of a folder lies, by the name that `read_files` gives it."""
    return {entry.name: entry if isinstance(entry, Skipped) else Path(entry.path) for entry in _walk(folder)}


def read_file(path: Path | str, name: str | None = None) -> File | Skipped:
    """A single file under the same bound; without a name by its own."""
    name = name or shown(os.path.basename(path))
    try:
        with open(path, "rb") as file:
            return _bounded(name, file, os.fstat(file.fileno()).st_size)
    except OSError as error:
        return Skipped(name=name, reason=f"can't be read: {_reason(error)}")


def is_archive(path: Path) -> bool:
    """Whether a file is a tar or a zip, by how it begins; where it can't be read, by its name."""
    try:
        with path.open("rb") as file:
            start = file.read(tarfile.BLOCKSIZE)
    except OSError:
        start = b""
    known = (b"PK", *(magic for magic, _ in COMPRESSIONS))
    return start.startswith(known) or start[257:262] == b"ustar" or path.suffix.lower() == ".tar"


def stem(name: str) -> str:
    """A file's name, with its folders, without its ending."""
    folders, slash, file = name.rpartition("/")
    return folders + slash + (file.rpartition(".")[0] or file)


def stamp(path: Path) -> str:
    """A quick key: SHA-256 over the names, sizes and times of a folder's files, or of the archive alone.

    A change that keeps size, modification and status time goes unnoticed.
    """
    entries: Iterator[_Found | Skipped] = (
        _walk(path) if _is_folder(path) else iter([_Found("", str(path), path.stat())])
    )
    digest = hashlib.sha256(os.fsencode(os.path.realpath(path)))
    for entry in entries:
        if isinstance(entry, _Found):
            status = entry.status
            line = f"{entry.name}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ctime_ns}\n"
        else:
            line = f"{entry.name}\0{entry.reason}\n"
        digest.update(line.encode())
    return digest.hexdigest()


def _is_folder(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else _reason(error)
        raise UserError(f"can't open {shown(path)}: {reason}; expected a folder, tar or zip of images") from None
    if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
        raise UserError(f"{shown(path)} is neither a file nor a folder; expected a folder, tar or zip of images")
    return stat.S_ISDIR(mode)


def shown(name: str | Path) -> str:
    """The name or path as it can be printed and written as UTF-8, whatever bytes it was made of."""
    name = str(name)
    return name if name.isprintable() else "".join(map(_printed, name))


def _printed(c: str) -> str:
    """A character, or its escape. Spaces of any width and joiners of emoji stay, as file names of a Mac have them."""
    stays = c.isprintable() or unicodedata.category(c) == "Zs" or c in "\u200c\u200d"
    return c if stays else c.encode("unicode_escape").decode()


def _hidden(name: str) -> bool:
    return any(part in IGNORED or part.startswith(".") for part in name.split("/"))


def _reason(error: BaseException) -> str:
    text = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return " ".join(shown(text).split())[:200]


@dataclass(frozen=True)
class _Found:
    name: str
    path: str  # a `Path` for each of many files takes as long as to read them
    status: os.stat_result


def _walk(root: Path) -> Iterator[_Found | Skipped]:
    """Every regular file below a folder. A linked folder outside it is read once; one back into it is not."""
    real_root = os.path.realpath(root)
    seen = {_identity(os.stat(root))}
    stack = [(root, "")]
    while stack:
        folder, prefix = stack.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            yield Skipped(name=shown(prefix) or ".", reason=f"a folder that can't be read: {_reason(error)}")
            continue
        folders = []
        entries = [entry for entry in entries if not _hidden(entry.name)]
        if prefix and not entries:
            yield Skipped(name=shown(prefix), reason="an empty folder")
        for entry in entries:
            name = prefix + entry.name
            try:
                status = os.stat(entry.path)  # entry.stat() has no identity of a folder on Windows
            except OSError as error:
                yield Skipped(name=shown(name), reason=_link_reason(entry, error))
                continue
            if stat.S_ISREG(status.st_mode):
                yield _Found(shown(name), entry.path, status)
            elif not stat.S_ISDIR(status.st_mode):
                yield Skipped(name=shown(name), reason="not a regular file")
            elif entry.is_symlink() and _related(os.path.realpath(entry.path), real_root):
                yield Skipped(name=shown(name), reason="a symlink loop: it leads back into this folder")
            elif _identity(status) in seen:
                yield Skipped(name=shown(name), reason="a link to a folder that is read already")
            else:
                seen.add(_identity(status))
                folders.append((Path(entry.path), f"{name}/"))
        stack += reversed(folders)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _related(one: str, other: str) -> bool:
    try:
        return os.path.commonpath([one, other]) in (one, other)
    except ValueError:  # on different drives
        return False


def _link_reason(entry: os.DirEntry[str], error: OSError) -> str:
    if entry.is_symlink():
        return "a link to nothing" if isinstance(error, FileNotFoundError) else f"a symlink loop: {_reason(error)}"
    return _reason(error)


def _read_folder(root: Path) -> Iterator[File | Skipped]:
    for entry in _walk(root):
        yield entry if isinstance(entry, Skipped) else read_file(entry.path, entry.name)


def _bounded(name: str, file: IO[bytes], expected: int) -> File | Skipped:
    """The whole file, unless it is larger than the bound, whatever size was declared."""
    pieces: list[bytes] = []
    total = 0
    while total <= MAX_BYTES and expected <= MAX_BYTES:
        piece = file.read(max(expected - total, 65_536) + 1)
        if not piece:
            return File(name, b"".join(pieces))
        pieces.append(piece)
        total += len(piece)
    return Skipped(name=name, reason=f"larger than {MAX_BYTES // 2**20} MiB")


# Archives


@dataclass(frozen=True)
class _Folder:
    """A folder that an archive names."""

    name: str


def _files_of(members: Iterator[File | Skipped | _Folder]) -> Iterator[File | Skipped]:
    """The files of an archive, and its empty folders as `Skipped`, as those of a folder are."""
    named: set[str] = set()
    filled: set[str] = set()
    for member in members:
        name = member.name.rstrip("/")
        above = name.rpartition("/")[0]
        while above and above not in filled and len(filled) + len(named) < MOST_FOLDERS:
            filled.add(above)
            above = above.rpartition("/")[0]
        if not isinstance(member, _Folder):
            yield member
        elif name != "." and len(filled) + len(named) < MOST_FOLDERS:
            named.add(name)
    if len(filled) + len(named) < MOST_FOLDERS:
        for name in sorted(named - filled):
            yield Skipped(name=f"{name}/", reason="an empty folder")


def _refusal(name: str) -> str | None:
    """Why a member's name is not accepted. Nothing is unpacked; a name that aims outside is an attack, though."""
    outside = name.startswith("/") or re.match(r"[A-Za-z]:", name) or ".." in name.split("/")
    return "its name lies outside the archive" if outside else None


def _clean(name: str) -> str:
    return name.replace("\\", "/").removeprefix("./")


def _read_zip(path: Path) -> Iterator[File | Skipped | _Folder]:
    try:
        archive = zipfile.ZipFile(path)
    except READ_ERRORS as error:
        raise UserError(f"can't read {shown(path)} as a zip: {_reason(error)}; expected one of images") from None
    with archive:
        for member in archive.infolist():
            name = _clean(member.filename)
            printed = shown(name)
            refusal = _refusal(name)
            if refusal is None and _hidden(name):
                continue
            if member.is_dir():
                if refusal is None:
                    yield _Folder(printed)
                continue
            if member.file_size > max(FREE_BYTES, MAX_RATIO * member.compress_size):
                refusal = refusal or "a decompression bomb: it grows more than a hundredfold"
            if refusal:
                yield Skipped(name=printed, reason=refusal)
                continue
            try:
                with archive.open(member) as file:
                    yield _bounded(printed, file, member.file_size)
            except READ_ERRORS as error:
                yield Skipped(name=printed, reason=f"can't be read: {_reason(error)}")


class _BombError(Exception):
    """An archive that grows beyond all measure while it is decompressed."""


class _Stream(io.RawIOBase):
    """A tar's bytes, decompressed, with a bound on one read and on the position.

    tarfile reads a long name or a pax header in one piece, of whatever length a header claims.
    """

    def __init__(self, file: IO[bytes], limit: int | None) -> None:
        self._file = file
        self._limit = limit

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MAX_BYTES:
            raise _BombError(f"a header claims {size} bytes")
        self._check(self._file.tell() + size)
        return self._file.read(size)

    def seek(self, position: int, whence: int = os.SEEK_SET) -> int:
        self._check(position)
        return self._file.seek(position, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def _check(self, position: int) -> None:
        if self._limit is not None and position > self._limit:
            raise _BombError("it grows more than a hundredfold")


def _read_tar(path: Path, start: bytes) -> Iterator[File | Skipped | _Folder]:
    with path.open("rb") as raw:
        opener = next((opener for magic, opener in COMPRESSIONS if start.startswith(magic)), None)
        limit = None if opener is None else max(FREE_BYTES, MAX_RATIO * path.stat().st_size)
        file = raw if opener is None else cast(IO[bytes], opener(raw, "rb"))
        with file:
            stream = _Stream(file, limit)
            try:
                archive = tarfile.TarFile(fileobj=cast(IO[bytes], stream))
            except (*READ_ERRORS, _BombError) as error:
                raise UserError(
                    f"{shown(path)} is not a folder, tar or zip of images ({_reason(error)}); expected one of these"
                ) from None
            yield from _members(archive, stream, path.name)


def _members(archive: tarfile.TarFile, stream: _Stream, name: str) -> Iterator[File | Skipped | _Folder]:
    """What can be read of a tar; where it is damaged or cut short, the rest is one `Skipped` under its own name."""
    last = -1
    try:
        while (member := archive.next()) is not None:
            if member.offset <= last or member.size < 0:
                raise tarfile.ReadError(f"a header that leads back, at byte {member.offset}")
            last = member.offset
            # tarfile keeps every member for look-ups by name; nothing here looks back. (Typeshed leaves it out.)
            archive.members = []  # type: ignore[attr-defined]
            item = _member(archive, member)
            if item is not None:
                yield item
        stream.seek(archive.offset)
        if stream.read(tarfile.BLOCKSIZE).strip(b"\0"):
            raise tarfile.ReadError(f"a damaged header at byte {archive.offset}")
    except (*READ_ERRORS, _BombError) as error:
        bomb = "a decompression bomb: " if isinstance(error, _BombError) else ""
        yield Skipped(name=shown(name), reason=f"the rest of it can't be read: {bomb}{_reason(error)}")


def _member(archive: tarfile.TarFile, member: tarfile.TarInfo) -> File | Skipped | _Folder | None:
    name = _clean(member.name)
    printed = shown(name)
    refusal = _refusal(name)
    if refusal is None and _hidden(name):
        return None
    if member.isdir() and not refusal:
        return _Folder(printed)
    if member.issym() or member.islnk():
        refusal = refusal or "a link inside an archive"
    elif not member.isreg():
        refusal = refusal or "not a regular file"
    if refusal:
        return Skipped(name=printed, reason=refusal)
    try:
        file = archive.extractfile(member)
        assert file is not None  # it is a regular file
        with file:
            return _bounded(printed, file, member.size)
    except READ_ERRORS as error:
        return Skipped(name=printed, reason=f"can't be read: {_reason(error)}")
