"""The engine on the machine it finds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

import zerosum
from zerosum.engine.engine import Engine


def test_a_slow_machine_is_named_where_a_run_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    small = {"G.width": 4, "D.width": 4, "batch": 4, "grid": 4}
    run = zerosum.train("quick", "digits", steps=2, out=tmp_path / "run", settings=small, watch=False)
    told = [event["message"] for event in run.events() if event["event"] == "warning"]
    assert ["no AVX2" in told[0], "one core" in told[1], len(told)] == [True, True, 2]


def test_another_kind_of_processor_has_no_avx2_to_miss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert list(Engine("cpu").remarks()) == []
