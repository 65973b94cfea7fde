"""Filters against loops in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from zerosum.networks.layers.resample import binomial, blur, downsample, enlarge, shrink, upsample


def filtered(x: np.ndarray, row: list[float]) -> np.ndarray:
    """Each side of a (H, W) image convolved with a row of sum 1, zeros beyond, the size that "full" gives."""
    kernel = np.array(row) / sum(row)
    along = np.stack([np.convolve(line, kernel) for line in x])
    return np.stack([np.convolve(line, kernel) for line in along.T]).T


def image(side: int) -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(1, 1, side, side, dtype=torch.float64)


@pytest.mark.parametrize(("taps", "row"), [(3, [1, 2, 1]), (4, [1, 3, 3, 1])])
def test_kernels_are_binomial_and_sum_to_one(taps: int, row: list[int]) -> None:
    kernel = binomial(torch.zeros(1, 5, 2, 2, dtype=torch.float64), taps)
    assert kernel.shape == (5, 1, taps, taps)
    expected = np.outer(row, row) / sum(row) ** 2
    for own in kernel:
        np.testing.assert_allclose(own[0].numpy(), expected)


def test_blur_is_a_convolution_with_one_two_one() -> None:
    x = image(6)
    np.testing.assert_allclose(blur(x)[0, 0].numpy(), filtered(x[0, 0].numpy(), [1, 2, 1])[1:-1, 1:-1])


def test_upsampling_repeats_pixels_and_filters_them_by_one_two_one() -> None:
    x = image(5)
    repeated = np.pad(x[0, 0].numpy().repeat(2, 0).repeat(2, 1), 1, mode="edge")
    expected = filtered(repeated, [1, 2, 1])[2:-2, 2:-2]
    np.testing.assert_allclose(upsample(x)[0, 0].numpy(), expected)


def test_downsampling_is_every_second_pixel_behind_one_three_three_one() -> None:
    x = image(8)
    expected = filtered(x[0, 0].numpy(), [1, 3, 3, 1])[2:-1:2, 2:-1:2]
    np.testing.assert_allclose(downsample(x)[0, 0].numpy(), expected)


def test_downsampling_of_a_pattern_at_the_limit_leaves_its_mean_and_no_alias() -> None:
    """Columns of 1 and -1: every second pixel alone would be all 1."""
    x = torch.ones(1, 1, 16, 16, dtype=torch.float64)
    x[..., 1::2] = -1
    assert downsample(x)[..., 1:-1, 1:-1].abs().max().item() < 1e-12


def test_shrinking_is_the_mean_of_squares_and_enlarging_its_reverse() -> None:
    x = image(8)
    small = shrink(x, 4)
    np.testing.assert_allclose(small[0, 0].numpy(), x[0, 0].numpy().reshape(4, 2, 4, 2).mean((1, 3)))
    assert shrink(x, 8) is x
    np.testing.assert_allclose(enlarge(small, 8)[0, 0].numpy(), small[0, 0].numpy().repeat(2, 0).repeat(2, 1))
    torch.testing.assert_close(shrink(enlarge(small, 8), 4), small)


def test_every_resampling_can_be_differentiated_twice() -> None:
    for change in (blur, upsample, downsample, lambda x: shrink(x, 2), lambda x: enlarge(x, 8)):
        x = image(4).requires_grad_()
        assert torch.autograd.gradgradcheck(lambda x, change=change: change(x).square(), (x,))
