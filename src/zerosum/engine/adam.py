"""torch's fused Adam on a CPU, with kernels handed over as they lie in memory.

Its step walks weights, gradients and moments from front to back. Kernels that lie channels-last are copied first, which
takes ten times as long as the step; and a gradient that lies another way than its weight is added to other weights.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class Adam(torch.optim.Adam):
    """torch's, number for number; its kernels may lie in any way."""

    def _init_group(self, group: Any, weights: Any, gradients: Any, *lists: Any) -> Any:
        """What torch collects for a step, each tensor as a view whose elements follow each other."""
        found = super()._init_group(group, weights, gradients, *lists)  # type: ignore[no-untyped-call]
        for index, weight in enumerate(weights):
            if gradients[index].stride() != weight.stride():
                gradients[index] = torch.empty_like(weight).copy_(gradients[index])
            if not weight.is_contiguous():
                alike = (weights, gradients, *lists[:2])  # these two are the moments
                for tensors, view in zip(alike, in_order(*(tensors[index] for tensors in alike)), strict=True):
                    tensors[index] = view
        return found


def in_order(*tensors: Tensor) -> list[Tensor]:
    """Views of dense tensors that lie alike, with their dimensions in the order in which they lie."""
    strides = tensors[0].stride()
    order = sorted(range(len(strides)), key=lambda axis: -strides[axis])
    return [tensor.permute(order) for tensor in tensors]
