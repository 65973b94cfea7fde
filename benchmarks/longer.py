"""What would make `quick` better after ten minutes? Variants of it, each for as many images as ten minutes make.

    python benchmarks/longer.py --device cuda        every variant that is not there yet, four at a time

A wider network makes fewer images in ten minutes: the steps of a variant are those of `quick` by what a step of it
costs on two cores of a CPU. Nothing is judged on the way, and the last checkpoint at the end. Rows are kept in
docs/benchmarks/longer.jsonl; benchmarks/time_to_quality.py --table tells of them. MNIST is read from ZEROSUM_DATA.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import quality
from results import zerosum
from sections import FOLDER

KEPT = FOLDER / "longer.jsonl"
STEPS = 35_535  # of quick in ten minutes
VARIANTS: dict[str, tuple[float, tuple[str, ...]]] = {  # the share of these steps, and the settings
    "G of 48 channels, D of 24": (0.684, ("G.width=48", "D.width=24")),
    "G of 64": (0.687, ("G.width=64",)),
    "G of 64, D of 32": (0.504, ("G.width=64", "D.width=32")),
    "penalties in every 8th step": (1.0, ("penalty_every=8",)),
    "Adam's second β 0.999": (1.0, ("G.beta2=0.999", "D.beta2=0.999")),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda")
    parser.add_argument("--at-once", type=int, default=4)
    told = parser.parse_args()
    done = {row["variant"] for row in quality.lines(KEPT)}
    with ThreadPoolExecutor(told.at_once) as pool:
        list(pool.map(lambda name: measure(name, told.device), (name for name in VARIANTS if name not in done)))


def measure(name: str, device: str) -> None:
    """Train a variant and keep its row."""
    share, settings = VARIANTS[name]
    sets = [word for setting in (*settings, "score_images=100000000") for word in ("--set", setting)]
    steps = round(share * STEPS)
    with tempfile.TemporaryDirectory() as folder:
        run = str(Path(folder) / "run")
        told = ("--data", "mnist", "--steps", str(steps), "--device", device, "--out", run, "-q", "--no-watch")
        zerosum(1, "train", "quick", *told, *sets)
        asked = ("-n", "10000", "--json", "--metric", "fid", "--checkpoint", "last")
        figures = json.loads(zerosum(2, "eval", run, *asked))["figures"]
    row = {"variant": name, "steps": steps, "device": device, "fid": round(figures[0]["value"], 4)}
    quality.keep(row, KEPT)
    print(row, flush=True)


if __name__ == "__main__":
    main()
