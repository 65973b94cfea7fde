"""How good is `quick` after two, ten and thirty minutes, and how good is what one would run instead after thirty?

    python benchmarks/time_to_quality.py --speeds    how many images each makes in a second (after benchmarks/speed.py)
    python benchmarks/time_to_quality.py             every row that is not there yet, one after the other
    python benchmarks/time_to_quality.py --real      what real training images get by the same judge
    python benchmarks/time_to_quality.py --here      two minutes of `quick` on this machine as it is, and their worth
    python benchmarks/time_to_quality.py --table     no training: the section from the rows that are there

The speeds are measured on a machine with two cores that does nothing else: of `quick` in a run as a user would start
it, with its logs, scores and pictures; of the others, to their advantage, in the races of benchmarks/speed.py, without
any of these. What a run is worth depends on its images, not on how long they took: a row is
trained for as many as its minutes make at that speed, so that it may take its time beside other work, a thread each,
and be stopped and gone on with. benchmarks/peers.py does the same with the scripts of PyTorch-GAN. Rows are kept in
docs/benchmarks/quality.jsonl.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import longer
import peers
import quality
import results
from results import begin_or_finish, machine, zerosum
from sections import FOLDER, write_section
from zerosum import recipes
from zerosum.data import open_dataset

THREADS = 2  # of the speeds
KEPT, SPEEDS, REAL, HERE = (FOLDER / name for name in ("quality.jsonl", "speeds.json", "real.json", "here.json"))
SKETCH, SKETCHED = FOLDER / "sketch.json", "a first sketch of quick"
REALS = "10,000 of the real training images"
SAMPLES = 10_000
GOALS = {2: 2, 10: 3, 30: 5}  # minutes: the part of the best peer's distance after 30 that quick's should be
SKETCH_SAID = (
    "At two minutes `quick` has {:.2f} of the distance of its first sketch (goal: 1/2; `python benchmarks/sketch.py`): "
    "two 3x3 convolutions with pixel shuffle in G, batch 128 at 1e-3, and no classes."
)
ALONE = "`quick` without classes"
PEERS = ("mlp", "dcgan-lite", "dcgan-smooth")


@dataclass(frozen=True)
class Row:
    """One judgement: a run, and its length in minutes of two cores; later ones of the same run go on with it."""

    run: str
    recipe: str
    seed: int
    minutes: int
    told: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """How the table names it."""
        return f"`{self.recipe}`{' without classes' if self.told else ''}"

    def steps(self, speed: float) -> int:
        """How many that is at so many images a second."""
        return round(60 * self.minutes * speed / recipes.recipe(self.recipe).batch)


def plan() -> Iterator[Row]:
    seeds = {2: range(5), 10: range(1), 30: range(2)}
    for minutes in GOALS:  # the rates of quick fall over the run, so each of its lengths is a run of its own
        for seed in seeds[minutes]:
            yield Row(f"quick-{minutes}-{seed}", "quick", seed, minutes)
        if minutes < 30:
            yield Row(f"quick-alone-{minutes}", "quick", 0, minutes, ("--set", "classes=ignored"))
    for minutes in reversed(GOALS):
        for peer in PEERS:
            yield Row(peer, peer, 0, minutes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", help="such as quick-2-0 or mlp")
    parser.add_argument("--speeds", action="store_true")
    parser.add_argument("--real", action="store_true")
    parser.add_argument("--here", action="store_true")
    parser.add_argument("--table", action="store_true", help="only write the section")
    parser.add_argument("--threads", type=int, default=1)
    told = parser.parse_args()
    rows = sorted(plan(), key=lambda row: row.minutes)
    if unknown := set(told.runs) - {row.run for row in rows}:
        parser.error(f"no run {', '.join(sorted(unknown))}; there are {', '.join(sorted({row.run for row in rows}))}")
    if told.speeds:
        measure_speeds()
    if told.real:
        judge_real()
    if told.here:
        measure_here()
    for row in () if told.table or told.speeds or told.real or told.here else rows:
        done = {(line["name"], line["minutes"]) for line in quality.lines(KEPT)}
        if (not told.runs or row.run in told.runs) and (row.run, row.minutes) not in done:
            quality.keep(measure(row, told.threads), KEPT)
            write()
    write()


def measure_speeds() -> None:
    """Images a second: of quick in a run of two minutes, of the others in their races."""
    races = json.loads((FOLDER / "speed.json").read_text())
    found = {name: statistics.median(races["races"][name]["results"]["zerosum"]["rates"]) for name in PEERS}
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        train_two_minutes(run)
        end = results.events(run)[-1]
    found["quick"] = end["images"] / end["seconds"]
    about = {"machine": machine(), "races": races["machine"], "threads": THREADS}
    SPEEDS.write_text(json.dumps({**about, "speeds": found}, indent=1) + "\n")


def judge_real() -> None:
    """Three draws of as many training images as runs are judged by: a run can't be asked for less than they have."""
    train = open_dataset("mnist").train
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(3):
            rows = np.sort(np.random.default_rng(seed).permutation(len(train))[:SAMPLES])
            np.savez(f"{folder}/real.npz", images=np.asarray(train.samples[rows]))
            told = json.loads(
                zerosum(THREADS, "eval", f"{folder}/real.npz", "--against", "mnist", "--metric", "fid", "--json")
            )
            found.append(next(figure["value"] for figure in told["figures"] if figure["name"] == "fid"))
    REAL.write_text(json.dumps({"samples": SAMPLES, "fid": found}, indent=1) + "\n")


def measure_here() -> None:
    """Two minutes by the clock of `quick` as a user starts it, and their distance."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        train_two_minutes(run)
        found = {"machine": machine(), "threads": THREADS, **judged(run, THREADS)}
    HERE.write_text(json.dumps(found, indent=1) + "\n")


def measure(row: Row, threads: int) -> dict[str, Any]:
    """Train a run to that length, or go on with it, and judge it: its line."""
    print(row.run, row.minutes, flush=True)
    run, speeds = quality.RUNS / f"time-{row.run}", json.loads(SPEEDS.read_text())
    steps = row.steps(speeds["speeds"][row.recipe])
    told = ("--data", "mnist", "--seed", str(row.seed), "--steps", str(steps), *row.told)
    begin_or_finish(run, threads, row.recipe, *told)
    if (left := steps - results.events(run)[-1]["step"]) > 0:
        zerosum(threads, "resume", str(run), "--steps", f"+{left}", "-q")
    about = {"name": row.run, "recipe": row.recipe, "minutes": row.minutes, "machine": speeds["machine"]}
    return {**about, "steps": steps, **judged(run, threads)}


def judged(run: Path, threads: int) -> dict[str, Any]:
    """What a line keeps of a run and its Frechet distance."""
    told = json.loads(zerosum(threads, "eval", str(run), "-n", str(SAMPLES), "--json", "--metric", "fid"))
    return quality.kept(told, results.events(run))


def train_two_minutes(run: Path) -> None:
    """`quick` as a user starts it."""
    zerosum(THREADS, "train", "quick", "--data", "mnist", "--minutes", "2", "--out", str(run), "-q")


def write() -> None:
    """The section of docs/benchmarks.md, from what there is."""
    lines = quality.lines(KEPT)
    others = json.loads(peers.KEPT.read_text())["peers"] if peers.KEPT.exists() else {}
    found: dict[str, dict[int, list[float]]] = {}
    labels = {row.run: row.label for row in plan()}
    for line in lines:
        by = found.setdefault(labels[line["name"]], {})
        by.setdefault(line["minutes"], []).append(line["figures"]["fid"])
    for name, marks in others.items():
        found[f"PyTorch-GAN's `{name}.py`"] = {mark["minutes"]: [mark["fid"]] for mark in marks}
    if SKETCH.exists() and "fid" in (sketch := json.loads(SKETCH.read_text())):
        found[SKETCHED] = {sketch["minutes"]: [sketch["fid"]]}
    if REAL.exists():
        found[REALS] = dict.fromkeys(GOALS, json.loads(REAL.read_text())["fid"])
    about = {"machine": lines[0]["machine"] if lines else machine(), "threads": THREADS, "found": found}
    write_section("quality", about, section(about))


def section(about: dict[str, Any]) -> list[str]:
    """The section: a row for each contestant, and what quick's goals come to."""
    found = {name: {int(minutes): x for minutes, x in by.items()} for name, by in about["found"].items()}  # JSON's text
    lines = [
        "## How soon it is good",
        "",
        f"`python benchmarks/time_to_quality.py` and `python benchmarks/peers.py` on {about['machine']}, "
        f"{about['threads']} threads: Frechet distance by digits-net of 10,000 samples to MNIST's test images, after "
        "as many images as so many minutes of training make there (two halves of the real images are 0.33 apart). Of "
        "several seeds: mean, standard deviation and number. `quick` uses MNIST's labels, as it does by default; the "
        "others have none. Of a run of zerosum it is the checkpoint of its best score that is judged (`quick`'s rates "
        "fall to zero, so that it is one of its last; `mlp` keeps the one of G's lowest loss, which came early), and a "
        "run that does not get better keeps its distance; of PyTorch-GAN's scripts it is the generator as it is at "
        "that moment, in eval mode (`dcgan.py` makes 32 pixels, resized to 28).",
        "",
        "| | 2 min | 10 min | 30 min |",
        "|---|---|---|---|",
    ]
    for name, by in found.items():
        lines.append(f"| {name} | {' | '.join(cell(by.get(minutes, [])) for minutes in GOALS)} |")
    ends = {name: by[30][0] for name, by in found.items() if 30 in by and "`" in name}
    ends.pop("`quick`", None)
    if ends and "`quick`" in found:
        best = min(ends, key=lambda name: ends[name])
        parts = [
            f"{statistics.fmean(found['`quick`'][minutes]) / ends[best]:.2f} of it at {minutes} min (goal: 1/{goal})"
            for minutes, goal in GOALS.items()
            if minutes in found["`quick`"]
        ]
        lines += ["", f"The best of the others after 30 minutes is {best} with {ends[best]:.2f}; `quick` has "]
        lines[-1] += f"{', '.join(parts)}."
        if REALS in found:
            share = statistics.fmean(found[REALS][30]) / ends[best]
            lines[-1] += f" Real training images have {share:.2f} of it, below which no generator can be asked to go."
        lines += ["", alone(found, ends[best])] if ALONE in found else []
    if tried := quality.lines(longer.KEPT):
        told = ", ".join(f"{row['variant']} {row['fid']:.2f}" for row in tried)
        lines += ["", "Tried for ten minutes, in as many images as each makes then (`python benchmarks/longer.py`, "]
        lines[-1] += f"one seed, on a GPU): {told}. More capacity is not what is missing, and seeds are 0.02 apart."
    if SKETCHED in found and "`quick`" in found:
        lines += ["", SKETCH_SAID.format(statistics.fmean(found["`quick`"][2]) / found[SKETCHED][2][0])]
    if HERE.exists():
        here = json.loads(HERE.read_text())
        lines += [
            "",
            f"On {here['machine']}, `zerosum train quick --data mnist --minutes 2` by the clock "
            f"made {here['images']:,} images in {here['trained']:.1f} minutes, and a distance of "
            f"{here['figures']['fid']:.2f}.",
        ]
    return lines


def alone(found: dict[str, dict[int, list[float]]], best: float) -> str:
    """What quick has without the labels that its peers don't have either."""
    parts = [f"{fids[0] / best:.2f} of it at {minutes} min" for minutes, fids in sorted(found[ALONE].items())]
    told = f"Without classes, as its peers are, `quick` has {', '.join(parts)}"
    if 10 in found[ALONE]:
        return f"{told}."
    (row,) = (line for line in quality.lines() if line["name"] == "quick-unlabelled-mnist-10")
    return (
        f"{told}; a run of ten minutes has not been judged here, and one of ten minutes of a single thread (on "
        f"[results](results.md)) has {row['figures']['fid']:.2f} after {row['images']:,} images."
    )


def cell(values: list[float]) -> str:
    if len(values) > 1:
        return f"{statistics.fmean(values):.2f} ± {statistics.stdev(values):.2f} ({len(values)})"
    return f"{values[0]:.2f}" if values else ""


if __name__ == "__main__":
    main()
