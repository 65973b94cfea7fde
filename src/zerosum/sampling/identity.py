"""Look for the z that draws who is shown: by the features of a recognising network (Age-cGAN, arXiv 1702.01983).

Identity-preserving optimization, section 2: z* is where |F(x) - F(G(z, y0))|^2 is least, by L-BFGS from the encoder's
z; y0 is the image's own class. The paper's L-BFGS-B keeps z in a box, which is here the image of a tanh: far from the z
that G knows its images look like anything to the features, and hardly heed the class any more. Each image is looked for
alone, so that none depends on its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from zerosum.games.base import evaluated
from zerosum.networks.encoded import Encoded

STEPS = 30  # of L-BFGS, where nobody asks for another number
BOX = 2.0  # the greatest number in z: of a normal distribution's one in twenty is greater
INSIDE = 0.99  # the greatest share of it that a search starts from: at the edge a tanh has no slope

Recognise = Callable[[Tensor], Tensor]  # images (N, C, H, H) in the domain's range -> features (N, D)


def codes(
    network: Encoded, recognise: Recognise | None, x: Tensor, own: Tensor | None = None, *, steps: int = STEPS
) -> tuple[Tensor, Tensor]:
    """z (N, z_dim) of images x (N, C, H, H), and the own class y0 (N,) of each.

    own: y0 where it is known, else the class in which the encoder's z draws the nearest image. Without steps, z is the
    encoder's and nobody is recognised. The networks' modes stay as they are.
    """
    assert steps >= 0
    with evaluated(network), torch.inference_mode(False):
        x = x.detach().clone()  # one that was made in inference mode could not be differentiated
        with torch.no_grad():
            start = network.code(x)
            y = network.own(x, start) if own is None else own.detach().clone()
        if not steps:
            return start, y
        assert recognise is not None
        rows = [slice(row, row + 1) for row in range(len(x))]
        found = [searched(network, recognise, x[row], start[row], y[row], steps) for row in rows]
    return torch.cat(found), y


def searched(network: Encoded, recognise: Recognise, x: Tensor, start: Tensor, y: Tensor, steps: int) -> Tensor:
    """z (1, z_dim) of one image, in the box: the best of all that were tried, the start among them."""
    u = torch.atanh((start / BOX).clamp(-INSIDE, INSIDE)).requires_grad_()
    least, best = float("inf"), start
    with torch.no_grad():
        wanted = recognise(x)

    def distance() -> float:
        nonlocal least, best
        with torch.enable_grad():
            z = BOX * torch.tanh(u)
            error = (recognise(network.drawn(z, y)) - wanted).square().sum()
            (u.grad,) = torch.autograd.grad(error, u)
        value = error.item()
        if value < least:
            least, best = value, z.detach()
        return value

    optimizer = torch.optim.LBFGS([u], max_iter=steps, line_search_fn="strong_wolfe")
    optimizer.step(distance)  # type: ignore[no-untyped-call]
    return best
