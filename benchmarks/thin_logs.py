"""Thin the events of runs in runs/watching to what the watch reads, for tests/watch/logs.

python benchmarks/thin_logs.py NAME …        tests/watch/logs/NAME.jsonl.gz of each, about STEPS step events long
"""

from __future__ import annotations

import gzip
import json
import sys
from typing import Any

from results import ROOT
from watching import PLAN, RUNS

LOGS, STEPS = ROOT / "tests" / "watch" / "logs", 160
JUDGED = ("losses", "acc_real", "acc_fake", "margin", "separation", "grad_norm", "lr")
KEPT = {
    "start": ("event", "schema", "recipe", "step", "steps", "minutes", "images", "seconds", "epoch_steps"),
    "step": ("event", "step", "images", "seconds", *JUDGED),
    "exam": (
        "event",
        "step",
        "images",
        "samples",
        "spread",
        "nearest",
        "coverage",
        "reach",
        "gap",
        "label_gap",
        "probes",
    ),
    "score": ("event", "step", "name", "value", "levels", "best"),
    "end": ("event", "reason", "step", "images", "seconds", "message"),
}


def main() -> None:
    for name in sys.argv[1:]:
        row = next(row for row in PLAN if row.name == name)
        recipe = json.loads((RUNS / name / "run.json").read_text())["recipe"]
        about = {"about": name, "right": row.right, "recipe": {key: recipe[key] for key in ("name", "data", "ema")}}
        about["recipe"] |= {"players": recipe["players"], "game": recipe["game"]}
        events = [json.loads(line) for line in (RUNS / name / "events.jsonl").read_text().splitlines()]
        every = max(1, sum(event["event"] == "step" for event in events) // STEPS)
        kept, steps = [], 0
        for event in events:
            steps += event["event"] == "step"
            if event["event"] in KEPT and (event["event"] != "step" or steps % every == 1 % every):
                kept.append({key: short(event[key]) for key in KEPT[event["event"]] if key in event})
        lines = [json.dumps(about), *(json.dumps(event, separators=(",", ":")) for event in kept)]
        path = LOGS / f"{name}.jsonl.gz"
        path.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode(), mtime=0))
        print(path, len(kept))


def short(value: Any) -> Any:
    """Numbers with four digits."""
    if isinstance(value, dict):
        return {key: short(inner) for key, inner in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value


if __name__ == "__main__":
    main()
