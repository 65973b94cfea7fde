"""Batches: every image once in a permutation, the same for every number of ranks, and resumed exactly."""

from __future__ import annotations

import json
from typing import Any, Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zerosum.data import Dataset, Feed, Split, loader, open_dataset
from zerosum.data.dataset import fingerprint
from zerosum.errors import CheckpointError, UserError

CPU = torch.device("cpu")


def numbered(count: int = 50, shape: tuple[int, int, int] = (2, 2, 1), labelled: bool = True) -> Dataset:
    """Image i is filled with i (below 256), but for its first column, which has i + 100; its label is i // 10."""
    numbers = np.arange(count, dtype=np.uint8)
    samples = np.broadcast_to(numbers[:, None, None, None], (count, *shape)).copy()
    samples[:, :, 0] += 100
    labels = np.arange(count, dtype=np.int64) // 10 if labelled else None
    train = Split(samples=samples, labels=labels)
    classes = tuple(str(label) for label in range(-(-count // 10))) if labelled else None
    return Dataset(
        name="numbered",
        kind="images",
        train=train,
        held_out=train,
        classes=classes,
        fingerprint=fingerprint(train, train),
    )


def feed(data: Dataset | None = None, **options: Any) -> Feed:
    return Feed(data or numbered(), **{"device": CPU, "value_range": (0.0, 255.0), **options})


def numbers(x: torch.Tensor) -> list[int]:
    """Which image of `numbered` each one is, mirrored or not."""
    return [int(value) for value in x.flatten(1).amin(1).round().tolist()]


def test_a_shuffle_draws_every_image_once_in_each_round() -> None:
    source = feed()
    drawn = [number for _ in range(15) for number in numbers(source.take(10)[0])]
    rounds = [drawn[start : start + 50] for start in (0, 50, 100)]
    for one in rounds:
        assert sorted(one) == list(range(50))
    assert rounds[0] != rounds[1] != rounds[2]


def test_labels_belong_to_their_images() -> None:
    x, y = feed().take(128)
    assert y is not None
    assert (y.dtype, y.shape) == (torch.int64, (128,))
    assert [number // 10 for number in numbers(x)] == y.tolist()


def test_batches_have_the_shape_type_and_range_asked_for() -> None:
    x, _ = feed(numbered(shape=(4, 4, 3)), dtype=torch.float64, value_range=(-1.0, 1.0)).take(7)
    assert (x.shape, x.dtype) == ((7, 3, 4, 4), torch.float64)
    assert x.is_contiguous()


@pytest.mark.parametrize("value_range", [(-1.0, 1.0), (0.0, 1.0), (-0.5, 0.5), (0.0, 255.0)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_pixels_become_numbers_and_both_ends_are_exact(value_range: tuple[float, float], dtype: torch.dtype) -> None:
    samples = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    split = Split(samples=samples)
    data = Dataset(name="ramp", kind="images", train=split, held_out=split, classes=None, fingerprint="")
    low, high = value_range
    x, y = Feed(data, device=CPU, value_range=value_range, dtype=dtype).take(1)
    values = x.flatten()
    assert y is None
    assert (values[0].item(), values[255].item()) == (low, high)
    expected = low + torch.arange(256, dtype=torch.float64) / 255 * (high - low)
    tolerance = {torch.float32: 2e-7, torch.float64: 1e-15, torch.bfloat16: 4e-3}[dtype]
    assert (values.double() - expected).abs().max() <= tolerance * max(abs(low), high)
    back = ((values.double() - low) / (high - low) * 255).round()
    if dtype != torch.bfloat16:
        assert torch.equal(back, torch.arange(256, dtype=torch.float64))


def test_channels_and_rows_keep_their_places() -> None:
    samples = np.random.RandomState(0).randint(0, 256, (20, 5, 5, 3), dtype=np.uint8)
    split = Split(samples=samples, labels=np.arange(20))
    data = Dataset(name="noise", kind="images", train=split, held_out=split, classes=None, fingerprint="")
    x, y = feed(data).take(20)
    assert y is not None
    assert np.array_equal(x.numpy().round(), samples.transpose(0, 3, 1, 2)[y.numpy()])


def test_points_come_unchanged() -> None:
    data = open_dataset("ring")
    x, y = Feed(data, device=CPU, flip=True).take(90_000)
    assert (x.shape, x.dtype, y) == ((90_000, 2), torch.float32, None)
    assert sorted(map(tuple, x.tolist())) == sorted(map(tuple, data.train.samples.tolist()))


@settings(max_examples=60, deadline=None)
@given(
    draw=st.sampled_from(["shuffle", "replacement"]),
    flip=st.booleans(),
    before=st.lists(st.integers(1, 130), max_size=4),
    after=st.lists(st.integers(1, 130), min_size=1, max_size=4),
    seed=st.integers(0, 2**40),
)
def test_a_resumed_feed_goes_on_as_if_it_had_never_stopped(
    draw: Literal["shuffle", "replacement"], flip: bool, before: list[int], after: list[int], seed: int
) -> None:
    straight = feed(draw=draw, flip=flip, seed=seed)
    for count in before:
        straight.take(count)
        straight.labels(count)
    state = json.loads(json.dumps(straight.state_dict()))
    resumed = feed(draw=draw, flip=flip, seed=seed)
    resumed.load_state_dict(state)
    assert resumed.drawn == sum(before)
    # Another batch size changes where batches end, not which images come.
    total = sum(after)
    pieces = [straight.take(count) for count in after]
    x, y = resumed.take(total)
    assert y is not None
    assert torch.equal(torch.cat([piece[0] for piece in pieces]), x)
    assert torch.equal(torch.cat([piece[1] for piece in pieces if piece[1] is not None]), y)
    one, other = straight.labels(30), resumed.labels(30)
    assert one is not None
    assert other is not None
    assert torch.equal(one, other)


def test_restoring_far_ahead_takes_no_time_of_the_past() -> None:
    source = feed()
    source.load_state_dict({"drawn": 10**15, "labelled": 10**15})
    assert len(numbers(source.take(64)[0])) == 64


@pytest.mark.parametrize("draw", ["shuffle", "replacement"])
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("world", [2, 3])
def test_the_ranks_parts_together_are_the_batch_of_one_process(draw: Any, flip: bool, world: int) -> None:
    alone = feed(draw=draw, flip=flip, seed=3)
    ranks = [feed(draw=draw, flip=flip, seed=3, rank=rank, world=world) for rank in range(world)]
    for count in (12, 60, 18, 120):
        x, y = alone.take(count)
        parts = [rank.take(count) for rank in ranks]
        assert all(len(part[0]) == count // world for part in parts)
        assert torch.equal(torch.cat([part[0] for part in parts]), x)
        assert y is not None
        assert torch.equal(torch.cat([part[1] for part in parts if part[1] is not None]), y)
        labels = alone.labels(count)
        assert labels is not None
        assert torch.equal(torch.cat([part for rank in ranks if (part := rank.labels(count)) is not None]), labels)
    assert {json.dumps(rank.state_dict()) for rank in ranks} == {json.dumps(alone.state_dict())}


def test_a_batch_that_the_ranks_can_not_share_is_refused() -> None:
    with pytest.raises(UserError, match="multiple of the number of processes, 2"):
        feed(world=2).take(7)
    with pytest.raises(UserError, match="batch is 0"):
        feed().take(0)
    with pytest.raises(UserError, match="seed is -1"):
        feed(seed=-1)


@pytest.mark.parametrize("mirrored_bytes", [0, 2**28])
def test_half_of_the_images_are_mirrored_and_nothing_else_is_changed(
    mirrored_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader, "MIRRORED_BYTES", mirrored_bytes)
    plain, flipped = feed(seed=5), feed(seed=5, flip=True)
    x, y = plain.take(2_000)
    x_flipped, y_flipped = flipped.take(2_000)
    assert y is not None
    assert y_flipped is not None
    assert torch.equal(y, y_flipped)
    same = (x_flipped == x).flatten(1).all(1)
    mirrored = (x_flipped == x.flip(-1)).flatten(1).all(1)
    assert torch.equal(mirrored, ~same)
    assert 900 < mirrored.sum() < 1_100


def test_draws_with_replacement_are_even_and_independent() -> None:
    x, _ = feed(draw="replacement").take(50_000)
    counts = np.bincount(numbers(x), minlength=50)
    chi_square = float(((counts - 1_000) ** 2 / 1_000).sum())
    assert 20 < chi_square < 95  # 49 degrees of freedom: about one in 10,000 lies outside
    first = numbers(feed(draw="replacement").take(50)[0])
    assert len(set(first)) < 50


def test_labels_for_fakes_are_as_frequent_as_in_the_data() -> None:
    samples = np.zeros((100, 2, 2, 1), dtype=np.uint8)
    split = Split(samples=samples, labels=np.array([0] * 90 + [1] * 10))
    data = Dataset(name="uneven", kind="images", train=split, held_out=split, classes=("a", "b"), fingerprint="")
    source = feed(data)
    drawn = source.labels(20_000)
    assert drawn is not None
    assert drawn.double().mean() == pytest.approx(0.1, abs=0.01)
    assert feed(numbered(labelled=False)).labels(5) is None


def test_labels_for_fakes_do_not_disturb_the_images() -> None:
    one, other = feed(), feed()
    other.labels(77)
    assert torch.equal(one.take(64)[0], other.take(64)[0])


def test_seeds_differ() -> None:
    assert not torch.equal(feed(seed=0).take(50)[0], feed(seed=1).take(50)[0])


def test_the_order_is_the_same_on_every_machine() -> None:
    # Written down once: a run resumed elsewhere, or under another numpy, must draw the same images.
    assert numbers(feed(seed=0).take(6)[0]) == [14, 17, 29, 44, 10, 48]


@pytest.mark.parametrize("draw", ["shuffle", "replacement"])
@pytest.mark.parametrize("flip", [False, True])
def test_a_set_too_large_for_memory_gives_the_same_batches(
    draw: Any, flip: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    data = numbered(shape=(3, 3, 3))
    resident = feed(data, draw=draw, flip=flip)
    np.save(tmp_path / "x.npy", data.train.samples)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    monkeypatch.setattr(loader, "HOST_BYTES", 100)
    split = Split(samples=mapped, labels=data.train.labels)
    streamed = feed(
        Dataset(name="m", kind="images", train=split, held_out=split, classes=data.classes, fingerprint=""),
        draw=draw,
        flip=flip,
    )
    for count in (8, 64, 100):
        x, y = resident.take(count)
        x_streamed, y_streamed = streamed.take(count)
        assert torch.equal(x, x_streamed)
        assert y is not None
        assert y_streamed is not None
        assert torch.equal(y, y_streamed)
        assert x_streamed.is_contiguous()


def test_a_batch_may_be_changed_without_changing_the_data() -> None:
    source = feed()
    x, _ = source.take(50)
    x.fill_(-7)
    assert min(numbers(source.take(50)[0])) == 0


@pytest.mark.parametrize("state", [{}, {"drawn": -1, "labelled": 0}, {"drawn": 1.5, "labelled": 0}, {"drawn": 3}])
def test_a_state_that_is_none_is_refused(state: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match="expected drawn and labelled"):
        feed().load_state_dict(state)
