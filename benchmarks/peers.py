"""What the scripts of PyTorch-GAN draw after 2, 10 and 30 minutes on this machine, judged by the same `zerosum eval`.

    git clone https://github.com/eriklindernoren/PyTorch-GAN
    python benchmarks/peers.py PyTorch-GAN --speeds     rounds a second of dcgan and wgan_gp, on two quiet cores
    python benchmarks/peers.py PyTorch-GAN              after as many rounds as the minutes make: what is not there yet
    python benchmarks/peers.py PyTorch-GAN dcgan

A script runs as it is, in a process of its own, with its own settings; torchvision's loader, its transforms and
`save_image` are stood in for by a few lines here, so that none of its downloads is needed. It prints a line for each
turn of its G, a round: by them it is interrupted at each length for 10,000 samples of its generator, so that it may
take its time beside other work. `dcgan.py` makes 32 pixels, which are resized to MNIST's 28. MNIST is read from
ZEROSUM_DATA. Results are kept in docs/benchmarks/peers.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from results import machine
from sections import FOLDER
from zerosum.bench.race import environment
from zerosum.data import open_dataset
from zerosum.data.transforms import fit

SCRIPTS = ("dcgan", "wgan_gp")
MINUTES = (2, 10, 30)
SAMPLES = 10_000
TWO = 2  # threads of the speeds
KEPT = FOLDER / "peers.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clone", type=Path)
    parser.add_argument("scripts", nargs="*", default=[])
    parser.add_argument("--speeds", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)  # the process of one script
    parser.add_argument("--marks", type=int, nargs="*", help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.into is not None:
        torch.set_num_threads(told.threads)
        play(told.clone, told.scripts[0], told.into, told.marks)
        return
    about = json.loads(KEPT.read_text()) if KEPT.exists() else {"peers": {}, "speeds": {}}
    for name in told.scripts or SCRIPTS:
        if told.speeds:
            about["speeds"][name] = speed(told.clone, name)
            about |= {"machine": machine(), "threads": TWO, "torch": torch.__version__}
        elif name not in about["peers"] or told.scripts:
            about["peers"][name] = measure(told.clone, name, told.threads, about["speeds"][name])
        print(name, about["speeds"].get(name), about["peers"].get(name), flush=True)
        FOLDER.mkdir(parents=True, exist_ok=True)
        KEPT.write_text(json.dumps(about, indent=1) + "\n")


def start(clone: Path, name: str, threads: int, folder: str, marks: list[int]) -> list[str]:
    """The command of a process that plays the script to its last mark."""
    told = [sys.executable, __file__, str(clone.resolve()), name, "--threads", str(threads), "--into", folder]
    return [*told, "--marks", *map(str, marks)]


def speed(clone: Path, name: str) -> float:
    """Rounds a second over two minutes, from the first on."""
    with tempfile.TemporaryDirectory() as folder:
        command = start(clone, name, TWO, folder, [])
        playing = subprocess.Popen(command, env=environment(TWO), stdout=subprocess.PIPE, text=True)
        assert playing.stdout is not None
        playing.stdout.readline()
        began, rounds = time.monotonic(), 0
        while time.monotonic() - began < 120 and playing.stdout.readline():
            rounds += 1
        seconds = time.monotonic() - began
        playing.kill()
        playing.wait()
    return round(rounds / seconds, 3)


def measure(clone: Path, name: str, threads: int, rate: float) -> list[dict[str, Any]]:
    """Run the script to its last mark, then judge what it drew at each."""
    with tempfile.TemporaryDirectory() as folder:
        marks = {minutes: round(60 * minutes * rate) for minutes in MINUTES}
        command = start(clone, name, threads, folder, list(marks.values()))
        subprocess.run(command, check=True, env=environment(threads), stdout=subprocess.DEVNULL)
        found = []
        for minutes, rounds in marks.items():
            judge = [sys.executable, "-m", "zerosum", "eval", f"{folder}/{rounds}.npz", "--against", "mnist"]
            judge += ["--metric", "fid", "--json"]
            told = json.loads(subprocess.run(judge, check=True, stdout=subprocess.PIPE, text=True).stdout)
            fid = next(figure["value"] for figure in told["figures"] if figure["name"] == "fid")
            found.append({"minutes": minutes, "fid": round(fid, 4), "rounds": rounds})
    return found


def play(clone: Path, name: str, folder: Path, marks: list[int]) -> None:
    """Execute the script, which prints a line a round: draw at each mark and end at the last; without, never."""
    stand_in()
    script = clone / "implementations" / name / f"{name}.py"
    names: dict[str, Any] = {"__name__": "__main__", "__file__": str(script)}
    rounds = 0

    def counted(*told: object) -> None:
        nonlocal rounds
        if "dataloader" not in names:  # it begins with its settings
            return
        rounds += 1
        print(rounds, flush=True)
        if rounds in marks:
            np.savez(folder / f"{rounds}.npz", images=samples(names["generator"], names["opt"]))
            if rounds == max(marks):
                raise SystemExit

    names["print"] = counted
    sys.argv = [str(script), "--n_epochs", "100000"]
    with tempfile.TemporaryDirectory() as elsewhere:
        os.makedirs(f"{elsewhere}/a/b")
        os.chdir(f"{elsewhere}/a/b")  # it writes to ../../data and to images
        try:
            exec(compile(script.read_text(), str(script), "exec"), names)
        except SystemExit:
            return


@torch.no_grad()
def samples(G: torch.nn.Module, opt: Any) -> np.ndarray:
    """uint8 (N, 28, 28, 1), drawn in eval mode."""
    G.eval()
    torch.manual_seed(0)
    drawn = [G(torch.randn(500, opt.latent_dim)) for _ in range(SAMPLES // 500)]
    G.train()
    images = torch.cat(drawn).add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return np.ascontiguousarray(fit(images, 28, 1))


def stand_in() -> None:
    """What the scripts import of torchvision: MNIST, three transforms, and a `save_image` that saves nothing."""

    class MNIST(torch.utils.data.Dataset):  # type: ignore[type-arg]
        def __init__(self, root: str, *, train: bool, download: bool, transform: Any) -> None:
            self.split, self.transform = open_dataset("mnist").train, transform

        def __len__(self) -> int:
            return len(self.split)

        def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
            assert self.split.labels is not None
            image = Image.fromarray(np.asarray(self.split.samples[index, :, :, 0]))
            return self.transform(image), int(self.split.labels[index])

    def compose(parts: list[Any]) -> Any:
        def apply(image: Any) -> Any:
            for part in parts:
                image = part(image)
            return image

        return apply

    def resize(size: int) -> Any:
        return lambda image: image.resize((size, size), Image.Resampling.BILINEAR)

    def to_tensor() -> Any:
        return lambda image: torch.from_numpy(np.array(image)).unsqueeze(0).float().div(255)

    def normalize(mean: list[float], deviation: list[float]) -> Any:
        return lambda image: (image - mean[0]) / deviation[0]

    transforms = types.ModuleType("torchvision.transforms")
    vars(transforms).update(Compose=compose, Resize=resize, ToTensor=to_tensor, Normalize=normalize)
    datasets, utils = types.ModuleType("torchvision.datasets"), types.ModuleType("torchvision.utils")
    vars(datasets).update(MNIST=MNIST)
    vars(utils).update(save_image=lambda *told, **more: None)
    torchvision = types.ModuleType("torchvision")
    vars(torchvision).update(transforms=transforms, datasets=datasets, utils=utils)
    sys.modules |= {"torchvision": torchvision}
    sys.modules |= {f"torchvision.{name}": getattr(torchvision, name) for name in ("transforms", "datasets", "utils")}


if __name__ == "__main__":
    main()
