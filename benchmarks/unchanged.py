"""Is what is learned on a GPU as good as on a CPU? The same recipes, seeds and steps on both, and one judge.

    python benchmarks/unchanged.py                        every row of this machine's device that is not there yet
    python benchmarks/unchanged.py mlp --device cpu       of these recipes, and on this device
    python benchmarks/unchanged.py --at-once 8            so many rows at a time

A row is a run of a recipe's own settings, judged as it ends. Rows are kept in docs/benchmarks/unchanged.jsonl, as soon
as each is there; benchmarks/gpu.py --table writes them into docs/benchmarks.md. Data are read from ZEROSUM_DATA.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import quality
import results
import tasks
from results import machine, zerosum
from sections import FOLDER

KEPT = FOLDER / "unchanged.jsonl"


@dataclass(frozen=True)
class Proof:
    """Runs of one recipe: on which data, how long, how many, and by what they are judged."""

    data: str
    steps: int
    seeds: int
    metrics: tuple[str, ...] = ("fid",)


PROOFS = {
    "mlp": Proof("mnist", 9_370, 5),
    "dcgan-lite": Proof("mnist", 586, 3),
    "dcgan-faces": Proof("folder:few-faces", 300, 3, ("fid", "swd")),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", help=", ".join(PROOFS))
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--at-once", type=int, default=1)
    told = parser.parse_args()
    if unknown := sorted(set(told.recipes) - set(PROOFS)):
        parser.error(f"no proof of {', '.join(unknown)}")
    wanted = [(name, seed) for name in told.recipes or PROOFS for seed in range(PROOFS[name].seeds)]
    there = {(row["recipe"], row["seed"]) for row in quality.lines(KEPT) if row["device"] == told.device}
    with ThreadPoolExecutor(told.at_once) as pool:
        left = [one for one in wanted if one not in there]
        list(pool.map(lambda one: measure(*one, told.device, told.threads), left))


def measure(name: str, seed: int, device: str, threads: int) -> None:
    """Train one run, judge its last checkpoint, and keep that row."""
    proof = PROOFS[name]
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        told = (
            "--data",
            tasks.source(proof.data),
            "--seed",
            str(seed),
            "--steps",
            str(proof.steps),
            "--device",
            device,
            "-q",
        )
        zerosum(threads, "train", name, *told, "--out", str(run))
        asked = [word for metric in proof.metrics for word in ("--metric", metric)]
        judged = json.loads(zerosum(threads, "eval", str(run), "--checkpoint", "last", "--json", *asked))
        end = results.events(run)[-1]
    row = {
        "recipe": name,
        "seed": seed,
        "device": device,
        "machine": torch.cuda.get_device_name() if device == "cuda" else machine(),
        "images": end["images"],
        "seconds": round(end["seconds"], 1),
        "figures": {figure["name"]: round(figure["value"], 4) for figure in judged["figures"]},
    }
    quality.keep(row, KEPT)
    print(name, seed, row["figures"], flush=True)


def found() -> dict[tuple[str, str], dict[str, list[dict[str, Any]]]]:
    """The rows by recipe and figure, and of each by device."""
    by: dict[tuple[str, str], dict[str, list[dict[str, Any]]]] = {}
    for row in quality.lines(KEPT):
        for metric in PROOFS[row["recipe"]].metrics:
            by.setdefault((row["recipe"], metric), {}).setdefault(row["device"], []).append(row)
    return by


if __name__ == "__main__":
    main()
