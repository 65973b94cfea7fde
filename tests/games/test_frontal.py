"""The game of faces from the side: what G descends beside D's word, worked out by hand."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from zerosum.errors import UserError
from zerosum.games.base import Terms, play_round
from zerosum.games.frontal import Frontal, asymmetry, laplacian, variation
from zerosum.games.rules import FrontalRules

REAL = torch.arange(16, dtype=torch.float64).view(1, 1, 4, 4)


class Sighted(nn.Module):
    """The real face plus a learned number, its half without error, one patch that is 2 too bright, two identities."""

    def __init__(self) -> None:
        super().__init__()
        self.more = nn.Parameter(torch.tensor(3.0, dtype=torch.float64))

    def views(self, given: Tensor) -> SimpleNamespace:
        image = given[:, :1] + self.more
        half = nn.functional.avg_pool2d(given[:, :1], 2) + 0 * self.more
        patch = given[:, :1, 1:3, 2:4] + 2
        return SimpleNamespace(
            image=image,
            smaller=[half],
            patches=[patch],
            corners=[(1, 2)],
            named=torch.stack([self.more, 0 * self.more])[None],
        )

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        image: Tensor = self.views(x).image
        return image


class Judge(nn.Module):
    """A logit: the mean of the image."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(1.0, dtype=torch.float64))

    def forward(self, x: Tensor, given: Tensor) -> Tensor:
        return self.factor * x.mean(dim=(1, 2, 3))


class Dealt:
    """The face itself as what is given, of identity 1."""

    def known_pairs(self, count: int) -> tuple[Tensor, Tensor, Tensor]:
        return REAL, REAL, torch.tensor([1])


def played(rules: FrontalRules) -> dict[str, dict[str, float]]:
    game = Frontal({"G": Sighted(), "D": Judge()}, rules)
    game.features = lambda x: 2 * x
    found: dict[str, dict[str, float]] = {}

    def update(name: str, terms: Terms) -> None:
        found[name] = {key: value.item() for key, value in terms.items()}

    play_round(game, 1, 1, Dealt(), update)  # type: ignore[arg-type]
    return found


def test_every_term_of_g_is_weighed_as_the_paper_says() -> None:
    found = played(FrontalRules(loss="least-squares"))
    assert set(found) == {"D", "G"}
    g = found["G"]
    assert g["G/l1"] == pytest.approx(3 + 0 + 2)  # the image, its half, its patch
    assert g["G/content"] == pytest.approx(3e-3 * 6)
    # Columns differ by 3 and 1 from their mirror images; of a slope the Laplacian is nothing.
    assert g["G/symmetry"] == pytest.approx(0.3 * 2)
    assert g["G/tv"] == pytest.approx(1e-4 * (4 + 1))  # rows differ by 4, columns by 1
    assert g["G/identity"] == pytest.approx(1e-3 * (3 + math.log1p(math.exp(-3))))  # named 0 by 3, and it is 1
    assert g["G/adv"] == pytest.approx(1e-3 * 0.5 * (10.5 - 1) ** 2)


def test_what_weighs_nothing_is_left_out() -> None:
    rules = FrontalRules(adversarial=0.0, content=0.0, symmetry=0.0, tv=0.0, identity=0.0, l2=2.0)
    assert played(rules) == {"G": {"G/l1": pytest.approx(5.0), "G/l2": pytest.approx(2 * 9.0)}}
    with pytest.raises(UserError, match="makes one image alone: game frontal wants"):
        Frontal({"G": Judge(), "D": Judge()}, rules)


def test_a_symmetric_face_has_no_asymmetry_and_a_spot_has_a_laplacian() -> None:
    half = torch.rand(2, 3, 8, 4, dtype=torch.float64)
    face = torch.cat([half, half.flip(-1)], dim=3)
    assert asymmetry(face).item() == 0
    assert asymmetry(laplacian(face)).item() == pytest.approx(0, abs=1e-12)
    spot = torch.zeros(1, 1, 5, 5)
    spot[0, 0, 2, 2] = 1
    assert laplacian(spot)[0, 0].tolist() == [[0, -0.25, 0], [-0.25, 1, -0.25], [0, -0.25, 0]]
    assert variation(spot.repeat(3, 1, 1, 1)).item() == pytest.approx(4 / 20)  # of 20 pairs each way
