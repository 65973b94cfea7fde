"""The pool of made images from which D is shown some, so that it does not forget (Shrivastava, arXiv 1612.07828)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from zerosum.networks.layers.norms import ranks


class Pool:
    """Up to `size` images of the past, the same on every process. Of size 0 it gives back what it is given."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.images: Tensor | None = None

    def exchange(self, made: Tensor, dice: Sequence[float]) -> Tensor:
        """What D is shown for the images made, (N, C, H, W): each or, once the pool is full, as likely an older one.

        dice: two numbers in [0, 1) for each image of all processes, from the run's own stream. An older image makes
        room for the new one. All processes call it together, and each gets its own images' part.
        """
        if not self.size:
            return made
        every = gathered(made.detach())
        shown = []
        for index, image in enumerate(every):
            count = 0 if self.images is None else len(self.images)
            if self.images is None or count < self.size:
                new = image[None].clone()
                self.images = new if self.images is None else torch.cat([self.images, new])
            elif dice[2 * index] < 0.5:
                place = int(dice[2 * index + 1] * count)
                shown.append(self.images[place].clone())
                self.images[place] = image
                continue
            shown.append(image)
        start = (dist.get_rank() if len(every) > len(made) else 0) * len(made)
        return torch.stack(shown[start : start + len(made)])

    def state_dict(self) -> dict[str, Any]:
        return {} if self.images is None else {"images": self.images}

    def load_state_dict(self, state: Mapping[str, Any], like: Tensor) -> None:
        """The reverse of `state_dict`, on the device and in the precision of `like`; a smaller pool keeps the first."""
        self.images = state["images"][: self.size].to(like) if self.size and "images" in state else None


def gathered(values: Tensor) -> Tensor:
    """What all processes have, in their order; itself where there is one."""
    if ranks() == 1:
        return values
    parts = [torch.empty(values.shape, dtype=values.dtype, device=values.device) for _ in range(ranks())]
    dist.all_gather(parts, values.contiguous())
    return torch.cat(parts)
