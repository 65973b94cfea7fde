"""Style mixing on a generator that shows which layer got which w."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from zerosum.errors import UserError
from zerosum.networks.layers.styled import Styled
from zerosum.sampling.draw import latents
from zerosum.sampling.grid import BACKGROUND
from zerosum.sampling.mixing import layers_of, mix
from zerosum.types import Domain


class Stripes(Styled):
    """Row k of the image is the w that layer k got; w is z, or the class where there are classes."""

    def __init__(self, styles: int = 10) -> None:
        super().__init__()
        self.begin(Domain(shape=(1, styles, styles)), 3, 3, 1, 0.0)
        self.styles = styles

    def map(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return z if y is None else (y[:, None] / 10).expand(-1, 3).to(z.dtype)

    def synthesize(self, ws: Tensor) -> Tensor:
        return torch.tanh(ws[:, None, :, :1]).expand(-1, 1, -1, self.styles)


def shade(w: Tensor) -> np.ndarray:
    return ((torch.tanh(w) + 1) * 127.5).round().byte().numpy()


@pytest.mark.parametrize(
    ("layers", "of_b"),
    [("coarse", range(4)), ("middle", range(4, 8)), ("fine", range(8, 10)), ("2-5", range(2, 6)), ("9-9", [9])],
)
def test_each_cell_is_a_with_the_styles_of_b_on_the_chosen_layers(layers: str, of_b: range) -> None:
    found = mix(Stripes(), rows=2, columns=3, layers=layers, seed=5).reshape(3, 4, 10, 10)
    z = torch.cat(list(latents(5, 3, seed=5)))
    A, B = shade(z[:2, 0]), shade(z[2:, 0])
    assert (found[0, 0] == BACKGROUND).all()
    assert (found[0, 1:, :, 0] == B[:, None]).all()
    assert (found[1:, 0, :, 0] == A[:, None]).all()
    for row in range(2):
        for column in range(3):
            shown = [B[column] if layer in of_b else A[row] for layer in range(10)]
            assert found[row + 1, column + 1, :, 0].tolist() == shown


def test_classes_and_truncation_reach_the_sources() -> None:
    G = Stripes()
    G.w_mean.fill_(-0.4)
    labels = np.array([1, 2, 3], np.int64)
    found = mix(G, rows=1, columns=2, layers="coarse", seed=0, labels=labels, psi=0.5).reshape(2, 3, 10, 10)
    w = torch.tensor([0.1, 0.2, 0.3]) / 2 - 0.2
    assert [found[1, 0, 0, 0], found[0, 1, 0, 0], found[0, 2, 0, 0]] == shade(w).tolist()


def test_layers_go_by_name_as_far_as_the_network_has_them() -> None:
    assert [layers_of(name, 18) for name in ("coarse", "middle", "fine")] == [range(4), range(4, 8), range(8, 18)]
    assert layers_of("middle", 6) == range(4, 6)  # 28 pixels: maps of 7, 14 and 28
    assert layers_of("coarse", 2) == range(2)  # a network that has not begun to grow
    assert layers_of("0-17", 18) == range(18)


@pytest.mark.parametrize(
    "text", ["fine", "6-6", "0-6", "3-2", "-1-2", "1", "2-", "a-b", "", "coarsest", "²-3", "1 - 2"]
)
def test_layers_that_are_not_there_are_one_line(text: str) -> None:
    with pytest.raises(UserError, match="expected coarse, middle, fine or A-B, numbers from 0 to 5") as refusal:
        layers_of(text, 6)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(("rows", "columns"), [(0, 1), (1, 0), (-1, 2), (100, 100)])
def test_grids_without_a_picture_or_with_too_many_are_refused(rows: int, columns: int) -> None:
    with pytest.raises(UserError, match=f"{rows} rows and {columns} columns; expected at least 1 each"):
        mix(Stripes(), rows=rows, columns=columns, layers="coarse", seed=0)
