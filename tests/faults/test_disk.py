"""A full disk and one that can't be written: one line, the right exit code, and the older checkpoint is whole."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from zerosum.engine.run import RunFolder

COMMAND = ["train", "gan", "--data", "ring", "--save-every", 4, "--batch", 8, "--set", "points_width=32", "-q"]
COMMAND += ["--set", "grid=4", "--steps"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Mounts a disk of its own, where this process may; else the test is skipped."""
    mounted: list[Path] = []

    def mount(options: str) -> Path:
        place = tmp_path / "disk"
        place.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", options, "zerosum-test", str(place)]
        if os.name != "posix" or os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("mounting a small disk takes root")
        mounted.append(place)
        return place

    yield mount
    for place in mounted:
        subprocess.run(["umount", "-l", str(place)], check=True)


def assert_whole(nursery: Any, run: Path, step: int) -> None:
    folder = RunFolder.open(run)
    assert folder.read("last")["counters"]["step"] == step
    assert [path.name for path in (run / "checkpoints").glob(".*")] == []
    sampled = nursery.run("sample", run, "-n", 4, "--out", run.parent.parent / "sampled.png")
    assert sampled.code == 0, sampled.err


def test_a_file_size_limit_ends_training_in_one_line(nursery: Any, tmp_path: Path) -> None:
    run = tmp_path / "runs" / "run"
    full = ("small_files", {"limit": 1000, "step": 6})
    ended = nursery.run(*COMMAND, 20, "--out", run, faults=[full])
    assert ended.code == 1
    assert "disk is full" in ended.line
    assert "free some space, then resume" in ended.line
    assert_whole(nursery, run, 4)


def test_after_a_full_disk_the_run_goes_on_as_if_nothing_had_been(
    nursery: Any, compare: Callable[..., list[str]], tmp_path: Path
) -> None:
    full = ("small_files", {"limit": 1000, "step": 6})
    nursery.run(*COMMAND, 20, "--out", tmp_path / "a", faults=[full])
    assert nursery.run("resume", tmp_path / "a", "-q").code == 0
    assert nursery.run(*COMMAND, 20, "--out", tmp_path / "b").code == 0
    assert compare(tmp_path / "b", tmp_path / "a") == []


def test_a_disk_that_fills_up(nursery: Any, small_disk: Callable[..., Path], tmp_path: Path) -> None:
    disk = small_disk("size=1m")
    run = disk / "run"
    flag = tmp_path / "flag"
    process = nursery.start(*COMMAND, 20, "--out", run, faults=[("pause", {"path": str(flag), "step": 6})])
    while not flag.exists():
        assert process.code is None
    room = os.statvfs(disk)
    (disk / "ballast").write_bytes(bytes(room.f_bavail * room.f_frsize - 8192))
    flag.unlink()
    assert process.wait().code == 1
    assert "disk is full" in process.line
    assert_whole(nursery, run, 4)


def test_a_disk_that_is_full_from_the_start(nursery: Any, small_disk: Callable[..., Path]) -> None:
    disk = small_disk("size=16k")
    (disk / "ballast").write_bytes(bytes(12 * 1024))
    ended = nursery.run(*COMMAND, 20, "--out", disk / "run")
    assert ended.code == 1
    assert "can't be written (No space left on device)" in ended.line


def test_training_into_a_read_only_place_is_refused(nursery: Any, small_disk: Callable[..., Path]) -> None:
    disk = small_disk("ro")
    ended = nursery.run(*COMMAND, 20, "--out", disk / "run")
    assert ended.code == 2
    assert ended.line.endswith("can't be written (Read-only file system): give another --out")


def test_a_run_in_a_read_only_place_is_not_resumed_but_can_be_used(
    nursery: Any, small_disk: Callable[..., Path], tmp_path: Path
) -> None:
    disk = small_disk("size=8m")
    assert nursery.run(*COMMAND, 4, "--out", disk / "run").code == 0
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    refused = nursery.run("resume", disk / "run", "--steps", "+4", "-q")
    assert refused.code == 2
    assert "can't be written (Read-only file system)" in refused.line
    for command in ("sample", "report"):
        refused = nursery.run(command, disk / "run")
        assert refused.code == 2
        assert "can't be written (Read-only file system)" in refused.line
    assert nursery.run("sample", disk / "run", "-n", 4, "--out", tmp_path / "grid.png").code == 0
    branched = nursery.run("resume", disk / "run", "--steps", "+4", "--out", tmp_path / "branch", "-q")
    assert branched.code == 0, branched.err


def test_a_place_that_no_root_can_write_is_refused(nursery: Any) -> None:
    ended = nursery.run(*COMMAND, 20, "--out", "/proc/zerosum/run")
    assert ended.code == 2
    assert "can't be written" in ended.line


def test_a_grid_that_can_not_be_written_is_one_line_too(nursery: Any, tmp_path: Path) -> None:
    """The picture is larger than the limit, and comes before the next checkpoint."""
    run = tmp_path / "runs" / "run"
    full = ("small_files", {"limit": 1000, "step": 2})
    ended = nursery.run(*COMMAND, 20, "--set", "grid_steps=3", "--out", run, faults=[full])
    assert ended.code == 1
    assert "can't be written (File too large): the run is whole up to its last checkpoint" in ended.line
    assert_whole(nursery, run, 0)
