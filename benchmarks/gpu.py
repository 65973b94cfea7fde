"""How fast is zerosum on a GPU, beside the plain loop, and is what it learns there as good? docs/benchmarks.md says.

    python benchmarks/gpu.py                  every race and the seeds of `quick`
    python benchmarks/gpu.py dcgan-lite       this race anew
    python benchmarks/gpu.py --quality        the seeds of `quick` anew, all at once
    python benchmarks/gpu.py --table          only write the section

Contestants take turns in processes of their own, seven each, with a warm-up that is not counted; each result is kept in
docs/benchmarks/gpu.json as soon as it is there. The seeds see as many images as two minutes make on two cores (the rows
of benchmarks/time_to_quality.py), and are judged as those are. MNIST is read from ZEROSUM_DATA.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

import quality
import results
from results import zerosum
from sections import FOLDER, write_section
from speed import table
from time_to_quality import KEPT as ON_CPU
from time_to_quality import cell
from zerosum.bench import speed

ROUNDS, SECONDS, THREADS = 7, 1.0, 3
TARGETS: dict[str, float | None] = {
    "mlp": 3,
    "dcgan-lite": 3,
    "dcgan-faces": 1.5,
    "dcgan-k2": None,
    "dcgan-smooth": None,
}
KEPT = FOLDER / "gpu.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", help=", ".join(TARGETS))
    parser.add_argument("--quality", action="store_true")
    parser.add_argument("--table", action="store_true")
    told = parser.parse_args()
    if unknown := sorted(set(told.recipes) - set(TARGETS)):
        parser.error(f"no race of {', '.join(unknown)}")
    about: dict[str, Any] = json.loads(KEPT.read_text()) if KEPT.exists() else {"races": {}}
    if told.table:
        write_section("gpu", about, section(about))
        return
    about |= {"machine": torch.cuda.get_device_name(), "torch": torch.__version__}
    missing = [] if told.quality else [name for name in TARGETS if name not in about["races"]]
    for name in told.recipes or missing:
        print(name, flush=True)
        found = speed.run_race(name, rounds=ROUNDS, seconds=SECONDS, threads=THREADS, device="cuda")
        about["races"][name] = found.to_dict()
        write_section("gpu", about, section(about))
        print(f"{found.times('plain'):.2f}", flush=True)
    if told.quality or (not told.recipes and "quality" not in about):
        about["quality"] = seeds()
        print([one["fid"] for one in about["quality"]], flush=True)
    write_section("gpu", about, section(about))


def on_cpu() -> list[dict[str, Any]]:
    """The rows of quick after two minutes of two cores."""
    return [line for line in quality.lines(ON_CPU) if line["recipe"] == "quick" and line["minutes"] == 2]


def seeds() -> list[dict[str, Any]]:
    """Runs of quick on the GPU, one for each row of the CPU, and what they are worth."""
    steps = [row["steps"] for row in on_cpu()]
    with tempfile.TemporaryDirectory() as folder:

        def measure(seed: int) -> dict[str, Any]:
            run = Path(folder) / str(seed)
            told = ("--data", "mnist", "--seed", str(seed), "--steps", str(steps[seed]), "--device", "cuda", "-q")
            zerosum(THREADS, "train", "quick", *told, "--out", str(run))
            judged = json.loads(zerosum(THREADS, "eval", str(run), "-n", "10000", "--json", "--metric", "fid"))
            found = quality.kept(judged, results.events(run))
            return {"seed": seed, "images": found["images"], "fid": found["figures"]["fid"]}

        with ThreadPoolExecutor(len(steps)) as pool:
            return list(pool.map(measure, range(len(steps))))


def section(about: dict[str, Any]) -> list[str]:
    """The section of docs/benchmarks.md."""
    lines = [
        "## On a GPU",
        "",
        f"`python benchmarks/gpu.py` on {about['machine']}, torch {about['torch']}: images a second, medians of "
        f"{ROUNDS} turns of about {SECONDS:g} second (slowest and fastest turn), in turns and in processes of their "
        "own, warm-up excluded. The plain loop is the same as above, its data on the GPU; both have TF32 in "
        "convolutions, zerosum in products too.",
        "",
        *table(about["races"], TARGETS),
    ]
    if found := about.get("quality"):
        here, there = [one["fid"] for one in found], [line["figures"]["fid"] for line in on_cpu()]
        lines += [
            "",
            f"Quality: `quick` after {found[0]['images']:,} images of MNIST: Frechet distance {cell(here)} on the GPU "
            f"and {cell(there)} on two cores of a CPU (mean, standard deviation and number of seeds).",
        ]
    return lines


if __name__ == "__main__":
    main()
