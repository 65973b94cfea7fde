"""The classifier of domains: right about what it can tell, and about what a translator leaves as it is."""

from __future__ import annotations

import numpy as np
import pytest

from zerosum.data import open_dataset
from zerosum.metrics.domains import domain_accuracy


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    """600 real digits."""
    return np.asarray(open_dataset("digits").train.samples[:600])


def of_two(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first half as it is, the second inverted, with their domains."""
    half = len(images) // 2
    labels = np.repeat(np.array([0, 1], np.int64), half)
    return np.concatenate([images[:half], 255 - images[half : 2 * half]]), labels


def test_what_was_led_into_a_domain_is_counted_and_what_stayed_is_not(digits: np.ndarray) -> None:
    train, held_out = of_two(digits[:400]), of_two(digits[400:500])
    given, own = of_two(digits[500:])
    into = 1 - own
    right = domain_accuracy(train, held_out, (255 - given, into))
    assert right.real == 1.0
    assert right.made == 1.0
    assert domain_accuracy(train, held_out, (given, into)).made == 0.0
    half = np.concatenate([255 - given[:50], given[50:]])  # one way works
    assert domain_accuracy(train, held_out, (half, into)).made == 0.5


def test_the_same_seed_gives_the_same_word_and_no_one_else_s_chance_is_touched(digits: np.ndarray) -> None:
    import torch

    train, held_out = of_two(digits[:100]), of_two(digits[400:500])
    noisy = np.random.default_rng(0).integers(0, 256, (64, 28, 28, 1), np.uint8), np.zeros(64, np.int64)
    before = torch.random.get_rng_state()
    first, again = (domain_accuracy(train, held_out, noisy, seed=3) for _ in range(2))
    assert first == again
    assert torch.equal(torch.random.get_rng_state(), before)


def test_domains_that_do_not_differ_are_told_apart_by_chance(digits: np.ndarray) -> None:
    # By chance, since every second one of MNIST's digits is of another hand: a classifier is right about 84% of these.
    labels = np.random.default_rng(0).integers(0, 2, 600)
    found = domain_accuracy(
        (digits[:400], labels[:400]), (digits[400:], labels[400:]), (digits[400:], 1 - labels[400:])
    )
    assert 0.35 < found.real < 0.65
    assert found.made == pytest.approx(1 - found.real)
