"""How fast is zerosum on a GPU, beside the plain loop, and is what it learns there as good? docs/benchmarks.md says.

    python benchmarks/gpu.py                  every race and the seeds of `quick`
    python benchmarks/gpu.py dcgan-lite       this race anew
    python benchmarks/gpu.py --quality        the seeds of `quick` anew, all at once
    python benchmarks/gpu.py --costs          what steps of the larger recipes cost, in two precisions
    python benchmarks/gpu.py --table          only write the section, with the rows of benchmarks/unchanged.py

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

import costs
import quality
import unchanged
from results import zerosum
from sections import FOLDER, kept, said, write_section
from speed import table
from time_to_quality import KEPT as ON_CPU
from time_to_quality import cell, judged
from zerosum.bench import speed
from zerosum.engine.capture import MET
from zerosum.engine.engine import Precision
from zerosum.engine.training import Training

ROUNDS, SECONDS, THREADS = 7, 2.0, 3
TARGETS: dict[str, float | None] = {
    "mlp": 3,
    "dcgan-lite": 3,
    "dcgan-faces": 1.5,
    "dcgan-k2": None,
    "dcgan-smooth": None,
}
KEPT = FOLDER / "gpu.json"
PRECISIONS: tuple[Precision, ...] = ("32-true", "bf16-mixed")
TURN = 0.5  # seconds of a turn of the larger recipes
STEPS = 16  # between two looks at the clock, for which the GPU is waited for
LARGER = (
    "sngan",
    "sagan",
    "biggan",
    "progan",
    "stylegan",
    "stylegan2",
    "r3gan",
    "transgan",
    "pix2pix",
    "cyclegan",
    "pix2pixhd",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", help=", ".join(TARGETS))
    parser.add_argument("--quality", action="store_true")
    parser.add_argument("--costs", action="store_true")
    parser.add_argument("--table", action="store_true")
    told = parser.parse_args()
    if unknown := sorted(set(told.recipes) - set(TARGETS)):
        parser.error(f"no race of {', '.join(unknown)}")
    if told.table:
        about: dict[str, Any] = json.loads(KEPT.read_text())
        write_section("gpu", about, section(about))
        return
    about = kept("gpu", {"machine": torch.cuda.get_device_name(), "torch": torch.__version__}, "races")
    missing = [] if told.quality or told.costs else [name for name in TARGETS if name not in about["races"]]
    for name in told.recipes or missing:
        print(name, flush=True)
        found = speed.run_race(name, rounds=ROUNDS, seconds=SECONDS, threads=THREADS, device="cuda")
        about["races"][name] = found.to_dict()
        write_section("gpu", about, section(about))
        print(f"{found.times('plain'):.2f}", flush=True)
    for name in LARGER if told.costs else ():
        about.setdefault("costs", {})[name] = cost(name)
        print(name, about["costs"][name], flush=True)
        write_section("gpu", about, section(about))
    if told.quality or (not told.recipes and not told.costs and "quality" not in about):
        about["quality"] = seeds()
        print([one["fid"] for one in about["quality"]], flush=True)
    write_section("gpu", about, section(about))


def on_cpu() -> list[dict[str, Any]]:
    """The rows of quick after two minutes of two cores."""
    return [line for line in quality.lines(ON_CPU) if line["name"].startswith("quick-2-")]


def seeds() -> list[dict[str, Any]]:
    """Runs of quick on the GPU, one for each row of the CPU, and what they are worth."""
    steps = [row["steps"] for row in on_cpu()]
    with tempfile.TemporaryDirectory() as folder:

        def measure(seed: int) -> dict[str, Any]:
            run = Path(folder) / str(seed)
            told = ("--data", "mnist", "--seed", str(seed), "--steps", str(steps[seed]), "--device", "cuda", "-q")
            zerosum(THREADS, "train", "quick", *told, "--out", str(run))
            found = judged(run, THREADS)
            return {"seed": seed, "images": found["images"], "fid": found["figures"]["fid"]}

        with ThreadPoolExecutor(len(steps)) as pool:
            return list(pool.map(measure, range(len(steps))))


def cost(name: str) -> dict[str, Any]:
    """Images a second of steps at the recipe's own width, in turns, by precision; with the GPU's memory in MiB."""
    told = costs.full(name)
    found: dict[str, Any] = {"size": told.size, "batch": told.batch}
    for precision in PRECISIONS:
        torch.cuda.reset_peak_memory_stats()
        training = costs.begun(told, "cuda", precision)
        period = costs.period_of(training)
        count = max(1, STEPS // period) * period

        def steps(training: Training = training, count: int = count) -> None:
            for _ in range(count):
                training.take_step(observe=False)
            torch.cuda.synchronize()

        for _ in range((MET + 2) * period):  # until every kind of round is a graph
            training.take_step(observe=False)
        steps()
        rates = [told.batch * count * costs.speed(steps, TURN) for _ in range(3)]
        found[precision] = {"rates": rates, "memory": round(torch.cuda.max_memory_allocated() / 2**20)}
        del training, steps
        torch.cuda.empty_cache()
    return found


def same_quality(found: list[dict[str, Any]]) -> list[str]:
    """The table of what as many steps are worth on both devices: the seeds of `quick`, and `unchanged`'s runs."""
    rows = []
    if found:
        here, there = [one["fid"] for one in found], [line["figures"]["fid"] for line in on_cpu()]
        rows.append(("quick", "mnist", found[0]["images"], "fid", here, there))
    for (name, metric), by in unchanged.found().items():
        if {"cpu", "cuda"} <= by.keys():
            here, there = ([row["figures"][metric] for row in by[device]] for device in ("cuda", "cpu"))
            data = "1,000 faces" if "faces" in name else "mnist"
            rows.append((name, data, by["cuda"][0]["images"], metric, here, there))
    return [
        "What as many steps are worth on the GPU and on a CPU, of the same recipe and seeds (`python "
        "benchmarks/unchanged.py`): mean, standard deviation and number of runs. `fid` is the Frechet distance by "
        "digits-net, of faces by their encoder; `swd` the sliced Wasserstein distance.",
        "",
        "| recipe | data | images | figure | on the GPU | on a CPU |",
        "|---|---|---|---|---|---|",
        *(
            f"| `{name}` | {data} | {images:,} | {metric} | {cell(here)} | {cell(there)} |"
            for name, data, images, metric, here, there in rows
        ),
    ]


def section(about: dict[str, Any]) -> list[str]:
    """The section of docs/benchmarks.md."""
    lines = [
        "## On a GPU",
        "",
        f"`python benchmarks/gpu.py` on {about['machine']}, torch {about['torch']}: images a second, medians of "
        f"{ROUNDS} turns of about {SECONDS:g} seconds (slowest and fastest turn), in turns and in processes of their "
        f"own, warm-up excluded, with {THREADS} threads of the machine's processor. The plain loop is the same as "
        "above, its data on the GPU; both have TF32 in convolutions, zerosum in products too, and it lets cuDNN choose "
        "by measuring (`cudnn.benchmark`).",
        "",
        *table(about["races"], TARGETS),
    ]
    lines += ["", *same_quality(about.get("quality", []))]
    if found := about.get("costs"):
        lines += [
            "",
            "Steps of the larger recipes at their own width on the same GPU, images a second (slowest and fastest of "
            "three turns) and the GPU's memory: float32 with TF32, and `--precision bf16-mixed`. On MNIST at 32 "
            f"pixels{', or else on CamVid and flowers' if any(name in costs.TASKS for name in found) else ''}.",
            "",
            "| recipe | pixels | batch | float32 | MiB | bf16-mixed | MiB |",
            "|---|---|---|---|---|---|---|",
        ]
        for name, row in found.items():
            cells = [f"{said(row[kind]['rates'])} | {row[kind]['memory']:,}" for kind in PRECISIONS]
            lines.append(f"| `{name}` | {row['size']} | {row['batch']} | {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    main()
