"""How cost grows with batch, image size, width and the size of the data set. docs/benchmarks.md's section on growth.

    python benchmarks/growth.py            every row that is not there yet

Run it on a machine that does nothing else. A row is a process of its own: steps of `quick` on digits that were resized
for the purpose, images a second in the median of five turns, and the memory that the process holds after the last.
Data sets of more than 10,000 images are the same digits again and again in a memory-mapped file, for this measurement
alone.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from results import machine
from sections import kept, write_section
from zerosum import recipes
from zerosum.api.assemble import assemble, settle
from zerosum.bench.race import environment
from zerosum.data import Dataset, Split, open_dataset
from zerosum.engine.engine import Engine
from zerosum.engine.plan import Plan

TURNS, SECONDS = 5, 4.0
USUAL = {"batch": 128, "size": 28, "width": 32, "images": 10_000, "recipe": "quick"}
ROWS = (
    [{"batch": batch} for batch in (8, 16, 32, 64, 128, 256, 512)]
    + [{"size": size} for size in (28, 32, 64)]
    + [{"recipe": "sngan", "batch": 32, "width": 16, "size": size} for size in (28, 32, 64, 128)]
    + [{"width": width} for width in (16, 32, 64, 128)]
    + [{"images": images} for images in (1_000, 10_000, 100_000, 1_000_000)]
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--row", help=argparse.SUPPRESS)  # a process of this script for one row
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    told = parser.parse_args()
    if told.row:
        print(json.dumps(measure(json.loads(told.row), told.threads)))
        return
    about = kept("growth", {"machine": machine(), "torch": torch.__version__, "threads": told.threads}, "rows")
    for row in ROWS:
        key = json.dumps(row)
        if key not in about["rows"]:
            print(key, flush=True)
            command = [sys.executable, __file__, "--threads", str(told.threads), "--row", json.dumps(USUAL | row)]
            done = subprocess.run(command, check=True, env=environment(told.threads), stdout=subprocess.PIPE, text=True)
            about["rows"][key] = json.loads(done.stdout)
            write_section("growth", about, section(about))
    write_section("growth", about, section(about))


def measure(row: dict[str, Any], threads: int) -> dict[str, Any]:
    """Images a second of each turn, and the process's memory in MiB before the first step and after the last."""
    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as folder:
        changes = {"batch": row["batch"], "size": row["size"]}
        if row["recipe"] == "quick":
            changes |= {"G.width": row["width"], "D.width": row["width"] // 2}
        elif "width" in row:
            changes["width"] = row["width"]
        recipe = recipes.recipe(row["recipe"]).override(changes)
        data = repeated(row["size"], row["images"], Path(folder))
        recipe = settle(recipe, data)
        training = assemble(recipe, data, Engine("cpu"), Plan.of(recipe, len(data.train)))
        begun = memory()
        training.take_step(observe=False)
        spent = timed(training, 2) / 2
        steps = max(1, round(SECONDS / spent))
        turns = [steps * row["batch"] / timed(training, steps) for _ in range(TURNS)]
        return {"rates": turns, "begun": begun, "memory": memory()}


def repeated(size: int, count: int, folder: Path) -> Dataset:
    """So many digits of that size, memory-mapped: the 10,000 of the package again and again."""
    digits = open_dataset("digits", size=size)
    samples, labels = digits.train.samples, digits.train.labels
    assert labels is not None
    mapped = np.lib.format.open_memmap(folder / "many.npy", "w+", np.uint8, (count, *samples.shape[1:]))
    for start in range(0, count, len(samples)):
        part = mapped[start : start + len(samples)]
        part[:] = samples[: len(part)]
    mapped.flush()
    mapped = np.lib.format.open_memmap(folder / "many.npy", "r")
    return dataclasses.replace(digits, train=Split(samples=mapped, labels=np.resize(labels, count)))


def timed(training: Any, steps: int) -> float:
    began = time.perf_counter()
    for _ in range(steps):
        training.take_step(observe=False)
    return time.perf_counter() - began


def memory() -> float:
    """MiB of the process's own now, without the pages of a mapped file; the most so far where that is not told."""
    status = Path("/proc/self/status")
    if status.exists():
        told = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        return float(told["RssAnon"].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def section(about: dict[str, Any]) -> list[str]:
    """The section of docs/benchmarks.md."""
    lines = [
        "## How cost grows",
        "",
        f"`python benchmarks/growth.py` on {about['machine']}, torch {about['torch']}, {about['threads']} threads: "
        f"`quick` on digits (batch {USUAL['batch']}, {USUAL['size']} pixels, width {USUAL['width']}, 10,000 images) "
        f"where a row does not say otherwise; medians of {TURNS} turns. Memory is the process's own after the last "
        "turn, without the pages of the memory-mapped images.",
        "",
        "| what differs | images a second (slowest-fastest) | seconds per 1,000 images | MiB |",
        "|---|---|---|---|",
    ]
    for key, found in about["rows"].items():
        told = json.loads(key).items()
        what = ", ".join(f"{name} {value:,}" if name != "recipe" else f"`{value}`" for name, value in told)
        middle = statistics.median(found["rates"])
        lines.append(
            f"| {what} | {middle:,.0f} ({min(found['rates']):,.0f}-{max(found['rates']):,.0f}) | {1000 / middle:.2f} | "
            f"{found['memory']:,.0f} |"
        )
    return lines


if __name__ == "__main__":
    main()
