"""The engine on the machine it finds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

import zerosum
from zerosum.engine.engine import Engine, processes
from zerosum.engine.training import Training
from zerosum.errors import TrainingError


def test_a_slow_machine_is_named_where_a_run_begins_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0}, raising=False)  # taskset, or SLURM
    monkeypatch.setattr("zerosum.networks.layers.product.AVAILABLE", False)  # an old torch
    small = {"G.width": 4, "D.width": 4, "batch": 4, "grid": 4}
    run = zerosum.train("quick", "digits", steps=2, out=tmp_path / "run", settings=small, watch=False)
    told = [event["message"] for event in run.events() if event["event"] == "warning"]
    parts = ["no AVX2", "has no product by oneDNN", "one core"]
    assert [part in line for part, line in zip(parts, told, strict=True)] == [True, True, True]
    assert run.info["device"]["products"] == "torch"
    again = zerosum.resume(run.path, steps=1)
    told = [event["message"] for event in again.events() if event["event"] == "warning"]
    assert [part in line for part, line in zip(parts, told[3:], strict=True)] == [True, True, True]


def test_another_kind_of_processor_has_no_avx2_to_miss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert list(Engine("cpu").remarks()) == []


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({}, (1, 1)),
        ({"WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4", "SLURM_NTASKS": "2"}, (8, 4)),
        ({"SLURM_NTASKS": "8", "SLURM_NNODES": "2"}, (8, 4)),
        ({"SLURM_NTASKS": "2"}, (2, 2)),
    ],
)
def test_processes_are_counted_as_torchrun_or_slurm_tells_them(environ: dict[str, str], found: tuple[int, int]) -> None:
    assert processes(environ) == found


def test_a_step_beyond_the_memory_ends_in_a_line_and_keeps_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def greedy(self: Training, observe: bool) -> None:
        torch.empty(2**60, dtype=torch.uint8)  # an exabyte: what the allocator says is its own

    monkeypatch.setattr(Training, "take_step", greedy)
    with pytest.raises(TrainingError, match=r"memory is full; go on .* `zerosum resume .* --batch 16`"):
        zerosum.train("gan", "ring", steps=5, out=tmp_path / "run", settings={"batch": 32})
    run = zerosum.open_run(tmp_path / "run")
    assert isinstance(run, zerosum.Run)
    assert run.end is not None
    assert run.end["reason"] == "failed"
    assert run.state()["counters"]["step"] == 0
