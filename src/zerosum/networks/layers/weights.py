"""The weights that most convolutional GANs begin with."""

from __future__ import annotations

from torch import nn

from zerosum.networks.layers.norms import BatchNorm


def dcgan_init(network: nn.Module) -> None:
    """Kernels from N(0, 0.02), batch norm's scales from N(1, 0.02), zero biases (1511.06434, section 3)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, BatchNorm | nn.GroupNorm):  # an instance norm is one of these
            if module.weight is not None:
                nn.init.normal_(module.weight, 1.0, 0.02)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
