"""What the scripts of PyTorch-GAN draw after 2, 10 and 30 minutes on this machine, judged by the same `zerosum eval`.

    git clone https://github.com/eriklindernoren/PyTorch-GAN
    python benchmarks/peers.py PyTorch-GAN                    dcgan and wgan_gp, what is not there yet
    python benchmarks/peers.py PyTorch-GAN dcgan --threads 2

A script runs as it is, in a process of its own, with its own settings; torchvision's loader, its transforms and
`save_image` are stood in for by a few lines here, so that none of its downloads is needed. A timer interrupts it at
each length for 10,000 samples of its generator, and that time is not counted. `dcgan.py` makes 32 pixels, which are
resized to MNIST's 28. MNIST is read from ZEROSUM_DATA. Results are kept in docs/benchmarks/peers.json.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
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
KEPT = FOLDER / "peers.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clone", type=Path)
    parser.add_argument("scripts", nargs="*", default=[])
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)  # the process of one script
    told = parser.parse_args()
    if told.into is not None:
        torch.set_num_threads(told.threads)
        play(told.clone, told.scripts[0], told.into)
        return
    about = json.loads(KEPT.read_text()) if KEPT.exists() else {"peers": {}}
    for name in told.scripts or SCRIPTS:
        if name not in about["peers"] or told.scripts:
            print(name, flush=True)
            about["peers"][name] = measure(told.clone, name, told.threads)
            about |= {"machine": machine(), "threads": told.threads, "torch": torch.__version__}
            FOLDER.mkdir(parents=True, exist_ok=True)
            KEPT.write_text(json.dumps(about, indent=1) + "\n")


def measure(clone: Path, name: str, threads: int) -> list[dict[str, Any]]:
    """Run the script to its last mark, then judge what it drew at each."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, str(clone.resolve()), name, "--threads", str(threads), "--into", folder]
        subprocess.run(command, check=True, env=environment(threads), stdout=subprocess.DEVNULL)
        found = []
        for minutes in MINUTES:
            drawn = Path(folder) / f"{minutes}.npz"
            judge = [sys.executable, "-m", "zerosum", "eval", str(drawn), "--against", "mnist"]
            judge += ["--metric", "fid", "--json"]
            told = json.loads(subprocess.run(judge, check=True, stdout=subprocess.PIPE, text=True).stdout)
            fid = next(figure["value"] for figure in told["figures"] if figure["name"] == "fid")
            found.append({"minutes": minutes, "fid": round(fid, 4), "batches": int(np.load(drawn)["batches"])})
    return found


def play(clone: Path, name: str, folder: Path) -> None:
    """Execute the script under a timer that draws at each mark and ends it at the last."""
    stand_in()
    script = clone / "implementations" / name / f"{name}.py"
    names: dict[str, Any] = {"__name__": "__main__", "__file__": str(script)}
    marks = list(MINUTES)
    aside = 0.0

    def due(*told: object) -> None:
        nonlocal aside
        began = time.monotonic()
        minutes = marks.pop(0)
        batches = names["epoch"] * len(names["dataloader"]) + names["i"]
        np.savez(folder / f"{minutes}.npz", images=samples(names["generator"], names["opt"]), batches=batches)
        aside += time.monotonic() - began
        if not marks:
            raise SystemExit
        signal.setitimer(signal.ITIMER_REAL, 60 * marks[0] - (time.monotonic() - start - aside))

    signal.signal(signal.SIGALRM, due)
    sys.argv = [str(script)]
    with tempfile.TemporaryDirectory() as elsewhere:
        os.makedirs(f"{elsewhere}/a/b")
        os.chdir(f"{elsewhere}/a/b")  # it writes to ../../data and to images
        start = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, 60 * marks[0])
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
