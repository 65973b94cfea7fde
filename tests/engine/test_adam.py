"""The fused Adam of a CPU beside torch's own loop over weights, whatever the layouts."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from zerosum.engine.adam import Adam, in_order

LAYOUTS = {
    "contiguous": lambda x: x.clone(),
    "channels-last": lambda x: x.clone(memory_format=torch.channels_last),
    "other": lambda x: x.permute(3, 1, 0, 2).contiguous().permute(2, 1, 3, 0),
}


def play(optimizer: torch.optim.Optimizer, weights: list[nn.Parameter], steps: list[list[Tensor]], layout: str) -> None:
    for gradients in steps:
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.grad = LAYOUTS[layout](gradient) if gradient.dim() == 4 else gradient.clone()
        optimizer.step()


@pytest.mark.parametrize("of_weights", LAYOUTS)
@pytest.mark.parametrize("of_gradients", LAYOUTS)
def test_weights_are_those_of_torchs_loop_in_every_layout(of_weights: str, of_gradients: str) -> None:
    torch.manual_seed(0)
    shapes = [(6, 5, 3, 4), (7, 1, 5, 5), (4, 8, 1, 1), (9, 11), (9,)]
    values = [torch.randn(shape) for shape in shapes]
    steps = [[torch.randn(shape) for shape in shapes] for _ in range(5)]
    ours = [nn.Parameter(LAYOUTS[of_weights](value) if value.dim() == 4 else value.clone()) for value in values]
    theirs = [nn.Parameter(value.clone()) for value in values]
    form = {"lr": 0.05, "betas": (0.5, 0.9), "eps": 1e-7}
    play(Adam(ours, fused=True, **form), ours, steps, of_gradients)
    play(torch.optim.Adam(theirs, foreach=False, **form), theirs, steps, "contiguous")
    for mine, other, value in zip(ours, theirs, values, strict=True):
        torch.testing.assert_close(mine.detach(), other.detach(), rtol=1e-5, atol=1e-6)
        assert not torch.equal(mine.detach(), value)


def test_kernels_are_not_copied_to_be_stepped() -> None:
    weight = nn.Parameter(torch.randn(32, 16, 3, 3).to(memory_format=torch.channels_last))
    optimizer = Adam([weight], fused=True)
    weight.grad = torch.randn_like(weight)
    optimizer.step()
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        optimizer.step()
    assert "aten::clone" not in {entry.key for entry in seen.key_averages()}


def test_a_view_in_order_walks_memory_from_front_to_back() -> None:
    x = torch.arange(2.0 * 3 * 4 * 5).view(2, 3, 4, 5)
    for laid_out in (layout(x) for layout in LAYOUTS.values()):
        (view,) = in_order(laid_out)
        assert view.is_contiguous()
        assert view.data_ptr() == laid_out.data_ptr()
        assert view.numel() == 120
