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
import statistics
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

import quality
import results
from results import zerosum
from sections import FOLDER, write_section
from speed import rates
from time_to_quality import KEPT as ON_CPU
from zerosum.bench import speed

ROUNDS, SECONDS, THREADS = 7, 1.0, 3
TARGETS: dict[str, float | None] = {
    "mlp": 3,
    "dcgan-lite": 3,
    "dcgan-faces": 1.5,
    "dcgan-k2": None,
    "dcgan-smooth": None,
}
SEEDS = 5
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
    with tempfile.TemporaryDirectory() as folder:

        def measure(seed: int) -> dict[str, Any]:
            run, steps = Path(folder) / str(seed), on_cpu()[seed]["steps"]
            told = ("--data", "mnist", "--seed", str(seed), "--steps", str(steps), "--device", "cuda", "-q")
            zerosum(THREADS, "train", "quick", *told, "--out", str(run))
            end = results.events(run)[-1]
            judged = json.loads(zerosum(THREADS, "eval", str(run), "-n", "10000", "--json", "--metric", "fid"))
            fid = quality.kept(judged, results.events(run))["figures"]["fid"]
            return {"seed": seed, "images": end["images"], "seconds": end["seconds"], "fid": fid}

        with ThreadPoolExecutor(SEEDS) as pool:
            return list(pool.map(measure, range(SEEDS)))


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
        "| recipe | zerosum | plain PyTorch loop | times as fast | goal |",
        "|---|---|---|---|---|",
    ]
    for name, race in about["races"].items():
        ours, plain = (rates(race["results"][kind]["rates"]) for kind in ("zerosum", "plain"))
        goal = TARGETS[name]
        lines.append(f"| `{name}` | {ours} | {plain} | {race['times_plain']:.2f} | {'' if goal is None else goal} |")
    if found := about.get("quality"):
        here, there = [one["fid"] for one in found], [line["figures"]["fid"] for line in on_cpu()]
        lines += [
            "",
            f"Quality: `quick` after {found[0]['images']:,} images of MNIST, {len(found)} seeds: Frechet distance "
            f"{spread(here)} on the GPU and {spread(there)} on two cores of a CPU.",
        ]
    return lines


def spread(values: list[float]) -> str:
    return f"{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f}"


if __name__ == "__main__":
    main()
