"""How fast is zerosum, beside what a reader of the tutorials would run? docs/benchmarks.md's section on speed.

    python benchmarks/speed.py                      every race that is not there yet, then the operators and the chores
    python benchmarks/speed.py dcgan-lite mlp       these races anew
    python benchmarks/speed.py mlp --turns 21 --seconds 3    in more and shorter turns, where the machine's speed wavers
    python benchmarks/speed.py --chores             what a user waits for, anew
    python benchmarks/speed.py --operators          where the time of a step goes, anew
    python benchmarks/speed.py --table              no measurement: only write the section
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
from sections import FOLDER, by_round, kept, said, write_section
from zerosum.bench import speed
from zerosum.bench.plain import LOOPS
from zerosum.data import open_dataset
from zerosum.engine.engine import cores

ROUNDS, SECONDS = 7, 10.0
TARGETS = {"dcgan-lite": 2.0, "mlp": 1.5, "dcgan-smooth": 1.5, "dcgan-faces": 1.5, "dcgan-k2": 5.0}
EARLIER = (
    "These were run before the plain loop was freed of zerosum's way with memory, with which it is faster than what "
    "tutorials run, and before later changes of zerosum."
)
KINDS = {  # of operators, by a part of their names
    "convolutions and products": ("convolution", "mkldnn", "::mm", "addmm", "bmm"),
    "Adam": ("adam", "Adam", "_foreach"),
    "normalization": ("batch_norm",),
    "activations and dropout": ("leaky_relu", "::relu", "tanh", "sigmoid", "threshold", "random_", "::ge", "::mul"),
    "copies": ("copy_", "::cat", "index", "::pad", "fill_"),
}
SPLIT = ("mlp", "dcgan-smooth", "dcgan-faces")  # the recipes that miss their goals
OTHER = FOLDER / "speed-other.json"
NAME = "speed-avx2" if held() else "speed"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", help=", ".join(LOOPS))
    for part in ("--chores", "--operators", "--table"):
        parser.add_argument(part, action="store_true")
    parser.add_argument("--turns", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of a turn")
    parser.add_argument("--threads", type=int, default=cores())
    told = parser.parse_args()
    if unknown := sorted(set(told.recipes) - set(LOOPS)):
        parser.error(f"no plain loop of {', '.join(unknown)}")
    if told.table:
        about = json.loads((FOLDER / f"{NAME}.json").read_text())
        write_section(NAME, about, section(about))
        return
    about = kept(NAME, {"machine": machine(), "torch": torch.__version__, "threads": told.threads}, "races")
    apart = told.chores or told.operators
    missing = [] if apart else [name for name in TARGETS if name not in about["races"]]
    for name in told.recipes or missing:
        print(name, flush=True)
        found = speed.run_race(name, rounds=told.turns, seconds=told.seconds, threads=told.threads)
        about["races"][name] = found.to_dict() | {"seconds": told.seconds}
        write_section(NAME, about, section(about))
    if told.operators or not (apart or "operators" in about or held()):
        about["operators"] = speed.operators("dcgan-lite", told.threads)
        about["kinds"] = {name: kinds(speed.operators(name, told.threads, most=10_000)) for name in SPLIT}
    if told.chores or not (apart or "chores" in about or held()):
        about["chores"] = all_chores(told.threads)
    write_section(NAME, about, section(about))


def all_chores(threads: int) -> list[dict[str, Any]]:
    """What a user waits for: each in every round with a cache of its own, and `bench` once."""
    done: dict[str, list[speed.Chore]] = {}
    with tempfile.TemporaryDirectory() as place:
        digits = written_digits(Path(place) / "digits")
        for turn in range(ROUNDS):
            few = speed.chores(samples=50_000, judged=10_000, threads=threads, tell=lambda name: None)
            for chore in (*few, *reading(digits, Path(place) / f"{turn}", threads)):
                print(chore, flush=True)
                done.setdefault(chore.name, []).append(chore)
    whole = speed.chore("bench: all of it", ["bench"], threads=threads)
    rows = [
        {
            "name": name,
            "seconds": [chore.seconds for chore in found],
            "memory": max(chore.memory or 0 for chore in found),
        }
        for name, found in done.items()
    ]
    return [*rows, {"name": whole.name, "seconds": [whole.seconds], "memory": None}]  # its contestants hold their own


def written_digits(folder: Path) -> Path:
    """MNIST as 60,000 PNG files, a folder for each class."""
    digits = open_dataset("mnist").train
    for label in range(10):
        (folder / str(label)).mkdir(parents=True)
    for index, (image, label) in enumerate(zip(digits.samples, digits.labels, strict=True)):
        Image.fromarray(image[:, :, 0]).save(folder / str(label) / f"{index:05d}.png")
    return folder


def reading(digits: Path, folder: Path, threads: int) -> Iterator[speed.Chore]:
    """Folders of images for the first time: read, converted, written to the cache, 25 drawn; then a training on one."""
    faces = Path(os.environ["ZEROSUM_DATA"]) / "faces" / "anime64.tar"
    for name, source in (("60,000 digits in PNG files", digits), ("8,560 faces in JPEG files", faces)):
        told = ["data", "show", f"folder:{source}", "--out", str(folder / "shown.png")]
        yield speed.chore(f"data show: {name}, not cached yet", told, threads=threads, cache=folder / source.stem)
    run, cache = folder / "run", folder / faces.stem
    train = ["train", "quick", "--data", f"folder:{faces}", "--steps", "5", "--out", str(run), "--no-watch", "-q"]
    log = run / "events.jsonl"
    yield speed.chore("train: to the first step on these faces, cached", train, log, threads=threads, cache=cache)


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
        f"images a second, medians of {ROUNDS} turns of about {SECONDS:g} seconds each{others(about['races'])} "
        "(slowest and fastest turn), the contestants in turns and in processes of their own, warm-up excluded. The "
        "plain loop is what PyTorch tutorials write, with the recipe's networks, batch and order of updates "
        "(`zerosum/bench/plain.py`); data lie in memory for both. zerosum's rounds are those of `zerosum train`, with "
        "the losses and accuracies of its log, looked at in every 50th step, without pictures, scores and the watch. "
        "In float64 both have the same weights after twenty steps, and in float32 the first step's gradients within "
        "1e-4 of each tensor's norm, at few images and at the recipe's own batch (of `dcgan-k2` an eighth of it; "
        "`tests/bench`); of `dcgan-faces` at its own batch within 1e-2, where the plain loop's are up to 8e-4 from "
        "those that it has in float64: some of its units lie so near zero that rounding decides their side.",
        "",
        *table(about["races"], TARGETS),
        "",
        GOAL,
    ]
    lite = about["races"].get("dcgan-lite", {})
    if lite and not lite.get("times_keras"):
        lines += ["", "The tutorial's Keras script took no part; it does where TensorFlow is installed."]
    elif lite:
        keras = said(lite["results"]["keras"]["rates"])
        lines += ["", f"The tutorial's Keras script of `dcgan-lite`: {keras} images a second; zerosum is "]
        lines[-1] += f"{lite['times_keras']:.2f} times as fast (goal: 3.5)"
        lines[-1] += f", its convolutions and products alone would be {alone(lite, 'keras'):.2f} times"
        lines[-1] += f", and all its operations at the best convolution's rate {at_best(about, lite, 'keras'):.2f}."
    if about.get("earlier"):
        lines += ["", EARLIER]
    if not held() and OTHER.exists():
        lines += ["", elsewhere(json.loads(OTHER.read_text()))]
    lines += limits(about) + split(about.get("kinds", {}))
    return lines + operators(about.get("operators", [])) + chores(about.get("chores", []))


def others(races: Mapping[str, Any]) -> str:
    """The races that were run in other turns than most, in brackets."""
    turns = {
        name: (len(race["results"]["zerosum"]["rates"]), race.get("seconds", SECONDS)) for name, race in races.items()
    }
    told = [f"`{name}`: {n} of {s:g}" for name, (n, s) in turns.items() if (n, s) != (ROUNDS, SECONDS)]
    return f" ({', '.join(told)})" if told else ""


def elsewhere(about: dict[str, Any]) -> str:
    """The same races on another machine, in a sentence."""
    races = about["races"]
    times = ", ".join(f"`{name}` {race['times_plain']:.2f} (of {alone(race):.2f})" for name, race in races.items())
    best = statistics.median(races["dcgan-lite"]["results"]["convolution"]["rates"])
    return (
        f"On {about['machine']}, whose best convolution reaches {best:,.0f} GFLOP/s, they were: {times}, "
        f"in brackets what convolutions and products alone would be; the Keras script "
        f"{races['dcgan-lite']['times_keras']:.2f} (of {alone(races['dcgan-lite'], 'keras'):.2f}); `dcgan-lite` at "
        f"{races['dcgan-lite']['share']:.0%} of the best convolution. {EARLIER}"
    )


def alone(race: dict[str, Any], peer: str = "plain") -> float:
    """How many times as fast as that peer the convolutions and products of a step alone would be."""
    rates = [statistics.median(race["results"][kind]["rates"]) for kind in ("arithmetic", peer)]
    return rates[0] / rates[1]


def at_best(about: dict[str, Any], race: dict[str, Any], peer: str = "plain") -> float:
    """How many times as fast as that peer a race's operations would be at the rate of the best convolution."""
    best = statistics.median(about["races"]["dcgan-lite"]["results"]["convolution"]["rates"])
    return best / float(race["operations"]) / statistics.median(race["results"][peer]["rates"])


def table(races: dict[str, Any], targets: Mapping[str, float | None]) -> list[str]:
    """A row for each race, with its goal where it has one."""
    lines = ["| recipe | zerosum | plain PyTorch loop | times as fast (by round) | goal |", "|---|---|---|---|---|"]
    for name, race in races.items():
        ours, plain = (race["results"][kind]["rates"] for kind in ("zerosum", "plain"))
        goal = targets[name]
        shown = "" if goal is None else f"{goal:g}"
        lines.append(
            f"| `{name}` | {said(ours)} | {said(plain)} | {race['times_plain']:.2f} {by_round(ours, plain)} | {shown} |"
        )
    return lines


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
        "image's operations are counted layer by layer, in torch's own layers; `all at the best` is how many times as "
        "fast as the plain loop they would be at that rate, if nothing else took time. The last columns: the "
        "convolutions and matrix products of a step alone, recorded and called one after the other in the same race as "
        "the contestants: what makes a step of these very calls can be no faster. The goal for `dcgan-lite` is 65% of "
        "the best.",
        "",
        "| recipe | GFLOP an image | GFLOP/s | of the best | all at the best | convolutions and products alone "
        "| times the plain loop |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, race in about["races"].items():
        cells = ["", "", "", ""]
        if race["operations"] is not None:
            share, times = race["achieved"] / rate, at_best(about, race)
            cells = [f"{race['operations']:.3f}", f"{race['achieved']:,.0f}", f"{share:.0%}", f"{times:.2f}"]
        bound = ["", ""]
        if "arithmetic" in race["results"]:
            bound = [said(race["results"]["arithmetic"]["rates"]), f"{alone(race):.2f}"]
        cells += bound
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return [*lines, "", BELOW] if not held() else lines


BELOW = (
    "What stands between a recipe and its goal. Of `dcgan-faces` the convolutions alone, since nothing else could take "
    "time if it were to be reached, and of the Keras script the same: it is oneDNN's convolutions on both sides. Of "
    "`dcgan-smooth` convolutions as well, at batches of 8: products take the place of the largest, and what is left "
    "beside them is a quarter of the step. Of `mlp` that its step is small: about half of it are products of 64 rows, "
    "which a second thread shortens by little, and in which the plain loop loses nothing, since MKL is nearly as fast "
    "as oneDNN on this processor; the rest is Adam, which reads and writes two million weights and their moments for "
    "64 images, and the cost of calling some hundred small operations. Tried, and of no or little use there: MKL or "
    "oneDNN for the products (see the table of paths), their operands in another order or copied to lie by rows, "
    "products outside of autograd's own functions (about 2%), Adam without what torch asks at each of its calls (1 to "
    "3%), all weights in one buffer, huge pages, torch.compile."
)


def kinds(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The operators of a step by kind."""
    found = {kind: {"kind": kind, "calls": 0, "milliseconds": 0.0} for kind in (*KINDS, "everything else")}
    for row in rows:
        kind = next((k for k, parts in KINDS.items() if any(p in row["operator"] for p in parts)), "everything else")
        found[kind]["calls"] += row["calls"]
        found[kind]["milliseconds"] += row["milliseconds"]
    return list(found.values())


def split(found: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Where the time of a step goes in the recipes that miss their goals, by kind."""
    if not found:
        return []
    lines = ["", "Where the time of a step goes there, in ms under torch's profiler (calls in brackets):", ""]
    names = [row["kind"] for row in next(iter(found.values()))]
    lines += [f"| recipe | {' | '.join(names)} |", "|---|" + "---|" * len(names)]
    for name, rows in found.items():
        cells = [f"{row['milliseconds']:.1f} ({row['calls']})" for row in rows]
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return lines


def operators(rows: list[dict[str, Any]]) -> list[str]:
    if not rows:
        return []
    whole = sum(row["milliseconds"] for row in rows) / sum(row["share"] for row in rows)
    lines = ["", f"Where the time of a step of `dcgan-lite` goes, {whole:,.0f} ms under torch's profiler:", ""]
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
    lines = ["", "### What a user waits for", "", f"Medians of {ROUNDS} (fastest and slowest), and the most memory; "]
    lines[-1] += "`bench` once. Where no data are named they are the digits that come with zerosum."
    lines += ["", "| command | seconds | MiB |", "|---|---|---|"]
    for row in rows:
        seconds = row["seconds"]
        spread = f" ({min(seconds):.1f}-{max(seconds):.1f})" if len(seconds) > 1 else ""
        memory = "" if row["memory"] is None else f"{row['memory']:,.0f}"
        lines.append(f"| {row['name']} | {statistics.median(seconds):.1f}{spread} | {memory} |")
    return lines


if __name__ == "__main__":
    main()
