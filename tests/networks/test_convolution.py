"""Convolutions between few and many channels: torch's numbers on another path, and its gradients, to the second."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.utils._python_dispatch import TorchDispatchMode

from zerosum.networks import build
from zerosum.networks.dcgan_k2 import WideConv
from zerosum.networks.layers import adjoint, columns
from zerosum.networks.layers.adjoint import Way, channels_last, forward, to_input, to_kernel
from zerosum.networks.layers.convolution import FOLDED, PRODUCTS, Conv2d, ConvTranspose2d
from zerosum.networks.layers.dropout import Dropout
from zerosum.networks.layers.keras import SameConv
from zerosum.networks.layers.norms import InstanceNorm
from zerosum.networks.layers.paths import as_torch_does, own_paths
from zerosum.recipes import recipe
from zerosum.types import Domain

CPU = torch.device("cpu")

# Layers of the tutorials' networks and odd ones, smaller in batch: (layer, channels, size of the images).
LAYERS: dict[str, tuple[Callable[[], nn.Module], int, int]] = {
    "dcgan-lite ends": (lambda: Conv2d(128, 1, 7, padding=3), 128, 28),
    "dcgan-smooth ends": (lambda: Conv2d(32, 1, 5, padding=2, bias=False), 32, 28),
    "dcgan-faces ends": (lambda: ConvTranspose2d(64, 3, 4, 2, 1, bias=False), 64, 16),
    "dcgan-faces begins": (lambda: Conv2d(3, 64, 4, 2, 1, bias=False), 3, 32),
    "dcgan-smooth begins": (lambda: Conv2d(1, 64, 5, 2, 2), 1, 28),
    "a valid kernel": (lambda: Conv2d(40, 2, 3), 40, 9),
    "an odd rest": (lambda: ConvTranspose2d(24, 1, 3, 2, 1, 1), 24, 7),
    "many to many": (lambda: Conv2d(12, 16, 3, 2, 1), 12, 9),
    "groups": (lambda: Conv2d(12, 16, 3, padding=1, groups=4), 12, 9),
    "many to many, transposed": (lambda: ConvTranspose2d(12, 16, 4, 2, 1), 12, 7),
    "groups, transposed": (lambda: ConvTranspose2d(12, 16, 3, 2, 1, 1, groups=4), 12, 7),
    "many to many, one pixel": (lambda: Conv2d(24, 32, 1), 24, 9),
    "many to many, one pixel of many": (lambda: Conv2d(24, 32, 1), 24, 65),
    "many to one, one pixel": (lambda: Conv2d(24, 1, 1), 24, 9),
    "an oblong kernel": (lambda: Conv2d(1, 16, (3, 5), (2, 1), (1, 2)), 1, 12),
    "many to more, few places": (lambda: Conv2d(64, 256, 3, 2, 1), 64, 8),
    "many to more, an oblong kernel": (lambda: Conv2d(64, 256, (2, 4), (1, 2), (0, 1)), 64, 6),
    "many to more, few places, transposed": (lambda: ConvTranspose2d(256, 64, 3, 2, 1, 1), 256, 4),
    "many to more, too many places forward": (lambda: Conv2d(64, 256, 3, padding=1), 64, 11),
}
BY_COLUMNS = {  # of these layers: which maps are products at three images; forward first, the kernel's last
    "many to more, few places": ["forward", "to_input", "to_kernel"],
    "many to more, an oblong kernel": ["forward", "to_input", "to_kernel"],
    "many to more, few places, transposed": ["to_input", "forward", "to_kernel"],
    "many to more, too many places forward": ["to_kernel"],
}


def plain(layer: nn.Module) -> Callable[[Tensor], Tensor]:
    """torch's own layer with the same weights."""
    kind = nn.Conv2d if isinstance(layer, nn.Conv2d) else nn.ConvTranspose2d
    return lambda x: kind.forward(layer, x)


@pytest.fixture
def folds(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the products that were folded."""
    seen: list[int] = []
    fold = adjoint._fold

    def counted(y: Tensor, weight: Tensor, *rest: Any) -> Tensor:
        seen.append(weight[0].numel())
        return fold(y, weight, *rest)

    monkeypatch.setattr(adjoint, "_fold", counted)
    return seen


@pytest.fixture
def by_columns(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The maps that were products of columns."""
    seen: list[str] = []

    def counted(name: str, run: Callable[..., Tensor]) -> Callable[..., Tensor]:
        return lambda *told: (seen.append(name), run(*told))[1]

    for name in ("forward", "to_input", "to_kernel"):
        monkeypatch.setattr(columns, name, counted(name, getattr(columns, name)))
    return seen


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_values_and_gradients_are_torchs(
    name: str, layout: torch.memory_format, folds: list[int], by_columns: list[str]
) -> None:
    make, channels, size = LAYERS[name]
    torch.manual_seed(0)
    layer = make().double()
    x = torch.randn(3, channels, size, size, dtype=torch.float64).to(memory_format=layout).requires_grad_()
    mine, torchs = layer(x), plain(layer)(x)
    torch.testing.assert_close(mine, torchs, rtol=0, atol=1e-12)
    weights = [x, *layer.parameters()]
    pull = torch.randn_like(torchs)
    found, expected = (torch.autograd.grad(values, weights, pull) for values in (mine, torchs))
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-11)
    assert len(folds) == (0 if "many to" in name or "groups" in name else 1)  # the path under test was the one taken
    assert by_columns == BY_COLUMNS.get(name, [])


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(7, 1, 3), (4, 2, 1), (3, 2, 0)])
def test_folded_at_once_or_plane_by_plane_is_the_same(kernel: int, stride: int, padding: int) -> None:
    torch.manual_seed(0)
    y, weight = (torch.randn(shape, dtype=torch.float64) for shape in ((3, 40, 6, 6), (40, 2, kernel, kernel)))
    side, bias = (6 - 1) * stride + kernel - 2 * padding, torch.randn(2, dtype=torch.float64)
    way = Way((stride, stride), (padding, padding), folds=True)
    told = (y, weight, bias, (side, side), way)
    torch.testing.assert_close(adjoint._fold_at_once(*told), adjoint._fold(*told), rtol=0, atol=1e-12)


def test_a_gpu_folds_large_kernels_to_few_channels_only() -> None:
    D, G = (build(recipe("dcgan-lite").players[name], Domain(shape=(1, 28, 28))) for name in "DG")
    gpu = torch.device("cuda")
    assert own_paths(G, gpu, autocast=False) == {FOLDED: ["layers.7"]}
    assert own_paths(G, gpu, autocast=True) == {}
    assert own_paths(D, gpu, autocast=False) == {}


@pytest.mark.parametrize("name", LAYERS)
def test_a_gradient_penalty_has_torchs_gradient(name: str) -> None:
    make, channels, size = LAYERS[name]
    torch.manual_seed(1)
    layer = make().double()
    x = torch.randn(2, channels, size, size, dtype=torch.float64, requires_grad=True)

    def penalty(run: Callable[[Tensor], Tensor]) -> list[Tensor]:
        slope = torch.autograd.grad(run(x).tanh().sum(), x, create_graph=True)[0]
        return list(torch.autograd.grad(slope.square().sum(), [x, layer.weight]))

    for ours, theirs in zip(penalty(layer), penalty(plain(layer)), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("folds", [False, True])
def test_all_three_maps_pass_the_numerical_check_twice(groups: int, folds: bool) -> None:
    if folds and groups > 1:
        return  # no layer folds groups
    torch.manual_seed(2)
    way = Way((2, 2), (1, 1), groups, folds)
    x = torch.randn(2, 2, 5, 5, dtype=torch.float64, requires_grad=True)
    y = torch.randn(2, 4, 3, 3, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(4, 2 // groups, 3, 3, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(4, dtype=torch.float64, requires_grad=True)
    for check in (torch.autograd.gradcheck, torch.autograd.gradgradcheck):
        assert check(lambda x, w, b: forward(x, w, b, way), (x, weight, bias))
        assert check(lambda y, w: to_input(y, w, None, (5, 5), way), (y, weight))
        assert check(lambda x, y: to_kernel(x, y, weight, way), (x, y))


def test_few_places_are_a_product_in_the_precision_of_a_run(by_columns: list[str]) -> None:
    """A U-Net's middle, one image at a time: gradients of float32 as near to float64's as torch's own are."""
    torch.manual_seed(5)
    layer, x = Conv2d(512, 512, 4, 2, 1, bias=False), torch.randn(1, 512, 4, 4)
    pull = torch.randn(1, 512, 2, 2)
    exact = torch.autograd.grad(plain(layer.double())(x.double()), layer.weight, pull.double())[0]
    layer.float()
    for run in (layer, plain(layer)):
        found = torch.autograd.grad(run(x), layer.weight, pull)[0]
        torch.testing.assert_close(found.double(), exact, rtol=0, atol=1e-5)
    assert by_columns == ["forward", "to_kernel"]


@pytest.mark.parametrize("outputs", [1, 3])
def test_a_kernel_that_covers_the_image_is_a_linear_map(outputs: int, folds: list[int]) -> None:
    torch.manual_seed(4)
    layer = Conv2d(64, outputs, 4).double()
    x = torch.randn(3, 64, 4, 4, dtype=torch.float64).to(memory_format=torch.channels_last).requires_grad_()
    mine, torchs = layer(x), plain(layer)(x)
    torch.testing.assert_close(mine, torchs, rtol=0, atol=1e-12)
    weights = [x, *layer.parameters()]
    found, expected = (torch.autograd.grad(values.square().sum(), weights) for values in (mine, torchs))
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-11)
    assert folds == []


def test_each_map_is_the_adjoint_of_the_others() -> None:
    torch.manual_seed(3)
    x, y = torch.randn(2, 6, 8, 8, dtype=torch.float64), torch.randn(2, 16, 4, 4, dtype=torch.float64)
    weight = torch.randn(16, 3, 4, 4, dtype=torch.float64)
    way = Way((2, 2), (1, 1), 2)
    product = (forward(x, weight, None, way) * y).sum()
    torch.testing.assert_close((x * to_input(y, weight, None, (8, 8), way)).sum(), product)
    torch.testing.assert_close((weight * to_kernel(x, y, weight, way)).sum(), product)


@pytest.mark.parametrize("shape", [(3, 1, 4, 5), (3, 6, 4, 5), (3, 6, 1, 1)])
def test_channels_last_keeps_the_values_and_passes_their_gradients(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    for given in (x, x.to(memory_format=torch.channels_last), x.flip(2).flip(2), x.transpose(2, 3).transpose(2, 3)):
        found = channels_last(given)
        assert torch.equal(found, x)
        assert found.stride(1) == 1
        assert found.is_contiguous(memory_format=torch.channels_last)
    pull = torch.randn_like(x)
    (gradient,) = torch.autograd.grad(channels_last(x), x, pull)
    assert torch.equal(gradient, pull)


@pytest.mark.parametrize("name", ["dcgan-lite", "quick", "dcgan-digits", "stylegan2", "sngan"])
def test_what_activations_and_their_gradients_lie_like_is_the_same(name: str) -> None:
    """Where the two differ, torch takes up to fifty times as long for the activation's backward pass."""
    told = recipe(name).override({"width": 8})
    domain = Domain(shape=(1, 28, 28))
    odd: list[str] = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if "relu_backward" in str(func) or "threshold_backward" in str(func):
                gradient, values = args[:2]
                apart = gradient.dim() == 4 and gradient.stride()[1:] != values.stride()[1:]
                if apart and values.shape[2] > 1 and gradient.stride()[2] > 0:  # 0: the gradient of a sum
                    odd.append(f"{func} {tuple(values.shape)} {gradient.stride()} {values.stride()}")
            return func(*args, **(kwargs or {}))

    G, D = (build(told.players[player], domain) for player in "GD")
    with Watch():
        D(G(torch.randn(4, int(G.z_dim))), None).sum().backward()  # type: ignore[arg-type]
    assert odd == []


@pytest.mark.parametrize(
    "layer",
    [
        Conv2d(16, 16, 3, padding=1),  # many to many
        Conv2d(16, 2, 3, padding=1, groups=2),
        Conv2d(16, 1, 3, padding=2, dilation=2),
        Conv2d(16, 1, 3, padding=1, padding_mode="reflect"),
        Conv2d(64, 1, 4, 2, 1),  # a stride towards few channels
        Conv2d(32, 1, 28, padding=14),  # the product would be 24 times as large as the image
        Conv2d(16, 1, 3, padding="same"),
        Conv2d(16, 1, 2, padding=2),  # rows that no pixel reaches
    ],
    ids=str,
)
def test_other_layers_are_torchs_own(layer: Conv2d, folds: list[int]) -> None:
    x = torch.randn(2, layer.in_channels, 28, 28, requires_grad=True)
    torch.testing.assert_close(layer(x), nn.Conv2d.forward(layer, x))
    assert folds == []
    assert own_paths(layer, CPU, autocast=False) == {}


def test_autocast_takes_torchs_path(folds: list[int]) -> None:
    layer = Conv2d(64, 1, 3, padding=1)
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(torch.randn(2, 64, 8, 8)).dtype == torch.bfloat16
    assert folds == []


def test_images_that_need_no_gradient_are_convolved_by_torch(folds: list[int]) -> None:
    layer = SameConv(1, 64, 5, 2)
    layer(torch.randn(2, 1, 28, 28)).sum().backward()
    assert folds == []
    assert layer.weight.grad is not None


class Called(TorchDispatchMode):
    """Notes the operators that are called."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        self.names.add(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


def test_wide_kernels_and_masks_go_torchs_way_inside_as_torch_does() -> None:
    wide, dropout = WideConv(2, 1, 12), Dropout(0.5)
    x = torch.randn(3, 2, 12, 12)
    with Called() as ours:
        made = wide(x)
        dropout(x)
    with as_torch_does(), Called() as torchs:
        same = wide(x)
        dropout(x)
    assert {"mm", "random_"} <= ours.names
    assert not {"convolution", "bernoulli_", "native_dropout"} & ours.names
    assert "convolution" in torchs.names
    assert {"bernoulli_", "native_dropout"} & torchs.names
    assert not {"mm", "random_"} & torchs.names
    assert torch.allclose(made, same, atol=1e-5)


def test_a_network_names_the_layers_that_go_another_way() -> None:
    network = nn.Sequential(
        Conv2d(1, 64, 4, 2, 1),
        Dropout(0.4),
        Dropout(0.0),
        Conv2d(64, 256, 3),
        Conv2d(256, 256, 4),
        InstanceNorm(256),
        ConvTranspose2d(256, 3, 4, 2, 1),
    )
    masks, norm = {"masks of 16 bits": ["1"]}, {"instance norm's gradient": ["5"]}
    assert own_paths(network, CPU, autocast=False) == {FOLDED: ["0", "6"], PRODUCTS: ["3", "4"], **masks, **norm}
    assert own_paths(network, torch.device("cuda"), autocast=False) == {}
    assert own_paths(network, CPU, autocast=True) == masks
    normed = spectral_norm(Conv2d(64, 256, 3))
    begun = {name: value.clone() for name, value in normed.state_dict().items()}
    assert own_paths(nn.Sequential(normed), CPU, autocast=False) == {PRODUCTS: ["0"]}
    for name, value in normed.state_dict().items():  # looking on is no step of the power iteration
        assert torch.equal(value, begun[name])
    k2 = build(recipe("dcgan-k2").players["G"], Domain(shape=(1, 28, 28)))
    assert own_paths(k2, CPU, autocast=False) == {"a wide kernel, as products": ["layers.7"]}


def test_inside_as_torch_does_no_layer_folds(folds: list[int]) -> None:
    layer, x = ConvTranspose2d(64, 1, 4, 2, 1), torch.randn(2, 64, 8, 8)
    with as_torch_does():
        with as_torch_does():
            pass
        same = layer(x)
    assert folds == []
    assert torch.equal(same, nn.ConvTranspose2d.forward(layer, x))
    layer(x)
    assert folds != []
