"""Linear layers by oneDNN on a CPU: torch's own products go to MKL, which is slow on processors of another maker.

On an AMD processor with AVX-512, one core, products of the tutorials' sizes reach 190 to 220 GFLOP/s this way and 20 to
100 by MKL. The sums are the same, in another order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zerosum.networks.layers.paths import takes_own_path

SMALLEST = 16  # below so many rows, columns or terms a call costs more than it spares,
LARGE = 2**20  # unless there are as many multiplications, and none of the three is 1


class _Product(torch.autograd.Function):
    """a (N, K), b (M, K), bias (M,) or None -> a b^T + bias (N, M); its gradients are two more of the kind."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(a, b)
        return _onednn(a, b, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,), (a, b) = gradients, ctx.saved_tensors
        by_a = _product_like(a, gradient, b.t()) if ctx.needs_input_grad[0] else None
        by_b = _by_terms(gradient, a, b) if ctx.needs_input_grad[1] else None
        return by_a, by_b, gradient.sum(0) if ctx.needs_input_grad[2] else None


def _product_like(like: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """The product of a and b to lie as `like` does, by rows or by columns, since it is soon added to its kind."""
    return product(a, b) if like.is_contiguous() else product(b, a).t()


def _by_terms(gradient: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """gradient (N, M) and a (N, K) to (M, K), to lie as b does, by the way on which less is copied.

    The first operand of a product is copied to lie by rows; where that is a, what is found is copied, too.
    """
    (rows, inputs), outputs = a.shape, gradient.shape[1]
    if b.is_contiguous() and inputs * (rows + outputs) < rows * outputs:
        return product(a.t(), gradient.t()).t().contiguous()
    return _product_like(b, gradient.t(), a.t())


def _onednn(a: Tensor, b: Tensor, bias: Tensor | None) -> Tensor:
    found: Tensor = torch.ops.mkldnn._linear_pointwise(_dense(a), _dense(b), bias, "none", [], "")
    return found


def _dense(x: Tensor) -> Tensor:
    """x (N, K) by rows or by columns without gaps: of a slice oneDNN's product took 12 ms for 0.02."""
    if x.is_contiguous() or x.t().is_contiguous():
        return x
    return x.t().contiguous().t() if x.stride(0) == 1 else x.contiguous()


_product: Callable[..., Tensor] = _Product.apply


def product(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """a (N, K) times the transpose of b (M, K), plus bias (M,): (N, M), by the faster way."""
    if _pays(len(a), a.shape[1], len(b)) and a.dtype == b.dtype == torch.float32 and AVAILABLE and takes_own_path(a):
        return _product(a, b, bias) if torch.is_grad_enabled() else _onednn(a, b, bias)  # most gradients need none
    return F.linear(a, b, bias)


def _pays(rows: int, terms: int, columns: int) -> bool:
    least = min(rows, terms, columns)
    return least >= SMALLEST or (least > 1 and rows * terms * columns >= LARGE)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`torch.nn.functional.linear`: x (…, K) and weight (M, K) to (…, M)."""
    if x.dim() == 2:
        return product(x, weight, bias)
    return product(x.reshape(-1, x.shape[-1]), weight, bias).view(*x.shape[:-1], len(weight))


class Linear(nn.Linear):
    """torch's layer, number for number but for the order of its sums."""

    def forward(self, input: Tensor) -> Tensor:
        return linear(input, self.weight, self.bias)


def _available() -> bool:
    """Whether this torch has the operator, which is its own and not promised to stay, and it does what is expected."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    a, b, bias = torch.arange(6.0).view(2, 3), torch.arange(12.0).view(4, 3), torch.arange(4.0)
    try:
        return torch.allclose(_onednn(a, b, bias), F.linear(a, b, bias))
    except (AttributeError, RuntimeError, TypeError):
        return False


AVAILABLE = _available()
