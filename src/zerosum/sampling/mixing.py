"""Style mixing (Karras et al. 2019, arXiv 1812.04948, figure 3): pictures whose layers take the styles of two sources.

The paper's coarse styles are those of the maps of 4 and 8 pixels, the middle ones of 16 and 32, the fine ones of all
larger maps; two layers belong to each map. Where a network begins at 7 pixels, 7 stands for 4, and so on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import torch

from zerosum.errors import UserError
from zerosum.networks.layers.styled import Styled
from zerosum.sampling.draw import GRID_LIMIT, Labels, as_tensor, dtype_of, evaluating, latents
from zerosum.sampling.grid import BACKGROUND, Bytes, to_uint8
from zerosum.sampling.latents import Space, require_psi

AT_ONCE = 8  # pictures drawn at one time
COARSE, MIDDLE = 4, 8  # the first layer after those of this name


def layers_of(text: str, count: int) -> range:
    """The layers that `coarse`, `middle`, `fine` or A-B (from 0, both included) name, of `count` that there are.

    `UserError` for another text, and for layers that are not there.
    """
    named = {"coarse": (0, COARSE), "middle": (COARSE, MIDDLE), "fine": (MIDDLE, count)}
    expected = f"expected coarse, middle, fine or A-B, numbers from 0 to {count - 1}"
    if text in named:
        first, end = named[text]
        end = min(end, count)
        if first >= end:
            raise UserError(f"layers {text} begin at {first}, and this generator has {count}; {expected}")
        return range(first, end)
    numbers = re.fullmatch(r"(\d{1,9})-(\d{1,9})", text, re.ASCII)
    if numbers is None:
        raise UserError(f"layers are {text!r}; {expected}")
    first, last = map(int, numbers.groups())
    if not first <= last < count:
        raise UserError(f"layers {text} are not there; {expected}, the smaller one first")
    return range(first, last + 1)


def mix(
    G: Styled,
    *,
    rows: int,
    columns: int,
    layers: str,
    seed: int,
    device: torch.device | str = "cpu",
    labels: Labels | None = None,
    psi: float = 1.0,
    value_range: tuple[float, float] = (-1.0, 1.0),
) -> Bytes:
    """A grid as uint8 ((rows + 1) (columns + 1), H, W, C), row by row: an empty corner and the sources B; then in each
    row a source A, and A with the styles of each B on the chosen layers.

    labels: (rows + columns,) for a conditional G, of the A first. `UserError` for what can't be.
    """
    if min(rows, columns) < 1 or (rows + 1) * (columns + 1) > GRID_LIMIT:
        raise UserError(
            f"{rows} rows and {columns} columns; expected at least 1 each, and {GRID_LIMIT} pictures at most"
        )
    require_psi(psi)
    chosen, space = layers_of(layers, G.acting), Space(G)
    z = torch.cat(list(latents(rows + columns, G.z_dim, seed=seed))).to(device, dtype_of(G))
    y = None if labels is None else as_tensor(labels, device)
    with evaluating(G):
        codes = space.truncated(space.codes(z, y), psi, y)
        cells = (part for row in _rows(codes[:rows], codes[rows:], chosen) for part in torch.split(row, AT_ONCE))
        made = np.concatenate([to_uint8(space.images(part), value_range) for part in cells])
    made[0] = BACKGROUND
    return made


def _rows(A: torch.Tensor, B: torch.Tensor, layers: range) -> Iterator[torch.Tensor]:
    """The codes of each row of the grid; of the corner those of the first A."""
    yield torch.cat([A[:1], B])
    for code in A:
        mixed = code.repeat(len(B), 1, 1)
        mixed[:, layers.start : layers.stop] = B[:, layers.start : layers.stop]
        yield torch.cat([code[None], mixed])
