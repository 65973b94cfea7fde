"""Folders, tars and zips are read alike, and whatever is wrong in one is named, never fatal."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zerosum.data import archive
from zerosum.data.archive import File, read_files, stamp
from zerosum.data.dataset import Skipped
from zerosum.errors import UserError

CONTENT = {"a/1.png": b"one", "a/2.png": b"two" * 1000, "b/3 ü.png": b"three", "top.png": b"four"}


def read(path: Path) -> tuple[dict[str, bytes], dict[str, str]]:
    items = list(read_files(path))
    files = {item.name: item.data for item in items if isinstance(item, File)}
    return files, {item.name: item.reason for item in items if isinstance(item, Skipped)}


def make_folder(path: Path, content: dict[str, bytes] = CONTENT) -> Path:
    for name, data in content.items():
        path.joinpath(name).parent.mkdir(parents=True, exist_ok=True)
        path.joinpath(name).write_bytes(data)
    return path


def make_tar(path: Path, content: dict[str, bytes] = CONTENT) -> Path:
    with tarfile.open(path, "w") as file:
        for name, data in content.items():
            add(file, name, data)
    return path


def add(file: tarfile.TarFile, name: str, data: bytes = b"", **fields: object) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    for field, value in fields.items():
        setattr(member, field, value)
    file.addfile(member, io.BytesIO(data))


def make_zip(path: Path, content: dict[str, bytes] = CONTENT) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in content.items():
            file.writestr(name, data)
    return path


def test_folder_tar_and_zip_give_the_same_files(tmp_path: Path) -> None:
    tar = make_tar(tmp_path / "x.tar")
    paths = [make_folder(tmp_path / "x"), tar, make_zip(tmp_path / "x.zip")]
    for name, module in (("x.tar.gz", gzip), ("x.tar.bz2", bz2), ("x.txz", lzma)):
        paths.append(tmp_path / name)
        paths[-1].write_bytes(module.compress(tar.read_bytes()))
    for path in paths:
        assert read(path) == (CONTENT, {}), path


def test_hidden_files_are_passed_over_in_silence(tmp_path: Path) -> None:
    junk = {".DS_Store": b"x", "__MACOSX/a/._1.png": b"x", ".git/config": b"x", "a/Thumbs.db": b"x", "desktop.ini": b""}
    for make, name in ((make_folder, "x"), (make_tar, "x.tar"), (make_zip, "x.zip")):
        assert read(make(tmp_path / name, junk | CONTENT)) == (CONTENT, {})


OUTSIDE = ["../evil.png", "/etc/evil.png", "a/../../evil.png", "C:\\evil.png", "..\\evil.png", "\\evil.png"]


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_member_that_would_land_outside_is_refused_by_name(tmp_path: Path, name: str) -> None:
    for make, end in ((make_tar, ".tar"), (make_zip, ".zip")):
        files, skipped = read(make(tmp_path / f"x{end}", {name: b"evil", "ok.png": b"ok"}))
        assert files == {"ok.png": b"ok"}
        assert list(skipped.values()) == ["its name lies outside the archive"]
        assert "evil.png" in next(iter(skipped))


def test_links_and_devices_in_a_tar_are_named(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as file:
        add(file, "link.png", type=tarfile.SYMTYPE, linkname="/etc/passwd")
        add(file, "hard.png", type=tarfile.LNKTYPE, linkname="link.png")
        add(file, "pipe.png", type=tarfile.FIFOTYPE)
        add(file, "device.png", type=tarfile.CHRTYPE)
        add(file, "ok.png", b"ok")
    files, skipped = read(tmp_path / "x.tar")
    assert files == {"ok.png": b"ok"}
    assert set(skipped) == {"link.png", "hard.png", "pipe.png", "device.png"}


def test_a_folder_with_loops_pipes_and_dead_links_ends(tmp_path: Path) -> None:
    root = make_folder(tmp_path / "x")
    elsewhere = make_folder(tmp_path / "elsewhere", {"5.png": b"five"})
    (root / "loop").symlink_to(root)
    (root / "a" / "up").symlink_to(tmp_path)
    (root / "self").symlink_to("self")
    (root / "dead.png").symlink_to("nothing")
    (root / "linked").symlink_to(elsewhere)
    (root / "again").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(root / "a")
    (root / "file.png").symlink_to(elsewhere / "5.png")
    os.mkfifo(root / "pipe.png")
    files, skipped = read(root)
    assert files == CONTENT | {"again/5.png": b"five", "file.png": b"five"}
    assert set(skipped) == {"loop", "a/up", "self", "dead.png", "linked", "again/back", "pipe.png"}
    assert "symlink loop" in skipped["loop"]
    assert "symlink loop" in skipped["self"]


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that exists and can't be read")
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    root = make_folder(tmp_path / "x")
    (root / "bad.png").symlink_to("/proc/self/mem")
    files, skipped = read(root)
    assert files == CONTENT
    assert skipped["bad.png"].startswith("can't be read")


def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_folder(tmp_path / "x")
    scandir = os.scandir

    def refuse(path: os.PathLike[str]) -> object:
        if Path(path).name == "b":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    files, skipped = read(root)
    assert set(files) == {"a/1.png", "a/2.png", "top.png"}
    assert skipped == {"b/": "a folder that can't be read: Permission denied"}


def test_a_name_in_no_encoding_can_be_printed(tmp_path: Path) -> None:
    root = tmp_path / "x"
    root.mkdir()
    (Path(os.fsdecode(os.fsencode(root) + b"/\xff\x1b[2J.png"))).write_bytes(b"x")
    files, _ = read(root)
    (name,) = files
    assert name.isprintable()
    name.encode("utf-8")


@pytest.mark.parametrize("what", ["absent", "text", "empty", "device", "broken.zip", "gzip of text"])
def test_what_is_no_archive_is_one_line(tmp_path: Path, what: str) -> None:
    path = tmp_path / what
    if what == "text":
        path.write_text("hello " * 500)
    elif what == "empty":
        path.write_bytes(b"")
    elif what == "device":
        path = Path("/dev/null")
    elif what == "broken.zip":
        path.write_bytes(make_zip(tmp_path / "whole.zip").read_bytes()[:-30])
    elif what == "gzip of text":
        path.write_bytes(gzip.compress(b"hello " * 500))
    with pytest.raises(UserError, match="expected") as error:
        list(read_files(path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress])
def test_a_tar_cut_short_gives_what_is_whole_and_says_so(tmp_path: Path, pack: object) -> None:
    content = {f"{index:03d}.png": os.urandom(50_000) for index in range(40)}
    whole = pack(make_tar(tmp_path / "whole.tar", content).read_bytes())  # type: ignore[operator]
    path = tmp_path / "cut.tar"
    path.write_bytes(whole[: len(whole) * 6 // 10])
    files, skipped = read(path)
    assert files.items() <= content.items()
    assert len(files) < 30
    assert len(files) > 10
    assert "cut.tar" in skipped


def test_a_damaged_header_in_the_middle_of_a_tar_is_no_silent_end(tmp_path: Path) -> None:
    data = bytearray(make_tar(tmp_path / "x.tar", {f"{index}.png": b"x" for index in range(10)}).read_bytes())
    data[5 * 1024 + 20] ^= 0xFF
    (tmp_path / "x.tar").write_bytes(data)
    files, skipped = read(tmp_path / "x.tar")
    assert len(files) == 5
    assert "damaged header" in skipped["x.tar"]


def test_a_header_that_leads_back_does_not_hang(tmp_path: Path) -> None:
    data = bytearray(make_tar(tmp_path / "x.tar", {"1.png": b"x" * 600, "2.png": b"y"}).read_bytes())
    second = 512 + 1024
    member = data[second : second + 512]
    member[124:136] = (-1536).to_bytes(12, "big", signed=True)  # base 256: a size below zero
    member[148:156] = b" " * 8
    member[148:156] = f"{sum(member):06o}\0 ".encode()
    data[second : second + 512] = member
    (tmp_path / "x.tar").write_bytes(data)
    files, skipped = read(tmp_path / "x.tar")
    assert set(files) == {"1.png"}
    assert "x.tar" in skipped


def test_encrypted_and_damaged_members_of_a_zip_are_named(tmp_path: Path) -> None:
    data = bytearray(make_zip(tmp_path / "x.zip", {"1.png": os.urandom(999), "2.png": b"two"}).read_bytes())
    data[200] ^= 0xFF  # inside the first member
    directory = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 4)
    data[directory + 8] |= 1  # the second one's flag of encryption
    (tmp_path / "x.zip").write_bytes(data)
    files, skipped = read(tmp_path / "x.zip")
    assert files == {}
    assert set(skipped) == {"1.png", "2.png"}
    assert "encrypted" in skipped["2.png"]


def test_a_zip_inside_a_tar_does_not_make_it_a_zip(tmp_path: Path) -> None:
    inner = make_zip(tmp_path / "inner.zip").read_bytes()
    assert read(make_tar(tmp_path / "x.tar", {"inner.zip": inner})) == ({"inner.zip": inner}, {})


def test_a_file_over_the_limit_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_BYTES", 4_000)
    content = {"big.png": os.urandom(4_001), "ok.png": os.urandom(4_000)}
    for make, name in ((make_folder, "x"), (make_tar, "x.tar"), (make_zip, "x.zip")):
        files, skipped = read(make(tmp_path / name, content))
        assert set(files) == {"ok.png"}
        assert "larger than" in skipped["big.png"]


BOMBS = r"""
import re, resource, sys, time
from pathlib import Path
from zerosum.data.archive import read_files
resource.setrlimit(resource.RLIMIT_AS, (700 * 2**20, 700 * 2**20))
start = time.monotonic()
for path in sys.argv[1:]:
    for item in read_files(Path(path)):
        print(getattr(item, "reason", item.name))
assert time.monotonic() - start < 30
print(re.search(r"VmHWM:\s*(\d+) kB", open("/proc/self/status").read())[1])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads its peak memory from /proc")
def test_decompression_bombs_end_soon_and_in_little_memory(tmp_path: Path) -> None:
    zeros = bytes(2**24)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        with file.open("200M.png", "w", force_zip64=True) as member:
            for _ in range(12):
                member.write(zeros)
        with file.open("300M.png", "w", force_zip64=True) as member:
            for _ in range(19):
                member.write(zeros)
    # A tar.gz with a long name of 4 GB: tarfile would read the name in one piece.
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 4 * 2**30
    with gzip.open(tmp_path / "name.tar.gz", "wb", compresslevel=1) as file:
        member = tarfile.TarInfo("ok.png")
        file.write(member.tobuf() + header.tobuf(tarfile.GNU_FORMAT))
        file.write(zeros)
    # A tar.gz whose one member has 300 MB of nothing: it has to be passed over to reach the next.
    with gzip.open(tmp_path / "skip.tar.gz", "wb", compresslevel=1) as file:
        header = tarfile.TarInfo("300M.png")
        header.size = 19 * 2**24
        file.write(header.tobuf())
        for _ in range(19):
            file.write(zeros)
    paths = [str(tmp_path / name) for name in ("bomb.zip", "name.tar.gz", "skip.tar.gz")]
    done = subprocess.run([sys.executable, "-c", BOMBS, *paths], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == lines[1] == "a decompression bomb: it grows more than a hundredfold"
    assert lines[2] == "ok.png"
    assert "4294967296 bytes" in lines[3]
    assert lines[4:6] == [
        "larger than 256 MiB",
        "the rest of it can't be read: a decompression bomb: it grows more than a hundredfold",
    ]
    assert int(lines[-1]) < 200_000  # KiB, Python and numpy included


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_an_archive_with_any_damage_ends_without_another_error(tmp_path: Path, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["tar", "zip", "tgz"]))
    path = tmp_path / f"x.{kind}"
    make = make_zip if kind == "zip" else make_tar
    whole = make(path, CONTENT).read_bytes()
    damaged = bytearray(gzip.compress(whole) if kind == "tgz" else whole)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(damaged[: data.draw(st.integers(0, len(damaged)))] if data.draw(st.booleans()) else damaged)
    try:
        items = list(read_files(path))
    except UserError:
        return
    assert all(item.name.isprintable() for item in items)


def test_the_quick_key_sees_names_sizes_and_times(tmp_path: Path) -> None:
    root = make_folder(tmp_path / "x")
    before = stamp(root)
    assert stamp(root) == before
    status = (root / "top.png").stat()
    os.utime(root / "top.png", ns=(status.st_atime_ns, status.st_mtime_ns + 1_000))
    after = stamp(root)
    assert after != before
    (root / "top.png").rename(root / "other.png")
    assert stamp(root) not in (before, after)
    assert stat.S_ISREG((root / "other.png").stat().st_mode)
