"""Real digits, and the chance that the tests of metrics draw from."""

from __future__ import annotations

import numpy as np
import pytest

from zerosum.data import open_dataset


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


@pytest.fixture(scope="session")
def shuffled_digits() -> tuple[np.ndarray, np.ndarray]:
    """Images (9000, 28, 28) in [0, 1] and labels, in another order than the file's, in which neighbours are alike."""
    split = open_dataset("digits").train
    order = np.random.default_rng(0).permutation(len(split.samples))
    return split.samples[order, :, :, 0] / 255.0, split.labels[order]
