"""Stacked digits: real digits in each channel, every one used once a channel, the same on every machine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from zerosum.data import open_dataset
from zerosum.data.dataset import Split
from zerosum.data.sources.stacked import stack
from zerosum.errors import UserError


def test_each_channel_holds_every_digit_once_in_an_order_of_its_own() -> None:
    grey = np.arange(5 * 4, dtype=np.uint8).reshape(5, 2, 2, 1)
    made = stack(Split(samples=grey), seed=3)
    assert made.shape == (5, 2, 2, 3)
    orders = [made[:, 0, 0, channel] // 4 for channel in range(3)]
    assert all(sorted(order) == [0, 1, 2, 3, 4] for order in orders)
    assert not (np.array_equal(orders[0], orders[1]) and np.array_equal(orders[1], orders[2]))
    assert np.array_equal(made, stack(Split(samples=grey), seed=3))


def test_stacked_mnist_has_60000_images_of_1000_modes(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEROSUM_DATA", str(real_data))
    data = open_dataset("stacked")
    assert (len(data.train), len(data.held_out), data.shape, data.classes) == (60_000, 10_000, (3, 28, 28), None)
    mnist = open_dataset("mnist")
    assert {row.tobytes() for row in mnist.train.samples[:50, :, :, 0]} <= {
        row.tobytes() for row in np.ascontiguousarray(data.train.samples[..., 1])
    }


def test_stacked_can_not_be_grey() -> None:
    with pytest.raises(UserError, match="three channels"):
        open_dataset("stacked", channels=1)
