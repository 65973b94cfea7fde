"""Ctrl-C and SIGTERM stop with a checkpoint, two Ctrl-C at once; a loss that is not finite stops and says why."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zerosum.engine import checkpoint
from zerosum.engine.run import RunFolder

COMMAND = ["train", "gan", "--data", "ring", "--batch", 8, "--save-every", 3]
for setting in ("points_width=8", "grid=4", "ema=0.9", "schedule=linear"):
    COMMAND += ["--set", setting]
STEPS = ["--steps", 12]
INT, TERM = int(signal.SIGINT), int(signal.SIGTERM)


@pytest.fixture(scope="module")
def unbroken(nursery: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("unbroken") / "run"
    watch = ("watch_saves", {"log": str(run.parent / "saves")})
    ended = nursery.run(*COMMAND, *STEPS, "--out", run, "-q", faults=[watch])
    assert ended.code == 0, ended.err
    return run


def last_event(run: Path) -> dict[str, Any]:
    return dict(json.loads((run / "events.jsonl").read_text().splitlines()[-1]))


@pytest.mark.parametrize(("number", "code"), [(INT, 130), (TERM, 143)])
@pytest.mark.parametrize("step", [1, 7, 11])
def test_one_signal_stops_with_a_checkpoint_and_says_how_to_go_on(
    number: int, code: int, step: int, nursery: Any, unbroken: Path, compare: Callable[..., list[str]], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    stopped = nursery.run(*COMMAND, *STEPS, "--out", run, faults=[("send", {"number": number, "step": step})])
    assert stopped.code == code
    assert f"zerosum resume {run}" in stopped.out
    assert RunFolder.open(run).read("last")["counters"]["step"] == step
    assert last_event(run) | {"event": "end", "reason": "stopped", "step": step} == last_event(run)
    assert nursery.run("resume", run, "-q").code == 0
    assert compare(unbroken, run) == []


def test_the_signal_of_the_last_step_stops_a_run_that_is_finished(
    nursery: Any, unbroken: Path, compare: Callable[..., list[str]], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    stopped = nursery.run(*COMMAND, *STEPS, "--out", run, "-q", faults=[("send", {"number": INT, "step": 12})])
    assert stopped.code == 130
    assert last_event(run)["reason"] == "finished"
    assert compare(unbroken, run) == []
    assert "is finished at step 12" in nursery.run("resume", run).line


def test_two_at_once_stop_within_the_step(
    nursery: Any, unbroken: Path, compare: Callable[..., list[str]], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    twice = ("send", {"number": INT, "step": 8, "times": 2})
    stopped = nursery.run(*COMMAND, *STEPS, "--out", run, "-q", faults=[twice])
    assert stopped.code == 130
    assert stopped.line == "zerosum: stopped"
    assert RunFolder.open(run).read("last")["counters"]["step"] == 6
    assert nursery.run("resume", run, "-q").code == 0
    assert compare(unbroken, run) == []


@pytest.mark.parametrize(("number", "code"), [(INT, 130), (TERM, 143)])
def test_a_signal_before_the_first_step_ends_in_a_line(
    number: int, code: int, nursery: Any, wait_for: Callable[..., None], tmp_path: Path
) -> None:
    flag = tmp_path / "flag"
    before = ("pause_before_folder", {"path": str(flag), "run": 1})
    process = nursery.start(*COMMAND, *STEPS, "--out", tmp_path / "run", faults=[before])
    wait_for(flag)
    process.signal(number)
    assert process.wait().code == code
    assert process.line == "zerosum: stopped"
    assert not (tmp_path / "run").exists()


def test_sigterm_after_the_last_step_ends_in_a_line(
    nursery: Any, unbroken: Path, compare: Callable[..., list[str]], wait_for: Callable[..., None], tmp_path: Path
) -> None:
    run, flag = tmp_path / "run", tmp_path / "flag"
    after = ("pause_after_training", {"path": str(flag)})
    process = nursery.start(*COMMAND, *STEPS, "--out", run, "-q", faults=[after])
    wait_for(flag)
    process.signal(TERM)
    assert process.wait().code == 143
    assert process.line == "zerosum: stopped"
    assert compare(unbroken, run) == []


@pytest.mark.parametrize("tenth", range(10))
def test_two_at_once_inside_the_writing_of_a_checkpoint_leave_one_that_loads(
    tenth: int, nursery: Any, unbroken: Path, compare: Callable[..., list[str]], tmp_path: Path
) -> None:
    """The fourth is that of step 9; an exception goes another way through the code than a kill."""
    saves = [json.loads(line) for line in (unbroken.parent / "saves").read_text().splitlines()]
    count = sum(save == 4 for save, _, _ in saves)
    operation = 1 + tenth * (count - 1) // 9  # from the first to the last
    run = tmp_path / "run"
    interrupt = ("watch_saves", {"save": 4, "kill": operation, "signals": [INT, INT]})
    stopped = nursery.run(*COMMAND, *STEPS, "--out", run, "-q", faults=[interrupt])
    assert stopped.code == 130, stopped.err
    assert stopped.line == "zerosum: stopped"
    folder = RunFolder.open(run)
    assert folder.read("last")["counters"]["step"] in (6, 9)
    assert nursery.run("resume", run, "-q").code == 0
    assert compare(unbroken, run) == []
    assert [path.name for path in (run / "checkpoints").glob(".*")] == []


def test_sigterm_twice_still_ends_with_a_checkpoint(nursery: Any, tmp_path: Path) -> None:
    run = tmp_path / "run"
    twice = ("send", {"number": TERM, "step": 8, "times": 2})
    assert nursery.run(*COMMAND, *STEPS, "--out", run, "-q", faults=[twice]).code == 143
    assert RunFolder.open(run).read("last")["counters"]["step"] == 8


def test_real_commands_stop_by_real_signals(tmp_path: Path, wait_for: Callable[..., None]) -> None:
    """From outside, at whatever moment it is; both at a time, since most of it is waiting for torch."""
    processes = {}
    for number in (INT, TERM):
        run = tmp_path / str(number)
        command = [sys.executable, "-m", "zerosum", *COMMAND, "--steps", 1_000_000, "--out", run]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        processes[number] = subprocess.Popen(
            [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
    for number, process in processes.items():
        run = tmp_path / str(number)
        wait_for(run / "checkpoints" / "previous", 120)  # it trains
        process.send_signal(number)
    for number, process in processes.items():
        run = tmp_path / str(number)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 128 + number, err
        assert f"zerosum resume {run}" in out
        assert "Traceback" not in err
        step = RunFolder.open(run).read("last")["counters"]["step"]
        assert step > 0
        assert last_event(run) | {"event": "end", "reason": "stopped", "step": step} == last_event(run)
        assert (run / "report.html").exists()


def suggested(line: str) -> list[str]:
    found = re.search(r"`zerosum (resume [^`]*)`", line)
    assert found, line
    return shlex.split(found[1])


def test_a_loss_that_is_not_finite_names_term_and_step_and_suggests_what_works(nursery: Any, tmp_path: Path) -> None:
    run = tmp_path / "run"
    faults = [("lose_weights", {"step": 8})]
    failed = nursery.run(*COMMAND, *STEPS, "--lr", "2e-4", "--out", run, "-q", faults=faults)
    assert failed.code == 1
    assert failed.line.startswith("zerosum: D/adv is nan at step 8; checkpoint last, of step 6, is from before")
    assert last_event(run)["reason"] == "diverged"
    state = RunFolder.open(run).read("last")
    assert state["counters"]["step"] == 6
    assert checkpoint.all_finite(state["weights"])
    command = suggested(failed.line)
    assert command[1:] == [str(run), "--lr", "2e-05"]
    branched = nursery.run(*command, "--out", tmp_path / "branch", "-q")
    assert branched.code == 0, branched.err
    parent = RunFolder.open(tmp_path / "branch").info["parent"]
    assert (parent["step"], parent["changes"]) == (6, {"G.lr": 2e-5, "D.lr": 2e-5})


def test_a_rate_that_is_much_too_high_is_told_in_one_line(nursery: Any, tmp_path: Path) -> None:
    run = tmp_path / "run"
    failed = nursery.run(*COMMAND, "--steps", 60, "--lr", "1e30", "--out", run, "-q")
    assert failed.code == 1
    assert re.match(r"zerosum: [DG]/adv is (nan|inf|-inf) at step \d+; ", failed.line), failed.line
    assert suggested(failed.line)[2:] == ["--from", "start", "--lr", "0.001"]
    state = RunFolder.open(run).read("last")
    assert all(checkpoint.all_finite(state[part]) for part in ("weights", "ema", "optimizers"))


def test_rates_that_differ_are_suggested_one_by_one(nursery: Any, tmp_path: Path) -> None:
    faults = [("lose_weights", {"step": 4})]
    failed = nursery.run(
        *COMMAND, *STEPS, "--set", "G.lr=1e-4", "--set", "D.lr=4e-4", "--out", tmp_path / "run", "-q", faults=faults
    )
    assert suggested(failed.line)[2:] == ["--set", "G.lr=1e-05", "--set", "D.lr=4e-05"]


@pytest.mark.parametrize("grid", [[], ["--set", "grid_steps=6"]])
def test_a_state_that_is_not_finite_is_neither_saved_nor_drawn(grid: list[str], nursery: Any, tmp_path: Path) -> None:
    """The loss of step 6 was finite; what was left of the weights was not."""
    run, lost = tmp_path / "run", ("lose_weights", {"step": 6, "after": True})
    failed = nursery.run(*COMMAND, *STEPS, *grid, "--out", run, "-q", faults=[lost])
    assert failed.code == 1
    assert "weights are not finite after step 6; checkpoint last, of step 3, is from before" in failed.line
    assert RunFolder.open(run).read("last")["counters"]["step"] == 3


def test_a_finished_run_is_not_resumed_without_a_length(nursery: Any, unbroken: Path) -> None:
    refused = nursery.run("resume", unbroken)
    assert refused.code == 2
    assert "is finished at step 12: go on with --steps +N" in refused.line
