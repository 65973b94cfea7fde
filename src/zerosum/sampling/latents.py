"""The codes that a generator is steered by, whatever its kind, and their truncation.

By styles (Karras et al. 2019, arXiv 1812.04948): w, one for each layer, truncated towards their mean (appendix B), with
classes towards that of the class. Any other: z, truncated as in BigGAN (Brock et al. 2018, arXiv 1809.11096, section
3.1). Differences from the latter: z is not drawn again until it lies within a threshold, but moved there in order, so
that a seed gives related images at every psi; and psi is half the threshold, so that 1 is next to no truncation.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from zerosum.errors import UserError
from zerosum.networks.layers.styled import Styled

THRESHOLD = 2.0  # of z at psi = 1, in deviations


class Space:
    """Where a generator's codes lie: w (N, styles, w_dim) of one with styles, else z as (N, 1, z_dim)."""

    def __init__(self, G: nn.Module) -> None:
        self.G = G
        self.styled = G if isinstance(G, Styled) else None
        self.name: Literal["w", "z"] = "z" if self.styled is None else "w"

    def codes(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """The codes of z (N, z_dim); y: (N,) labels, or (N, classes) mixtures of classes."""
        return z[:, None] if self.styled is None else self.layered(self.styled.map(z, y))

    def layered(self, w: Tensor) -> Tensor:
        """w (N, w_dim) on every layer: (N, styles, w_dim)."""
        assert self.styled is not None
        return w[:, None].expand(-1, self.styled.styles, -1)

    def images(self, codes: Tensor, y: Tensor | None = None) -> Tensor:
        """What G makes of codes; y as for `codes`, and not heard where a w has the class in it."""
        made: Tensor
        if self.styled is not None:
            made = self.styled.synthesize(codes)
        else:
            made = self.G(codes[:, 0]) if y is None else self.G(codes[:, 0], y)
        return made

    def truncated(self, codes: Tensor, psi: float, y: Tensor | None = None) -> Tensor:
        """Codes nearer to the middle: psi 1 leaves them as they are, 0 is the middle; `UserError` as `require_psi`.

        y: as for `codes`, since the middle of a w is that of its class.
        """
        require_psi(psi)
        if psi == 1:
            return codes
        return within(codes, THRESHOLD * psi) if self.styled is None else self.styled.truncated(codes, psi, y)


def require_psi(psi: float) -> None:
    """`UserError` for a psi outside of 0 to 1."""
    if not 0 <= psi <= 1:  # also where it is not a number
        raise UserError(f"psi is {psi:g}; expected a number from 0, the mean image, to 1, all that was learned")


def within(z: Tensor, threshold: float) -> Tensor:
    """Normal z to z from the normal distribution between -threshold and threshold: the same quantiles of it.

    Of the two distribution functions, 2 F - 1 is erf(z / sqrt 2) and the same over erf(threshold / sqrt 2).
    """
    exact = z.cpu().double()  # not every device has it
    share = torch.erf(exact / math.sqrt(2)) * math.erf(threshold / math.sqrt(2))
    return torch.mul(torch.erfinv(share), math.sqrt(2)).to(z)
