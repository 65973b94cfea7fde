"""`encoder`: features learned in minutes from the user's own images, without labels and without a download.

A small convolutional network looks at images of which half are damaged, and learns to tell from 128 features which
damage it was and how strong, as in learning by predicting transformations (AET, arXiv 1901.04596), and to rebuild a
thumbnail. The first makes the features see flaws, the second what the image shows. Their correlations are punished,
as in Barlow Twins (2103.03230), so that they fill their space. On faces the Fréchet distance in these features
weighs bent, mixed and missing faces far above noise that nobody sees; in a network of random weights it does not.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zerosum.data.cache import cache_folder, keep, sole_writer
from zerosum.data.dataset import Dataset
from zerosum.errors import UserError
from zerosum.metrics.features import FEATURES, Extractor, Features, Images, Progress
from zerosum.metrics.features.damage import DAMAGES, damaged
from zerosum.metrics.features.tensors import checksum, fitted, resized

VERSION = 1  # part of the cache's key: raise it with any change that changes what is learned

DIMENSIONS = 128
SIZES = (16, 128)  # pixels along a side; images outside are resized to the nearer end
WIDTHS = (16, 32, 64, 96, 128)  # of the convolutions, the last ones where there are fewer
GRID = 4  # the last convolution's side, at most
THUMBNAIL = 8
FEWEST = 32  # images, below which there is nothing to learn from
SURVEYED = 4_096  # undamaged images by which features are scaled

SPREADING = 0.1  # weight of the correlations
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 1e-2
SMALLEST_CROP = 0.4  # of the area


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How long the encoder is trained: about two minutes on one core for 64x64 images."""

    steps: int = 300
    batch: int = 256
    seed: int = 0


class Network(nn.Module):
    """Images (N, C, H, H) in [0, 1] -> features (N, 128), of mean 0 and variance 1 on the images it was trained on."""

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        halvings = 0
        while size > GRID:
            size, halvings = (size + 1) // 2, halvings + 1
        layers: list[nn.Module] = []
        for width in WIDTHS[len(WIDTHS) - halvings :]:
            layers += [nn.Conv2d(channels, width, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            channels = width
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * size * size, DIMENSIONS))
        self.scale = nn.BatchNorm1d(DIMENSIONS, affine=False)

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.scale(self.layers(images))
        return features


class Encoder(Extractor):
    """A trained network; grey and colour become what its data is, and another size is resized."""

    dimensions = DIMENSIONS
    classes = None

    def __init__(self, network: Network, channels: int, size: int, data: str, name: str = "encoder") -> None:
        self.name = name
        network.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._network = network
        self._channels, self._size = channels, size
        self.checksum = checksum(network.state_dict())
        self.scope = f"Comparable only within {data} and with this checksum: the encoder knows no other images."

    def maps(self, images: Tensor) -> Tensor:
        layers = list(self._network.to(images.device).layers)[:-2]  # without what turns maps into numbers
        if images.shape[-1] != self._size:
            images = F.interpolate(images, (self._size, self._size), mode="bilinear", antialias=True)
        for layer in layers[: max(3, len(layers) - 3)]:  # without the last convolution: details count
            images = layer(images)
        return images

    def vectors(self, images: Tensor) -> Tensor:
        found: Tensor = self._network.to(images.device)(resized(images, self._size, self._channels))
        return found

    @torch.inference_mode()
    def layers(self, images: Images) -> list[Tensor]:
        x, found = fitted(images, self._size, self._channels), []
        for layer in self._network.layers:
            x = layer(x)
            if isinstance(layer, nn.ReLU):
                found.append(x)
        return found

    @torch.inference_mode()
    def _features(self, images: Images) -> Features:
        return Features(values=self._network(fitted(images, self._size, self._channels)).numpy())


@FEATURES.register("encoder")
def open_encoder(dataset: Dataset, progress: Progress | None) -> Extractor:
    """The encoder of a data set, by which its images are judged where no shipped network knows them."""
    return encoder_of(dataset, progress, Settings())


def encoder_of(dataset: Dataset, progress: Progress | None, settings: Settings, name: str = "encoder") -> Encoder:
    """The encoder of a data set: from the cache, or trained on its train split and kept there.

    The same data, settings, machine and number of threads give the same one. `UserError` where there are fewer than
    32 images to train on, or the cache can't be written. A cached file that is damaged is made anew.
    """
    if len(dataset.train) < FEWEST:
        raise UserError(
            f"{dataset.name} has {len(dataset.train)} images to train an encoder on; expected at least {FEWEST}"
        )
    channels, height, _ = dataset.shape
    size = min(max(height, SIZES[0]), SIZES[1])
    key = json.dumps([VERSION, dataset.fingerprint, asdict(settings)])
    path = cache_folder() / "encoders" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.safetensors"
    network = _recalled(path, channels, size)
    if network is None:
        with sole_writer(path):
            network = _recalled(path, channels, size)  # another process may have made it meanwhile
            if network is None:
                network = trained(dataset.train.samples, size, settings, progress)
                keep(path, _packed(network))
    return Encoder(network, channels, size, dataset.name, name)


@FEATURES.register("second-encoder")
def open_second(dataset: Dataset, progress: Progress | None) -> Extractor:
    """Another one of the same data, from another seed: it judges what was trained to please the first."""
    return encoder_of(dataset, progress, Settings(seed=1), "second-encoder")


def _packed(network: Network) -> bytes:
    state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    return safetensors.torch.save(state, metadata={"checksum": checksum(state)})


def _recalled(path: Path, channels: int, size: int) -> Network | None:
    """The network in a cached file; None where there is none, or one that is not whole."""
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            wanted = (file.metadata() or {}).get("checksum")
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, safetensors.SafetensorError):
        return None
    if checksum(state) != wanted:
        return None
    with torch.device("meta"):
        network = Network(channels, size)
    network.load_state_dict(state, assign=True)
    return network


def trained(images: npt.NDArray[np.uint8], size: int, settings: Settings, progress: Progress | None = None) -> Network:
    """A network that has learned from uint8 images (N, H, H, C); the global random state stays as it is."""
    channels, batch = images.shape[3], min(settings.batch, len(images))
    chance = torch.Generator().manual_seed(settings.seed)
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(settings.seed)
        network = Network(channels, size)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        told, rebuilt = nn.Linear(DIMENSIONS, len(DAMAGES)), nn.Linear(DIMENSIONS, channels * THUMBNAIL**2)
        weights = [*network.parameters(), *told.parameters(), *rebuilt.parameters()]
        optimizer = torch.optim.AdamW(weights, lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=settings.steps)
        for step in range(settings.steps):
            chosen = torch.randperm(len(images), generator=chance)[:batch].numpy()
            seen, strengths = damaged(_cropped(fitted(images[chosen], size, channels), chance), chance)
            seen = seen.contiguous(memory_format=torch.channels_last)
            thumbnails = F.adaptive_avg_pool2d(seen, THUMBNAIL).flatten(1)
            features = network(seen)
            correlations = features.T @ features / batch
            loss = _share(told(features), strengths) + _share(rebuilt(features), thumbnails)
            loss = loss + SPREADING * (correlations.square().sum() / DIMENSIONS - 1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            if progress is not None:
                progress(step + 1, settings.steps)
    _survey(network, images, size)
    return network


def _share(guessed: Tensor, wanted: Tensor) -> Tensor:
    """The share of the variance that stays unexplained; of constant values, their squared error in thousands."""
    return F.mse_loss(guessed, wanted) / wanted.var().clamp(min=1e-3)


def _cropped(images: Tensor, chance: torch.Generator) -> Tensor:
    """A part of each image by chance, mirrored or not, at the whole image's size."""
    count = len(images)
    side = (SMALLEST_CROP + (1 - SMALLEST_CROP) * torch.rand(count, 1, generator=chance)).sqrt()
    sides = (side * torch.exp(torch.rand(count, 2, generator=chance) * 0.4 - 0.2)).clamp(max=1)
    mirror = torch.where(torch.rand(count, generator=chance) < 0.5, -1.0, 1.0)
    view = torch.zeros(count, 2, 3)
    view[:, 0, 0], view[:, 1, 1] = mirror * sides[:, 0], sides[:, 1]
    view[:, :, 2] = (1 - sides) * (2 * torch.rand(count, 2, generator=chance) - 1)
    return F.grid_sample(images, F.affine_grid(view, list(images.shape), align_corners=False), align_corners=False)


@torch.no_grad()
def _survey(network: Network, images: npt.NDArray[np.uint8], size: int) -> None:
    """Takes every batch norm's mean and variance anew, from images as they are, spread over the whole set."""
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over batches
    network.train()
    chosen = np.linspace(0, len(images) - 1, min(SURVEYED, len(images))).astype(np.int64)
    for part in np.array_split(chosen, max(1, len(chosen) // 256)):
        network(fitted(images[part], size, images.shape[3]))
