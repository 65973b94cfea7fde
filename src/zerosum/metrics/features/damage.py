"""Seven ways to damage an image a little or a lot, for an encoder that learns to tell how much of which it sees.

They stand for what goes wrong in generated images: detail that is blurred or noisy, colours and contrast that are
off, shapes that are bent, parts that do not belong together, and the checkerboards of transposed convolutions
(Odena et al. 2016, doi 10.23915/distill.00003).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

Damage = Callable[[Tensor, Tensor, torch.Generator], Tensor]

BINOMIAL = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
BENDS = 5  # places along a side that move independently in a bent image


def damaged(images: Tensor, chance: torch.Generator) -> tuple[Tensor, Tensor]:
    """Images (N, C, H, W) in [0, 1], by chance half of them with one damage each; and strengths (N, 7), 0 for none."""
    kinds = torch.randint(0, 2 * len(DAMAGES), (len(images),), generator=chance)
    amounts = torch.rand(len(images), generator=chance)
    strengths = torch.zeros(len(images), len(DAMAGES))
    changed = images.clone()
    for kind, damage in enumerate(DAMAGES):
        rows = (kinds == kind).nonzero().squeeze(1)
        if len(rows):
            strengths[rows, kind] = amounts[rows]
            changed[rows] = damage(images[rows], amounts[rows].view(-1, 1, 1, 1), chance).clamp(0, 1)
    return changed, strengths


def blur(images: Tensor, strength: Tensor, chance: torch.Generator) -> Tensor:
    """Twice through a binomial filter, each time in part."""
    channels = images.shape[1]
    kernel = torch.outer(BINOMIAL, BINOMIAL).expand(channels, 1, -1, -1)
    for _ in range(2):
        smooth = F.conv2d(F.pad(images, (2, 2, 2, 2), mode="reflect"), kernel, groups=channels)
        images = torch.lerp(images, smooth, strength.sqrt())
    return images


def noise(images: Tensor, strength: Tensor, chance: torch.Generator) -> Tensor:
    """Gaussian, of a deviation up to a quarter."""
    return images + 0.25 * strength * torch.randn(images.shape, generator=chance)


def colour(images: Tensor, strength: Tensor, chance: torch.Generator) -> Tensor:
    """One shift of all pixels, in any direction of colour, by up to 0.4."""
    direction = F.normalize(torch.randn(*images.shape[:2], 1, 1, generator=chance), dim=1)
    return images + 0.4 * strength * direction


def contrast(images: Tensor, strength: Tensor, chance: torch.Generator) -> Tensor:
    """Down to 0.3 of what it was."""
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return torch.lerp(images, mean, 0.7 * strength)


def bend(images: Tensor, strength: Tensor, chance: torch.Generator) -> Tensor:
    """Along a smooth field, by up to some 0.06 of the side as its deviation."""
    coarse = torch.randn(len(images), 2, BENDS, BENDS, generator=chance)
    field = F.interpolate(coarse, images.shape[2:], mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
    still = F.affine_grid(torch.eye(2, 3).expand(len(images), 2, 3), list(images.shape), align_corners=False)
    return F.grid_sample(images, still + 0.12 * strength * field, padding_mode="reflection", align_corners=False)


def transplant(images: Tensor, strength: Tensor, chance: torch.Generator) -> Tensor:
    """A rectangle from another image of the batch, with sides of 0.15 to 0.5, partly outside perhaps."""
    reach = (0.15 + 0.35 * strength.flatten(1)) / 2
    centre = torch.rand(len(images), 2, 1, generator=chance)
    rows, columns = (
        (torch.linspace(0, 1, side) - centre[:, axis]).abs() < reach for axis, side in enumerate(images.shape[2:])
    )
    return torch.where(rows[:, None, :, None] & columns[:, None, None, :], images.roll(1, dims=0), images)


def checkerboard(images: Tensor, strength: Tensor, chance: torch.Generator) -> Tensor:
    """Fields of one or two pixels, lighter and darker by up to 0.15."""
    field = torch.randint(1, 3, (len(images), 1, 1), generator=chance)
    height, width = images.shape[2:]
    parity = (torch.arange(height)[:, None] // field + torch.arange(width) // field) % 2
    return images + 0.15 * strength * (1 - 2 * parity[:, None])


DAMAGES: tuple[Damage, ...] = (blur, noise, colour, contrast, bend, transplant, checkerboard)
