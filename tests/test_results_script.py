"""The script that fills docs/results: which of its runs it goes on with, and which it makes anew."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "results.py"


def test_a_fleet_whose_last_members_have_not_begun_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    spec = importlib.util.spec_from_file_location("results_script", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    results = importlib.util.module_from_spec(spec)
    sys.modules["results_script"] = results  # where its dataclasses look for their annotations
    spec.loader.exec_module(results)
    (tmp_path / "fleet.json").write_text(json.dumps({"labels": ["cat", "dog"]}))
    for label in ("00-cat", "01-dog"):
        assert not results.is_whole(tmp_path)
        (tmp_path / label).mkdir()
        (tmp_path / label / "run.json").write_text("{}")
        (tmp_path / label / "events.jsonl").write_text('{"event": "end", "reason": "finished"}\n')
    assert results.is_whole(tmp_path)
