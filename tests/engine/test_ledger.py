"""The books of the losses: nothing lost, nothing that is not finite, epochs averaged."""

from __future__ import annotations

import pytest
import torch

from zerosum.engine.ledger import Ledger
from zerosum.errors import DivergedError


def record(ledger: Ledger, step: int, **terms: float) -> None:
    ledger.record(step, {name.replace("_", "/"): torch.tensor(value) for name, value in terms.items()})


def test_the_epoch_mean_is_that_of_g_over_all_steps_whenever_it_is_settled() -> None:
    ledger = Ledger()
    for step, value in enumerate((1.0, 2.0, 6.0), start=1):
        record(ledger, step, D_adv=100.0, G_adv=value)
        if step == 2:
            ledger.settle(ledger.values())
    ledger.settle(ledger.values())
    assert ledger.close_epoch() == 3.0
    record(ledger, 4, G_adv=5.0)
    ledger.settle(ledger.values())
    assert ledger.close_epoch() == 5.0


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_the_first_term_that_is_not_finite_is_named_with_its_step(bad: float) -> None:
    ledger = Ledger()
    record(ledger, 7, D_adv=1.0, G_adv=1.0)
    record(ledger, 8, D_adv=1.0, D_gp=bad, G_adv=float("nan"))
    with pytest.raises(DivergedError, match=r"D/gp is .* at step 8"):
        ledger.settle(ledger.values())


def test_terms_may_come_and_go_from_step_to_step() -> None:
    ledger = Ledger()
    record(ledger, 1, D_adv=1.0, G_adv=2.0)
    record(ledger, 2, D_adv=3.0, D_r1=4.0, G_adv=5.0)
    record(ledger, 3, G_adv=6.0)
    ledger.settle(ledger.values())
    assert ledger.latest == {"D/adv": 3.0, "D/r1": 4.0, "G/adv": 6.0}


def test_a_stage_leaves_the_terms_of_those_before_it_behind() -> None:
    ledger = Ledger()
    record(ledger, 1, D_adv=1.0, G_adv=2.0)
    ledger.settle(ledger.values())
    record(ledger, 2, D_adv=3.0, G_adv=4.0)
    ledger.turn_over(3)
    record(ledger, 3, E_z=0.5)
    ledger.settle(ledger.values())
    assert ledger.latest == {"E/z": 0.5}
    assert ledger.epoch_sum == 6.0


def test_nothing_to_settle_is_no_trouble() -> None:
    ledger = Ledger()
    ledger.settle(ledger.values())
    assert ledger.latest == {}


def test_an_interrupted_epoch_goes_on_after_its_state_is_restored() -> None:
    one, other = Ledger(), Ledger()
    record(one, 1, G_adv=0.1)
    one.settle(one.values())
    other.load_state_dict(one.state_dict())
    for ledger in (one, other):
        record(ledger, 2, G_adv=0.7)
        ledger.settle(ledger.values())
    assert one.close_epoch() == other.close_epoch() == pytest.approx(0.4)
