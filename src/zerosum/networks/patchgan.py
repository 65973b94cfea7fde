"""PatchGAN: a discriminator that judges every patch of an image by itself (pix2pix, arXiv 1611.07004, section 3.2.2).

Convolutions of 4x4 with LeakyReLU 0.2, C64-C128-C256-C512 and one map of logits; with three halvings a logit sees
70x70 pixels. What follows the first layer is normalized, over the batch or each sample alone.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zerosum.errors import UserError
from zerosum.networks import NETWORKS
from zerosum.networks.layers.convolution import Conv2d
from zerosum.networks.layers.domains import require_images
from zerosum.networks.layers.norms import BatchNorm, InstanceNorm
from zerosum.networks.layers.weights import dcgan_init
from zerosum.types import Domain


@NETWORKS.register("patchgan")
class PatchGan(nn.Module):
    """Images (N, C, S, S), and what they were made of, (N, c, S, S), to maps of logits (N, 1, h, w).

    halvings: layers of stride 2; two more of stride 1 follow. paired: it sees the image that is translated, too.
    """

    def __init__(
        self, domain: Domain, *, width: int = 64, halvings: int = 3, norm: str = "batch", paired: bool = True
    ) -> None:
        super().__init__()
        require_images(domain, "patchgan")
        if domain.size >> halvings < 3:
            least = 3 << halvings
            raise UserError(
                f"size {domain.size} is too small for patchgan, which halves {halvings} times: {least} or more"
            )
        self.sees_source = paired and domain.source is not None
        channels = domain.channels + (domain.source[0] if self.sees_source and domain.source is not None else 0)
        self.layers = nn.ModuleList([nn.Sequential(Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2))])
        inputs = width
        for level in range(1, halvings + 1):
            outputs = width * min(2**level, 8)
            self.layers.append(self.layer(inputs, outputs, 2 if level < halvings else 1, norm))
            inputs = outputs
        self.layers.append(Conv2d(inputs, 1, 4, 1, 1))
        dcgan_init(self)

    @staticmethod
    def layer(inputs: int, outputs: int, stride: int, norm: str) -> nn.Module:
        if norm not in ("batch", "instance"):
            raise UserError(f"norm is {norm!r}; expected batch or instance")
        batch = norm == "batch"
        conv = Conv2d(inputs, outputs, 4, stride, 1, bias=not batch)
        return nn.Sequential(conv, BatchNorm(outputs) if batch else InstanceNorm(outputs), nn.LeakyReLU(0.2))

    def features(self, x: Tensor, source: Tensor | None = None) -> list[Tensor]:
        """What each layer makes of it, the logits last."""
        if self.sees_source:
            assert source is not None
            x = torch.cat([source, x], dim=1)
        found = []
        for layer in self.layers:
            x = layer(x)
            found.append(x)
        return found

    def scales(self, x: Tensor, source: Tensor | None = None) -> list[list[Tensor]]:
        """`features` of each scale that it judges at: of one."""
        return [self.features(x, source)]

    def forward(self, x: Tensor, source: Tensor | None = None) -> Tensor:
        return self.features(x, source)[-1]
