"""What is each of the paths worth that zerosum takes instead of torch's own? docs/benchmarks.md's section on them.

    python benchmarks/paths.py                  every path that is not there yet
    python benchmarks/paths.py products         this one anew

Two trainings of one recipe take turns in processes of their own, seven each, with a warm-up that is not counted: one as
it is, the other with that path alone switched off. A path that no longer helps shows a ratio of 1 or less. Run it on a
machine that does nothing else. MNIST and the real sets of costs.py are read from ZEROSUM_DATA.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional as F

import costs
from results import machine
from sections import kept, said, write_section
from zerosum import recipes
from zerosum.bench.contestants import answer
from zerosum.bench.race import race_of
from zerosum.engine import engine, training
from zerosum.engine.engine import cores
from zerosum.networks import dcgan_k2
from zerosum.networks.layers import columns, convolution, dropout, instance, keras, product

ROUNDS, SECONDS = 7, 4.0


@dataclass(frozen=True)
class Path:
    """A path, in words; the recipe that shows it; and what switches it off before anything is built."""

    says: str
    recipe: str
    off: Callable[[], None]


def replace(where: Any, name: str, value: Any) -> Callable[[], None]:
    return lambda: setattr(where, name, value)


def torchs_dropout(self: dropout.Dropout, input: torch.Tensor) -> torch.Tensor:
    return F.dropout(input, self.p, training=True)


PATHS = {
    "memory": Path("freed memory kept", "dcgan-lite", replace(engine, "keep_memory", lambda: False)),
    "products": Path("linear layers by oneDNN", "mlp", replace(product, "AVAILABLE", False)),
    "folds": Path("few channels as a product and a fold", "dcgan-lite", replace(convolution, "_pays", lambda x: False)),
    "columns": Path("many kernels, few places, as products", "pix2pix", replace(columns, "MANY", 2**62)),
    "adam": Path("kernels handed to Adam as they lie", "pix2pix", replace(training, "Adam", torch.optim.Adam)),
    "dropout": Path("dropout of 16 bits", "dcgan-lite", replace(dropout.Dropout, "dropped", torchs_dropout)),
    "toeplitz": Path(
        "a 28x28 kernel as products", "dcgan-k2", replace(dcgan_k2.WideConv, "forward", keras.SameConv.forward)
    ),
    "adam, batches of 8": Path(
        "kernels handed to Adam as they lie", "dcgan-smooth", replace(training, "Adam", torch.optim.Adam)
    ),
    "instance, one image": Path(
        "instance norm's gradient", "cyclegan", replace(instance, "takes_own_path", lambda x: False)
    ),
    "instance": Path("instance norm's gradient", "stargan", replace(instance, "takes_own_path", lambda x: False)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", help=", ".join(PATHS))
    parser.add_argument("--play", choices=("on", "off"), help=argparse.SUPPRESS)  # a process of one contestant
    parser.add_argument("--threads", type=int, default=cores())
    told = parser.parse_args()
    if unknown := sorted(set(told.paths) - set(PATHS)):
        parser.error(f"no path {', '.join(unknown)}")
    if told.play:
        play(PATHS[told.paths[0]], told.play == "on", told.threads)
        return
    about = kept("paths", {"machine": machine(), "torch": torch.__version__, "threads": told.threads}, "rows")
    for name in told.paths or [name for name in PATHS if name not in about["rows"]]:
        command = [sys.executable, __file__, name, "--threads", str(told.threads), "--play"]
        commands = {kind: [*command, kind] for kind in ("on", "off")}
        results = race_of(commands, rounds=ROUNDS, seconds=SECONDS, threads=told.threads)
        about["rows"][name] = {kind: result.rates for kind, result in results.items()}
        about["rows"][name]["recipe"] = PATHS[name].recipe
        about["rows"][name]["times"] = results["on"].median / results["off"].median
        print(name, round(about["rows"][name]["times"], 3), flush=True)
        write_section("paths", about, section(about))
    write_section("paths", about, section(about))


def play(path: Path, on: bool, threads: int) -> None:
    """Take part with the path, or without."""
    torch.set_num_threads(threads)
    if not on:
        path.off()
    answer(Steps(path.recipe), path.recipe)


class Steps:
    """A recipe's training at its own width, period by period."""

    def __init__(self, name: str) -> None:
        told = costs.full(name) if name in costs.TASKS else recipes.recipe(name)
        self.training = costs.begun(told)
        self.period = costs.period_of(self.training)
        self.batch = float(told.batch * self.period)

    def step(self) -> None:
        for _ in range(self.period):
            self.training.take_step(observe=False)


def section(about: dict[str, Any]) -> list[str]:
    """The section of docs/benchmarks.md."""
    lines = [
        "## What each path is worth",
        "",
        f"`python benchmarks/paths.py` on {about['machine']}, torch {about['torch']}, {about['threads']} threads: "
        f"images a second of a recipe as it is, and with one of zerosum's own paths alone switched off; medians of "
        f"{ROUNDS} turns of about {SECONDS:g} seconds (slowest and fastest turn), in processes of their own.",
        "",
        "| path | recipe | with it | without | times as fast |",
        "|---|---|---|---|---|",
    ]
    for name, path in PATHS.items():
        if name in about["rows"]:
            row = about["rows"][name]
            lines.append(
                f"| {path.says} | `{row['recipe']}` | {said(row['on'])} | {said(row['off'])} | {row['times']:.2f} |"
            )
    return lines


if __name__ == "__main__":
    main()
