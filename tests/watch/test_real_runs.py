"""Logs of real runs, thinned: those broken on purpose get a right verdict, the healthy ones no alarm at any time.

They were made by benchmarks/watching.py, in which every break is spelled out; the first line of each says what it is.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from zerosum.watch.verdict import Verdict
from zerosum.watch.watching import Watch

LOGS = sorted((Path(__file__).parent / "logs").glob("*.jsonl.gz"))


def watched(path: Path) -> tuple[dict[str, Any], list[Verdict]]:
    about, *events = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    watch = Watch(about["recipe"])
    return about, [verdict for event in events if (verdict := watch.take(event)) is not None]


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.name.partition(".jsonl")[0])
def test_a_real_run_gets_the_verdict_that_is_right(path: Path) -> None:
    about, told = watched(path)
    assert told[0].name == "too early"
    names = {verdict.name for verdict in told}
    if about["right"]:
        assert names & {*about["right"]}
        assert told[-1].alarms
        assert told[-1].evidence
        assert told[-1].advice
    else:
        assert not any(verdict.alarms for verdict in told)
        assert "learning" in names


def test_there_are_broken_and_healthy_logs() -> None:
    kinds = [bool(watched(path)[0]["right"]) for path in LOGS]
    assert kinds.count(True) >= 8
    assert kinds.count(False) >= 4


def test_each_way_in_which_a_translation_goes_wrong_was_seen_in_a_real_run() -> None:
    told = {verdict.name for path in LOGS for verdict in watched(path)[1]}
    assert {"identity collapse", "condition ignored", "steganographic"} <= told
