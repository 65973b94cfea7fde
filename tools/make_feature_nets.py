"""Makes the feature networks `digits-net` and `fashion-net`, with a card for each, from the train splits.

Usage: python tools/make_feature_nets.py [digits-net] [fashion-net], with ZEROSUM_DATA as for every other command.
On one thread it takes about eight minutes for each. The result is the same bit for bit on one machine; on others it
differs a little, so a network that is made again has another checksum, and scores of its own.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from dataclasses import dataclass

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn

from zerosum.data import Split, open_dataset
from zerosum.metrics.features.classifier import DIMENSIONS, FOLDER, SIZE, SmallNet
from zerosum.metrics.features.tensors import fitted

SEED = 0
EPOCHS = 18
BATCH = 256
LEARNING_RATE = 0.1
WEIGHT_DECAY = 5e-4
EMA = 0.998
REBUILDING = 1.0  # weight of the mean squared error of the rebuilt image, beside the cross entropy,
SPREADING = 0.03  # and of the features' squared correlations, summed over the others and averaged over the features


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The data, and how far an image may be changed by chance: degrees, shares, pixels."""

    data: str
    licence: str
    rotation: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    shift: int = 0
    flip: bool = False
    cutout: int = 0


PLANS = {
    "digits-net": Plan(data="mnist", licence="CC BY-SA 3.0", rotation=12, scale=0.12, shear=0.15, shift=2),
    # Cloth is known by its texture, so nothing here interpolates.
    "fashion-net": Plan(data="fashion-mnist", licence="MIT", shift=2, flip=True, cutout=8),
}


class Training(nn.Module):
    """The network with what only its training needs: batch norm, and a linear map from features back to the image."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.network = SmallNet(classes)
        for index, convolution in enumerate(self.network.convolutions):
            norm = nn.BatchNorm2d(convolution.out_channels)
            self.network.convolutions[index] = nn.Sequential(convolution, norm)
        # Its weight stays 1 and its bias 0: features have mean 0 and variance 1, so the distance has a scale.
        norm = nn.BatchNorm1d(DIMENSIONS).requires_grad_(False)
        self.network.project = nn.Sequential(self.network.project, norm)
        self.rebuild = nn.Linear(DIMENSIONS, (SIZE // 2) ** 2)

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        features, logits = self.network(images)
        rebuilt = F.mse_loss(self.rebuild(features), F.avg_pool2d(images, 2).flatten(1))
        correlations = features.T @ features / len(features)  # they are centred, and of variance 1
        shared = correlations.square().sum() / DIMENSIONS - 1
        return F.cross_entropy(logits, labels) + REBUILDING * rebuilt + SPREADING * shared

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images)[1]
        return logits


def folded(network: SmallNet) -> SmallNet:
    """The same function without batch norm, in the precision in which it is stored."""
    network.eval()
    for index, (convolution, norm) in enumerate(network.convolutions):
        network.convolutions[index] = fuse_conv_bn_eval(convolution, norm)
    network.project = fuse_linear_bn_eval(*network.project)
    return network.half()


def augmented(images: Tensor, plan: Plan, chance: torch.Generator) -> Tensor:
    """The images, each turned, scaled, sheared, moved by whole pixels, mirrored and cut out by chance."""
    count = len(images)

    def spread(most: float) -> Tensor:
        return (2 * torch.rand(count, generator=chance) - 1) * most

    angle, shear = spread(math.radians(plan.rotation)), spread(plan.shear)
    wide, high = 1 + spread(plan.scale), 1 + spread(plan.scale)
    mirror = torch.where(torch.rand(count, generator=chance) < 0.5, -1.0, 1.0) if plan.flip else torch.ones(count)
    across, down = (2 / SIZE * spread(plan.shift + 0.5).round() for _ in range(2))
    rows = [
        torch.stack([mirror * wide * angle.cos(), shear - high * angle.sin(), across], dim=1),
        torch.stack([mirror * wide * angle.sin(), high * angle.cos(), down], dim=1),
    ]
    grid = F.affine_grid(torch.stack(rows, dim=1), list(images.shape), align_corners=False)
    images = F.grid_sample(images, grid, align_corners=False)
    if plan.cutout:
        centre = SIZE * torch.rand(count, 2, 1, generator=chance)
        cut = (torch.arange(SIZE) + 0.5 - centre).abs() < plan.cutout / 2
        images = images * ~(cut[:, 0, :, None] & cut[:, 1, None, :])[:, None]
    return images.contiguous(memory_format=torch.channels_last)


def tensors(split: Split) -> tuple[Tensor, Tensor]:
    """Images (N, 1, 28, 28) in [0, 1] and labels (N,)."""
    assert split.labels is not None
    return fitted(split.samples, SIZE, 1), torch.from_numpy(np.array(split.labels))


def train(plan: Plan, images: Tensor, labels: Tensor, classes: int) -> SmallNet:
    """A network of averaged weights, whose batch norm has seen the train split as it is."""
    torch.manual_seed(SEED)
    chance = torch.Generator().manual_seed(SEED)
    model = Training(classes).to(memory_format=torch.channels_last)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(EMA))
    steps = len(images) // BATCH
    optimizer = torch.optim.SGD(
        model.parameters(), lr=LEARNING_RATE, momentum=0.9, nesterov=True, weight_decay=WEIGHT_DECAY
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=EPOCHS * steps, pct_start=0.2, cycle_momentum=False
    )
    for epoch in range(EPOCHS):
        total = 0.0
        for batch in torch.randperm(len(images), generator=chance)[: steps * BATCH].split(BATCH):
            loss = model.loss(augmented(images[batch], plan, chance), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            average.update_parameters(model)
            total += loss.item()
        sys.stderr.write(f"epoch {epoch + 1} of {EPOCHS}: loss {total / steps:.4f}\n")
    update_bn(images.split(1000), average)
    return folded(average.module.network)


@torch.inference_mode()
def accuracy(network: SmallNet, images: Tensor, labels: Tensor) -> float:
    """The share of images whose class is found, in percent."""
    found = torch.cat([network(batch)[1].argmax(dim=1) for batch in images.split(500)])
    return 100 * (found == labels).float().mean().item()


def make(name: str) -> None:
    """Trains, stores and measures one network; its card says what the stored one can do."""
    plan = PLANS[name]
    data = open_dataset(plan.data)
    assert data.classes is not None
    network = train(plan, *tensors(data.train), len(data.classes))
    state = {key: tensor.contiguous() for key, tensor in network.state_dict().items()}
    weights = safetensors.torch.save(state)
    right = accuracy(network.float(), *tensors(data.held_out))
    card = {
        "name": name,
        "what": "a classifier whose 64 features before the classes are for distances between real and generated images",
        "input": "grey images of 28x28, 0 to 1",
        "layers": [line for line in str(network).splitlines() if "Conv2d" in line or "Linear" in line],
        "parameters": sum(weight.numel() for weight in network.parameters()),
        "precision": "float16 in the file, float32 in use",
        "data": f"the train split of {plan.data} ({len(data.train):,} images; {plan.licence})",
        "classes": data.classes,
        "seed": SEED,
        "training": f"{EPOCHS} epochs of batches of {BATCH}, SGD, one cycle up to {LEARNING_RATE}, averaged weights",
        "test_accuracy": round(right, 2),
        "test_images": len(data.held_out),
        "made_by": f"python tools/make_feature_nets.py {name}",
        "torch": torch.__version__.split("+")[0],
        "sha256": hashlib.sha256(weights).hexdigest(),
    }
    (FOLDER / f"{name}.safetensors").write_bytes(weights)
    (FOLDER / f"{name}.json").write_text(json.dumps(card, indent=1) + "\n")
    sys.stderr.write(f"{name}: {right:.2f}% of {len(data.held_out):,} test images, {len(weights):,} bytes\n")


if __name__ == "__main__":
    torch.use_deterministic_algorithms(True)
    for chosen in sys.argv[1:] or PLANS:
        make(chosen)
