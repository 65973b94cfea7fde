"""The adversarial losses against values worked out by hand, in closed form and by another implementation."""

from __future__ import annotations

import math
from typing import get_args

import pytest
import torch
from torch.nn import functional

from zerosum.errors import UserError
from zerosum.games.rules import AdversarialRules, Loss
from zerosum.losses.adversarial import LOSSES, Targets, cross_entropy

PLAIN = Targets()
REAL = torch.tensor([2.0, -1.0, 0.0], dtype=torch.float64)
FAKE = torch.tensor([-3.0, 0.5, 0.0], dtype=torch.float64)


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))


def values(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


def test_the_table_has_exactly_the_losses_that_rules_can_name():
    assert set(LOSSES) == set(get_args(Loss))
    assert all(name == loss.name for name, loss in LOSSES.items())


@pytest.mark.parametrize("name", ["saturating", "non-saturating"])
def test_d_of_the_first_gan_is_binary_cross_entropy(name):
    real, fake = LOSSES[name].d_terms(REAL, FAKE, PLAIN)
    torch.testing.assert_close(real, values(softplus(-2), softplus(1), math.log(2)))
    torch.testing.assert_close(fake, values(softplus(-3), softplus(0.5), math.log(2)))


def test_non_saturating_g_wants_log_d():
    g = LOSSES["non-saturating"].g_term(FAKE, None, PLAIN)
    torch.testing.assert_close(g, -torch.sigmoid(FAKE).log())


def test_saturating_g_wins_what_d_loses_on_fakes():
    for aims in (PLAIN, Targets(target_fake=0.1)):
        loss = LOSSES["saturating"]
        torch.testing.assert_close(loss.g_term(FAKE, None, aims), -loss.d_fake(FAKE, aims), rtol=0, atol=0)
    torch.testing.assert_close(
        LOSSES["saturating"].g_term(FAKE, None, PLAIN), (1 - torch.sigmoid(FAKE)).log(), rtol=1e-9, atol=1e-12
    )


def test_smoothed_targets_are_those_of_torch_bce():
    aims = Targets(target_real=0.9, target_fake=0.1, target_g=0.8)
    loss = LOSSES["non-saturating"]
    for term, logits, target in [
        (loss.d_real(REAL, aims), REAL, 0.9),
        (loss.d_fake(FAKE, aims), FAKE, 0.1),
        (loss.g_term(FAKE, None, aims), FAKE, 0.8),
    ]:
        probability = torch.sigmoid(logits)
        expected = functional.binary_cross_entropy(probability, torch.full_like(logits, target), reduction="none")
        torch.testing.assert_close(term, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("target", [0.0, 0.1, 0.9, 1.0])
def test_cross_entropy_is_exact_at_logits_of_ten_thousand(target, dtype):
    logits = torch.tensor([1e4, -1e4], dtype=dtype, requires_grad=True)
    loss = cross_entropy(logits, target)
    torch.testing.assert_close(loss.detach(), torch.tensor([(1 - target) * 1e4, target * 1e4], dtype=dtype))
    (gradient,) = torch.autograd.grad(loss.sum(), logits)
    torch.testing.assert_close(gradient, torch.tensor([1 - target, -target], dtype=dtype))


def test_cross_entropy_keeps_the_tail_that_a_probability_rounds_away():
    # log(1 + e^-30) = e^-30 to first order; 1 - sigmoid(30) is 0 in float32.
    assert cross_entropy(torch.tensor([30.0]), 1.0).item() == pytest.approx(math.exp(-30), rel=1e-6)


@pytest.mark.parametrize(
    ("labels", "real", "fake", "g"),
    [
        ((0.0, 1.0, 1.0), [0.5, 2.0, 0.5], [4.5, 0.125, 0.0], [8.0, 0.125, 0.5]),
        ((-1.0, 1.0, 0.0), [0.5, 2.0, 0.5], [2.0, 1.125, 0.5], [4.5, 0.125, 0.0]),
    ],
)
def test_least_squares_with_both_published_labels(labels, real, fake, g):
    aims = Targets(labels=labels)
    loss = LOSSES["least-squares"]
    torch.testing.assert_close(loss.d_real(REAL, aims), values(*real))
    torch.testing.assert_close(loss.d_fake(FAKE, aims), values(*fake))
    torch.testing.assert_close(loss.g_term(FAKE, None, aims), values(*g))
    assert loss.threshold(REAL, FAKE, aims) == (labels[0] + labels[1]) / 2


def test_hinge_stops_at_the_margin():
    loss = LOSSES["hinge"]
    torch.testing.assert_close(loss.d_real(REAL, PLAIN), values(0, 2, 1))
    torch.testing.assert_close(loss.d_fake(FAKE, PLAIN), values(0, 1.5, 1))
    torch.testing.assert_close(loss.g_term(FAKE, None, PLAIN), -FAKE)


def test_wasserstein_is_the_difference_of_means():
    real, fake = LOSSES["wasserstein"].d_terms(REAL, FAKE, PLAIN)
    assert (real.mean() + fake.mean()).item() == pytest.approx(-(1 / 3) + (-2.5 / 3))
    torch.testing.assert_close(LOSSES["wasserstein"].g_term(FAKE, None, PLAIN), -FAKE)


def test_relativistic_compares_pairs():
    loss = LOSSES["relativistic"]
    real, fake = loss.d_terms(REAL, FAKE, PLAIN)
    torch.testing.assert_close(real + fake, values(softplus(-5), softplus(1.5), math.log(2)))
    torch.testing.assert_close(
        loss.g_term(FAKE, REAL, PLAIN), values(softplus(5), softplus(-1.5), math.log(2)), rtol=1e-12, atol=0
    )


def test_relativistic_refuses_what_is_no_pairing():
    loss = LOSSES["relativistic"]
    with pytest.raises(UserError, match="two-batches"):
        loss.d_real(REAL, PLAIN)
    with pytest.raises(UserError, match="two-batches"):
        loss.d_fake(FAKE, PLAIN)
    with pytest.raises(ValueError, match="real images"):
        loss.g_term(FAKE, None, PLAIN)
    with pytest.raises(ValueError, match="3 and 1"):
        loss.d_terms(REAL, FAKE[:1], PLAIN)


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_the_flags_say_what_the_terms_do(name):
    loss = LOSSES[name]
    assert loss.separable == (name != "relativistic")
    assert loss.needs_real == (name == "relativistic")
    if loss.separable:
        real, fake = loss.d_terms(REAL, FAKE[:2], PLAIN)
        assert real.shape == (3,)
        assert fake.shape == (2,)
        assert torch.equal(real, loss.d_real(REAL, PLAIN))
        assert torch.equal(fake, loss.d_fake(FAKE[:2], PLAIN))


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_terms_are_per_sample_and_agree_with_finite_differences(name):
    loss = LOSSES[name]
    torch.manual_seed(0)
    real = torch.randn(5, dtype=torch.float64, requires_grad=True)
    fake = torch.randn(5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda r, f: loss.d_terms(r, f, PLAIN), (real, fake))
    assert torch.autograd.gradcheck(lambda r, f: loss.g_term(f, r, PLAIN), (real, fake))
    jacobian = torch.autograd.functional.jacobian(lambda f: loss.g_term(f, real, PLAIN), fake)
    assert torch.equal(jacobian, torch.diag(jacobian.diagonal()))


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_d_rises_on_real_and_g_raises_fakes(name):
    loss = LOSSES[name]
    real, fake = torch.zeros(4, requires_grad=True), torch.zeros(4, requires_grad=True)
    parts = loss.d_terms(real, fake, PLAIN)
    gradients = torch.autograd.grad(parts[0].mean() + parts[1].mean(), (real, fake), materialize_grads=True)
    assert (gradients[0] < 0).all()
    if name != "least-squares":  # at its label 0 the fake part is content
        assert (gradients[1] > 0).all()
    (gradient,) = torch.autograd.grad(loss.g_term(fake, real, PLAIN).mean(), fake)
    assert (gradient < 0).all()


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_no_term_is_the_logits_themselves(name):
    loss = LOSSES[name]
    terms = [*loss.d_terms(REAL, FAKE, PLAIN), loss.g_term(FAKE, REAL, PLAIN), loss.shown(REAL, FAKE)]
    assert not {term.data_ptr() for term in terms} & {REAL.data_ptr(), FAKE.data_ptr()}


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_d_of_x_is_a_probability_where_the_loss_trains_one_and_else_the_logit(name):
    expected = {"saturating": torch.sigmoid(REAL), "non-saturating": torch.sigmoid(REAL)}
    expected["relativistic"] = torch.sigmoid(REAL - FAKE.mean())  # of being more real than the average fake
    assert torch.equal(LOSSES[name].shown(REAL, FAKE), expected.get(name, REAL))


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_d_says_real_above_the_losses_own_zero_or_between_the_two_sides(name):
    midpoint = float((REAL.mean() + FAKE.mean()) / 2)
    expected = {"least-squares": 0.5, "wasserstein": midpoint, "relativistic": midpoint}.get(name, 0.0)
    assert float(LOSSES[name].threshold(REAL, FAKE, PLAIN)) == pytest.approx(expected)


def test_a_games_rules_serve_as_aims():
    rules = AdversarialRules(loss="least-squares", labels=(-1.0, 1.0, 0.0))
    torch.testing.assert_close(LOSSES["least-squares"].g_term(FAKE, None, rules), FAKE.square() / 2)
    assert Targets() == Targets(
        labels=AdversarialRules().labels,
        target_real=AdversarialRules().target_real,
        target_fake=AdversarialRules().target_fake,
        target_g=AdversarialRules().target_g,
    )
