"""Checkpoints as files: what is written is what is read, in any layout and type, and one is whole at all times."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from zerosum.engine import checkpoint
from zerosum.errors import CheckpointError


def state(value: float = 1.0) -> dict[str, Any]:
    return {
        "weights": {"G": {"a.weight": torch.full((2, 3), value), "n": torch.tensor(7)}, "D": {"b": torch.ones(1)}},
        "chance": {"z": torch.arange(5, dtype=torch.uint8), "drawn": 12},
        "counters": {"step": 3, "best": None, "seconds": 0.1},
        "ema": {},
    }


def same(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return torch.equal(a, b) and a.dtype == b.dtype if isinstance(a, torch.Tensor) else bool(a == b)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    checkpoint.write(tmp_path / "last", state())
    assert same(checkpoint.read(tmp_path / "last"), state())


def test_a_channels_last_weight_comes_back_with_its_values_in_place(tmp_path: Path) -> None:
    kernel = torch.randn(4, 3, 5, 5).contiguous(memory_format=torch.channels_last)
    checkpoint.write(tmp_path / "last", {"weights": {"k": kernel}, "counters": {}})
    assert torch.equal(checkpoint.read(tmp_path / "last")["weights"]["k"], kernel)


def test_the_old_last_becomes_previous(tmp_path: Path) -> None:
    for value in (1.0, 2.0, 3.0):
        checkpoint.write(tmp_path / "last", state(value), previous=tmp_path / "previous")
    assert float(checkpoint.read(tmp_path / "last")["weights"]["G"]["a.weight"][0, 0]) == 3.0
    assert float(checkpoint.read(tmp_path / "previous")["weights"]["G"]["a.weight"][0, 0]) == 2.0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last", "previous"]


def test_windows_waits_for_who_looks_into_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There a folder can't be renamed while a scanner has a file of it open; elsewhere a refusal is one."""
    checkpoint.write(tmp_path / "last", state())
    rename, waited = Path.rename, list[float]()

    def held(path: Path, target: Path) -> Path:
        if len(waited) < 2:
            raise PermissionError(13, "Access is denied")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", held)
    monkeypatch.setattr(checkpoint.time, "sleep", waited.append)
    monkeypatch.setattr(checkpoint, "os", SimpleNamespace(**{**vars(os), "name": "nt"}))
    checkpoint._move(tmp_path / "last", tmp_path / "other")
    assert (tmp_path / "other" / "manifest.json").exists()
    assert waited == [0.1, 0.3]
    waited.clear()
    monkeypatch.setattr(checkpoint, "os", os)
    with pytest.raises(PermissionError):
        checkpoint._move(tmp_path / "other", tmp_path / "last")
    assert waited == []


def test_a_failing_write_leaves_the_old_one_and_no_litter(tmp_path: Path) -> None:
    checkpoint.write(tmp_path / "last", state(1.0))
    with pytest.raises(ValueError, match="Out of range float"):
        checkpoint.write(tmp_path / "last", state(2.0) | {"counters": {"seconds": float("nan")}})
    assert float(checkpoint.read(tmp_path / "last")["weights"]["G"]["a.weight"][0, 0]) == 1.0


def test_the_manifest_lists_every_file_with_its_size(tmp_path: Path) -> None:
    checkpoint.write(tmp_path / "last", state())
    listed = json.loads((tmp_path / "last" / "manifest.json").read_text())["files"]
    there = {path.name: path.stat().st_size for path in (tmp_path / "last").iterdir()}
    del there["manifest.json"]
    assert {name: entry["bytes"] for name, entry in listed.items()} == there


@pytest.mark.parametrize("name", ["model.pt", "weights.bin"])
def test_a_pickle_is_refused_by_name_or_by_content(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    torch.save({"a": torch.ones(1)}, path)
    with pytest.raises(CheckpointError, match="pickled checkpoint, and unpickling runs code"):
        checkpoint.read(path)


def test_a_key_with_a_slash_is_a_fault_of_ours(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="would break the path"):
        checkpoint.write(tmp_path / "last", {"weights": {"a/b": torch.ones(1)}, "counters": {}})


def test_finiteness_looks_at_every_tensor_of_a_tree() -> None:
    assert checkpoint.all_finite(state())
    broken = state()
    broken["weights"]["D"]["b"][0] = float("inf")
    assert not checkpoint.all_finite(broken)


def test_a_checkpoint_that_is_replaced_while_it_is_read_is_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "checkpoints" / "best"
    checkpoint.write(folder, {"weights": {"w": torch.zeros(3)}, "counters": {"step": 1}})
    manifest, again = checkpoint.manifest, iter([True])

    def slow(path: Path) -> dict[str, object]:
        found = manifest(path)
        if next(again, False):  # between the manifest and the files
            checkpoint.write(path, {"weights": {"w": torch.ones(3)}, "counters": {"step": 2}})
        return found

    monkeypatch.setattr(checkpoint, "manifest", slow)
    state = checkpoint.read(folder)
    assert state["counters"]["step"] == 2
    assert torch.equal(state["weights"]["w"], torch.ones(3))
