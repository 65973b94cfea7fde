"""How far is `quick` ahead of the first sketch of it, after two minutes each?

    python benchmarks/sketch.py --speeds    how many images the sketch makes for one of quick's, on two quiet cores
    python benchmarks/sketch.py             train it for as many images as two minutes make, judge it, write the section

The sketch: G one layer to 7x7x32, then two 3x3 convolutions with pixel shuffle and batch norm; D as quick's; the same
loss with penalties of 0.1 every 8th step, batch 128, Adam at 1e-3 (0, 0.99), an average of 0.995, and no classes. Its
row stands in the table of benchmarks/time_to_quality.py, whose speed of quick its own is a multiple of. MNIST is read
from ZEROSUM_DATA; what was found is kept in docs/benchmarks/sketch.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from typing import Any

import torch
from torch import Tensor, nn

import time_to_quality
from results import machine
from sections import FOLDER
from zerosum import evaluate, train
from zerosum.api.assemble import assemble, settle
from zerosum.api.starting import choose
from zerosum.data import open_dataset
from zerosum.engine.engine import Engine
from zerosum.engine.plan import Plan
from zerosum.engine.training import Training
from zerosum.networks import NETWORKS
from zerosum.networks.layers.domains import output_activation
from zerosum.networks.layers.shapes import to_maps
from zerosum.types import Domain

KEPT = FOLDER / "sketch.json"
MINUTES, TURNS, SECONDS, THREADS = 2, 7, 4.0, 2
SETTINGS: dict[str, Any] = {
    "G.network": "sketch-generator",
    "batch": 128,
    "lr": 1e-3,
    "penalty_every": 8,
    "schedule": "constant",
    "lr_images": None,
    "classes": "ignored",
}


@NETWORKS.register("sketch-generator")
class SketchGenerator(nn.Module):
    """z (N, z_dim) -> (N, 1, 28, 28)."""

    def __init__(self, domain: Domain, *, z_dim: int = 64, width: int = 32) -> None:
        super().__init__()
        self.z_dim, self.shape = z_dim, (width, 7, 7)
        self.start = nn.Linear(z_dim, width * 49)
        self.layers = nn.Sequential(
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, 4 * width, 3, padding=1),
            nn.PixelShuffle(2),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, 4 * domain.channels, 3, padding=1),
            nn.PixelShuffle(2),
            output_activation(domain),
        )

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        images: Tensor = self.layers(to_maps(self.start(z), self.shape))
        return images


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speeds", action="store_true")
    told = parser.parse_args()
    about = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    if told.speeds:
        about |= {"machine": machine(), "threads": THREADS, **speeds()}
    else:
        about |= judged(about["times_quick"])
    print(about, flush=True)
    KEPT.write_text(json.dumps(about, indent=1) + "\n")
    time_to_quality.write()


def speeds() -> dict[str, Any]:
    """Images a second of both in turns, and how many times as fast the sketch is."""
    torch.set_num_threads(THREADS)
    both = {"quick": begun({}), "sketch": begun(SETTINGS)}
    rates: dict[str, list[float]] = {name: [] for name in both}
    for turn in range(TURNS + 1):
        for name, training in both.items():
            began, images = time.perf_counter(), training.images
            while time.perf_counter() - began < SECONDS:
                training.take_step(observe=False)
            if turn:  # the first is a warm-up
                rates[name].append((training.images - images) / (time.perf_counter() - began))
    sketch, quick = (statistics.median(rates[name]) for name in ("sketch", "quick"))
    return {"rates": rates, "times_quick": sketch / quick}


def begun(settings: dict[str, Any]) -> Training:
    data = open_dataset("mnist")
    told = settle(choose("quick", settings), data)
    return assemble(told, data, Engine("cpu"), Plan.of(told, len(data.train)))


def judged(times_quick: float) -> dict[str, Any]:
    """Train it for the images that two minutes make, by quick's speed, and judge it."""
    quick = json.loads(time_to_quality.SPEEDS.read_text())["speeds"]["quick"]
    steps = round(60 * MINUTES * quick * times_quick / SETTINGS["batch"])
    with tempfile.TemporaryDirectory() as folder:
        run = train("quick", "mnist", steps=steps, settings=SETTINGS, out=f"{folder}/run")
        told = evaluate(run.path, n=time_to_quality.SAMPLES, metrics=("fid",))
        fid = next(figure.value for figure in told.figures if figure.name == "fid")
    return {"minutes": MINUTES, "images": steps * SETTINGS["batch"], "fid": round(fid, 4)}


if __name__ == "__main__":
    main()
