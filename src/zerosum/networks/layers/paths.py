"""Whether layers go another way than torch's: on a CPU in its own precision, and a few of them on a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

_wanted = True


def wanted() -> bool:
    """Whether layers may go another way than torch's at all: everywhere but inside `as_torch_does`."""
    return _wanted


def helps(device: torch.device, *, autocast: bool) -> bool:
    """Whether this is the device whose weaknesses the other ways are made for, in its own precision."""
    return device.type == "cpu" and not autocast


def takes_own_path(input: Tensor) -> bool:
    """Whether layers go another way than torch's with this input."""
    return _wanted and helps(input.device, autocast=torch.is_autocast_enabled("cpu"))


def gpu_folds(device: torch.device, *, autocast: bool) -> bool:
    """Whether this is a GPU in its own precision, where large kernels to few channels are folded."""
    return device.type == "cuda" and not autocast


def folds_on_gpu(input: Tensor) -> bool:
    """Whether such kernels are folded with this input."""
    return _wanted and gpu_folds(input.device, autocast=torch.is_autocast_enabled("cuda"))


def own_paths(network: nn.Module, device: torch.device, *, autocast: bool) -> dict[str, list[str]]:
    """The ways that a network's layers go there instead of torch's, in words, each with the names of the layers.

    A layer that has such a way says so in its method `own_path`.
    """
    found: dict[str, list[str]] = {}
    for name, layer in network.named_modules():
        if (tell := getattr(layer, "own_path", None)) and (path := tell(device, autocast=autocast)):
            found.setdefault(path, []).append(name)
    return found


@contextmanager
def as_torch_does() -> Iterator[None]:
    """Inside, every layer takes torch's own path: to compare with, or to count its operations."""
    global _wanted
    before, _wanted = _wanted, False
    try:
        yield
    finally:
        _wanted = before
