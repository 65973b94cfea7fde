"""What a step of each recipe costs at its own width: docs/benchmarks.md's section on costs.

    python benchmarks/costs.py             every row that is not there yet
    python benchmarks/costs.py sngan       these rows anew

Run it on a machine that does nothing else. A row is a process of its own: steps of the recipe on MNIST, at 32 pixels
where the recipe can, networks that grow at their full size, in turns with the same steps on torch's own paths (no
folds, no maps of our own when a convolution is differentiated twice); the passes alone that the networks make in such
a step, without gradients; and the most memory that the process held before it took torch's paths.
Recipes that need other data than MNIST have the tasks of benchmarks/translation.py, most of them at 64 pixels. Those
that learn in stages are measured in the last one; age-cgan in its first, since its last trains the encoder alone.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch import nn

import tasks
from results import machine
from sections import kept, said, write_section
from zerosum import recipes
from zerosum.api.assemble import assemble, find_data, settle
from zerosum.bench.race import environment
from zerosum.engine.engine import Device, Engine, Precision
from zerosum.engine.plan import Plan
from zerosum.engine.training import Training
from zerosum.networks.layers.paths import as_torch_does
from zerosum.spec import Recipe

TURNS, SECONDS = 3, 2.0
MNIST = 28  # pixels of recipes that take data as they are
HEAVY, FEW = 10_000_000, 4  # a recipe of more parameters is measured at this batch,
LONGEST = 4  # unless a step of its own batch takes no more seconds
PATIENT = 150  # seconds of a step within which its memory is measured at the recipe's own batch, too
TASKS = {  # data and pixels of the recipes that MNIST is nothing for
    "age-cgan": ("domains:thickness", 32),
    "cyclegan": (tasks.FLOWERS, 64),
    "discogan": (tasks.FLOWERS, 64),
    "pg2": ("poses:bent", 32),
    "pix2pix": (tasks.STREETS, 64),
    "pix2pixhd": (tasks.STREETS, 256),
    "srgan": (f"upscale:folder:{tasks.FACES}", 64),
    "stackgan": ("captions:mnist", 64),
    "stargan": ("domains:colours", 64),
    "tp-gan": ("profiles:turned", 64),
}
LATE = ("pg2", "srgan", "stackgan")  # whose last stage is measured, in which all that they train plays


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", help="recipes")
    parser.add_argument("--row", help=argparse.SUPPRESS)  # a process of this script for one row
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    told = parser.parse_args()
    if told.row:
        print(json.dumps(measure(told.row, told.threads)))
        return
    about = kept("costs", {"machine": machine(), "torch": torch.__version__, "threads": told.threads}, "rows")
    for name in told.rows or [name for name in recipes.names() if measured(name)]:
        if "passes" not in about["rows"].get(name, {}) or told.rows:
            print(name, flush=True)
            command = [sys.executable, __file__, "--threads", str(told.threads), "--row", name]
            done = subprocess.run(command, check=True, env=environment(told.threads), stdout=subprocess.PIPE, text=True)
            about["rows"][name] = json.loads(done.stdout)
            write_section("costs", about, section(about))
    write_section("costs", about, section(about))


def measured(name: str) -> bool:
    """Whether it makes images."""
    return recipes.recipe(name).kind != "points"


def measure(name: str, threads: int) -> dict[str, Any]:
    """Steps and passes a second of each turn, ours and torch's, all networks' parameters, and the memory in MiB."""
    torch.set_num_threads(threads)
    told = whole = full(name)
    training = begun(told)
    count = sum(value.numel() for weights in training.game.weights.values() for value in weights)
    if count > HEAVY and told.batch > FEW:
        training = begun(told.override({"batch": FEW}))
        rate = FEW * speed(lambda: training.take_step(observe=False), SECONDS)
        if told.batch > LONGEST * rate:
            told = told.override({"batch": FEW})
        else:
            training = begun(told)
    period = period_of(training)
    turns: dict[str, list[float]] = {"ours": [], "torch": []}
    passes: dict[str, list[float]] = {"ours": [], "torch": []}
    speed(lambda: training.take_step(observe=False), SECONDS, period)  # a warm-up, after which no more is held
    memory, again = held(), passes_of(training)
    for turn in range(TURNS + 1):
        for kind, way in (("ours", nullcontext), ("torch", as_torch_does)):
            with way():
                rate = told.batch * speed(lambda: training.take_step(observe=False), SECONDS, period)
                passed = told.batch * speed(again, SECONDS / 4)
            if turn:  # the first is a warm-up
                turns[kind].append(rate)
                passes[kind].append(passed)
    found = {"turns": turns, "passes": passes, "memory": round(memory)}
    if told.batch < whole.batch < PATIENT * statistics.median(turns["ours"]):
        del training, again
        at_once = {key: 1 for key in ("penalty_every", "path_every") if hasattr(whole.game, key)}
        begun(whole.override(at_once)).take_step(observe=False)
        found["whole"] = [whole.batch, round(held())]
    return {"size": told.size, "batch": told.batch, "parameters": count, **found}


def held() -> float:
    """The most MiB that the process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def full(name: str) -> Recipe:
    """The recipe at its own width, with the data that it wants, and all that grows or joins it there."""
    told = recipes.recipe(name)
    source, size = TASKS.get(name, ("mnist", 32 if 32 in told.sizes else told.size or (told.sizes or (28,))[0]))
    changes: dict[str, Any] = {"size": size, "data": tasks.source(source)}
    if told.game.kind == "growing":
        changes |= {"growth": 99.0, "stages": [], "steps": 100_000}
    if name in LATE:
        changes |= {"stages": [], "steps": 100_000} | {
            key: value for stage in told.stages for key, value in stage.changes.items()
        }
    return told.override({key: value for key, value in changes.items() if key != "size" or told.kind == "images"})


def period_of(training: Training) -> int:
    """Rounds after which every kind of round was played as often as it comes."""
    rules = training.game.rules
    return math.lcm(*(int(getattr(rules, key, 1)) for key in ("penalty_every", "path_every", "d_every")))


def passes_of(training: Training) -> Callable[[], None]:
    """What does the passes again that the networks made in a step, as they draw and judge outside training."""
    calls: list[tuple[nn.Module, Any, Any]] = []
    inside = 0

    def enters(module: nn.Module, args: Any, more: Any) -> None:
        nonlocal inside
        if not inside:
            calls.append((module, args, more))
        inside += 1

    def leaves(module: nn.Module, args: Any, made: Any) -> None:
        nonlocal inside
        inside -= 1

    parts = [part for network in training.game.networks.values() for part in network.modules()]
    hooks = [part.register_forward_pre_hook(enters, with_kwargs=True) for part in parts]
    hooks += [part.register_forward_hook(leaves) for part in parts]
    training.take_step(observe=False)
    for hook in hooks:
        hook.remove()

    @torch.no_grad()
    def again() -> None:
        for network in training.game.networks.values():
            network.eval()
        for module, args, more in calls:
            module(*args, **more)
        for network in training.game.networks.values():
            network.train()

    return again


def begun(told: Recipe, device: Device = "cpu", precision: Precision = "32-true") -> Training:
    data = find_data(told, None)
    told = settle(told, data)
    return assemble(told, data, Engine(device, precision), Plan.of(told, len(data.train)))


def speed(work: Callable[[], object], seconds: float, period: int = 1) -> float:
    """How often a second something is done, over some seconds, by whole periods."""
    times, start = 0, time.perf_counter()
    while not times or time.perf_counter() - start < seconds:
        for _ in range(period):
            work()
        times += period
    return times / (time.perf_counter() - start)


def section(about: dict[str, Any]) -> list[str]:
    lines = [
        "## What each recipe costs",
        "",
        f"`python benchmarks/costs.py` on {about['machine']}, torch {about['torch']}, {about['threads']} threads: a "
        "step of each recipe at its own width, images a second (slowest and fastest turn), and how many times as fast "
        "that is as the same step on torch's own paths (networks and loss as they are, without this project's layers; "
        "not the tutorials' loop of the first table); beside it how many times as fast the passes of its networks are "
        "without gradients, and the most memory before torch's paths were taken. On MNIST where "
        "the recipe can, else on pairs, sets or captions; "
        "networks that grow at their full size. An image is one of a batch of G's: where D has five turns for one of G "
        f"(`wgan`, `wgan-gp`, `sngan`) it costs as many of D's. Recipes of more than {HEAVY // 10**6} million "
        f"parameters, of all networks together, are measured at a batch of {FEW} where a step of their own took more "
        f"than {LONGEST} seconds; their memory at their own batch is beside that where it took less than {PATIENT}.",
        "",
        "| recipe | pixels | batch | parameters | images/s | times torch's paths | passes, times torch's | MiB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, row in sorted(about["rows"].items()):
        times, passed = (
            f"{statistics.median(row[kind]['ours']) / statistics.median(row[kind]['torch']):.2f}" if kind in row else ""
            for kind in ("turns", "passes")
        )
        lines.append(
            f"| `{name}` | {row['size'] or MNIST} | {row['batch']} | {row['parameters'] / 1e6:.1f} M | "
            f"{said(row['turns']['ours'])} | {times} | {passed} | {row['memory']:,}"
            + (" ({1:,} at {0})".format(*row["whole"]) if "whole" in row else "")
            + " |"
        )
    behind = [
        f"`{name}`"
        for name, row in sorted(about["rows"].items())
        if max(row["turns"]["ours"]) < min(row["turns"]["torch"])
    ]
    if behind:
        lines += ["", f"Slower than torch's paths in every turn: {', '.join(behind)}."]
    return lines


if __name__ == "__main__":
    main()
