"""`digits-net` and `fashion-net`: small classifiers of 28x28 grey images, shipped with the package.

The features are 64 linear values before the classes. So that they do not collapse onto the ten classes (Papyan et
al. 2020, arXiv 2008.08186), they were trained to rebuild the image as well, and they are scaled to variance 1 on the
train split. tools/make_feature_nets.py made the weights; the card beside them says from what, and how good they are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zerosum.data.dataset import Dataset
from zerosum.errors import UserError
from zerosum.metrics.features import FEATURES, Extractor, Features, Images, Progress
from zerosum.metrics.features.tensors import fitted, resized

FOLDER = Path(__file__).resolve().parent
NAMES = ("digits-net", "fashion-net")
SIZE = 28
DIMENSIONS = 64


class SmallNet(nn.Module):
    """Grey images (N, 1, 28, 28) in [0, 1] -> features (N, 64) and logits (N, classes).

    Five convolutions down to 4x4; no normalization: the training's batch norm is folded into the weights.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            [
                nn.Conv2d(1, 32, 5, stride=2, padding=2),
                nn.Conv2d(32, 32, 3, padding=1),
                nn.Conv2d(32, 64, 3, stride=2, padding=1),
                nn.Conv2d(64, 64, 3, padding=1),
                nn.Conv2d(64, 64, 3, stride=2, padding=1),
            ]
        )
        self.project = nn.Linear(64 * 4 * 4, DIMENSIONS)
        self.classify = nn.Linear(DIMENSIONS, classes)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        for maps in self.maps(images):
            last = maps
        features: Tensor = self.project(last.flatten(1))
        return features, self.classify(features)

    def maps(self, images: Tensor) -> Iterator[Tensor]:
        """What each convolution makes of the images, (N, c, h, w), the first one first."""
        x = images
        for convolution in self.convolutions:
            x = F.relu(convolution(x))
            yield x


class Classifier(Extractor):
    """A shipped network. Colour is turned to grey by its luma, and every size but 28 is resized to it.

    `UserError` where its files are absent or not those that were shipped.
    """

    def __init__(self, name: str, folder: Path = FOLDER) -> None:
        self.name = name
        try:
            card = json.loads((folder / f"{name}.json").read_bytes())
            weights = (folder / f"{name}.safetensors").read_bytes()
            self.classes: tuple[str, ...] = tuple(card["classes"])
            self.checksum = hashlib.sha256(weights).hexdigest()
            whole = self.checksum == card["sha256"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{name} can't be read in {folder}: {error}; install zerosum anew") from None
        if not whole:
            raise UserError(
                f"{name}.safetensors in {folder} is damaged: its SHA-256 is {self.checksum[:12]}…, "
                f"expected {card['sha256'][:12]}…; install zerosum anew"
            )
        self.dimensions = DIMENSIONS
        self.scope = f"Comparable with every score of {name} with this checksum against the same real images."
        with torch.device("meta"):  # no time for initial values
            self._network = SmallNet(len(self.classes))
        tensors = {key: tensor.float() for key, tensor in safetensors.torch.load(weights).items()}
        self._network.load_state_dict(tensors, assign=True)
        self._network.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def maps(self, images: Tensor) -> Tensor:
        network = self._network.to(images.device)
        return next(islice(network.maps(resized(images, SIZE, 1)), len(network.convolutions) - 2, None))

    def vectors(self, images: Tensor) -> Tensor:
        found: Tensor = self._network.to(images.device)(resized(images, SIZE, 1))[0]
        return found

    @torch.inference_mode()
    def layers(self, images: Images) -> list[Tensor]:
        return list(self._network.maps(fitted(images, SIZE, 1)))

    @torch.inference_mode()
    def _features(self, images: Images) -> Features:
        values, logits = self._network(fitted(images, SIZE, 1))
        return Features(values=values.numpy(), probabilities=logits.softmax(dim=1).numpy())


def _opener(name: str) -> Callable[[Dataset, Progress | None], Extractor]:
    return lambda dataset, progress: Classifier(name)


for _name in NAMES:
    FEATURES.register(_name)(_opener(_name))
