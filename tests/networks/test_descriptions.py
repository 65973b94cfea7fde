"""The list of a network's layers: costs worked out by hand, and the cases that lists get wrong."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from zerosum.networks.describe import describe, describe_player, totals
from zerosum.networks.layers.norms import BatchNorm
from zerosum.recipes import recipe
from zerosum.types import Domain


def test_multiply_adds_of_dcgan_k2_by_hand() -> None:
    side = recipe("dcgan-k2").players["G"]
    layers = describe_player(side, Domain(shape=(1, 28, 28), value_range=(0.0, 1.0)))
    assert [layer.multiply_adds for layer in layers if layer.multiply_adds] == [
        100 * 3136,
        7 * 7 * 64 * 3 * 3 * 64,  # a transposed convolution: each input value meets 3x3 kernels for 64 outputs
        14 * 14 * 64 * 3 * 3 * 32,
        28 * 28 * 28 * 28 * 32,
    ]


def test_grouped_convolutions_cost_their_share() -> None:
    network = nn.Sequential(nn.Conv2d(8, 16, 3, padding=1, groups=4), nn.ConvTranspose2d(16, 8, 2, 2, groups=2))
    layers = describe(network, torch.zeros(1, 8, 5, 5))
    assert [layer.multiply_adds for layer in layers] == [25 * 16 * 2 * 9, 25 * 16 * 4 * 4]
    assert [layer.parameters for layer in layers] == [16 * 2 * 9 + 16, 16 * 4 * 4 + 8]


class Odd(nn.Module):
    """A learned constant, a layer used twice, a table of classes, two branches, a parametrized kernel."""

    def __init__(self) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.zeros(1, 4))
        self.twice = nn.Linear(4, 4, bias=False)
        self.table = nn.Embedding(10, 4)
        self.norm = BatchNorm(4)
        self.kernel = spectral_norm(nn.Linear(4, 3))

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        hidden: Tensor = self.norm(self.twice(self.twice(z)))
        out: Tensor = self.kernel(hidden + self.table(y) + self.constant)
        return out


def test_every_parameter_is_counted_once_wherever_it_lives() -> None:
    network = Odd()
    layers = describe(network, torch.zeros(1, 4), torch.zeros(1, dtype=torch.int64))
    seen = [(layer.name, layer.kind, layer.parameters, layer.multiply_adds, layer.follows) for layer in layers]
    assert seen == [
        ("constant", "parameter", 4, 0, True),
        ("twice", "linear", 16, 16, True),
        ("twice", "linear", 0, 16, True),
        ("norm", "batch norm", 8, 0, True),
        ("table", "embedding", 40, 0, False),
        ("kernel", "linear", 15, 12, False),
    ]
    assert totals(layers) == (sum(value.numel() for value in network.parameters()), 16 + 16 + 12)


def test_describing_leaves_a_network_as_it_was() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), BatchNorm(2), nn.Dropout(0.5)).train()
    network[2].eval()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    describe(network, torch.randn(2, 1, 5, 5))
    assert [module.training for module in network] == [True, True, False]
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())


def test_a_player_is_described_with_its_inputs_and_without_memory() -> None:
    domain = Domain(shape=(3, 64, 64), classes=1000, value_range=(0.0, 1.0))
    wide = recipe("cgan").override({"G.units": 1_000_000}).players["G"]
    layers = describe_player(wide, domain)
    assert [(layer.name, layer.output) for layer in layers[:2]] == [("y", ()), ("z", (100,))]
    assert totals(layers)[0] > 10**10  # 40 GB, had it been made
    assert layers[-1].output == (3, 64, 64)
