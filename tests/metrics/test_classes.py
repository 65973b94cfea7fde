"""The classifier score and the class histogram against hand-worked cases, scipy, and real digits with lost classes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from zerosum.data import open_dataset
from zerosum.metrics.classes import class_histogram, classifier_score, divergence, histogram_divergence


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_sure_and_even_probabilities_score_the_number_of_classes():
    score = classifier_score(np.tile(np.eye(7), (20, 1)), splits=1)
    assert score.mean == pytest.approx(7)
    assert score.std == 0


def test_samples_that_all_look_alike_score_one(rng):
    unsure = np.tile(rng.dirichlet(np.ones(10)), (50, 1))
    one_class = np.tile(np.eye(10)[3], (50, 1))
    assert classifier_score(unsure).mean == pytest.approx(1)
    assert classifier_score(one_class).mean == pytest.approx(1)


def test_score_of_two_samples_is_as_worked_out_by_hand():
    # p(y) = (1/2, 1/2); each sample's divergence is 3/4 log(3/2) + 1/4 log(1/2).
    score = classifier_score(np.array([[0.75, 0.25], [0.25, 0.75]]), splits=1)
    assert score.mean == pytest.approx(1.5**0.75 * 0.5**0.25, rel=1e-12)


def test_score_is_exp_of_the_mutual_information_of_sample_and_class(rng):
    # Independently: E KL(p(y|x) || p(y)) = H(y) - E H(y|x).
    rows = rng.dirichlet(np.full(10, 0.3), size=200).astype(np.float32)
    entropy = (
        stats.entropy(rows.astype(np.float64).mean(axis=0)) - stats.entropy(rows.astype(np.float64), axis=1).mean()
    )
    assert classifier_score(rows, splits=1).mean == pytest.approx(math.exp(entropy), rel=1e-6)


def test_splits_have_their_own_marginals_and_give_mean_and_deviation(rng):
    rows = rng.dirichlet(np.full(10, 0.3), size=203)
    order = np.random.default_rng(0).permutation(203)
    parts = [classifier_score(part, splits=1).mean for part in np.array_split(rows[order], 4)]
    score = classifier_score(rows, splits=4)
    assert (score.mean, score.std, score.splits) == pytest.approx((np.mean(parts), np.std(parts), 4))


@pytest.mark.parametrize("labels", [np.arange(1000) // 100, np.arange(1000) % 10], ids=["sorted", "in turn"])
def test_the_order_of_the_classes_does_not_matter_much(labels):
    assert classifier_score(np.eye(10)[labels]).mean > 9.3


@pytest.mark.parametrize(
    "rows",
    [np.zeros((20, 10)), np.full((20, 10), np.nan), np.tile([1.5, -0.5], (20, 1)), np.ones(20), np.ones((3, 1))],
    ids=["logits", "nan", "negative", "flat", "fewer than splits"],
)
def test_rows_that_are_no_probabilities_are_refused(rows):
    with pytest.raises(ValueError, match="probabilities"):
        classifier_score(rows)


def test_divergence_is_infinite_where_q_lacks_what_p_has():
    half = np.array([0.5, 0.5, 0.0])
    assert divergence(half, np.array([1.0, 0.0, 0.0])) == math.inf
    assert divergence(np.array([1.0, 0.0, 0.0]), half) == pytest.approx(math.log(2))


def test_histogram_counts_every_class_even_the_empty_ones():
    assert class_histogram(np.array([4, 0, 4, 1]), 6).tolist() == [1, 1, 0, 0, 2, 0]
    assert class_histogram(np.array([], np.int64), 2).tolist() == [0, 0]
    for wrong in ([0, 6], [-1, 2], [[0, 1]], [0.0, 1.0]):
        with pytest.raises(ValueError, match="labels"):
            class_histogram(np.array(wrong), 6)


def test_a_lost_class_of_even_ones_costs_log_k_over_k_minus_one():
    even = np.full(10, 100)
    lost = np.array([0, *[100] * 9])
    assert histogram_divergence(lost, even) == pytest.approx(math.log(10 / 9))
    assert histogram_divergence(np.eye(10, dtype=int)[3], even) == pytest.approx(math.log(10))


def test_a_class_the_data_lack_counts_as_half_a_real_sample():
    fake, real = np.array([50, 50]), np.array([100, 0])
    expected = 0.5 * math.log(0.5 / (100 / 100.5)) + 0.5 * math.log(0.5 / (0.5 / 100.5))
    assert histogram_divergence(fake, real) == pytest.approx(expected)
    assert histogram_divergence(fake, real) > histogram_divergence(fake, np.array([99, 1]))
    assert histogram_divergence(np.array([5, 5, 0]), np.array([7, 7, 0])) == 0  # neither has it: nothing is smoothed


counts = st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)), min_size=1, max_size=20).filter(
    lambda pairs: any(one for one, _ in pairs) and any(other for _, other in pairs)
)


@given(counts)
def test_divergence_of_histograms_is_finite_never_negative_and_scipys(pairs):
    fake, real = np.array(pairs).T
    found = histogram_divergence(fake, real)
    assert math.isfinite(found)
    assert found >= 0
    assert histogram_divergence(3 * fake, fake) == pytest.approx(0, abs=1e-12)
    if not ((real == 0) & (fake > 0)).any():
        assert found == pytest.approx(stats.entropy(fake, real), abs=1e-12)


@pytest.mark.parametrize(
    ("fake", "real"),
    [([0, 0], [1, 1]), ([1, 1], [0, 0]), ([1, -1], [1, 1]), ([0.5, 0.5], [1, 1]), ([1, 1], [1, 1, 1])],
    ids=["no fakes", "no reals", "negative", "shares", "other classes"],
)
def test_histograms_that_cannot_be_compared_are_named(fake, real):
    with pytest.raises(ValueError, match=r"counts|classes"):
        histogram_divergence(np.array(fake), np.array(real))


def test_dropped_classes_of_real_digits_raise_the_divergence():
    labels = open_dataset("digits").train.labels
    real, rest = labels[:4000], labels[4000:]
    counts = class_histogram(real, 10)
    found = [histogram_divergence(class_histogram(rest[rest < kept], 10), counts) for kept in (10, 9, 7, 4, 2, 1)]
    assert found[0] < 0.005
    assert found == sorted(found)
    assert found[1] > 0.05
    assert found[-1] == pytest.approx(-math.log(counts[0] / 4000))
