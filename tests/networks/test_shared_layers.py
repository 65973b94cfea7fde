"""What networks share, against TensorFlow's definitions in numpy, hand-worked numbers and torch itself."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn

from zerosum.errors import UserError
from zerosum.networks.dcgan_k2 import WideConv
from zerosum.networks.gan import Maxout
from zerosum.networks.layers.conditioning import ClassEmbedding
from zerosum.networks.layers.domains import clipped, one_hot, output_activation
from zerosum.networks.layers.dropout import Dropout
from zerosum.networks.layers.keras import SameConv, SameConvTranspose, keras_init, same_pad
from zerosum.networks.layers.norms import BatchNorm
from zerosum.networks.layers.spectral import spectral_norm
from zerosum.networks.layers.weights import dcgan_init
from zerosum.types import Domain

Array = npt.NDArray[np.float64]
CASES = [case for case in product((28, 14, 7, 5), (1, 2, 3, 4, 5, 7), (1, 2, 3)) if case[1] <= case[0]]


def tf_same_conv(x: Array, w: Array, stride: int) -> Array:
    """TensorFlow's conv2d with SAME padding, x (H, W, in), w (k, k, in, out), one output at a time."""
    size, kernel = x.shape[0], w.shape[0]
    outputs = -(-size // stride)
    remainder = size % stride
    total = max(kernel - (stride if remainder == 0 else remainder), 0)  # as the documentation has it
    padded = np.zeros((size + total, size + total, x.shape[2]))
    padded[total // 2 : total // 2 + size, total // 2 : total // 2 + size] = x
    out = np.zeros((outputs, outputs, w.shape[3]))
    for i, j in product(range(outputs), repeat=2):
        patch = padded[i * stride : i * stride + kernel, j * stride : j * stride + kernel]
        out[i, j] = np.tensordot(patch, w, axes=3)
    return out


def as_keras(weight: torch.Tensor) -> Array:
    """(out, in, k, k) as (k, k, in, out); a transposed kernel (in, out, k, k) as (k, k, out, in)."""
    return weight.detach().permute(2, 3, 1, 0).numpy()


def test_same_pad_is_asymmetric_at_stride_2_and_for_even_kernels() -> None:
    assert same_pad(28, 3, 2) == (0, 1)  # 13 * 2 + 3 - 28 = 1
    assert same_pad(28, 5, 2) == (1, 2)  # 13 * 2 + 5 - 28 = 3
    assert same_pad(28, 4, 2) == (1, 1)
    assert same_pad(7, 3, 2) == (1, 1)  # 3 * 2 + 3 - 7 = 2
    assert same_pad(28, 28, 1) == (13, 14)
    assert same_pad(28, 5, 1) == (2, 2)
    assert same_pad(28, 1, 2) == (0, 0)


@pytest.mark.parametrize(("size", "kernel", "stride"), CASES)
def test_same_conv_is_tensorflows(size: int, kernel: int, stride: int) -> None:
    torch.manual_seed(size * kernel * stride)
    conv = SameConv(2, 3, kernel, stride, bias=False).double()
    x = torch.randn(1, 2, size, size, dtype=torch.float64)
    expected = tf_same_conv(x[0].permute(1, 2, 0).numpy(), as_keras(conv.weight), stride)
    np.testing.assert_allclose(conv(x)[0].detach().permute(1, 2, 0).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("size", "kernel", "stride"), [(7, 3, 2), (7, 4, 2), (14, 4, 2), (5, 2, 3), (6, 5, 2), (5, 5, 1)]
)
def test_transposed_same_conv_is_the_gradient_of_tensorflows_conv(size: int, kernel: int, stride: int) -> None:
    """<conv(x), y> = <x, transposed(y)> for every x and y, which is how Keras defines it."""
    torch.manual_seed(size * kernel * stride)
    up = SameConvTranspose(3, 2, kernel, stride, bias=False).double()
    y = torch.randn(1, 3, size, size, dtype=torch.float64)
    large = up(y)
    assert large.shape == (1, 2, size * stride, size * stride)
    x = torch.randn_like(large)
    down = tf_same_conv(x[0].permute(1, 2, 0).numpy(), as_keras(up.weight), stride)
    assert float((down * y[0].permute(1, 2, 0).numpy()).sum()) == pytest.approx(float((x * large).sum().detach()))


def test_transposed_kernel_3_stride_2_cuts_the_row_after_by_hand() -> None:
    up = SameConvTranspose(1, 1, 3, 2, bias=False)
    with torch.no_grad():
        up.weight.copy_(torch.outer(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 0.0, 0.0])).view(1, 1, 3, 3))
    x = torch.tensor([[1.0, 0.0], [10.0, 0.0]]).view(1, 1, 2, 2)
    # Column 0 in full: 1 2 3 and, two rows on, 10 20 30: 1 2 13 20 30, of which the last is cut.
    assert up(x)[0, 0, :, 0].tolist() == [1.0, 2.0, 13.0, 20.0]


def test_same_conv_kernel_3_stride_2_starts_at_the_first_pixel_by_hand() -> None:
    conv = SameConv(1, 1, 3, 2, bias=False)
    with torch.no_grad():
        conv.weight.zero_()[0, 0, 0] = torch.tensor([1.0, 10.0, 100.0])
    x = torch.arange(1.0, 5.0).repeat(4, 1).view(1, 1, 4, 4)
    # Rows of 1 2 3 4 with one zero after: 1 + 20 + 300 and 3 + 40 + 0.
    assert conv(x)[0, 0].tolist() == [[321.0, 43.0], [321.0, 43.0]]


@pytest.mark.parametrize(
    ("kernel", "size", "channels"), [(28, 28, (3, 1)), (28, 28, (1, 3)), (9, 10, (2, 2)), (7, 7, (2, 1))]
)
def test_wide_conv_is_the_same_convolution_to_both_orders(kernel: int, size: int, channels: tuple[int, int]) -> None:
    torch.manual_seed(0)
    wide = WideConv(*channels, kernel).double()
    plain = SameConv(*channels, kernel).double()
    plain.load_state_dict(wide.state_dict())
    x = torch.randn(2, channels[0], size, size, dtype=torch.float64, requires_grad=True)
    direction = torch.randn_like(x)
    results = []
    for layer in (wide, plain):
        out = layer(x)
        (first,) = torch.autograd.grad(out.square().sum(), x, create_graph=True)
        second = torch.autograd.grad((first * direction).sum(), [x, layer.weight])
        results.append([out, first, *second])
    for ours, torchs in zip(*results, strict=True):
        torch.testing.assert_close(ours, torchs, rtol=1e-9, atol=1e-9)


def test_same_layers_keep_channels_last() -> None:
    x = torch.randn(2, 8, 14, 14).to(memory_format=torch.channels_last)
    for layer in (SameConv(8, 8, 3, 2), SameConvTranspose(8, 8, 4, 2)):
        out = layer.to(memory_format=torch.channels_last)(x)  # type: ignore[call-overload]
        assert out.is_contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(out, layer(x.contiguous()), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("layer", "fans"),
    [
        (nn.Linear(100, 6272), 100 + 6272),
        (SameConv(64, 32, 3, 2), 9 * (64 + 32)),
        (SameConvTranspose(128, 64, 4, 2), 16 * (64 + 128)),  # Keras: (h, w, out, in), fan_in 16 * 64
    ],
)
def test_keras_kernels_are_glorot_uniform_with_zero_bias(layer: nn.Module, fans: int) -> None:
    torch.manual_seed(0)
    keras_init(layer)
    assert isinstance(layer.weight, nn.Parameter)
    limit = math.sqrt(6 / fans)
    assert layer.weight.abs().max().item() == pytest.approx(limit, rel=1e-3)
    assert layer.weight.abs().max().item() <= limit
    assert layer.weight.std().item() == pytest.approx(limit / math.sqrt(3), rel=0.02)
    assert isinstance(layer.bias, nn.Parameter)
    assert layer.bias.abs().sum().item() == 0


def test_dcgan_init_draws_kernels_around_0_and_norm_scales_around_1() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(64, 128, 4), BatchNorm(20_000))
    dcgan_init(network)
    kernel, scale = network[0].weight, network[1].weight
    assert isinstance(kernel, torch.Tensor)
    assert isinstance(scale, torch.Tensor)
    assert kernel.mean().item() == pytest.approx(0, abs=2e-4)
    assert kernel.std().item() == pytest.approx(0.02, rel=0.02)
    assert scale.mean().item() == pytest.approx(1, abs=1e-3)
    assert scale.std().item() == pytest.approx(0.02, rel=0.02)


def test_the_value_range_chooses_the_output_activation() -> None:
    assert isinstance(output_activation(Domain(shape=(1, 28, 28))), nn.Tanh)
    assert isinstance(output_activation(Domain(shape=(1, 28, 28), value_range=(0.0, 1.0))), nn.Sigmoid)
    with pytest.raises(UserError, match="value_range is 0,255; expected"):
        output_activation(Domain(shape=(1, 28, 28), value_range=(0.0, 255.0)))


def test_clipped_values_can_be_led_back() -> None:
    """Their gradient is not cut: an image that is too bright everywhere could not be projected else."""
    x = torch.tensor([-2.0, -0.5, 0.5, 3.0], requires_grad=True)
    found = clipped(x, (-1.0, 1.0))
    assert found.tolist() == [-1.0, -0.5, 0.5, 1.0]
    (gradient,) = torch.autograd.grad((found - torch.zeros(4)).square().sum(), x)
    assert gradient.tolist() == [-2.0, -1.0, 1.0, 2.0]
    with torch.no_grad():
        assert clipped(x, (0.0, 1.0)).tolist() == [0.0, 0.0, 0.5, 1.0]


def test_sigma_is_full_precision_in_half_precision() -> None:
    layer = spectral_norm(nn.Linear(6, 4))
    x = torch.randn(2, 6)
    plain = layer.eval()(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(layer.weight, layer.weight.float())
        torch.testing.assert_close(layer.train()(x).float(), plain, atol=0.05, rtol=0)


def test_maxout_takes_the_largest_piece_of_each_unit() -> None:
    layer = Maxout(1, 2, 3)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0], [-2.0], [0.5], [-1.0], [-1.0], [-3.0]]))
        layer.bias.copy_(torch.tensor([0.0, 0.0, 0.0, 0.0, 5.0, 0.0]))
    assert layer(torch.tensor([[2.0], [-2.0]])).tolist() == [[2.0, 3.0], [4.0, 7.0]]


def test_one_hot_rows_have_their_one_at_the_label() -> None:
    assert one_hot(torch.tensor([2, 0]), 3, torch.float64).tolist() == [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]


def test_a_mixture_of_classes_stays_as_it_is() -> None:
    mixture = torch.tensor([[0.25, 0.75, 0.0]])
    found = one_hot(mixture, 3, torch.float64)
    assert (found.tolist(), found.dtype) == ([[0.25, 0.75, 0.0]], torch.float64)


def test_an_embedding_of_a_mixture_is_the_mixture_of_the_classes_vectors() -> None:
    table = ClassEmbedding(3, 2)
    with torch.no_grad():
        table.weight.copy_(torch.tensor([[1.0, 2.0], [3.0, 4.0], [-1.0, 8.0]]))
    assert table(torch.tensor([2, 0])).tolist() == [[-1.0, 8.0], [1.0, 2.0]]
    assert table(torch.tensor([[0.5, 0.25, 0.25], [0.0, 0.0, 1.0]])).tolist() == [[1.0, 4.0], [-1.0, 8.0]]
    assert list(table.state_dict()) == ["weight"]


@pytest.mark.parametrize("shape", [(6, 4), (6, 4, 5, 5)])
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_is_torchs_in_one_process(shape: tuple[int, ...], training: bool) -> None:
    torch.manual_seed(0)
    ours = BatchNorm(4, eps=1e-3, momentum=0.01)
    kind = nn.BatchNorm1d if len(shape) == 2 else nn.BatchNorm2d
    torchs = kind(4, eps=1e-3, momentum=0.01)
    for layer in (ours, torchs):
        layer.train(training)
    x = torch.randn(shape) * 3 + 1
    assert torch.equal(ours(x), torchs(x))
    assert torch.equal(ours.running_mean, torchs.running_mean)
    assert torch.equal(ours.running_var, torchs.running_var)


def test_a_batch_of_one_has_no_deviation() -> None:
    layer = BatchNorm(3)
    with pytest.raises(UserError, match="a batch of one has no deviation for batch norm: --batch 2, or more"):
        layer(torch.zeros(1, 3))
    assert layer(torch.zeros(1, 3, 2, 2)).shape == (1, 3, 2, 2)
    assert layer.eval()(torch.zeros(1, 3)).shape == (1, 3)


def test_running_variance_is_unbiased_by_hand() -> None:
    layer = BatchNorm(1, momentum=0.1)
    layer(torch.tensor([[1.0], [3.0]]))
    # Mean 2, unbiased variance 2: 0.9 * 0 + 0.1 * 2 and 0.9 * 1 + 0.1 * 2.
    assert layer.running_mean.item() == pytest.approx(0.2)
    assert layer.running_var.item() == pytest.approx(1.1)


@pytest.mark.parametrize("rate", [0.1, 0.4, 0.5])
def test_dropout_drops_its_share_and_keeps_the_mean(rate: float) -> None:
    torch.manual_seed(0)
    x = torch.ones(64, 32, 14, 14).to(memory_format=torch.channels_last).requires_grad_()
    out = Dropout(rate)(x)
    kept = out != 0
    deviation = (rate * (1 - rate) / x.numel()) ** 0.5
    assert abs(float((~kept).float().mean()) - rate) < 4 * deviation
    assert torch.allclose(out[kept], torch.tensor(1 / (1 - rate)), rtol=1e-4)
    out.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, out.detach())  # the gradient goes where the value went, scaled alike


def test_dropout_masks_are_independent_from_place_to_place_and_call_to_call() -> None:
    torch.manual_seed(0)
    layer, x = Dropout(0.5), torch.ones(400_000)
    first, second = (layer(x) != 0).float(), (layer(x) != 0).float()
    for a, b in ((first, second), (first[1:], first[:-1]), (first[4:], first[:-4])):
        assert abs(float(((a - 0.5) * (b - 0.5)).mean())) < 0.25 * 4 / x.numel() ** 0.5


def test_dropout_is_torchs_in_eval_mode_and_at_its_ends() -> None:
    x = torch.randn(100)
    assert torch.equal(Dropout(0.5).eval()(x), x)
    assert torch.equal(Dropout(0.0)(x), x)
    assert torch.equal(Dropout(1.0)(x), torch.zeros(100))
    assert Dropout(1 - 1e-6)(x).isfinite().all()
