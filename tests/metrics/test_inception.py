"""Inception's features, with a stand-in for the package that they need."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest
import torch

from zerosum.data import open_dataset
from zerosum.errors import UserError
from zerosum.metrics.features import extractor_for
from zerosum.metrics.features.tensors import checksum

DIGITS = open_dataset("digits")


class StandIn(torch.nn.Module):
    """What torch-fidelity's FeatureExtractorInceptionV3 takes and gives, as far as it is used."""

    def __init__(self, name: str, features_list: list[str]) -> None:
        super().__init__()
        assert features_list == ["2048", "logits_unbiased"]
        self.register_buffer("scale", torch.tensor(2.0))
        self.batches: list[tuple[int, ...]] = []

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        assert x.dtype == torch.uint8
        assert x.shape[1] == 3
        self.batches.append(tuple(x.shape))
        means = x.float().mean(dim=(2, 3)) * self.scale
        return means.repeat(1, 683)[:, :2048], means.repeat(1, 336)


@pytest.fixture
def fidelity(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    module = types.ModuleType("torch_fidelity.feature_extractor_inceptionv3")
    module.FeatureExtractorInceptionV3 = StandIn
    monkeypatch.setitem(sys.modules, "torch_fidelity", types.ModuleType("torch_fidelity"))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def test_inception_gives_its_pool_features_and_the_classes_of_its_logits(fidelity):
    inception = extractor_for(DIGITS, "inception")
    images = np.random.default_rng(0).integers(0, 256, (70, 32, 32, 3), dtype=np.uint8)
    found = inception(images)
    assert inception.dimensions == found.values.shape[1] == 2048
    assert len(inception.classes) == found.probabilities.shape[1] == 1008
    expected = 2 * images.reshape(70, -1, 3).mean(axis=1)
    np.testing.assert_allclose(found.values[:, :3], expected, rtol=1e-5)
    spread = np.exp(expected - expected.max(axis=1, keepdims=True))
    np.testing.assert_allclose(found.probabilities[:, :3], spread / spread.sum(axis=1, keepdims=True) / 336, rtol=1e-3)
    assert inception._network.batches == [(32, 3, 32, 32), (32, 3, 32, 32), (6, 3, 32, 32)]
    assert inception.checksum == checksum({"scale": torch.tensor(2.0)})
    grey = images[:2, :, :, :1]
    np.testing.assert_array_equal(inception(grey).values, inception(np.repeat(grey, 3, axis=3)).values)


def test_without_torch_fidelity_the_line_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    with pytest.raises(UserError, match=r"pip install 'zerosum\[fid\]'.*torchvision.*download") as caught:
        extractor_for(DIGITS, "inception")
    assert "\n" not in str(caught.value)


def test_weights_of_inception_that_cannot_be_downloaded_are_told(fidelity):
    def refuse(name: str, layers: list[str]) -> None:
        raise OSError("<urlopen error no network>")

    fidelity.FeatureExtractorInceptionV3 = refuse
    with pytest.raises(UserError, match=r"can't be had \(<urlopen error no network>\)"):
        extractor_for(DIGITS, "inception")
