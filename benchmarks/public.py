"""Steps of public implementations beside ours, in one race: docs/benchmarks.md's section on these.

    git clone https://github.com/eriklindernoren/PyTorch-GAN
    git clone https://github.com/kwotsin/mimicry
    python benchmarks/public.py --pytorch-gan PyTorch-GAN --mimicry mimicry            every race that is not there yet
    python benchmarks/public.py --pytorch-gan PyTorch-GAN --mimicry mimicry acgan      these anew

Run it on a machine that does nothing else. A script of PyTorch-GAN runs as it is, with its own networks, updates and
prints; its loader, which the machine's disk and torchvision would slow down, is stood in for by images in memory, and
torchvision's `save_image` by nothing. Of mimicry it is its SNGAN's own `train_step` of both networks. Ours is a
training with its logs, on the same images at the same size and batch. Processes take turns, as in benchmarks/speed.py.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import tempfile
import time
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import peers
import tasks
from results import machine
from sections import by_round, kept, said, write_section
from zerosum import recipes
from zerosum.api.assemble import settle
from zerosum.bench.contestants import Ours, answer
from zerosum.bench.race import race_of
from zerosum.data import Dataset, open_dataset

ROUNDS, SECONDS = 7, 8.0


@dataclass(frozen=True)
class Race:
    """A recipe with its settings, and the script beside it with its own."""

    name: str
    peer: str
    data: str
    ours: dict[str, Any]
    theirs: tuple[str, ...] = ()
    says: str = ""  # what differs
    goal: float | None = None


RACES = (
    Race(
        "sngan",
        "mimicry's SNGAN",
        "digits",
        {"size": 32, "channels": 3, "batch": 16},
        says="the same networks, loss and five turns of D, ours with MNIST's ten classes, theirs without",
    ),
    Race(
        "acgan",
        "PyTorch-GAN's `acgan.py`",
        "digits",
        {"size": 32, "batch": 64},
        says="ours has the paper's networks, theirs are smaller ones",
    ),
    Race(
        "cyclegan",
        "PyTorch-GAN's `cyclegan.py`",
        tasks.FLOWERS,
        {"size": 128, "blocks": 6},
        ("--img_height", "128", "--img_width", "128", "--n_residual_blocks", "6"),
        "theirs enlarges by nearest neighbours and a convolution, ours by the paper's transposed ones",
        goal=1.2,
    ),
    Race(
        "pix2pix",
        "PyTorch-GAN's `pix2pix.py`",
        tasks.STREETS,
        {"size": 256},
        says="theirs has a last layer of its own, and norms that learn nothing",
        goal=1.2,
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("races", nargs="*", help=", ".join(race.name for race in RACES))
    parser.add_argument("--pytorch-gan", type=Path, required=True)
    parser.add_argument("--mimicry", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--play", choices=("ours", "theirs"), help=argparse.SUPPRESS)  # a process of one contestant
    told = parser.parse_args()
    wanted = [race for race in RACES if not told.races or race.name in told.races]
    if told.play:
        torch.set_num_threads(told.threads)
        play_ours(wanted[0]) if told.play == "ours" else play_theirs(wanted[0], told)
        return
    about = kept("public", {"machine": machine(), "torch": torch.__version__, "threads": told.threads}, "races")
    for race in wanted:
        if race.name not in about["races"] or told.races:
            print(race.name, flush=True)
            about["races"][race.name] = run(race, told)
            write_section("public", about, section(about))
    write_section("public", about, section(about))


def run(race: Race, told: argparse.Namespace) -> dict[str, Any]:
    """Images a second of both in every round, and the parameters of their networks."""
    here = ["--pytorch-gan", str(told.pytorch_gan.resolve()), "--mimicry", str(told.mimicry.resolve())]
    command = [sys.executable, __file__, race.name, *here, "--threads", str(told.threads), "--play"]
    commands = {kind: [*command, kind] for kind in ("ours", "theirs")}
    results = race_of(commands, rounds=ROUNDS, seconds=SECONDS, threads=told.threads)
    return {
        kind: {"batch": result.batch, "parameters": int(result.about), "rates": [round(x, 4) for x in result.rates]}
        for kind, result in results.items()
    }


def task(race: Race) -> tuple[recipes.Recipe, Dataset]:
    """Our recipe with the race's settings, and the images."""
    told = recipes.recipe(race.name).override({"data": os.path.expandvars(race.data), **race.ours})
    data = open_dataset(told.data or "", size=told.size, sizes=told.sizes, channels=told.channels)
    return settle(told, data), data


def play_ours(race: Race) -> None:
    ours = Ours(*task(race))
    answer(ours, str(sum(value.numel() for weights in ours.training.game.weights.values() for value in weights)))


def play_theirs(race: Race, told: argparse.Namespace) -> None:
    if race.name == "sngan":
        loop = Mimicry(race, told.mimicry)
        answer(loop, str(parameters([loop.G, loop.D])))
    else:
        play_script(race, told.pytorch_gan)


class Mimicry:
    """The loop of mimicry's trainer around its SNGAN's own steps."""

    def __init__(self, race: Race, clone: Path) -> None:
        for name in ("torch_mimicry", "torch_mimicry.nets"):  # without what their __init__ asks for
            module = types.ModuleType(name)
            module.__path__ = [str(clone / name.replace(".", "/"))]
            sys.modules[name] = module
        sngan = importlib.import_module("torch_mimicry.nets.sngan.sngan_32")
        told, data = task(race)
        self.G, self.D = sngan.SNGANGenerator32(), sngan.SNGANDiscriminator32()
        self.optimizers = [torch.optim.Adam(net.parameters(), 2e-4, (0.0, 0.9)) for net in (self.D, self.G)]
        self.batches, self.batch = batches(data, told.batch), float(told.batch)
        self.log = types.SimpleNamespace(add_metric=lambda *told, **more: None)

    def step(self) -> None:
        common = {"log_data": self.log, "device": torch.device("cpu")}
        for _ in range(5):
            batch = next(self.batches)
            self.D.train_step(real_batch=batch, netG=self.G, optD=self.optimizers[0], **common)
        self.G.train_step(real_batch=batch, netD=self.D, optG=self.optimizers[1], **common)


def play_script(race: Race, clone: Path) -> None:
    """Execute the script; it gets its batches when standard input asks for steps."""
    told, data = task(race)
    script = clone / "implementations" / race.name / f"{race.name}.py"
    names: dict[str, Any] = {"__name__": "__main__", "__file__": str(script)}
    out, feed = sys.stdout, batches(data, told.batch)

    class Loader:
        """Images in memory; the first one made is asked for what is trained on."""

        made = 0

        def __init__(self, *told: Any, **more: Any) -> None:
            Loader.made += 1
            self.trains = Loader.made == 1

        def __len__(self) -> int:
            return len(data.train)

        def __iter__(self) -> Iterator[Any]:
            if not self.trains:
                yield next(feed)
                return
            out.write(f"{told.batch} {parameters([x for x in names.values() if isinstance(x, nn.Module)])}\n")
            out.flush()
            for line in sys.stdin:
                began = time.perf_counter()
                for _ in range(int(line)):
                    yield next(feed)
                out.write(f"{time.perf_counter() - began!r}\n")
                out.flush()
            raise SystemExit

    peers.stand_in()
    vars(sys.modules["torchvision.utils"])["make_grid"] = lambda x, **more: x[0]
    for name in ("Resize", "RandomCrop", "RandomHorizontalFlip"):  # of a loader that is not used
        vars(sys.modules["torchvision.transforms"])[name] = lambda *told: None
    torch.utils.data.DataLoader = Loader  # type: ignore[assignment,misc]
    sys.path.insert(0, str(script.parent))
    sys.argv = [str(script), "--batch_size", str(told.batch), "--sample_interval", "1000000", *race.theirs]
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # it prints its losses
    with tempfile.TemporaryDirectory() as elsewhere:
        os.makedirs(f"{elsewhere}/a/b")
        os.chdir(f"{elsewhere}/a/b")
        exec(compile(script.read_text(), str(script), "exec"), names)


def parameters(networks: list[nn.Module]) -> int:
    return sum(value.numel() for network in networks for value in network.parameters())


def batches(data: Dataset, batch: int) -> Iterator[Any]:
    """Images by chance in [-1, 1], as the scripts have them: with labels, or A and B."""
    chance, split = np.random.default_rng(0), data.train

    def taken(samples: Any, rows: Any) -> Tensor:
        images = torch.from_numpy(samples[np.sort(rows)].transpose(0, 3, 1, 2))
        return torch.empty(images.shape).copy_(images).div_(127.5).sub_(1)  # planes, as torchvision makes them

    while True:
        rows = chance.integers(len(split), size=batch)
        if split.partners is not None:
            yield {"A": taken(split.partners, rows), "B": taken(split.samples, rows)}
        elif data.classes == ("A", "B"):
            sides = {name: np.flatnonzero(split.labels == side) for side, name in enumerate("AB")}
            yield {name: taken(split.samples, chance.choice(rows, batch)) for name, rows in sides.items()}
        else:
            assert split.labels is not None
            yield taken(split.samples, rows), torch.from_numpy(split.labels[np.sort(rows)])


def section(about: dict[str, Any]) -> list[str]:
    lines = [
        "## Beside public implementations",
        "",
        f"`python benchmarks/public.py` on {about['machine']}, torch {about['torch']}, {about['threads']} threads: "
        f"images a second, medians of {ROUNDS} turns of about {SECONDS:g} seconds (slowest and fastest turn), in turns "
        "and in processes of their own, warm-up excluded; the same images in memory, size and batch for both. "
        "Parameters are those of all networks together.",
        "",
        "| recipe | pixels, batch | images/s | parameters | beside it | images/s | parameters "
        "| times as fast (by round) | goal |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for race in RACES:
        if (found := about["races"].get(race.name)) is not None:
            ours, theirs = found["ours"], found["theirs"]
            times = np.median(ours["rates"]) / np.median(theirs["rates"])
            lines.append(
                f"| `{race.name}` | {race.ours['size']}, {ours['batch']:g} | {said(ours['rates'])} | "
                f"{millions(ours)} | {race.peer} | {said(theirs['rates'])} | {millions(theirs)} | {times:.2f} "
                f"{by_round(ours['rates'], theirs['rates'])} | {race.goal or ''} |"
            )
    lines += ["", "What differs: " + "; ".join(f"`{race.name}`, {race.says}" for race in RACES) + "."]
    return lines


def millions(result: dict[str, Any]) -> str:
    return f"{result['parameters'] / 1e6:.1f} M"


if __name__ == "__main__":
    main()
