"""The search for the z that draws who is shown: where the answer is known, and what it leaves as it was."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from zerosum.games.base import evaluated
from zerosum.networks.encoded import Encoded
from zerosum.sampling.draw import evaluating
from zerosum.sampling.identity import BOX, codes

torch.manual_seed(0)
MATRIX = torch.randn(3, 3, dtype=torch.float64)


class Linear(nn.Module):
    """z (N, 3) in class y: an image of 3 pixels, M z + 5 y."""

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        return (z @ MATRIX.T + 5 * y[:, None]).view(-1, 1, 1, 3)


class Guess(nn.Module):
    """Not far from M^-1 x."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.9, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * (x.flatten(1) @ torch.linalg.inv(MATRIX).T)


NETWORK = Encoded(Linear(), Guess(), 2)
Z = torch.randn(4, 3, dtype=torch.float64).clamp(-1.5, 1.5)
Y = torch.tensor([0, 1, 0, 1])
X = Linear()(Z, Y)


def plain(x: Tensor) -> Tensor:
    return x.flatten(1)


def test_the_search_finds_the_z_that_an_image_was_made_of() -> None:
    with evaluating(NETWORK):  # as whoever draws looks on
        z, y = codes(NETWORK, plain, X, Y, steps=50)
    assert y.tolist() == Y.tolist()
    torch.testing.assert_close(z, Z, atol=1e-4, rtol=1e-4)
    assert not z.requires_grad
    assert NETWORK.encoder.weight.grad is None


def test_without_steps_z_is_the_encoders_and_more_steps_come_nearer() -> None:
    start, _ = codes(NETWORK, None, X, Y, steps=0)
    torch.testing.assert_close(start, Guess()(X).detach())
    errors = [(Linear()(start, Y) - X).square().sum(dim=(1, 2, 3))]
    for steps in (1, 3, 10):
        z, _ = codes(NETWORK, plain, X, Y, steps=steps)
        errors.append((Linear()(z, Y) - X).square().sum(dim=(1, 2, 3)))
    for before, after in pairwise(errors[1:]):
        assert (after <= before).all()
    assert (errors[-1] < errors[0]).all()


def test_only_what_the_features_see_is_looked_for() -> None:
    z, _ = codes(NETWORK, lambda x: plain(x)[:, :1], X, Y, steps=50)
    found = Linear()(z, Y).flatten(1) - X.flatten(1)
    assert found[:, 0].abs().max() < 1e-4
    assert found[:, 1:].abs().max() > 1e-2


def test_an_image_is_looked_for_alone_and_its_own_class_guessed_where_it_is_not_known() -> None:
    together, y = codes(NETWORK, plain, X, steps=5)
    alone, _ = codes(NETWORK, plain, X[1:2], y[1:2], steps=5)
    assert torch.equal(together[1:2], alone)
    exact = Encoded(Linear(), Guess().requires_grad_(False), 2)
    exact.encoder.weight.fill_(1.0)
    x = Linear()(Z, torch.zeros(4, dtype=torch.int64))
    assert codes(exact, None, x, steps=0)[1].tolist() == [0, 0, 0, 0]


def test_z_stays_in_its_box_whatever_the_features_ask_for() -> None:
    far = Linear()(torch.full((1, 3), 9.0, dtype=torch.float64), Y[:1])
    z, _ = codes(NETWORK, plain, far, Y[:1], steps=50)
    start, _ = codes(NETWORK, None, far, Y[:1], steps=0)
    assert start.abs().max() > BOX
    assert z.abs().max() <= BOX


def test_networks_stay_in_their_modes() -> None:
    NETWORK.train()
    codes(NETWORK, plain, X, Y, steps=1)
    assert NETWORK.generator.training
    with evaluated(NETWORK):
        codes(NETWORK, plain, X, Y, steps=1)
        assert not NETWORK.generator.training
