"""`kill -9` at any moment: a checkpoint loads, and the resumed run is the run that was never killed, bit for bit."""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from zerosum.engine.run import RunFolder

STEPS = 40
# Batch norm, an average, rates that follow the horizon, a best checkpoint each 5 steps and one to keep each 10.
COMMAND = ["train", "mlp", "--data", "digits", "--steps", STEPS, "--save-every", 3, "--keep", 2, "--batch", 8, "-q"]
SETTINGS = {
    "G.width": 4,
    "D.width": 16,
    "epoch_share": 0.005,
    "ema": 0.9,
    "schedule": "cosine",
    "keep_epochs": 2,
    "grid": 4,
    "grid_epochs": 2,
}
COMMAND += [part for key, value in SETTINGS.items() for part in ("--set", f"{key}={value}")]
LOGGED = ("log_every", {"steps": 5})
CHECKPOINTS = ("last", "best", "step-000030", "step-000040")
MOMENTS = 15  # of each kind: 30 in all


@pytest.fixture(scope="module")
def unbroken(nursery: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that was never killed; `saves` beside it lists every file operation of its checkpoints."""
    folder = tmp_path_factory.mktemp("unbroken")
    watch = ("watch_saves", {"log": str(folder / "saves")})
    ended = nursery.run(*COMMAND, "--out", folder / "run", faults=[LOGGED, watch])
    assert ended.code == 0, ended.err
    return folder / "run"


@pytest.fixture(scope="module")
def operations(unbroken: Path) -> list[tuple[int, int, str]]:
    return [tuple(json.loads(line)) for line in (unbroken.parent / "saves").read_text().splitlines()]


def assert_resumes(nursery: Any, run: Path, unbroken: Path, compare: Callable[..., list[str]]) -> None:
    folder = RunFolder.open(run)
    at = 0
    if (run / "checkpoints").exists() and folder.checkpoints():
        at = folder.read("last")["counters"]["step"]
    resumed = nursery.run("resume", run, "--save-every", 3, "--keep", 2, "-q", faults=[LOGGED])
    if at == STEPS:  # killed in its last moment, when only the report was missing: there is nothing to go on with
        assert "is finished at step 40" in resumed.err
    else:
        assert resumed.code == 0, resumed.err
    assert compare(unbroken, run, checkpoints=CHECKPOINTS) == []
    assert folder.checkpoints() == RunFolder.open(unbroken).checkpoints()
    assert [path.name for path in (run / "checkpoints").glob(".*")] == []


def test_a_checkpoint_is_synced_before_it_takes_its_place(operations: list[tuple[int, int, str]]) -> None:
    """Every file, then the folder that holds them; after the renames the folder above: that is for power cuts."""
    save = next(save for save, _, name in operations if save > 5 and name == "return from last")
    names = [name for number, _, name in operations if number == save]
    before = names[: names.index("rename")]
    assert before.count("fsync") == before.count("open") + 1
    assert before[-1] == "fsync"
    assert names[-2:] == ["fsync", "return from last"]


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_killed_inside_the_writing_of_a_checkpoint(
    moment: int,
    nursery: Any,
    unbroken: Path,
    operations: list[tuple[int, int, str]],
    compare: Callable[..., list[str]],
    tmp_path: Path,
) -> None:
    renames = [(save, number) for save, number, name in operations if name == "rename" and save > 4]
    anywhere = [(save, number) for save, number, _ in operations]
    # A third of the moments are those around the renames, which are few among all operations.
    chosen = random.Random(moment).choice(renames if moment % 3 == 0 else anywhere)
    number = chosen[1] + (moment % 2 if moment % 3 == 0 else 0)
    killed = nursery.run(
        *COMMAND, "--out", tmp_path / "run", faults=[LOGGED, ("watch_saves", {"save": chosen[0], "kill": number})]
    )
    assert killed.code == -signal.SIGKILL, killed.err
    assert_resumes(nursery, tmp_path / "run", unbroken, compare)


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_killed_at_any_time_of_training(
    moment: int,
    nursery: Any,
    unbroken: Path,
    compare: Callable[..., list[str]],
    wait_for: Callable[[Path], None],
    tmp_path: Path,
) -> None:
    chance = random.Random(moment)
    flag = tmp_path / "flag"
    faults = [LOGGED, ("touch", {"path": str(flag), "step": chance.randint(1, STEPS)}), ("never_end", {})]
    process = nursery.start(*COMMAND, "--out", tmp_path / "run", faults=faults)
    wait_for(flag)
    time.sleep(chance.uniform(0, 0.05))
    process.signal(signal.SIGKILL)
    assert process.wait().code == -signal.SIGKILL
    assert_resumes(nursery, tmp_path / "run", unbroken, compare)


def test_killed_before_its_first_checkpoint_it_begins_anew(
    nursery: Any, unbroken: Path, compare: Callable[..., list[str]], tmp_path: Path
) -> None:
    faults = [LOGGED, ("watch_saves", {"save": 1, "kill": 1})]
    killed = nursery.run(*COMMAND, "--out", tmp_path / "run", faults=faults)
    assert killed.code == -signal.SIGKILL
    assert_resumes(nursery, tmp_path / "run", unbroken, compare)


def test_killed_twice_on_its_way(
    nursery: Any, unbroken: Path, compare: Callable[..., list[str]], tmp_path: Path
) -> None:
    nursery.run(*COMMAND, "--out", tmp_path / "run", faults=[LOGGED, ("send", {"number": 9, "step": 14})])
    again = [LOGGED, ("send", {"number": 9, "step": 29})]
    assert nursery.run("resume", tmp_path / "run", "--save-every", 3, "-q", faults=again).code == -signal.SIGKILL
    assert_resumes(nursery, tmp_path / "run", unbroken, compare)


@pytest.fixture(scope="module")
def translator(nursery: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of cyclegan, and beside it sixty images and their translations by a command that was never killed."""
    folder, chance = tmp_path_factory.mktemp("translator"), np.random.default_rng(0)
    for place, count in (("sets/trainA", 4), ("sets/trainB", 4), ("images", 60)):
        (folder / place).mkdir(parents=True)
        for number in range(count):
            pixels = chance.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / place / f"{number:02d}.png")
    small = [part for told in ("width=4", "blocks=1", "stages=[]") for part in ("--set", told)]
    told = ["--data", f"unpaired:{folder / 'sets'}", "--size", 32, *small, "--steps", 1, "--no-watch", "-q"]
    trained = nursery.run("train", "cyclegan", *told, "--out", folder / "run")
    assert trained.code == 0, trained.err
    whole = nursery.run("translate", folder / "run", folder / "images", "--out", folder / "whole")
    assert whole.code == 0, whole.err
    return folder


@pytest.mark.parametrize("moment", range(5))
def test_killed_while_it_translates_it_goes_on_where_it_stopped(
    moment: int, nursery: Any, translator: Path, tmp_path: Path
) -> None:
    chance, out = random.Random(moment), tmp_path / "out"
    command = ["translate", translator / "run", translator / "images", "--out", out]
    process, deadline = nursery.start(*command), time.monotonic() + 60
    while len(list(out.glob("[!.]*.png"))) < chance.randint(1, 40) and time.monotonic() < deadline:
        time.sleep(0.001)
    process.signal(signal.SIGKILL)
    assert process.wait().code == -signal.SIGKILL, process.err
    there = {path: path.stat().st_mtime_ns for path in out.glob("[!.]*.png")}
    assert 0 < len(there) < 60
    assert nursery.run(*command).code == 0
    whole = {path.name: path.read_bytes() for path in (translator / "whole").iterdir()}
    assert len(whole) == 61  # and what they were made by
    assert {path.name: path.read_bytes() for path in out.iterdir()} == whole
    assert {path: path.stat().st_mtime_ns for path in there} == there  # none was made twice
