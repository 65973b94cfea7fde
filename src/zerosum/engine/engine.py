"""The one place that knows Lightning Fabric: device, precision, processes, and the step that all of them take."""

from __future__ import annotations

import atexit
import logging
import os
import platform
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Any, Literal

import torch
import torch.distributed as dist
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import Tensor, nn

from zerosum.engine.memory import keep_memory
from zerosum.errors import TrainingError, UserError
from zerosum.networks.layers import product

Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["32-true", "64-true", "bf16-mixed"]  # float16 would need its gradients scaled

PATIENCE = timedelta(seconds=50)  # a collective that waits longer has lost a rank
LONG = timedelta(days=7)  # that of the leading process, which alone draws, judges and writes
BUCKET = 8 * 2**20  # elements of one all-reduce


class RankLostError(TrainingError):
    """Another process of the run is gone."""


class Engine:
    """Runs the steps of players on one device, alone or as one of several equal processes (torchrun, SLURM)."""

    def __init__(self, device: Device = "auto", precision: Precision = "32-true") -> None:
        world, local = processes(os.environ)
        accelerator = _accelerator(device)
        strategy: Any = "auto"
        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it greets every process
        if world > 1:
            backend = "nccl" if accelerator == "cuda" else "gloo"
            strategy = DDPStrategy(process_group_backend=backend, timeout=PATIENCE)
        self.fabric = Fabric(
            accelerator=accelerator,
            devices=local if world > 1 else 1,
            num_nodes=max(1, world // local),
            strategy=strategy,
            precision=precision,
        )
        self.fabric.launch()
        if world > 1:
            atexit.register(_leave)
            self.patient = dist.new_group(backend="gloo", timeout=LONG)
        self.precision = precision
        self.keeps_memory = keep_memory()
        if self.device.type == "cuda":  # sums of 32 bits from factors of 19, and each shape's fastest kernel
            torch.set_float32_matmul_precision("high")
            torch.backends.cudnn.benchmark = True

    @property
    def device(self) -> torch.device:
        return self.fabric.device

    @property
    def rank(self) -> int:
        return self.fabric.global_rank

    @property
    def world(self) -> int:
        return self.fabric.world_size

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    @property
    def dtype(self) -> torch.dtype:
        """Of weights and of samples."""
        return torch.float64 if self.precision == "64-true" else torch.float32

    def remarks(self) -> Iterator[str]:
        """What of this machine makes training slower than it could be, each in a line."""
        if self.device.type != "cpu":
            return
        intel = platform.machine().lower() in ("x86_64", "amd64")
        if intel and torch.backends.cpu.get_cpu_capability() in ("DEFAULT", "NO AVX"):
            yield "this processor has no AVX2: training takes several times as long"
        if intel and not product.AVAILABLE:
            yield f"torch {torch.__version__} has no product by oneDNN: linear layers take its own, slower on AMD"
        if cores() == 1:
            yield "this machine has one core: recipes are measured on two"

    def describe(self) -> dict[str, Any]:
        """The execution path, for run.json."""
        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else _processor()
        return {
            "device": str(self.device.type),
            "name": name,
            "precision": self.precision,
            "processes": self.world,
            "threads": torch.get_num_threads(),
            "instructions": torch.backends.cpu.get_cpu_capability(),
            "keeps_memory": self.keeps_memory,
        }

    def place(self, network: nn.Module) -> nn.Module:
        """Move a network to the device and its weights to the precision; never wrapped, so double backward works."""
        converted: nn.Module = self.fabric.strategy.precision.convert_module(network)
        return converted.to(self.device)

    def autocast(self) -> AbstractContextManager[Any]:
        """The context in which networks run."""
        return self.fabric.autocast()

    def step(
        self,
        weights: Sequence[nn.Parameter],
        optimizer: torch.optim.Optimizer,
        terms: Iterable[Tensor],
        *,
        clip: float | None = None,
        measure: bool = False,
    ) -> Tensor | None:
        """Descend the sum of the terms once; the gradients are averaged over the processes.

        Returns the gradient's 2-norm, still on the device, where `measure` asks for it.
        """
        optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(torch.stack([term.reshape(()) for term in terms]).sum())
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        if self.world > 1:
            self.average(gradients)
        norm = torch.nn.utils.get_total_norm(gradients) if measure and gradients else None
        optimizer.step()
        if clip is not None:
            with torch.no_grad():
                clipped: list[Tensor] = list(weights)
                torch._foreach_clamp_min_(clipped, -clip)
                torch._foreach_clamp_max_(clipped, clip)
        torch.clear_autocast_cache()  # of a round's first turn, else all later ones would see the weights of then
        return norm

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its mean over the processes, a bucket of them at a time."""
        bucket: list[Tensor] = []
        for index, tensor in enumerate(tensors):
            bucket.append(tensor)
            if index + 1 == len(tensors) or sum(t.numel() for t in bucket) >= BUCKET:
                self._average_bucket(bucket)
                bucket = []

    def _average_bucket(self, bucket: Sequence[Tensor]) -> None:
        flat = torch.cat([tensor.reshape(-1) for tensor in bucket])
        self.reduce(flat)
        flat /= self.world
        for tensor, part in zip(bucket, torch.split(flat, [t.numel() for t in bucket]), strict=True):
            tensor.copy_(part.view_as(tensor))

    def reduce(self, tensor: Tensor, *, largest: bool = False) -> Tensor:
        """The sum (or the largest) over the processes, in place; `RankLostError` where one of them is gone."""
        if self.world > 1:
            with self.together():
                dist.all_reduce(tensor, op=dist.ReduceOp.MAX if largest else dist.ReduceOp.SUM)
        return tensor

    @contextmanager
    def together(self) -> Iterator[None]:
        """Inside, `RankLostError` where another process is gone, wherever that shows: in a network's layers too."""
        try:
            yield
        except RuntimeError as error:
            if self.world > 1 and (isinstance(error, dist.DistError) or "gloo" in str(error)):
                raise self._lost() from error
            raise

    def _lost(self) -> RankLostError:
        """Who does not answer any more: each process that sees the break signs the store, the lost one cannot."""
        missing: list[int] = []
        store = getattr(dist.distributed_c10d, "_get_default_store", lambda: None)()
        if store is not None:
            try:
                store.set(f"zerosum/alive/{self.rank}", "yes")
                time.sleep(3)
                missing = [r for r in range(self.world) if not store.check([f"zerosum/alive/{r}"])]
            except RuntimeError:  # the store went with its host
                missing = [0]
        who = f"rank {', '.join(map(str, missing))}" if missing else "a rank"
        return RankLostError(f"{who} was lost, so rank {self.rank} stops: resume the run from its last checkpoint")

    def follow(self) -> None:
        """Until the leading process is here, however long what it alone does takes; it waits for nobody."""
        if self.world > 1:
            with self.together():
                dist.broadcast(torch.zeros(1), src=0, group=self.patient)

    def wait(self) -> None:
        """Until every process is here."""
        self.reduce(torch.zeros(1, device=self.device))

    def same_everywhere(self, value: str) -> str:
        """Rank 0's text, on every rank."""
        with self.together():
            return str(self.fabric.broadcast(value)) if self.world > 1 else value


def cores() -> int:
    """How many processors this process may run on."""
    allowed = getattr(os, "sched_getaffinity", None)  # Linux alone tells
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def processes(environ: Mapping[str, str]) -> tuple[int, int]:
    """How many processes train together, and how many of them on each machine, as torchrun or SLURM tells it."""
    if "WORLD_SIZE" in environ:
        world = int(environ["WORLD_SIZE"])
        return world, int(environ.get("LOCAL_WORLD_SIZE", world))
    world = int(environ.get("SLURM_NTASKS", "1"))
    return world, max(1, world // int(environ.get("SLURM_NNODES", "1")))


def _leave() -> None:
    """End gloo's threads before the interpreter goes: one that outlived it has aborted a finished process."""
    if dist.is_initialized() and dist.get_backend() == "gloo":
        dist.destroy_process_group()


def _accelerator(device: str) -> str:
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if available[name])
    if device not in available:
        raise UserError(f"no device {device!r}; expected auto, cpu, cuda or mps")
    if not available[device]:
        here = ", ".join(name for name, there in available.items() if there)
        raise UserError(f"device {device} is not on this machine (here: {here}): use --device auto")
    return device


def _processor() -> str:
    """The processor's name, as far as the system tells."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
