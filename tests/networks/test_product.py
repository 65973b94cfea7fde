"""Linear layers on the other path: torch's numbers, to the second derivative, and only where it pays."""

from __future__ import annotations

import time

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from zerosum.networks.layers import product
from zerosum.networks.layers.paths import as_torch_does
from zerosum.networks.layers.product import Linear, linear


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The shapes of the products that took the path."""
    seen: list[tuple[int, ...]] = []
    own = product._onednn

    def counted(a: Tensor, b: Tensor, bias: Tensor | None) -> Tensor:
        seen.append((*a.shape, len(b)))
        return own(a, b, bias)

    monkeypatch.setattr(product, "_onednn", counted)
    return seen


def near(found: Tensor, expected: Tensor) -> None:
    """To a hundred roundings of the largest value."""
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * float(expected.detach().abs().max()))


@pytest.mark.skipif(not product.AVAILABLE, reason="this torch lacks the operator")
@pytest.mark.parametrize("shape", [(32, 100, 64), (16, 16, 16), (130, 784, 200), (8, 100, 2000)])
@pytest.mark.parametrize("bias", [True, False])
def test_values_and_gradients_are_torchs_to_the_second(
    shape: tuple[int, int, int], bias: bool, taken: list[tuple[int, ...]]
) -> None:
    torch.manual_seed(0)
    count, inputs, outputs = shape
    layer = Linear(inputs, outputs, bias=bias)
    x = torch.randn(count, inputs, requires_grad=True)

    def everything() -> list[Tensor]:
        y = layer(x)
        first = torch.autograd.grad(y.tanh().sum(), [x, *layer.parameters()], create_graph=True)
        second = torch.autograd.grad(first[0].square().sum(), [x, layer.weight])
        return [y, *first, *second]

    mine = everything()
    assert (count, inputs, outputs) in taken
    calls = len(taken)
    with as_torch_does():
        torchs = everything()
    assert len(taken) == calls
    for found, expected in zip(mine, torchs, strict=True):
        near(found, expected)


def test_more_dimensions_are_rows(taken: list[tuple[int, ...]]) -> None:
    torch.manual_seed(1)
    x, weight, bias = torch.randn(4, 9, 32), torch.randn(48, 32), torch.randn(48)
    near(linear(x, weight, bias), F.linear(x, weight, bias))
    assert taken == ([(36, 32, 48)] if product.AVAILABLE else [])


@pytest.mark.parametrize(
    ("x", "outputs"),
    [((8, 64), 64), ((64, 8), 64), ((64, 64), 1), ((1, 1024), 2048)],
    ids=["few rows", "few terms", "one output", "one row"],
)
def test_small_products_are_torchs_own(x: tuple[int, int], outputs: int, taken: list[tuple[int, ...]]) -> None:
    layer, given = Linear(x[1], outputs), torch.randn(x)
    assert torch.equal(layer(given), F.linear(given, layer.weight, layer.bias))
    assert taken == []


def test_other_precisions_are_torchs_own(taken: list[tuple[int, ...]]) -> None:
    layer, x = Linear(32, 32).double(), torch.randn(32, 32, dtype=torch.float64)
    assert torch.equal(layer(x), F.linear(x, layer.weight, layer.bias))
    with torch.autocast("cpu", torch.bfloat16):
        assert Linear(32, 32)(torch.randn(32, 32)).dtype == torch.bfloat16
    assert taken == []


def test_without_the_operator_everything_is_torchs_own(
    monkeypatch: pytest.MonkeyPatch, taken: list[tuple[int, ...]]
) -> None:
    monkeypatch.setattr(product, "AVAILABLE", False)
    layer, x = Linear(32, 32), torch.randn(32, 32)
    assert torch.equal(layer(x), F.linear(x, layer.weight, layer.bias))
    assert taken == []


def test_an_operator_that_does_something_else_is_not_available(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(product, "_onednn", lambda a, b, bias: a @ b.t())
    assert not product._available()


@pytest.mark.skipif(not product.AVAILABLE, reason="this torch lacks the operator")
def test_a_slice_costs_what_a_whole_costs() -> None:
    """As of a style out of all layers' styles; its transpose, the gradient by the weight, took 600 times as long."""
    torch.manual_seed(2)
    styles, pull = torch.randn(32, 12, 512), torch.randn(32, 32)
    slices = {"by rows": styles[:, 3].t(), "by columns": styles.transpose(1, 2)[..., 3].t()}
    whole = styles[:, 3].contiguous().t()
    times: dict[str, list[float]] = {}
    for _ in range(7):
        for name, x in {"whole": whole, **slices}.items():
            start = time.process_time()
            for _ in range(5):
                found = product.product(pull.t(), x)
            times.setdefault(name, []).append(time.process_time() - start)
            near(found, pull.t() @ x.t())
    for name in slices:
        assert min(times[name]) < 30 * min(times["whole"])


@pytest.mark.skipif(not product.AVAILABLE, reason="this torch lacks the operator")
@pytest.mark.parametrize("columns", [24, 400])
def test_a_gradient_of_a_gradient_lies_as_its_weight_does(columns: int, taken: list[tuple[int, ...]]) -> None:
    """By columns, each addition to the weight's own gradient would take six times as long."""
    x, weight = torch.randn(64, 48, requires_grad=True), torch.randn(columns, 48, requires_grad=True)
    (slope,) = torch.autograd.grad(linear(x, weight).square().sum(), x, create_graph=True)
    twice = torch.autograd.grad(slope.square().sum(), (x, weight))
    assert len(taken) > 4
    assert all(found.is_contiguous() for found in twice)
