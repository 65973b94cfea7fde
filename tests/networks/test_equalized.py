"""ProGAN's pieces against numbers worked out by hand and against loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from zerosum.networks.layers.equalized import EqualConv2d, EqualLinear, MinibatchStd, pixel_norm, smeared


def test_a_linear_layer_weighs_its_inputs_by_hes_constant() -> None:
    layer = EqualLinear(8, 1, bias=0.5)
    with torch.no_grad():
        layer.weight.fill_(1.0)
    # 8 ones times sqrt(2 / 8), and the bias
    assert layer(torch.ones(1, 8)).item() == pytest.approx(8 * 0.5 + 0.5)


def test_a_rate_changes_how_fast_a_layer_learns_and_not_what_it_computes() -> None:
    torch.manual_seed(0)
    slow = EqualLinear(50, 40, rate=0.01, bias=0.3)
    assert slow.weight.std().item() == pytest.approx(100, rel=0.1)
    x = torch.randn(1000, 50)
    with torch.no_grad():
        assert slow(x).std().item() == pytest.approx(math.sqrt(2), rel=0.1)
        assert (slow(x) - F.linear(x, slow.weight * 0.01 * math.sqrt(2 / 50))).mean().item() == pytest.approx(0.3)
    slow(x).sum().backward()
    quick = EqualLinear(50, 40)
    quick(x).sum().backward()
    assert slow.weight.grad is not None
    assert quick.weight.grad is not None
    torch.testing.assert_close(slow.weight.grad, 0.01 * quick.weight.grad)


def test_a_convolution_has_unit_weights_scaled_by_its_fan() -> None:
    torch.manual_seed(0)
    layer = EqualConv2d(16, 64, 3)
    assert layer.weight.std().item() == pytest.approx(1, rel=0.05)
    x = torch.randn(2, 16, 5, 5)
    torch.testing.assert_close(layer(x), F.conv2d(x, layer.weight * math.sqrt(2 / (16 * 9)), padding=1))


def test_a_halving_convolution_is_the_mean_of_four_neighbours_of_a_whole_one() -> None:
    torch.manual_seed(0)
    layer = EqualConv2d(3, 5, 3, halves=True)
    with torch.no_grad():
        layer.bias.normal_()  # type: ignore[union-attr]
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    layer.double()
    whole = F.conv2d(x, layer.weight * layer.scale, layer.bias, padding=1)
    torch.testing.assert_close(layer(x), F.avg_pool2d(whole, 2))
    assert smeared(layer.weight).shape == (5, 3, 4, 4)


def test_pixel_norm_leaves_vectors_of_mean_square_one() -> None:
    x = torch.tensor([[3.0, 4.0]])
    expected = np.array([3.0, 4.0]) / math.sqrt((9 + 16) / 2)
    np.testing.assert_allclose(pixel_norm(x)[0].numpy(), expected, rtol=1e-6)


def test_minibatch_deviation_is_that_of_groups() -> None:
    """N = 4, group 2: samples 0 and 2 are a group, 1 and 3 another; deviations by numpy."""
    x = torch.arange(4 * 2 * 1 * 1, dtype=torch.float64).view(4, 2, 1, 1) ** 2
    told = MinibatchStd(2)(x)
    assert told.shape == (4, 3, 1, 1)
    torch.testing.assert_close(told[:, :2], x)
    values = x.numpy().reshape(4, 2)
    first, second = (values[rows].std(axis=0).mean() for rows in ([0, 2], [1, 3]))
    np.testing.assert_allclose(told[:, 2, 0, 0].numpy(), [first, second, first, second], rtol=1e-6)


@pytest.mark.parametrize(("count", "group"), [(1, 1), (2, 2), (3, 3), (5, 1), (6, 3), (8, 4)])
def test_minibatch_deviation_takes_the_largest_group_that_divides_the_batch(count: int, group: int) -> None:
    torch.manual_seed(0)
    x = torch.randn(count, 3, 2, 2, dtype=torch.float64)
    found = MinibatchStd()(x)[:, 3, 0, 0]
    parts = x.numpy().reshape(group, count // group, -1)
    expected = np.sqrt(parts.var(axis=0) + 1e-8).mean(axis=1)
    np.testing.assert_allclose(found.numpy(), np.tile(expected, group), rtol=1e-6)
