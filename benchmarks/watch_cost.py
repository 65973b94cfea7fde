"""What the watch and the score cost of a training: each of their calls is timed within whole runs.

    python benchmarks/watch_cost.py              writes docs/benchmarks/watch.json and the section of the page

The watch is its judgements, and the exams that feed it; the score is the one that chooses `best`, with the checkpoints
that it leads to. The runs are short, so the early scores weigh more than they do later.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from os.path import expandvars
from pathlib import Path
from typing import Any
from unittest import mock

import torch

import zerosum
from results import machine
from sections import write_section
from zerosum.api import starting
from zerosum.watch.watching import Watcher

CASES = (
    ("quick-points", "ring"),
    ("mlp", "mnist"),
    ("quick", "digits"),
    ("quick", "fashion-mnist"),
    ("dcgan-digits", "mnist"),
    ("dcgan-lite", "mnist"),
    ("pix2pix", "pairs:$ZEROSUM_DATA/pairs/camvid128.tar"),
    ("cyclegan", "unpaired:$ZEROSUM_DATA/unpaired/daisy2sunflower128.tar"),
)
SMALL = {"pix2pix": {"size": 64, "width": 32}, "cyclegan": {"size": 64, "width": 24}}
MINUTES = 2.0


class Stopwatch:
    """Seconds by name, of the calls of what it wraps."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {"watch": 0.0, "score": 0.0}

    def wrap(self, name: str, work: Callable[..., Any] | None) -> Callable[..., Any] | None:
        if work is None:
            return None

        def timed(*given: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return work(*given, **named)
            finally:
                self.seconds[name] += time.perf_counter() - began

        return timed


def measure(name: str, source: str, folder: Path) -> dict[str, Any]:
    """Train, and say how many seconds went where."""
    clock, made, hear = Stopwatch(), starting.habits, Watcher.__call__

    def habits(*given: Any, **named: Any) -> Any:
        found = made(*given, **named)
        return replace(
            found,
            examine=clock.wrap("watch", found.examine),
            score=clock.wrap("score", found.score),
            rescore=clock.wrap("score", found.rescore),
        )

    with (
        mock.patch.object(starting, "habits", habits),
        mock.patch.object(Watcher, "__call__", clock.wrap("watch", hear)),
    ):
        told = {"stages": [], **SMALL[name]} if name in SMALL else None
        out = folder / f"{name}-{Path(source).stem}"
        run = zerosum.train(name, expandvars(source), minutes=MINUTES, settings=told, out=out)
    end = [event for event in run.events() if event["event"] == "end"][-1]
    shares = {f"{part}_share": seconds / end["seconds"] for part, seconds in clock.seconds.items()}
    return {"recipe": name, "data": source, "seconds": end["seconds"], "images": end["images"], **shares}


def main() -> None:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, source in CASES:
            rows.append(measure(name, source, Path(folder)))
            print(rows[-1], flush=True)
    about = {"machine": machine(), "threads": torch.get_num_threads(), "minutes": MINUTES, "rows": rows}
    lines = [
        "## What the watch and the score cost",
        "",
        f"`python benchmarks/watch_cost.py` on {about['machine']}, {about['threads']} threads: runs of {MINUTES:g} "
        "minutes, in which every call of the watch (its judgements and its exams) and of the score that chooses `best` "
        "is timed. Shares of the time of training.",
        "",
        "| recipe | images | watch | score |",
        "|---|---|---|---|",
    ]
    for row in rows:
        shares = f"{row['watch_share']:.2%} | {row['score_share']:.2%}"
        lines.append(f"| `{row['recipe']}` on {row['data']} | {row['images']:,} | {shares} |")
    write_section("watch", about, lines)


if __name__ == "__main__":
    main()
