"""`inception`: the Inception-v3 of published FID scores (arXiv 1706.08500), through the optional torch-fidelity.

That package has the converted TensorFlow weights, which it downloads once, and TensorFlow's way of resizing: two
things on which a FID depends. It needs torchvision, so it is an extra, imported where it is asked for.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import torch

from zerosum.data.dataset import Dataset
from zerosum.errors import UserError
from zerosum.metrics.features import FEATURES, Extractor, Features, Images, Progress
from zerosum.metrics.features.tensors import checksum

MODULE = "torch_fidelity.feature_extractor_inceptionv3"
LAYERS = ["2048", "logits_unbiased"]


class Inception(Extractor):
    """2048 features, and 1008 classes whose names are their numbers. Grey is repeated as three channels.

    `UserError` where torch-fidelity or its weights can't be had.
    """

    name = "inception"
    dimensions = 2048
    classes = tuple(str(number) for number in range(1008))
    scope = (
        "Comparable with published FID scores of the same real images and the same number of samples, where those "
        "were taken with the TensorFlow weights."
    )
    most = 32  # at 299x299 an image takes 8 MB between the layers

    def __init__(self) -> None:
        try:
            module: Any = importlib.import_module(MODULE)
        except (ImportError, RuntimeError) as error:  # RuntimeError: a torchvision made for another torch
            raise UserError(
                f"inception needs torch-fidelity, which can't be imported ({_few_words(error)}); "
                "pip install 'zerosum[fid]' gets it with torchvision, and its first use downloads 91 MB of weights; "
                "or use --network encoder, which needs neither"
            ) from None
        try:
            self._network = module.FeatureExtractorInceptionV3(self.name, LAYERS).eval()
        except (OSError, RuntimeError) as error:  # no network, or a download that was cut short
            raise UserError(
                f"the weights of inception can't be had ({_few_words(error)}); expected a download of 91 MB: "
                "try again with a network, or use --network encoder"
            ) from None
        self.checksum = checksum(self._network.state_dict())

    @torch.inference_mode()
    def _features(self, images: Images) -> Features:
        pixels = torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).expand(-1, 3, -1, -1)
        values, logits = self._network(pixels)
        return Features(values=values.float().numpy(), probabilities=logits.float().softmax(dim=1).numpy())


def _few_words(error: BaseException) -> str:
    return " ".join((str(error) or type(error).__name__).split())[:200]


@FEATURES.register("inception")
def open_inception(dataset: Dataset, progress: Progress | None) -> Inception:
    """Inception, whatever the data."""
    return Inception()
