"""The penalties against gradients known by hand, finite differences and autograd's own second-order check."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from zerosum.losses.penalties import (
    gradient_penalty,
    input_gradient,
    orthogonality,
    perturbed,
    r1,
    squared_gradient_norm,
)


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


class Smooth(nn.Module):
    """A small D in float64 whose second derivatives are nowhere zero."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.conv = nn.Conv2d(1, 2, 3, stride=2).double()
        self.out = nn.Linear(2 * 2 * 2, 1).double()

    def forward(self, x: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
        logits = self.out(torch.tanh(self.conv(x)).flatten(1)).flatten()
        return logits if y is None else logits * (1 + y)


def test_gradient_of_a_linear_d_is_its_weight():
    w = torch.tensor([3.0, -4.0, 12.0])
    x = torch.randn(5, 3, requires_grad=True)
    torch.testing.assert_close(squared_gradient_norm(x @ w, x), torch.full((5,), 169.0))
    torch.testing.assert_close(r1(x @ w, x, 10.0), torch.full((5,), 845.0))


def test_r1_is_mean_squared_gradient_norm_of_a_quadratic_d():
    # D(x) = |x|^2 / 2 has gradient x.
    x = torch.tensor([[1.0, 2.0], [0.0, 3.0]], requires_grad=True)
    penalty = r1(x.square().sum(1) / 2, x, 1.0)
    torch.testing.assert_close(penalty, torch.tensor([2.5, 4.5]))
    (second,) = torch.autograd.grad(penalty.sum(), x)
    torch.testing.assert_close(second, x.detach())  # d/dx of |x|^2 / 2


def test_norms_are_per_sample_and_over_all_pixels():
    w = torch.ones(2, 3, 3)
    x = torch.randn(4, 2, 3, 3, requires_grad=True)
    scale = torch.tensor([0.0, 1.0, 2.0, 3.0])
    logits = (x * w).flatten(1).sum(1) * scale
    torch.testing.assert_close(squared_gradient_norm(logits, x), scale.square() * 18)


def test_input_gradient_agrees_with_finite_differences():
    D, x = Smooth(), rand(2, 1, 5, 5).requires_grad_()
    gradient = input_gradient(D(x), x).detach()
    step = 1e-6
    for sample, pixel in [(0, 0), (0, 13), (1, 24)]:
        nudge = torch.zeros(2, 25, dtype=torch.float64)
        nudge[sample, pixel] = step
        nudge = nudge.reshape(2, 1, 5, 5)
        with torch.no_grad():
            slope = (D(x + nudge) - D(x - nudge))[sample] / (2 * step)
        assert gradient[sample, pixel].item() == pytest.approx(slope.item(), rel=1e-6)


def test_penalties_pass_autograds_check_of_second_derivatives():
    D, x = Smooth(), rand(2, 1, 5, 5).requires_grad_()
    fake, epsilon = rand(2, 1, 5, 5, seed=3), torch.tensor([0.25, 0.8], dtype=torch.float64)
    real = rand(2, 1, 5, 5)
    assert torch.autograd.gradcheck(lambda v: squared_gradient_norm(D(v), v), (x,))
    weight = D.conv.weight

    def penalty_of(w: torch.Tensor) -> torch.Tensor:
        def critic(v: torch.Tensor, y: torch.Tensor | None) -> torch.Tensor:
            hidden = torch.tanh(torch.conv2d(v, w, D.conv.bias, stride=2))
            return D.out(hidden.flatten(1)).flatten()

        return gradient_penalty(critic, real, fake, epsilon)

    assert torch.autograd.gradcheck(penalty_of, (weight,))


def test_gradient_penalty_is_taken_at_the_interpolate():
    # D(x) = |x|^2 / 2: the gradient's norm at x is |x| itself.
    real, fake = torch.tensor([[8.0, 0.0], [0.0, 4.0]]), torch.tensor([[0.0, 0.0], [0.0, 2.0]])
    epsilon = torch.tensor([0.5, 0.25])

    def bowl(x: torch.Tensor, y: torch.Tensor | None) -> torch.Tensor:
        return x.square().sum(1) / 2

    torch.testing.assert_close(gradient_penalty(bowl, real, fake, epsilon), torch.tensor([9.0, 2.25]))
    torch.testing.assert_close(gradient_penalty(bowl, real, fake, epsilon, centre=0.0), torch.tensor([16.0, 6.25]))
    torch.testing.assert_close(gradient_penalty(bowl, real, fake, torch.ones(2)), torch.tensor([49.0, 9.0]))


def test_gradient_penalty_hands_labels_to_d_and_no_gradient_to_g():
    D, y = Smooth(), torch.tensor([0.0, 1.0], dtype=torch.float64)
    fake = rand(2, 1, 5, 5, seed=3).requires_grad_()
    real, epsilon = rand(2, 1, 5, 5), torch.full((2,), 0.5, dtype=torch.float64)
    plain = gradient_penalty(D, real, fake, epsilon, centre=0.0)
    labelled = gradient_penalty(D, real, fake, epsilon, y, centre=0.0)
    torch.testing.assert_close(labelled, plain * torch.tensor([1.0, 4.0], dtype=torch.float64))
    labelled.sum().backward()
    assert fake.grad is None
    assert D.conv.weight.grad is not None


def test_a_gradient_of_exactly_zero_leaves_the_update_finite():
    w = torch.zeros(3, requires_grad=True)
    penalty = gradient_penalty(lambda x, y: x @ w, torch.randn(4, 3), torch.randn(4, 3), torch.rand(4))
    torch.testing.assert_close(penalty.detach(), torch.ones(4))
    (gradient,) = torch.autograd.grad(penalty.mean(), w)
    assert torch.equal(gradient, torch.zeros(3))


def test_misuse_is_named():
    x = torch.randn(2, 3)
    with pytest.raises(ValueError, match="requires_grad_"):
        squared_gradient_norm(x.sum(1), x)
    with pytest.raises(ValueError, match="2 and 1"):
        gradient_penalty(lambda x, y: x.sum(1), x, x[:1], torch.rand(2))


def test_perturbed_adds_up_to_half_a_standard_deviation() -> None:
    """Of 0 and 4 alike the deviation is 2: the noise is uniform from 0 to 1."""
    torch.manual_seed(0)
    x = torch.tensor([0.0, 4.0]).repeat_interleave(5000).view(100, 1, 10, 10)
    noise = perturbed(x) - x
    assert noise.min() >= 0
    assert noise.max() == pytest.approx(1, abs=1e-3)
    assert noise.mean() == pytest.approx(0.5, abs=0.02)


def test_orthogonality_counts_products_of_different_rows_only() -> None:
    """Rows (1, 2) and (3, 4) have the product 11, twice: 242. A kernel is its rows; a vector has none."""
    weight = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    assert orthogonality([weight, torch.ones(5)]).item() == 242
    assert orthogonality([weight.view(2, 1, 1, 2), weight]).item() == 484
    assert orthogonality([torch.eye(3) * 7]).item() == 0
    many = torch.linspace(-1, 2, 21, dtype=torch.float64).view(7, 3)  # many short rows, by their columns
    products = many @ many.t()
    expected = (products - torch.diag(products.diagonal())).square().sum()
    torch.testing.assert_close(orthogonality([many]), expected)
    orthogonality([weight]).backward()
    assert weight.grad is not None
    assert weight.grad.tolist() == [[4 * 11 * 3.0, 4 * 11 * 4.0], [4 * 11 * 1.0, 4 * 11 * 2.0]]


def test_a_fake_of_fewer_bits_is_met_halfway() -> None:
    """Under autocast G's images are bfloat16, and the data's are not."""
    critic = nn.Sequential(nn.Flatten(), nn.Linear(4, 1))
    real, fake = rand(2, 4).float(), rand(2, 4, seed=1).bfloat16()
    found = gradient_penalty(lambda x, _: critic(x).flatten(), real, fake, torch.tensor([0.25, 0.5]))
    weight = critic[1].weight.norm()
    torch.testing.assert_close(found, ((weight - 1) ** 2).expand(2))
