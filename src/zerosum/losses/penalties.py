"""Penalties on D's gradient with respect to its input, per sample, differentiable once more for the update.

R1 and R2: arXiv 1801.04406, Eq. 9 and 10; gradient penalty: arXiv 1704.00028, Algorithm 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import torch
from torch import Tensor


class Critic(Protocol):
    """D as a penalty sees it: x (N, …) and labels y (N,) or None to logits (N,)."""

    def __call__(self, x: Tensor, y: Tensor | None, /) -> Tensor: ...


def input_gradient(logits: Tensor, x: Tensor) -> Tensor:
    """The gradient of each logit with respect to its own sample, flattened to (N, values of one sample).

    logits: (N,), computed from x, which requires a gradient. Summing the logits is enough because sample i
    reaches only logit i; in a D with batch norm it reaches the others too, as in any penalty of this kind.
    """
    if not x.requires_grad:
        raise ValueError("a gradient penalty needs x.requires_grad_() before D sees x")
    (gradient,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return gradient.flatten(1)


def squared_gradient_norm(logits: Tensor, x: Tensor) -> Tensor:
    """|grad_x D(x)|^2, (N,): R1 on real images and R2 on fake ones, before their gamma / 2."""
    return input_gradient(logits, x).square().sum(dim=1)


def r1(logits: Tensor, x: Tensor, gamma: float) -> Tensor:
    """gamma / 2 |grad_x D(x)|^2, (N,): R1 of real samples, R2 of fake ones."""
    return gamma / 2 * squared_gradient_norm(logits, x)


def gradient_penalty(
    D: Critic, real: Tensor, fake: Tensor, epsilon: Tensor, y: Tensor | None = None, centre: float = 1.0
) -> Tensor:
    """(|grad D(x)|_2 - centre)^2, (N,), at x = epsilon real + (1 - epsilon) fake.

    real, fake: (N, …) of one shape; epsilon: (N,) in [0, 1]; y: (N,) labels for D. Where the gradient is
    exactly zero the norm has no derivative; torch takes 0 there, so the update stays finite.
    """
    if real.shape != fake.shape:
        raise ValueError(f"as many real samples as fake ones are needed, not {len(real)} and {len(fake)}")
    weight = epsilon.reshape(-1, *[1] * (real.dim() - 1))
    made = fake.detach().to(real.dtype)  # under autocast G gives fewer bits than the data has
    x = torch.lerp(made, real.detach(), weight.to(real.dtype)).requires_grad_()
    norm: Tensor = input_gradient(D(x, y), x).norm(2, dim=1)
    return (norm - centre).square()


def orthogonality(weights: Iterable[Tensor]) -> Tensor:
    """The sum over the matrices of |W W^T * (1 - I)|^2, a scalar: how far from orthogonal their rows are.

    BigGAN's regularization (Brock et al. 2018, arXiv 1809.11096, Eq. 3), which leaves the rows' lengths alone; kernels
    are matrices with a row for each output. Vectors are left out. Of many short rows the squared products of all rows
    are those of all columns, so that no matrix is larger than the weights.
    """
    parts = []
    for weight in weights:
        if weight.dim() > 1:
            rows = weight.flatten(1)
            if len(rows) > 2 * rows.shape[1]:
                parts.append((rows.t() @ rows).square().sum() - rows.square().sum(1).square().sum())
            else:
                products = rows @ rows.t()
                parts.append((products - torch.diag(products.diagonal())).square().sum())
    return torch.stack(parts).sum() if parts else torch.zeros(())


def perturbed(x: Tensor) -> Tensor:
    """x (N, …) plus noise of up to half the standard deviation of all of it: the other end of DRAGAN's penalty.

    Kodali et al. 2017, arXiv 1705.07215, as in the authors' code, where the noise is uniform and never negative.
    """
    return x + 0.5 * x.std(correction=0) * torch.rand_like(x)
