"""How many images are of the domain that they were made for, by a classifier that learns from real images alone.

It has nothing to do with the discriminator of the run that is judged, which that run may have learned to please.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zerosum.metrics.features.tensors import fitted

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]

STEPS, BATCH, RATE = 300, 64, 2e-3
WIDTHS = (16, 32, 64, 64)  # of convolutions of stride 2
MOST = 64  # pixels along a side: larger images are resized to it
AT_ONCE = 64


@dataclass(frozen=True, kw_only=True)
class DomainAccuracy:
    """The share of images that the classifier holds to be of their domain, and the same of real held-out images."""

    made: float
    real: float


def domain_accuracy(
    train: tuple[Images, Labels], held_out: tuple[Images, Labels], made: tuple[Images, Labels], *, seed: int = 0
) -> DomainAccuracy:
    """Of images made (N, H, H, C) for the domains (N,), by a classifier of the real ones of `train`."""
    classes = 1 + int(train[1].max())
    net, side = learned(*train, classes, seed)
    return DomainAccuracy(**{name: _share(net, *of, side) for name, of in (("made", made), ("real", held_out))})


def learned(images: Images, labels: Labels, classes: int, seed: int) -> tuple[nn.Module, int]:
    """A classifier after `STEPS` batches of the images, in eval mode, and the side of what it looks at."""
    side = min(images.shape[1], MOST)
    chance = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = _network(images.shape[3], side, classes)
    optimizer = torch.optim.Adam(net.parameters(), RATE)
    for _ in range(STEPS):
        rows = torch.randint(len(images), (BATCH,), generator=chance).numpy()
        loss = F.cross_entropy(net(_seen(images[rows], side)), torch.from_numpy(labels[rows]))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return net.eval(), side


def _network(channels: int, side: int, classes: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in WIDTHS:
        layers += [nn.Conv2d(channels, width, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        channels, side = width, (side + 1) // 2
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * side * side, classes))


def _seen(images: Images, side: int) -> Tensor:
    return fitted(images, side, images.shape[3])


@torch.inference_mode()
def _share(net: nn.Module, images: Images, labels: Labels, side: int) -> float:
    parts = [net(_seen(images[start : start + AT_ONCE], side)).argmax(1) for start in range(0, len(images), AT_ONCE)]
    return float((torch.cat(parts).numpy() == labels).mean())
