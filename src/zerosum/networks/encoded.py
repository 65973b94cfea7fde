"""A conditional generator and the encoder of its images: from image to image by way of z (IcGAN, arXiv 1611.06355)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Encoded(nn.Module):
    """Images (N, C, H, H) and the classes y (N,) to lead them into -> images of these classes: G(E(x), y)."""

    def __init__(self, generator: nn.Module, encoder: nn.Module, classes: int) -> None:
        super().__init__()
        self.generator, self.encoder, self.classes = generator, encoder, classes

    def code(self, x: Tensor) -> Tensor:
        """The encoder's z: (N, z_dim)."""
        z: Tensor = self.encoder(x)
        return z

    def drawn(self, z: Tensor, y: Tensor) -> Tensor:
        """The images of z (N, z_dim) in the classes y (N,)."""
        images: Tensor = self.generator(z, y)
        return images

    def own(self, x: Tensor, z: Tensor) -> Tensor:
        """Of each image the class (N,) in which its z draws what is nearest to it, by squared error."""
        errors = []
        for number in range(self.classes):
            drawn = self.drawn(z, torch.full((len(x),), number, device=x.device))
            errors.append((drawn - x).square().flatten(1).mean(dim=1))
        return torch.stack(errors, dim=1).argmin(dim=1)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.drawn(self.code(x), y)
