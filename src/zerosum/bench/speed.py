"""What is measured: training beside its peers, its share of the machine's best, and what a user waits for."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zerosum.bench import keras
from zerosum.bench.race import Result, environment, race
from zerosum.errors import ZerosumError

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Raced:
    """A recipe's race. Rates are images a second, but the convolution's: billions of operations a second."""

    recipe: str
    threads: int
    device: str
    results: dict[str, Result]
    operations: float | None  # billions that an image of training takes; None where no layer-by-layer count holds

    def times(self, peer: str) -> float | None:
        """How many times as fast as the peer zerosum is, by the two medians."""
        return None if peer not in self.results else self.results["zerosum"].median / self.results[peer].median

    @property
    def achieved(self) -> float | None:
        """Billions of operations a second."""
        return None if self.operations is None else self.operations * self.results["zerosum"].median

    @property
    def share(self) -> float | None:
        """Of the rate of the machine's best convolution in the same race."""
        best = self.results.get("convolution")
        return None if best is None or self.achieved is None else self.achieved / best.median

    def to_dict(self) -> dict[str, Any]:
        peers = {f"times_{kind}": self.times(kind) for kind in ("plain", "keras")}
        return {**asdict(self), **peers, "achieved": self.achieved, "share": self.share}


@dataclass(frozen=True, kw_only=True)
class Chore:
    """Something that a user waits for: a command, its seconds of wall time and its largest memory in MiB."""

    name: str
    seconds: float
    memory: float | None  # None where the system does not tell


def run_race(recipe: str, *, rounds: int, seconds: float, threads: int, device: str = "cpu") -> Raced:
    """zerosum against the plain loop; on a CPU also against what bounds it, and `dcgan-lite`'s Keras script."""
    kinds = ["zerosum", "plain", *(["arithmetic"] if device == "cpu" else [])]
    if recipe == "dcgan-lite" and device == "cpu":
        kinds += ["convolution", *(["keras"] if keras.installed() else [])]
    results = race(kinds, recipe, rounds=rounds, seconds=seconds, threads=threads, device=device)
    return Raced(recipe=recipe, threads=threads, device=device, results=results, operations=operations(recipe))


def operations(recipe: str) -> float | None:
    """Billions of floating-point operations for an image of training, counted in torch's own layers."""
    from torch.utils.flop_counter import FlopCounterMode

    from zerosum.api.assemble import assemble
    from zerosum.bench.contestants import task
    from zerosum.engine.engine import Engine
    from zerosum.engine.plan import Plan
    from zerosum.networks.dcgan_k2 import WideConv
    from zerosum.networks.layers.paths import as_torch_does

    told, data = task(recipe, 4)
    training = assemble(told, data, Engine("cpu"), Plan.of(told, len(data.train)))
    networks = training.game.networks.values()
    if any(isinstance(module, WideConv) for network in networks for module in network.modules()):
        return None  # it is played as a product, whose sums are others than those counted here
    with as_torch_does(), FlopCounterMode(display=False) as counter:
        for _ in range(training.game.period):
            training.take_step(observe=False)
    return float(counter.get_total_flops()) / 1e9 / training.images


def operators(recipe: str, threads: int, most: int = 15, steps: int = 5) -> list[dict[str, Any]]:
    """Where the time of a step goes: the operators that take most of it, each with its shapes and its share.

    The mean of some steps; the last row, "everything else", is what the other operators take together.
    """
    import torch
    from torch.profiler import ProfilerActivity, profile

    from zerosum.bench.contestants import Ours, task

    torch.set_num_threads(threads)
    ours = Ours(*task(recipe))
    for _ in range(3):
        ours.step()
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as seen:
        for _ in range(steps):
            ours.step()
    found = seen.key_averages(group_by_input_shape=True)
    whole = sum(entry.self_cpu_time_total for entry in found)
    found.sort(key=lambda entry: -entry.self_cpu_time_total)
    parts = [(entry.key, [shape for shape in entry.input_shapes if shape], [entry]) for entry in found[:most]]
    rows = []
    for name, shapes, entries in [*parts, ("everything else", [], found[most:])]:
        taken = sum(entry.self_cpu_time_total for entry in entries)
        calls = round(sum(entry.count for entry in entries) / steps)
        milliseconds = taken / 1e3 / steps
        rows.append(
            {"operator": name, "shapes": shapes, "calls": calls, "milliseconds": milliseconds, "share": taken / whole}
        )
    return rows


def chores(*, samples: int, judged: int, threads: int, tell: Tell, device: str = "cpu") -> list[Chore]:
    """Start a training, draw from it and judge it, as the command line does; each in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        train = ["train", "quick", "--data", "digits", "--steps", "20", "--out", str(run), "--no-watch", "-q"]
        sample = ["sample", str(run), "-n", str(samples), "--out", f"{folder}/s.npz"]
        plans: Sequence[tuple[str, list[str], Path | None]] = (
            ("train: to the first step", train, run / "events.jsonl"),
            (f"sample: {samples:,} digits", sample, None),
            ("eval: real features for the first time", judge(run, judged), None),
            (f"eval: Frechet distance of {judged:,}", judge(run, judged), None),
        )
        done = []
        for name, arguments, log in plans:
            tell(name)
            there = [*arguments, "--device", device]
            done.append(chore(name, there, log, threads=threads, cache=Path(folder) / "cache"))
        return done


def judge(run: Path, count: int) -> list[str]:
    """The command that asks for a run's Frechet distance."""
    return ["eval", str(run), "-n", str(count), "--metric", "fid", "--json"]


def chore(
    name: str, arguments: list[str], log: Path | None = None, *, threads: int = 1, cache: Path | None = None
) -> Chore:
    """Run a command to its end; its seconds are to there, or to the first step that is in the log of events.

    cache: a folder for what is kept of data, instead of the user's own.
    """
    began = time.perf_counter()
    command = [sys.executable, "-m", "zerosum", *arguments]
    told = environment(threads) | ({} if cache is None else {"ZEROSUM_CACHE": str(cache)})
    process = subprocess.Popen(command, env=told, stdout=subprocess.DEVNULL)
    first: float | None = None
    memory: float | None = None
    while process.poll() is None:
        if log is not None and first is None and log.exists() and '"event": "step"' in log.read_text():
            first = time.perf_counter() - began
        held = process_memory(process.pid)
        memory = held if memory is None else max(memory, held or 0.0)
        time.sleep(0.02)
    if process.returncode:
        raise ZerosumError(f"zerosum {' '.join(arguments)} ended with {process.returncode}: run it to see why")
    seconds = time.perf_counter() - began
    return Chore(name=name, seconds=seconds if first is None else first, memory=memory)


def process_memory(pid: int) -> float | None:
    """The most memory that a running process has held so far, in MiB; None where the system does not tell.

    What it tells of a process that has ended counts the one that started it, too, whose copy it was for a moment.
    """
    try:
        told = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    peak = [line.split()[1] for line in told.splitlines() if line.startswith("VmHWM:")]
    return float(peak[0]) / 2**10 if peak else None
