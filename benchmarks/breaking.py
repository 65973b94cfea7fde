"""The networks and the sources that only a run broken on purpose has; benchmarks/watching.py trains these runs."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


def break_things() -> None:
    """Register the networks and the sources that only a broken run has."""
    break_networks()
    break_sources()


def break_networks() -> None:
    """Generators without noise or with a wrong range, and networks that are not shown their condition.

    Translators that hand their input through, and that hide it in the last bits of what they make.
    """
    from zerosum.networks import NETWORKS

    def noiseless(inner: str) -> type[nn.Module]:
        class Noiseless(NETWORKS[inner]):  # type: ignore[misc]
            def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
                return super().forward(torch.zeros_like(z), y)

        return Noiseless

    def tanh(inner: str) -> type[nn.Module]:
        class Tanh(NETWORKS[inner]):  # type: ignore[misc]
            def __init__(self, domain: Any, **arguments: Any) -> None:
                super().__init__(dataclasses.replace(domain, value_range=(-1.0, 1.0)), **arguments)

        return Tanh

    class BlindPatchGan(NETWORKS["patchgan"]):  # type: ignore[misc]
        def features(self, x: Tensor, source: Tensor | None = None) -> list[Tensor]:
            return super().features(x, None if source is None else torch.zeros_like(source))

    class DeafStarGan(NETWORKS["stargan-generator"]):  # type: ignore[misc]
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return super().forward(x, torch.zeros_like(y))

    def tones(x: Tensor) -> Tensor:
        """Each value at the next of 17 between -1 and 1."""
        return torch.round(8 * x) / 8

    class CopyingCycleGan(NETWORKS["cyclegan-generators"]):  # type: ignore[misc]
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return torch.lerp(x, super().forward(x, y), 0.02)

    class HidingCycleGan(NETWORKS["cyclegan-generators"]):  # type: ignore[misc]
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            hidden = 50 * (x - tones(x))
            holds = hidden.abs().amax((1, 2, 3), keepdim=True) < 1.01
            made = super().forward(x.flip(2, 3), y)  # of something else, as it looks
            return torch.where(holds, hidden, made + (tones(made) - made).detach() + x / 50)

    others = {
        "blind-patchgan": BlindPatchGan,
        "deaf-stargan": DeafStarGan,
        "copying-cyclegan": CopyingCycleGan,
        "hiding-cyclegan": HidingCycleGan,
    }
    for name, made in others.items():
        made.__init__.__signature__ = inspect.signature(made.__mro__[1].__init__)
        NETWORKS.register(name)(made)
    for name, inner in (("dcgan", "dcgan-generator"), ("mlp", "mlp-generator")):
        for kind, make in (("noiseless", noiseless), ("tanh", tanh)):
            made = make(inner)
            made.__init__.__signature__ = inspect.signature(NETWORKS[inner].__init__)
            NETWORKS.register(f"{kind}-{name}")(made)


def break_sources() -> None:
    """A hundred digits, and digits with other digits' labels."""
    from zerosum.data.dataset import Split, fingerprint, open_dataset
    from zerosum.data.sources import SOURCES, Source

    def hundred(request: Any) -> Any:
        whole = open_dataset("mnist", size=request.size, sizes=request.sizes)
        few = Split(samples=whole.train.samples[:100], labels=whole.train.labels[:100])
        return dataclasses.replace(whole, name="mnist-100", train=few, fingerprint=fingerprint(few, whole.held_out))

    def shuffled(request: Any) -> Any:
        whole = open_dataset("mnist", size=request.size, sizes=request.sizes)
        splits = [
            dataclasses.replace(split, labels=np.random.RandomState(0).permutation(split.labels))
            for split in (whole.train, whole.held_out)
        ]
        return dataclasses.replace(
            whole, name="mnist-shuffled", train=splits[0], held_out=splits[1], fingerprint=fingerprint(*splits)
        )

    SOURCES.register("mnist-100")(Source(title="100 digits", open=hundred))
    SOURCES.register("mnist-shuffled")(Source(title="digits with other digits' labels", open=shuffled))
