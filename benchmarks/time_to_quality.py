"""How good is `quick` after two, ten and thirty minutes, and how good is what one would run instead after thirty?

    python benchmarks/time_to_quality.py            every row that is not there yet, one after the other
    python benchmarks/time_to_quality.py --table    no training: the section from the rows that are there

Run it on a machine with two cores that does nothing else; benchmarks/peers.py adds the scripts of PyTorch-GAN. Rows are
made as those of benchmarks/quality.py are, and kept in docs/benchmarks/quality.jsonl.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterator
from typing import Any

import peers
import quality
from results import machine
from sections import FOLDER, write_section

THREADS = 2
KEPT = FOLDER / "quality.jsonl"
GOALS = {2: 2, 10: 3, 30: 5}  # minutes: the part of the best peer's distance after 30 that quick's should be
PEERS = ("mlp", "dcgan-lite", "dcgan-smooth")


def plan() -> Iterator[quality.Row]:
    seeds = {2: range(5), 10: range(1), 30: range(2)}
    for minutes in GOALS:  # the rates of quick fall over the run, so each of its lengths is a run of its own
        for seed in seeds[minutes]:
            told = ("quick", "--data", "mnist", "--seed", str(seed))
            yield quality.Row(f"time-quick-{minutes}-{seed}", "time", told, (minutes,))
    for peer in PEERS:
        yield quality.Row(f"time-{peer}", "time", (peer, "--data", "mnist"), (2, 10, 30))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", help="names of rows")
    parser.add_argument("--table", action="store_true", help="only write the section")
    told = parser.parse_args()
    known = {row.name for row in plan()}
    if not known.issuperset(told.rows):
        parser.error(f"no row {', '.join(sorted(set(told.rows) - known))}; there are {', '.join(sorted(known))}")
    for row in () if told.table else plan():
        for minutes in row.minutes if not told.rows or row.name in told.rows else ():
            if (row.name, minutes) not in {(line["name"], line["minutes"]) for line in quality.lines(KEPT)}:
                quality.keep(quality.measure(row, minutes, THREADS), KEPT)
                write()
    write()


def write() -> None:
    """The section of docs/benchmarks.md, from what there is."""
    lines = quality.lines(KEPT)
    others = json.loads(peers.KEPT.read_text())["peers"] if peers.KEPT.exists() else {}
    found: dict[str, dict[int, list[float]]] = {}
    for line in lines:
        name = "quick" if line["name"].startswith("time-quick") else line["name"].removeprefix("time-")
        found.setdefault(f"`{name}`", {}).setdefault(line["minutes"], []).append(line["figures"]["fid"])
    for name, marks in others.items():
        found[f"PyTorch-GAN's `{name}.py`"] = {mark["minutes"]: [mark["fid"]] for mark in marks}
    about = {"machine": machine(), "threads": THREADS, "found": found}
    write_section("quality", about, section(about))


def section(about: dict[str, Any]) -> list[str]:
    """The section: a row for each contestant, and what quick's goals come to."""
    found: dict[str, dict[int, list[float]]] = about["found"]
    lines = [
        "## How soon it is good",
        "",
        f"`python benchmarks/time_to_quality.py` and `python benchmarks/peers.py` on {about['machine']}, "
        f"{about['threads']} threads: Frechet distance by digits-net of 10,000 samples to MNIST's test images, after "
        "so many minutes of training (two halves of the real images are 0.33 apart). Of several seeds: mean, standard "
        "deviation and number. `quick` uses MNIST's labels, as it does by default; the others have none.",
        "",
        "| | 2 min | 10 min | 30 min |",
        "|---|---|---|---|",
    ]
    for name, by in found.items():
        lines.append(f"| {name} | {' | '.join(cell(by.get(minutes, [])) for minutes in GOALS)} |")
    ends = {name: by[30][0] for name, by in found.items() if name != "`quick`" and 30 in by}
    if ends and "`quick`" in found:
        best = min(ends, key=lambda name: ends[name])
        parts = [
            f"{statistics.fmean(found['`quick`'][minutes]) / ends[best]:.2f} of it at {minutes} min (goal: 1/{goal})"
            for minutes, goal in GOALS.items()
            if minutes in found["`quick`"]
        ]
        lines += ["", f"The best of the others after 30 minutes is {best} with {ends[best]:.2f}; `quick` has "]
        lines[-1] += f"{', '.join(parts)}."
    return lines


def cell(values: list[float]) -> str:
    if len(values) > 1:
        return f"{statistics.fmean(values):.2f} ± {statistics.stdev(values):.2f} ({len(values)})"
    return f"{values[0]:.2f}" if values else ""


if __name__ == "__main__":
    main()
