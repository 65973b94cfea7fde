"""What several networks share: Keras' padding and initialisation, batch norm over all ranks, maxout, ends.

"Same" padding is TensorFlow's: ceil(size / stride) outputs, the odd pixel of padding after the image.
Batch norm's running variance is the unbiased one, as in torch; Keras agrees where it takes its fused
kernel, which it does for every image batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F

from zerosum.errors import UserError
from zerosum.networks.adjoint import channels_last
from zerosum.networks.convolution import Conv2d, ConvTranspose2d
from zerosum.networks.instance import instance_norm
from zerosum.networks.paths import helps, wanted
from zerosum.networks.product import Linear
from zerosum.types import Domain

KERAS_EPS, KERAS_MOMENTUM = 1e-3, 0.01  # Keras says momentum 0.99: of the old, where torch counts the new


def same_pad(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Pixels before and after one side so that a convolution gives ceil(size / stride) outputs."""
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class SameConv(Conv2d):
    """Keras' Conv2D with padding "same": (N, C, H, W) to (N, out, ceil(H / stride), ceil(W / stride))."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, *, bias: bool = True) -> None:
        super().__init__(inputs, outputs, kernel, stride=stride, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        top, bottom = same_pad(input.shape[2], self.kernel_size[0], self.stride[0])
        left, right = same_pad(input.shape[3], self.kernel_size[1], self.stride[1])
        if (top, left) == (bottom, right):
            return self.convolve(input, (top, left))
        return self.convolve(F.pad(input, (left, right, top, bottom)), (0, 0))


class SameConvTranspose(ConvTranspose2d):
    """Keras' Conv2DTranspose with padding "same": (N, C, H, W) to (N, out, H * stride, W * stride).

    It is the gradient of the "same" convolution that leads from the large size back to the small one.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, *, bias: bool = True) -> None:
        before = max(kernel - stride, 0) // 2
        missing = max(stride - kernel, 0)
        super().__init__(inputs, outputs, kernel, stride, before, missing, bias=bias)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        full = super().forward(input, output_size)
        below, right = (input.shape[axis] * self.stride[axis - 2] - full.shape[axis] for axis in (2, 3))
        # Torch cuts as much after as before; Keras cuts the odd row and column after. A slice's gradient would lie
        # the other way round in memory.
        return F.pad(full, (0, right, 0, below)) if below or right else full


def relu_layers(*sizes: int) -> nn.Sequential:
    """Linear layers from each size to the next, with a ReLU between two."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def keras_init(network: nn.Module) -> None:
    """Glorot-uniform kernels and zero biases, Keras' defaults.

    Keras counts a transposed convolution's fans from its kernel (h, w, out, in), the other way round;
    their sum, which is all that Glorot needs, is the same.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def dcgan_init(network: nn.Module) -> None:
    """Kernels from N(0, 0.02), batch norm's scales from N(1, 0.02), zero biases (1511.06434, section 3)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, BatchNorm | nn.GroupNorm):  # an instance norm is one of these
            if module.weight is not None:
                nn.init.normal_(module.weight, 1.0, 0.02)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def uniform_init(network: nn.Module, span: float) -> None:
    """Weights from [-span, span] and zero biases, as in the code of 1406.2661: small in D, larger in G."""
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.uniform_(module.weight, -span, span)
            nn.init.zeros_(module.bias)


def output_activation(domain: Domain) -> nn.Module:
    """What ends a generator of images: tanh for [-1, 1], a sigmoid for [0, 1]; `UserError` otherwise."""
    if domain.value_range == (-1.0, 1.0):
        return nn.Tanh()
    if domain.value_range == (0.0, 1.0):
        return nn.Sigmoid()
    low, high = domain.value_range
    raise UserError(f"value_range is {low:g},{high:g}; expected -1,1 (tanh) or 0,1 (sigmoid)")


class _Clipped(torch.autograd.Function):
    """Clipped values whose gradient is that of the values as they were."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, low: float, high: float) -> Tensor:
        return x.clamp(low, high)

    @staticmethod
    def backward(ctx: Any, *gradient: Any) -> Any:
        return gradient[0], None, None


_clip: Callable[..., Tensor] = _Clipped.apply


def clipped(x: Tensor, value_range: tuple[float, float]) -> Tensor:
    """What others see of a G that ends linearly: within the range, and to be led back into it where it is beyond."""
    return _clip(x, *value_range) if torch.is_grad_enabled() else x.clamp(*value_range)


def require_images(domain: Domain, network: str, sizes: tuple[int, ...] = ()) -> None:
    """`UserError` for points, and for a size that the network can't make; no sizes means any."""
    if len(domain.shape) != 3:
        raise UserError(f"network {network} makes images, and the data are points; take recipe gan for points")
    if sizes and domain.size not in sizes:
        raise UserError(f"size {domain.size} is not one that {network} can make: {', '.join(map(str, sizes))}")


def require_source(domain: Domain, network: str) -> int:
    """The channels of what is translated; `UserError` where G draws from noise."""
    if domain.source is None:
        raise UserError(f"network {network} translates images, and this recipe draws from noise; take recipe pix2pix")
    return domain.source[0]


def require_points(domain: Domain, network: str) -> None:
    """`UserError` for images."""
    if len(domain.shape) != 1:
        raise UserError(f"network {network} makes points, and the data are images; take recipe quick for images")


def require_classes(domain: Domain, network: str) -> int:
    """The number of classes; `UserError` for data without labels."""
    if domain.classes is None:
        raise UserError(f"network {network} needs labels, and the data have none; name a source with classes")
    return domain.classes


def require_text(domain: Domain, network: str) -> tuple[int, int]:
    """The words that captions are made of, and those of one row; `UserError` for data without captions."""
    if domain.text is None:
        raise UserError(f"network {network} draws what a text says, and this recipe has no captions: take stackgan")
    return domain.text


def one_hot(y: Tensor, classes: int, dtype: torch.dtype) -> Tensor:
    """(N,) labels as (N, classes) rows of zeros with a one; a mixture, (N, classes) of floats, stays as it is."""
    if y.is_floating_point():
        return y.to(dtype)
    return (y[:, None] == torch.arange(classes, device=y.device)).to(dtype)


class _Flat(torch.autograd.Function):
    """(N, C, H, W) to (N, C H W); the gradient comes back channels-last, as what it meets there lies."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.shape = x.shape
        return x.flatten(1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return channels_last(gradients[0].view(ctx.shape))


flat: Callable[[Tensor], Tensor] = _Flat.apply


def to_maps(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """(N, C H W) to (N, C, H, W), channels-last."""
    return channels_last(x.view(-1, *shape))


class Flatten(nn.Flatten):
    """`flat` as a layer."""

    def forward(self, input: Tensor) -> Tensor:
        return flat(input)


class Unflatten(nn.Unflatten):
    """`to_maps` as a layer."""

    def forward(self, input: Tensor) -> Tensor:
        return channels_last(super().forward(input))


class Dropout(nn.Dropout):
    """torch's layer; on a CPU its chance has 16 bits, since drawing the mask took as long as a convolution."""

    def forward(self, input: Tensor) -> Tensor:
        return self.dropped(input) if self.training else input

    def own_path(self, device: torch.device, *, autocast: bool) -> str | None:
        """See `own_paths`."""
        return "masks of 16 bits" if device.type == "cpu" and self.p not in (0.0, 1.0) else None

    def dropped(self, input: Tensor) -> Tensor:
        """What a training network makes of it."""
        if input.device.type != "cpu" or self.p in (0.0, 1.0) or not wanted():
            return F.dropout(input, self.p, training=True)
        dropped = min(round(self.p * 2**16), 2**16 - 1)  # of 65,536 numbers
        drawn = torch.empty(-(-input.numel() // 4), dtype=torch.int64).random_(-(2**63), None).view(torch.int16)
        layout = torch.empty_like(input, requires_grad=False)
        bits = drawn[: input.numel()].as_strided(layout.shape, layout.stride())
        return input * (bits >= dropped - 2**15).to(input.dtype).mul_(2**16 / (2**16 - dropped))


class NoisyDropout(Dropout):
    """Dropout that is a generator's noise, and so stays when the network is used (arXiv 1611.07004, section 3.2.1)."""

    def forward(self, input: Tensor) -> Tensor:
        return self.dropped(input)


class InstanceNorm(nn.GroupNorm):
    """Every map of every sample to mean 0 and variance 1 (arXiv 1607.08022), and with `affine` scaled and shifted."""

    def __init__(self, features: int, *, affine: bool = False) -> None:
        super().__init__(features, features, affine=affine)

    def own_path(self, device: torch.device, *, autocast: bool) -> str | None:
        """See `own_paths`."""
        return "instance norm's gradient" if helps(device, autocast=autocast) else None

    def forward(self, input: Tensor) -> Tensor:
        return instance_norm(input, self.weight, self.bias, self.eps)


class Residual(nn.Module):
    """x, and what the layers make of it, added up: of one shape."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        summed: Tensor = x + self.layers(x)
        return summed


class Maxout(Linear):
    """The largest of `pieces` linear maps for each unit: (N, inputs) to (N, units) (arXiv 1302.4389)."""

    def __init__(self, inputs: int, units: int, pieces: int) -> None:
        super().__init__(inputs, units * pieces)
        self.units, self.pieces = units, pieces

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input).view(-1, self.units, self.pieces).amax(2)

    def extra_repr(self) -> str:
        return f"{self.in_features}, units={self.units}, pieces={self.pieces}"


class BatchNorm(nn.Module):
    """Batch norm of (N, C) or (N, C, H, W) with the moments of all ranks together (arXiv 1502.03167).

    In a single process it is `torch.nn.functional.batch_norm`, number for number. In train mode under
    `torch.distributed` with more than one rank, every rank has to call it, forward and backward; ranks
    may hold unequal parts of the batch. It can be differentiated twice. Without `affine` nothing is learned: whoever
    calls it scales and shifts.
    """

    running_mean: Tensor
    running_var: Tensor
    mixes_samples = True  # each output depends on the whole batch

    def __init__(self, features: int, *, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True) -> None:
        super().__init__()
        self.features, self.eps, self.momentum = features, eps, momentum
        self.weight = nn.Parameter(torch.ones(features)) if affine else None
        self.bias = nn.Parameter(torch.zeros(features)) if affine else None
        self.register_buffer("running_mean", torch.zeros(features))
        self.register_buffer("running_var", torch.ones(features))

    def forward(self, x: Tensor) -> Tensor:
        if self.training and ranks() > 1:
            return self._over_ranks(x)
        if self.training and x.numel() == self.features:
            raise UserError("a batch of one has no deviation for batch norm: --batch 2, or more")
        mean, var = self.running_mean, self.running_var
        return F.batch_norm(x, mean, var, self.weight, self.bias, self.training, self.momentum, self.eps)

    def _over_ranks(self, x: Tensor) -> Tensor:
        values = x.to(self.running_mean.dtype)  # moments of half precision are taken in full
        axes = [axis for axis in range(x.dim()) if axis != 1]
        shape = [1, -1] + [1] * (x.dim() - 2)
        count = values.new_full((1,), x.numel() / x.shape[1])
        sums = all_sum(torch.cat([values.sum(axes), count]))
        count = sums[-1].detach()
        mean = sums[:-1] / count
        centred = values - mean.view(shape)  # a second pass: E x^2 - (E x)^2 would cancel
        var = all_sum(centred.square().sum(axes)) / count
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(var * (count / (count - 1)), self.momentum)
        scale = (var + self.eps).rsqrt()
        if self.weight is None or self.bias is None:
            return (centred * scale.view(shape)).to(x.dtype)
        return (centred * (self.weight * scale).view(shape) + self.bias.view(shape)).to(x.dtype)

    def extra_repr(self) -> str:
        return f"{self.features}, eps={self.eps:g}, momentum={self.momentum:g}"


class _AllSum(torch.autograd.Function):
    """The sum over all ranks; its gradient is the sum of all ranks' gradients, to any order."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return all_sum(gradients[0])


all_sum: Callable[[Tensor], Tensor] = _AllSum.apply


@torch.no_grad()
def mean_over_ranks(value: Tensor) -> Tensor:
    """The mean of what all ranks have, the same on each of them."""
    return all_sum(value) / ranks() if ranks() > 1 else value


def ranks() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1
