"""The probes of translators, on translators whose answers are known: honest, lazy, deaf, and one that hides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from zerosum.api.probing import Exam, task_examiner
from zerosum.api.tasks import TaskScorer, task_of
from zerosum.data import Dataset, Split, open_dataset
from zerosum.types import Domain

AMPLIFIED = 32


class Told(nn.Module):
    """A translator that is a function of the images and their new domains."""

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.function(x, y)


@pytest.fixture(scope="module")
def dyed() -> Dataset:
    """Domain 0: digits in colours by chance. Domain 1: other digits, grey."""
    digits = open_dataset("digits")

    def split(of: Split, count: int) -> Split:
        images = np.repeat(np.asarray(of.samples[:count]), 3, axis=3)
        labels = np.arange(count) % 2
        colours = np.random.default_rng(0).random((count, 1, 1, 3))
        tinted = np.where(labels[:, None, None, None] == 0, images * colours, images)
        return Split(samples=tinted.round().astype(np.uint8), labels=labels)

    train, held_out = split(digits.train, 200), split(digits.held_out, 100)
    return replace(digits, name="dyed", train=train, held_out=held_out, classes=("dyed", "grey"))


def probes(dataset: Dataset, function: Callable[[Tensor, Tensor], Tensor]) -> dict[str, float]:
    domain = Domain(shape=(3, 28, 28), classes=2, source=(3, 28, 28))
    return Exam(task_of(dataset, 64), domain, dataset).of_generator(Told(function))[1]


def test_every_domain_is_examined_and_scored_however_many_there_are(dyed: Dataset) -> None:
    """Nine need more than the 64 images of an exam, and 210 more than the 200 of a score."""
    for count, each in ((9, 8), (210, 2)):
        labels = np.repeat(np.arange(count), each)
        split = Split(samples=np.zeros((len(labels), 8, 8, 3), np.uint8), labels=labels)
        data = replace(dyed, train=split, held_out=split, classes=tuple(map(str, range(count))))
        domain = Domain(shape=(3, 8, 8), classes=count, source=(3, 8, 8))
        distances = TaskScorer(domain, data).score(Told(lambda x, _: x))["levels"]
        assert len(distances) == count
        assert (task_examiner(domain, data) is not None) == (each >= 8)


def test_images_are_led_into_all_other_domains_and_back_into_their_own(dyed: Dataset) -> None:
    parts = {
        name: replace(split, labels=np.arange(len(split)) % 3)
        for name, split in (("train", dyed.train), ("held_out", dyed.held_out))
    }
    three = replace(dyed, classes=("a", "b", "c"), **parts)
    task, asked = task_of(three, 12), []
    assert task.own is not None
    assert task.labels is not None
    assert {(int(a), int(b)) for a, b in zip(task.own, task.labels, strict=True)} == {
        (a, b) for a in range(3) for b in range(3) if a != b
    }
    domain = Domain(shape=(3, 28, 28), classes=3, source=(3, 28, 28))

    def look(x: Tensor, y: Tensor) -> Tensor:
        asked.append(y.numpy().copy())
        return x

    Exam(task, domain, three).of_generator(Told(look))
    there, back, again, other = asked
    assert (there == task.labels).all()
    assert (back == task.own).all()
    assert (again == task.own).all()
    assert ((other != task.labels) & (other != task.own)).all()


def grey(x: Tensor) -> Tensor:
    return x.mean(dim=1, keepdim=True).expand_as(x)


def into(y: Tensor, domain: int) -> Tensor:
    return (y == domain)[:, None, None, None]


def hiding(x: Tensor, y: Tensor) -> Tensor:
    """Grey, with the colours 32 times fainter; and the way back, which makes them so many times stronger."""
    faint, strong = (grey(x) + factor * (x - grey(x)) for factor in (1 / AMPLIFIED, AMPLIFIED))
    return torch.where(into(y, 1), faint, strong.clamp(-1, 1))


def test_what_gives_back_its_input_changes_nothing_and_does_not_arrive(dyed: Dataset) -> None:
    found = probes(dyed, lambda x, y: x)
    assert found["change"] == found["asked"] == found["cycle"] == 0
    assert found["arrived"] == pytest.approx(1.0)
    assert found["apart"] > 1.5
    # Noise of 3 steps on every second pixel or so (black is clipped): the error is the disturbance itself.
    assert found["fragile"] == pytest.approx(1.0)


def test_a_cycle_that_lives_on_what_is_hidden_does_not_outlive_a_disturbance(dyed: Dataset) -> None:
    found = probes(dyed, hiding)
    assert found["cycle"] < 0.05
    # From grey back: noise d becomes 32 (d - mean d) + mean d, about 32 times as much before it is clipped.
    assert 3 < found["fragile"] < AMPLIFIED
    assert found["change"] > 0.1
    honest = probes(dyed, lambda x, y: torch.where(into(y, 1), grey(x), x))
    assert honest["fragile"] < 1.01


def test_a_domain_of_less_contrast_hides_nothing(dyed: Dataset) -> None:
    """An eighth of the contrast, and exactly back: what disturbs it is stretched as the image itself is."""

    def fainter(split: Split) -> Split:
        images = np.asarray(split.samples).astype(float)
        faint = np.where((split.labels == 1)[:, None, None, None], (images - 127.5) / 8 + 127.5, images)
        return replace(split, samples=faint.round().astype(np.uint8))

    pale = replace(dyed, train=fainter(dyed.train), held_out=fainter(dyed.held_out))
    found = probes(pale, lambda x, y: torch.where(into(y, 1), x / 8, (8 * x).clamp(-1, 1)))
    assert found["cycle"] < 0.05
    assert found["fragile"] < 1.5


def test_a_right_translation_arrives_and_one_that_ignores_its_domain_is_asked_in_vain(dyed: Dataset) -> None:
    found = probes(dyed, lambda x, y: torch.where(into(y, 1), grey(x) + 0.5 * (grey(x) + 1), x))
    assert found["arrived"] < 1
    assert found["asked"] > 0.1
    deaf = probes(dyed, lambda x, y: -x)
    assert deaf["asked"] == 0
    assert deaf["change"] > 1


def test_data_that_are_alike_are_not_apart_and_few_are_not_examined(dyed: Dataset) -> None:
    def shuffled(split: Split) -> Split:
        return replace(split, labels=np.random.default_rng(1).permutation(split.labels))

    alike = replace(dyed, train=shuffled(dyed.train), held_out=shuffled(dyed.held_out))
    assert probes(alike, lambda x, y: x)["apart"] < 1.3
    domain = Domain(shape=(3, 28, 28), classes=2, source=(3, 28, 28))
    few = replace(dyed, held_out=replace(dyed.held_out, samples=dyed.held_out.samples[:14], labels=np.arange(14) % 2))
    assert task_examiner(domain, few) is None
    assert task_examiner(domain, dyed) is not None
