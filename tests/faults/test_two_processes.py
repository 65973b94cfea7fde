"""Two processes on one folder: the second is refused in one line, and the first does not notice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

COMMAND = ["train", "gan", "--data", "ring", "--batch", 8, "--steps", 12, "--set", "points_width=8", "--set", "grid=4"]


@pytest.fixture(scope="module")
def alone(nursery: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("alone") / "run"
    assert nursery.run(*COMMAND, "--out", run, "-q").code == 0
    return run


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (["resume", "RUN", "-q"], "another process is training in RUN: wait for it, or stop it"),
        (["resume", "RUN", "--steps", "+5", "-q"], "another process is training in RUN: wait for it, or stop it"),
        ([*COMMAND, "--out", "RUN", "-q"], "RUN is there already"),
    ],
)
def test_the_second_is_refused_and_the_first_unharmed(
    second: list[object],
    message: str,
    nursery: Any,
    alone: Path,
    compare: Callable[..., list[str]],
    contents: Callable[[Path], dict[str, str]],
    wait_for: Callable[[Path], None],
    tmp_path: Path,
) -> None:
    run, flag = tmp_path / "run", tmp_path / "flag"
    first = nursery.start(*COMMAND, "--out", run, "-q", faults=[("pause", {"path": str(flag), "step": 6})])
    wait_for(flag)
    before = contents(run)
    refused = nursery.run(*(run if part == "RUN" else part for part in second))
    assert refused.code == 2
    assert message.replace("RUN", str(run)) in refused.line
    assert contents(run) == before
    flag.unlink()
    assert first.wait().code == 0, first.err
    assert compare(alone, run) == []


def test_a_branch_may_leave_a_run_that_goes_on(
    nursery: Any, alone: Path, compare: Callable[..., list[str]], wait_for: Callable[[Path], None], tmp_path: Path
) -> None:
    run, flag = tmp_path / "run", tmp_path / "flag"
    first = nursery.start(*COMMAND, "--out", run, "-q", faults=[("pause", {"path": str(flag), "step": 6})])
    wait_for(flag)
    branched = nursery.run("resume", run, "--lr", "1e-5", "--out", tmp_path / "branch", "-q")
    flag.unlink()
    assert branched.code == 0, branched.err
    assert first.wait().code == 0
    assert compare(alone, run) == []


def test_the_second_process_on_a_fleet_is_refused_even_between_two_members(
    nursery: Any, contents: Callable[[Path], dict[str, str]], wait_for: Callable[[Path], None], tmp_path: Path
) -> None:
    for label in ("a", "b"):
        (tmp_path / "data" / label).mkdir(parents=True)
        for grey in range(4):
            Image.new("L", (28, 28), 60 * grey + ord(label)).save(tmp_path / "data" / label / f"{grey}.png")
    fleet, flag = tmp_path / "fleet", tmp_path / "flag"
    command = ["train", "wgan-gp", "--data", f"folder:{tmp_path / 'data'}", "--per-class", "--steps", 2, "-q"]
    command += ["--batch", 2, "--set", "width=2", "--set", "n_critic=1", "--set", "grid=4", "--out", fleet]
    # No member is being trained at this moment: another process would take the second one for its own.
    first = nursery.start(*command, faults=[("pause_before_folder", {"path": str(flag), "run": 2})])
    wait_for(flag)
    before = contents(fleet)
    refused = nursery.run("resume", fleet, "-q")
    assert refused.code == 2
    assert f"another process is training in {fleet}:" in refused.line
    assert contents(fleet) == before
    flag.unlink()
    assert first.wait().code == 0, first.err
