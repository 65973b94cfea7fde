"""Who takes part in a race: zerosum's training, the tutorials' loops, and what bounds them on this machine.

Each runs in a process of its own, `python -m zerosum.bench.contestants KIND`, so that what one of them sets for its
process (how memory is kept, above all) helps no other. It answers every line of its input, a number of steps, with a
line: the seconds that they took.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from zerosum import recipes
from zerosum.api.assemble import assemble, settle
from zerosum.bench import keras, plain
from zerosum.data import Dataset, Split, open_dataset
from zerosum.data.loader import Feed
from zerosum.engine.clock import LOG_STEPS
from zerosum.engine.engine import Device, Engine
from zerosum.engine.ledger import stacked
from zerosum.engine.memory import keep_memory
from zerosum.engine.plan import Plan
from zerosum.spec import Recipe

IMAGES = 2000  # in memory: enough that a batch is never in the processor's cache
KINDS = ("zerosum", "plain", "keras", "convolution", "arithmetic")


class Contestant(Protocol):
    """`batch`: images of a step, or billions of operations where it is a convolution."""

    batch: float

    def step(self) -> None: ...


def task(name: str, batch: int | None = None) -> tuple[Recipe, Dataset]:
    """A recipe as its tutorial has it, and real digits of its size."""
    recipe = recipes.recipe(name)
    recipe = recipe if batch is None else recipe.override({"batch": batch})
    digits = open_dataset("digits", size=recipe.size, sizes=recipe.sizes, channels=recipe.channels)
    assert digits.train.labels is not None
    few = Split(samples=np.ascontiguousarray(digits.train.samples[:IMAGES]), labels=digits.train.labels[:IMAGES])
    digits = dataclasses.replace(digits, train=few)
    return settle(recipe, digits), digits


def images(recipe: Recipe, data: Dataset) -> Tensor:
    """All of them, (N, C, H, W) in the recipe's range."""
    feed = Feed(data, device=torch.device("cpu"), value_range=recipe.value_range)
    return feed.take(len(data.train))[0]


class Ours:
    """A training of zerosum, seen and read from the device as often as it is when it writes its log."""

    def __init__(self, recipe: Recipe, data: Dataset, device: Device = "cpu") -> None:
        self.training = assemble(recipe, data, Engine(device), Plan.of(recipe, len(data.train)))
        self.batch: float = recipe.batch

    def step(self) -> None:
        due = (self.training.step + 1) % LOG_STEPS == 0
        seen = self.training.take_step(observe=due)
        if due:
            self.training.settle()
            stacked(seen.values()).tolist()


class Tutorial:
    """The plain loop of the recipe's tutorial."""

    def __init__(self, name: str, device: str) -> None:
        recipe, data = task(name)
        self.chance = plain.Memory(images(recipe, data).to(device), z_dim=100)
        self.loop = plain.Loop(recipe)
        self.loop.G.to(device)
        self.loop.D.to(device)
        self.loop.prepare()
        self.batch: float = recipe.batch

    def step(self) -> None:
        self.loop.step(self.chance)


class Convolution:
    """Of some large convolutions of GANs, forward and backward, the one that this machine does fastest."""

    def __init__(self) -> None:
        keep_memory()
        rates = {}
        for name, (work, billions) in self.candidates().items():
            seconds = [seconds_of(work) for _ in range(4)][1:]
            rates[name] = billions / statistics.median(seconds)
            if rates[name] == max(rates.values()):
                self.name, self.work, self.batch = name, work, billions

    def step(self) -> None:
        self.work()

    @staticmethod
    def candidates() -> dict[str, tuple[Callable[[], object], float]]:
        found: dict[str, tuple[Callable[[], object], float]] = {}
        for channels, size, kernel in ((128, 14, 4), (256, 8, 4), (128, 28, 3)):
            stride, batch = (2, 64) if kernel == 4 else (1, 32)
            x = torch.randn(batch, channels, size * stride, size * stride).to(memory_format=torch.channels_last)
            w = torch.randn(channels, channels, kernel, kernel).to(memory_format=torch.channels_last)
            y = F.conv2d(x, w, None, stride, 1)
            billions = 2 * batch * y.shape[2] * y.shape[3] * (channels * kernel) ** 2 / 1e9
            shape = f"{channels} channels, {kernel}x{kernel}, stride {stride}"
            found[f"forward, {shape}"] = (forward(x, w, stride), billions)
            found[f"by the input, {shape}"] = (by_input(y, x, w, stride), billions)
        return found


class Arithmetic:
    """The convolutions and products of zerosum's step, one after the other: by the same kernels nothing is faster."""

    def __init__(self, name: str) -> None:
        recipe, data = task(name)
        training = assemble(recipe, data, Engine("cpu"), Plan.of(recipe, len(data.train)))
        training.take_step(observe=False)
        began = training.images
        with Recorder() as recorder:
            for _ in range(training.game.period):
                training.take_step(observe=False)
        self.batch, self.name = float(training.images - began), f"the convolutions and products of {name} alone"
        self.calls = recorder.calls

    def step(self) -> None:
        with torch.no_grad():
            for operator, arguments in self.calls:
                operator(*arguments)


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes every convolution and every product, each with tensors of its own that lie in memory as those do."""

    OPERATORS = ("convolution", "convolution_backward", "mm", "addmm", "bmm", "baddbmm", "_linear_pointwise")

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[tuple[Callable[..., object], list[object]]] = []
        self.tensors: dict[tuple[object, ...], Tensor] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        if func.overloadpacket.__name__ in self.OPERATORS:
            self.calls.append((func, [self.like(one) if isinstance(one, Tensor) else one for one in args]))
        return func(*args, **(kwargs or {}))

    def like(self, tensor: Tensor) -> Tensor:
        """One of the same shape and layout, and the same one for each that asks for them."""
        key = (tensor.shape, tensor.stride(), tensor.dtype)
        if key not in self.tensors:
            shape, stride, dtype = key
            self.tensors[key] = torch.empty_strided(shape, stride, dtype=dtype).normal_()
        return self.tensors[key]


def forward(x: Tensor, w: Tensor, stride: int) -> Callable[[], object]:
    """A convolution, ready to be timed."""
    return lambda: F.conv2d(x, w, None, stride, 1)


def by_input(y: Tensor, x: Tensor, w: Tensor, stride: int) -> Callable[[], object]:
    """Its gradient by the input, ready to be timed."""
    form = (stride, stride), (1, 1), (1, 1), False, (0, 0), 1
    return lambda: torch.ops.aten.convolution_backward(y, x, w, None, *form, (True, False, False))


def seconds_of(work: Callable[[], object]) -> float:
    """How long a call takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def enter(kind: str, name: str, device: Device, threads: int) -> Contestant:
    """The contestant of that kind, ready to run."""
    if kind == "convolution":
        return Convolution()
    if kind == "arithmetic":
        return Arithmetic(name)
    if kind == "keras":
        recipe, data = task("dcgan-lite")
        return keras.Script(images(recipe, data).permute(0, 2, 3, 1).numpy(), threads)
    if kind == "plain":
        return Tutorial(name, device)  # without an engine: what that sets for its process is zerosum's
    assert kind == "zerosum"
    return Ours(*task(name), device)


def main() -> None:
    """Enter as the command line says, then take the turns that standard input asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--recipe", default="dcgan-lite")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, required=True)
    told = parser.parse_args()
    torch.set_num_threads(told.threads)
    runner = enter(told.kind, told.recipe, told.device, told.threads)
    answer(runner, getattr(runner, "name", told.recipe))


def answer(runner: Contestant, about: str) -> None:
    """Say who it is, then take the steps that standard input asks for and say what they took."""
    say(f"{runner.batch!r} {about}")
    for line in sys.stdin:
        began = time.perf_counter()
        for _ in range(int(line)):
            runner.step()
        wait()
        say(repr(time.perf_counter() - began))


def wait() -> None:
    """Until the device has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    elif torch.backends.mps.is_available():
        torch.mps.synchronize()


def say(text: str) -> None:
    """A line for the process that asked."""
    sys.stdout.write(text + "\n")  # the other end of the pipe reads it
    sys.stdout.flush()


if __name__ == "__main__":
    main()
