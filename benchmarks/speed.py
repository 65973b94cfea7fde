"""How fast is zerosum, beside what a reader of the tutorials would run? docs/benchmarks.md's section on speed.

    python benchmarks/speed.py                      every race that is not there yet, then the operators and the chores
    python benchmarks/speed.py dcgan-lite mlp       these races anew
    python benchmarks/speed.py --chores             what a user waits for, anew
    ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2 python benchmarks/speed.py dcgan-lite
                                                    the same of a processor that has more, held to AVX2: a section apart

Run it on a machine that does nothing else. Contestants take turns in processes of their own, at least seven each, with
a warm-up that is not counted; the Keras script takes part where TensorFlow is installed (`pip install tensorflow-cpu`).
Each result is kept in docs/benchmarks/speed.json (speed-avx2.json) as soon as it is there. MNIST and the anime faces
are read from ZEROSUM_DATA.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from results import held, machine
from sections import FOLDER, write_section
from zerosum.bench import speed
from zerosum.bench.plain import LOOPS
from zerosum.data import open_dataset
from zerosum.engine.engine import cores

ROUNDS, SECONDS = 7, 10.0
TARGETS = {"dcgan-lite": 2.0, "mlp": 1.5, "dcgan-smooth": 1.5, "dcgan-faces": 1.5, "dcgan-k2": 5.0}
NAME = "speed-avx2" if held() else "speed"
KEPT = FOLDER / f"{NAME}.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", help=", ".join(LOOPS))
    parser.add_argument("--chores", action="store_true")
    parser.add_argument("--threads", type=int, default=cores())
    told = parser.parse_args()
    if unknown := sorted(set(told.recipes) - set(LOOPS)):
        parser.error(f"no plain loop of {', '.join(unknown)}")
    about: dict[str, Any] = json.loads(KEPT.read_text()) if KEPT.exists() else {"races": {}}
    about |= {"machine": machine(), "torch": torch.__version__, "threads": told.threads}
    missing = [] if told.chores else [name for name in TARGETS if name not in about["races"]]
    for name in told.recipes or missing:
        print(name, flush=True)
        found = speed.run_race(name, rounds=ROUNDS, seconds=SECONDS, threads=told.threads)
        about["races"][name] = found.to_dict()
        write_section(NAME, about, section(about))
    if told.chores or not ("chores" in about or held()):
        about["operators"] = speed.operators("dcgan-lite", told.threads)
        found_chores = speed.chores(samples=50_000, judged=10_000, threads=told.threads, tell=print)
        about["chores"] = [vars(chore) for chore in (*found_chores, *reading(told.threads))]
    write_section(NAME, about, section(about))


def reading(threads: int) -> Iterator[speed.Chore]:
    """A folder of images for the first time: read, converted and written to the cache, and its first 25 drawn."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        digits = open_dataset("mnist").train
        for label in range(10):
            (folder / "digits" / str(label)).mkdir(parents=True)
        for index, (image, label) in enumerate(zip(digits.samples, digits.labels, strict=True)):
            Image.fromarray(image[:, :, 0]).save(folder / "digits" / str(label) / f"{index:05d}.png")
        faces = Path(os.environ["ZEROSUM_DATA"]) / "faces" / "anime64.tar"
        for name, source in (("60,000 digits in PNG files", folder / "digits"), ("8,560 faces in JPEG files", faces)):
            told = ["data", "show", f"folder:{source}", "--out", str(folder / "shown.png")]
            yield speed.chore(f"data show: {name}, not cached yet", told, threads=threads, cache=folder / source.stem)


GOAL = (
    "`goal` was set before anything was measured; where it is missed, the last column of the next table says how much "
    "the step's convolutions and products alone would be."
)


def section(about: dict[str, Any]) -> list[str]:
    """The section of docs/benchmarks.md."""
    lines = [
        "## The same, held to AVX2" if held() else "## How fast training is",
        "",
        f"`python benchmarks/speed.py` on {about['machine']}, torch {about['torch']}, {about['threads']} threads: "
        f"images a second, medians of {ROUNDS} turns of about {SECONDS:g} seconds each (slowest and fastest turn), the "
        "contestants in turns and in processes of their own, warm-up excluded. The plain loop is what PyTorch "
        "tutorials write, with the recipe's networks, batch and order of updates (`zerosum/bench/plain.py`); data lie "
        "in memory for both. In float64 both have the same weights after twenty steps (`tests/bench`).",
        "",
        *table(about["races"], TARGETS),
        "",
        GOAL,
    ]
    lite = about["races"].get("dcgan-lite", {})
    if lite.get("times_keras"):
        keras = rates(lite["results"]["keras"]["rates"])
        lines += ["", f"The tutorial's Keras script of `dcgan-lite`: {keras} images a second; zerosum is "]
        lines[-1] += f"{lite['times_keras']:.2f} times as fast (goal: 3.5)"
        alone = [statistics.median(lite["results"][kind]["rates"]) for kind in ("arithmetic", "keras")]
        lines[-1] += f", its convolutions and products alone would be {alone[0] / alone[1]:.2f} times."
    return lines + limits(about) + operators(about.get("operators", [])) + chores(about.get("chores", []))


def table(races: dict[str, Any], targets: Mapping[str, float | None]) -> list[str]:
    """A row for each race, with its goal where it has one."""
    lines = ["| recipe | zerosum | plain PyTorch loop | times as fast | goal |", "|---|---|---|---|---|"]
    for name, race in races.items():
        ours, plain = (rates(race["results"][kind]["rates"]) for kind in ("zerosum", "plain"))
        goal = targets[name]
        shown = "" if goal is None else f"{goal:g}"
        lines.append(f"| `{name}` | {ours} | {plain} | {race['times_plain']:.2f} | {shown} |")
    return lines


def rates(turns: list[float]) -> str:
    """`142 (139-144)`."""
    return f"{statistics.median(turns):,.0f} ({min(turns):,.0f}-{max(turns):,.0f})"


def limits(about: dict[str, Any]) -> list[str]:
    """How near to the machine's limit each race runs: by dcgan-lite's, where the best convolution took part."""
    best = about["races"].get("dcgan-lite", {}).get("results", {}).get("convolution")
    if best is None:
        return []
    rate = statistics.median(best["rates"])
    lines = [
        "",
        "### How near to the machine's limit",
        "",
        f"The best convolution measured in the race of `dcgan-lite` ({best['about']}) reaches {rate:,.0f} GFLOP/s. An "
        "image's operations are counted layer by layer, in torch's own layers. The last columns: the convolutions and "
        "matrix products of a step alone, recorded and called one after the other in the same race as the contestants: "
        "what makes a step of these very calls can be no faster.",
        "",
        "| recipe | GFLOP an image | GFLOP/s | of the best | convolutions and products alone | times the plain loop |",
        "|---|---|---|---|---|---|",
    ]
    for name, race in about["races"].items():
        cells = ["", "", ""]
        if race["operations"] is not None and name != "mlp":
            share = race["achieved"] / rate
            cells = [f"{race['operations']:.3f}", f"{race['achieved']:,.0f}", f"{share:.0%}"]
        alone, bound = race["results"].get("arithmetic"), ["", ""]
        if alone:
            plain = statistics.median(race["results"]["plain"]["rates"])
            bound = [rates(alone["rates"]), f"{statistics.median(alone['rates']) / plain:.2f}"]
        cells += bound
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return lines


def operators(rows: list[dict[str, Any]]) -> list[str]:
    if not rows:
        return []
    lines = ["", "Where the time of a step of `dcgan-lite` goes (torch's profiler):", ""]
    lines += ["| operator | shapes | calls | ms | share |", "|---|---|---|---|---|"]
    for row in rows:
        shapes = " ".join("x".join(map(str, shape)) for shape in row["shapes"])
        lines.append(
            f"| {row['operator']} | {shapes} | {row['calls']} | {row['milliseconds']:.1f} | {row['share']:.1%} |"
        )
    return lines


def chores(rows: list[dict[str, Any]]) -> list[str]:
    if not rows:
        return []
    lines = ["", "### What a user waits for", "", "| command | seconds | MiB |", "|---|---|---|"]
    return lines + [f"| {row['name']} | {row['seconds']:.1f} | {row['memory']:,.0f} |" for row in rows]


if __name__ == "__main__":
    main()
