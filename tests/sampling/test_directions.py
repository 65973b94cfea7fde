"""SeFa and GANSpace against numpy's decompositions of what the networks are known to compute."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from zerosum.errors import UserError
from zerosum.networks import build
from zerosum.networks.layers.growing import Growing
from zerosum.networks.layers.styled import Styled
from zerosum.networks.stylegan import StyleganGenerator
from zerosum.recipes import recipe
from zerosum.sampling.directions import DRAWN, Method, affines, components, entrance, find, strips, upright
from zerosum.sampling.draw import latents
from zerosum.types import Domain

SINGULAR = np.array([8.0, 4.0, 2.0, 1.0])
METHODS = pytest.mark.parametrize("method", ["sefa", "pca"])


class Linear(nn.Module):
    """Images (N, 1, 4, 4) = A z, with A = U diag(8, 4, 2, 1) V^T."""

    z_dim = 4

    def __init__(self) -> None:
        super().__init__()
        rng = np.random.default_rng(0)
        U, self.V = (np.linalg.qr(rng.normal(size=(size, 4)))[0] for size in (16, 4))
        self.A = U @ np.diag(SINGULAR) @ self.V.T
        self.layer = nn.Linear(4, 16)
        with torch.no_grad():
            self.layer.weight.copy_(torch.from_numpy(self.A))

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.layer(z) / 40).view(-1, 1, 4, 4)


def network(name: str, classes: int | None = None, size: int = 28, **changes: object) -> nn.Module:
    torch.manual_seed(0)
    told = recipe(name).override(changes)
    return build(told.players["G"], Domain(shape=(1, size, size), classes=classes, value_range=told.value_range)).eval()


def same(found: np.ndarray, expected: np.ndarray, atol: float = 1e-5) -> None:
    """Equal rows but for their signs."""
    np.testing.assert_allclose(np.abs((found * expected).sum(axis=1)), 1, atol=atol)


def test_sefa_finds_the_eigenvectors_of_the_first_weights() -> None:
    G = Linear()
    found = find(G, "sefa", 4, seed=0)
    values, vectors = np.linalg.eigh(G.A.T @ G.A)
    assert values[::-1] == pytest.approx(SINGULAR**2)
    same(found.directions, vectors.T[::-1])
    same(found.directions, G.V.T)
    assert (found.scales, found.space) == (pytest.approx(np.ones(4)), "z")


def test_pca_carries_the_components_of_the_outputs_back_to_z() -> None:
    G = Linear()
    found = find(G, "pca", 4, seed=1)
    z = torch.cat(list(latents(DRAWN, 4, seed=1))).double().numpy()
    outputs = z @ G.A.T
    centred = outputs - outputs.mean(axis=0)
    principal = np.linalg.svd(centred, full_matrices=False)[2][:4]
    coordinates = centred @ principal.T
    steps = np.linalg.pinv(coordinates) @ (z - z.mean(axis=0)) * coordinates.std(axis=0)[:, None]
    lengths = np.linalg.norm(steps, axis=1)
    same(found.directions, steps / lengths[:, None])
    assert found.scales == pytest.approx(lengths, rel=1e-4)
    same(found.directions, G.V.T, atol=0.01)  # what the sample can tell of the truth
    assert found.scales == pytest.approx(np.ones(4), abs=0.03)


def test_components_are_those_of_a_singular_value_decomposition() -> None:
    x = np.random.default_rng(2).normal(size=(500, 5)) * [5, 1, 3, 0.1, 2] + 7
    vectors, deviations = components(x)
    _, singular, expected = np.linalg.svd(x - x.mean(axis=0))
    same(vectors, expected)
    np.testing.assert_allclose(deviations, singular / math.sqrt(500))


@pytest.mark.parametrize("name", ["stylegan", "stylegan2"])
def test_with_styles_they_are_directions_of_w_from_all_affine_maps_or_from_samples_of_w(name: str) -> None:
    G = network(name, z_dim=8, w_dim=6, width=4, depth=2)
    assert isinstance(G, Styled)
    A = np.concatenate(
        [
            weight.detach().double().numpy() / math.sqrt(6)
            for key, weight in G.named_parameters()
            if "style.weight" in key
        ]
    )
    assert affines(G, torch.zeros(1, 6)).shape == A.shape
    z = torch.cat(list(latents(DRAWN, 8, seed=0)))
    w = G.map(z).detach().double().numpy()
    sefa, pca = (find(G, method, 3, seed=0) for method in ("sefa", "pca"))
    same(sefa.directions, np.linalg.eigh(A.T @ A)[1].T[::-1][:3])
    same(pca.directions, np.linalg.svd(w - w.mean(axis=0), full_matrices=False)[2][:3])
    for found in (sefa, pca):
        assert found.scales == pytest.approx((w @ found.directions.T).std(axis=0))
        assert found.space == "w"


def test_layers_that_a_network_has_not_grown_to_are_left_out() -> None:
    G = network("stylegan", z_dim=8, w_dim=6, width=4, depth=2)
    assert isinstance(G, StyleganGenerator)
    assert isinstance(G, Growing)
    whole = affines(G, torch.zeros(1, 6))
    G.grow(1.0)
    part = affines(G, torch.zeros(1, 6))
    assert (len(whole), len(part)) == (6 * 8, 4 * 8)  # each layer has a scale and a shift for four channels
    assert (part == whole[: 4 * 8]).all()


@pytest.mark.parametrize(
    ("name", "classes", "layer", "own"),
    [
        ("quick", 3, "start", 64),  # beside an embedding of the class
        ("acgan", 3, "layers.0", 100),  # beside the class itself
        ("cgan", 3, "from_z.0", 100),
        ("dcgan-digits", None, "layers.1", 100),  # a transposed convolution
        ("sagan", None, "start", 128),  # normalized
        ("progan", None, "start", 512),  # equalized
        ("biggan", 3, "start", 20),  # a part of z
    ],
)
def test_the_layer_that_z_enters_first_is_found(name: str, classes: int | None, layer: str, own: int) -> None:
    G = network(name, classes, **{} if name == "cgan" else {"G.width": 8})
    z = torch.randn(3, int(G.z_dim))
    entered = entrance(G, z, None if classes is None else torch.tensor([0, 1, 2]))
    weight = G.get_submodule(layer).weight.detach()
    if name == "dcgan-digits":
        weight = weight.flatten(1).t()
    scale = G.get_submodule(layer).scale if name == "progan" else 1.0
    np.testing.assert_allclose(entered.matrix, weight.double().numpy() * scale, rtol=1e-6)
    assert entered.own == own
    if name != "progan":  # where z is brought to one length first
        np.testing.assert_array_equal(entered.inputs[:, :own], z[:, :own].double().numpy())


@METHODS
def test_a_class_beside_z_is_no_direction(method: Method) -> None:
    G = network("quick", 3, **{"G.width": 4, "z_dim": 8})
    found = find(G, method, 8, seed=0, label=1)
    assert found.directions.shape == (8, 8)
    A = G.start.weight.detach().double().numpy()[:, :8]
    same(found.directions[:1], np.linalg.svd(A)[2][:1], atol=1e-5 if method == "sefa" else 0.2)


@METHODS
def test_where_a_part_of_z_enters_first_directions_lie_in_that_part(method: Method) -> None:
    G = network("biggan", 3, width=4, part=5)
    found = find(G, method, 5, seed=0, label=0)
    assert found.directions.shape == (5, int(G.z_dim))
    assert (found.directions[:, 5:] == 0).all()
    with pytest.raises(UserError, match="6 directions asked for; expected 1 to 5"):
        find(G, method, 6, seed=0, label=0)


@METHODS
def test_signs_are_those_of_the_largest_component_and_lengths_are_one(method: Method) -> None:
    found = find(Linear(), method, 4, seed=0).directions
    assert (found[np.arange(4), np.abs(found).argmax(axis=1)] > 0).all()
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1)
    assert upright(np.array([[1.0, -3.0], [2.0, 1.0]])).tolist() == [[-1.0, 3.0], [2.0, 1.0]]


@METHODS
@pytest.mark.parametrize("count", [0, -1, 5])
def test_more_directions_than_dimensions_are_one_line(method: Method, count: int) -> None:
    with pytest.raises(UserError, match=f"{count} directions asked for; expected 1 to 4"):
        find(Linear(), method, count, seed=0)


def test_each_row_leads_the_seeds_picture_along_its_direction() -> None:
    G = Linear()
    found = find(G, "sefa", 2, seed=0)
    made = strips(G, found, seed=9, span=1.5).reshape(2, 7, 4, 4)
    z = next(latents(1, 4, seed=9)).double().numpy()
    for row in range(2):
        for column, deviations in enumerate([-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5]):
            moved = torch.from_numpy(z + deviations * found.directions[row]).float()
            expected = (G(moved)[0, 0].detach().numpy() + 1) * 127.5
            assert np.abs(made[row, column] - expected).max() <= 0.51
    assert (made[0, 3] == made[1, 3]).all()


@pytest.mark.parametrize("span", [0.0, -1.0, math.nan, math.inf])
def test_a_span_that_leads_nowhere_is_one_line(span: float) -> None:
    with pytest.raises(UserError, match=r"span is .*; expected a number of deviations above 0"):
        strips(Linear(), find(Linear(), "sefa", 1, seed=0), seed=0, span=span)
