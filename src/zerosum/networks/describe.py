"""A network layer by layer: what each one is, what comes out of it, what it holds and what it costs.

The layers are found by running the network once, on torch's meta device where nothing is computed.
Multiply-adds are those of convolutions and linear maps for one sample; sums inside norms, activations
and functions that are no modules aren't counted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from zerosum.networks import build
from zerosum.networks.gan import Maxout
from zerosum.networks.layers.keras import SameConv, SameConvTranspose
from zerosum.networks.layers.norms import BatchNorm
from zerosum.spec import Player
from zerosum.types import Domain

__all__ = ["Layer", "describe", "describe_player", "totals"]


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One row of the list; shapes are of one sample, (C, H, W) or (features,)."""

    name: str  # its place in the network, "layers.3"
    kind: str  # "conv", "batch norm", "input", …
    settings: str = ""  # "5x5, stride 2, same, no bias"
    kernel: int | None = None
    stride: int | None = None
    output: tuple[int, ...]
    parameters: int = 0  # a layer that is used twice holds them once
    multiply_adds: int = 0
    follows: bool = True  # takes exactly what the layer before it in the list gave


def totals(layers: list[Layer]) -> tuple[int, int]:
    """(parameters, multiply-adds for one sample) of a whole list."""
    return sum(layer.parameters for layer in layers), sum(layer.multiply_adds for layer in layers)


def describe_player(player: Player, domain: Domain) -> list[Layer]:
    """The layers of a player's network, its inputs first: y, then z or x. Nothing is computed."""
    with torch.device("meta"):
        network = build(player, domain)
        z_dim = getattr(network, "z_dim", None)
        given = domain.source if getattr(network, "translates", False) else None
        shape = (z_dim,) if z_dim is not None else given or domain.shape
        inputs = [torch.empty(1, *shape)]
        rows = []
        if getattr(network, "sees_source", False) and domain.source is not None:
            inputs.append(torch.empty(1, *domain.source))
            rows.append(Layer(name="source", kind="input", output=domain.source, follows=False))
        elif (hears := getattr(network, "hears", None)) is not None:
            inputs.append(torch.empty(1, hears))
            rows.append(Layer(name="y", kind="input", settings="of a text", output=(hears,), follows=False))
        elif domain.text is not None:
            words, length = domain.text
            inputs.append(torch.zeros(1, length, dtype=torch.int64))
            rows.append(Layer(name="y", kind="input", settings=f"{words} words", output=(length,), follows=False))
        elif domain.classes is not None:
            inputs.append(torch.zeros(1, dtype=torch.int64))
            rows.append(Layer(name="y", kind="input", settings=f"{domain.classes} classes", output=(), follows=False))
        rows.append(Layer(name="x" if z_dim is None else "z", kind="input", output=shape, follows=False))
        return rows + describe(network, *inputs)


def describe(network: nn.Module, *inputs: Tensor) -> list[Layer]:
    """The layers in the order in which they run on `inputs`, whose first dimension is the batch.

    The network runs once in eval mode, without gradients, and is left as it was.
    """
    watch = _Watch(inputs[0])
    handles = []
    for name, module in _layers("", network):
        if _is_layer(module):
            handles.append(module.register_forward_hook(watch.hook(name)))
        else:
            watch.note_own(name, module)
    modes = [(module, module.training) for module in network.modules()]
    try:
        network.eval()
        with torch.no_grad():
            network(*inputs)
    finally:
        for handle in handles:
            handle.remove()
        for module, training in modes:
            module.training = training
    return watch.waiting(network) + watch.rows


class _Watch:
    """Collects a row for each call of a layer."""

    def __init__(self, start: Tensor) -> None:
        self.rows: list[Layer] = []
        self.last = start
        self.counted: set[int] = set()

    def hook(self, name: str) -> Callable[[nn.Module, Any, Any], None]:
        def note(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            if not isinstance(output, Tensor):
                return
            follows = bool(inputs) and inputs[0] is self.last
            self.last = output
            self.rows.append(self.row(name, module, inputs[0] if inputs else output, output, follows))

        return note

    def note_own(self, name: str, module: nn.Module) -> None:
        """Parameters that a module holds beside its layers, such as a learned constant."""
        for key, value in module.named_parameters(recurse=False):
            self.rows.append(self.own(f"{name}.{key}".lstrip("."), value))

    def own(self, name: str, value: nn.Parameter) -> Layer:
        return Layer(name=name, kind="parameter", output=tuple(value.shape), parameters=self.count([value]))

    def waiting(self, network: nn.Module) -> list[Layer]:
        """The parameters of layers that did not run, such as those of the smaller sizes of a network that has grown."""
        left = ((name, value) for name, value in network.named_parameters() if id(value) not in self.counted)
        return [self.own(name, value) for name, value in left]

    def row(self, name: str, module: nn.Module, given: Tensor, output: Tensor, follows: bool) -> Layer:
        kernel = stride = None
        if isinstance(module, CONVOLUTIONS):
            kernel, stride = int(module.kernel_size[0]), int(module.stride[0])
        return Layer(
            name=name,
            kind=_kind(module),
            settings=_settings(module),
            kernel=kernel,
            stride=stride,
            output=tuple(output.shape[1:]),
            parameters=self.count(list(module.parameters())),
            multiply_adds=_multiply_adds(module, given, output),
            follows=follows,
        )

    def count(self, parameters: list[nn.Parameter]) -> int:
        fresh = [value for value in parameters if id(value) not in self.counted]
        self.counted.update(map(id, fresh))
        return sum(value.numel() for value in fresh)


CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)
KINDS: tuple[tuple[type[nn.Module], str], ...] = (  # the first that fits
    (nn.ConvTranspose2d, "transposed conv"),
    (nn.Conv2d, "conv"),
    (Maxout, "maxout"),
    (nn.Linear, "linear"),
    (nn.Embedding, "embedding"),
    (BatchNorm, "batch norm"),
    (nn.GroupNorm, "group norm"),
    (nn.LayerNorm, "layer norm"),
    (nn.LeakyReLU, "leaky relu"),
    (nn.ReLU, "relu"),
    (nn.Flatten, "reshape"),
    (nn.Unflatten, "reshape"),
)


def _is_layer(module: nn.Module) -> bool:
    known = any(isinstance(module, kind) for kind, _ in KINDS)  # with a parametrization it has children too
    return known or not any(True for _ in module.children())


def _layers(name: str, module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    yield name, module
    if not _is_layer(module):
        for key, child in module.named_children():
            yield from _layers(f"{name}.{key}".lstrip("."), child)


def _kind(module: nn.Module) -> str:
    if isinstance(module, nn.GroupNorm) and module.num_groups == 1:
        return "layer norm"
    for kind, name in KINDS:
        if isinstance(module, kind):
            return name
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", type(module).__name__).lower()


def _settings(module: nn.Module) -> str:
    if isinstance(module, CONVOLUTIONS):
        side = "x".join(map(str, module.kernel_size))
        same = isinstance(module, SameConv | SameConvTranspose)
        padding = "same" if same else f"padding {module.padding[0]}"
        bias = "" if module.bias is not None else ", no bias"
        return f"{side}, stride {module.stride[0]}, {padding}{bias}"
    if isinstance(module, Maxout):
        return f"{module.units} units of {module.pieces} pieces"
    if isinstance(module, nn.Linear):
        return "" if module.bias is not None else "no bias"
    if isinstance(module, BatchNorm):
        return f"eps {module.eps:g}, momentum {module.momentum:g}"
    if isinstance(module, nn.LeakyReLU):
        return f"{module.negative_slope:g}"
    if isinstance(module, nn.Dropout):
        return f"{module.p:g}"
    if _kind(module) in ("relu", "reshape", "layer norm"):
        return ""
    return module.extra_repr()


def _multiply_adds(module: nn.Module, given: Tensor, output: Tensor) -> int:
    if isinstance(module, nn.ConvTranspose2d):  # every input value meets every kernel of its channel
        return math.prod(given.shape[1:]) * module.out_channels // module.groups * math.prod(module.kernel_size)
    if isinstance(module, nn.Conv2d):
        return math.prod(output.shape[1:]) * module.in_channels // module.groups * math.prod(module.kernel_size)
    if isinstance(module, nn.Linear):
        return math.prod(given.shape[1:]) * module.out_features
    return 0
