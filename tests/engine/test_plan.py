"""The arithmetic of a run: epochs, stages, rates and what is due when."""

from __future__ import annotations

import dataclasses
import math
from itertools import pairwise

import pytest

from zerosum import recipes
from zerosum.engine.plan import Plan, epoch_steps
from zerosum.errors import UserError
from zerosum.spec import Recipe, Stage


def recipe(**changes: object) -> Recipe:
    base = dataclasses.replace(recipes.recipe("dcgan-lite"), grid_epochs=None, keep_epochs=None)
    return dataclasses.replace(base, **{"epochs": None, **changes})  # type: ignore[arg-type]


def test_an_epoch_is_the_floor_of_data_over_batch() -> None:
    assert epoch_steps(recipe(steps=1, batch=256), 60_000) == 234
    assert epoch_steps(recipe(steps=1, batch=256), 100) == 1


def test_a_tutorials_epoch_is_a_tenth_of_the_data() -> None:
    smooth = recipes.recipe("dcgan-smooth")
    assert smooth.batch == 8
    assert epoch_steps(smooth, 60_000) == 750


def test_no_data_is_an_error_and_not_an_endless_epoch() -> None:
    with pytest.raises(UserError, match="no sample"):
        epoch_steps(recipe(steps=1), 0)


def test_the_faces_tutorial_is_four_stages_of_one_run() -> None:
    plan = Plan.of(recipes.recipe("dcgan-faces"), 8_576)  # 67 steps of 128 an epoch
    assert plan.steps == 30 * 67
    assert [leg.after for leg in plan.legs] == [0, 5 * 67, 10 * 67, 20 * 67]
    rates = [
        (plan.leg(step).recipe.players["G"].lr, plan.leg(step).recipe.players["G"].betas[0])
        for step in (1, 335, 336, 670, 671, 1340, 1341, 2010)
    ]
    assert rates == [
        (2e-4, 0.5),
        (2e-4, 0.5),
        (1e-4, 0.3),
        (1e-4, 0.3),
        (1e-4, 0.5),
        (1e-4, 0.5),
        (1e-5, 0.5),
        (1e-5, 0.5),
    ]


def test_a_shorter_length_cuts_the_stages() -> None:
    plan = Plan.of(recipes.recipe("dcgan-faces").override({"epochs": 6}), 8_576)
    assert plan.steps == 6 * 67
    assert plan.leg(402).recipe.players["G"].lr == 1e-4


def test_images_of_stages_with_different_batches_add_up() -> None:
    staged = recipe(batch=10, stages=(Stage(steps=5), Stage(steps=5, changes={"batch": 20})))
    plan = Plan.of(staged, 1000)
    assert [plan.images(step) for step in (0, 1, 5, 6, 10)] == [0, 10, 50, 70, 150]


def test_cosine_falls_from_one_to_nothing_and_is_half_in_the_middle() -> None:
    run = recipe(steps=100, schedule="cosine")
    plan = Plan.of(run, 1000)
    assert plan.lr_factor(1, run) == 1.0
    assert plan.lr_factor(51, run) == pytest.approx(0.5)
    assert plan.lr_factor(100, run) == pytest.approx((1 + math.cos(math.pi * 0.99)) / 2)


def test_linear_falls_by_the_same_at_each_step() -> None:
    run = recipe(steps=10, schedule="linear")
    plan = Plan.of(run, 1000)
    assert [plan.lr_factor(step, run) for step in (1, 6, 10)] == pytest.approx([1.0, 0.5, 0.1])


def test_after_some_images_rates_fall_by_an_inverse_root_beside_any_schedule() -> None:
    run = recipe(steps=100, batch=10, lr_images=200)
    plan = Plan.of(run, 1000)
    assert [plan.lr_factor(step, run) for step in (1, 21, 81)] == pytest.approx([1.0, 1.0, 0.5])
    falling = recipe(steps=100, batch=10, lr_images=200, schedule="linear")
    assert Plan.of(falling, 1000).lr_factor(81, falling) == pytest.approx(0.5 * 0.2)
    endless = recipe(minutes=2, batch=10, lr_images=200, schedule="cosine")
    assert Plan.of(endless, 1000).lr_factor(81, endless) == pytest.approx(0.5)
    assert plan.until(1000).lr_factor(21, run) == 1.0
    begun = Plan.of(run, 1000, begins=5, images_before=800)
    assert begun.lr_factor(6, run) == pytest.approx(0.5)


def test_a_run_in_minutes_has_no_horizon_at_first_and_full_rates() -> None:
    run = recipe(minutes=2, schedule="cosine")
    plan = Plan.of(run, 1000)
    assert plan.steps is None
    assert plan.lr_factor(500, run) == 1.0
    assert plan.until(1000).lr_factor(501, run) == pytest.approx(0.5)


def test_grids_come_at_chosen_steps_and_at_intervals() -> None:
    run = recipe(steps=1000, batch=10, grid_at=(3, 7), grid_epochs=2.0, grid_steps=170)
    plan = Plan.of(run, 300)  # an epoch is 30 steps
    assert [step for step in range(1, 301) if plan.grid_due(step)] == [3, 7, 60, 120, 170, 180, 240, 300]


def test_grids_of_short_epochs_are_at_least_fifty_steps_apart_and_still_end_an_epoch() -> None:
    run = recipe(steps=1000, batch=10, grid_epochs=1.0)
    plan = Plan.of(run, 130)  # an epoch is 13 steps
    assert [step for step in range(1, 160) if plan.grid_due(step)] == [52, 104, 156]


def test_grids_of_epochs_are_fewer_with_each_doubling_beyond_128() -> None:
    """Else a set of 300 photos fills a disk: 13,900 grids of the same size in a published length."""
    run = recipe(steps=100_000, batch=10, grid_epochs=1.0)
    plan = Plan.of(run, 500)  # an epoch is 50 steps
    due = [step // 50 for step in range(1, 50 * 600 + 1) if plan.grid_due(step)]
    assert due == [*range(1, 128), *range(128, 256, 2), *range(256, 512, 4), *range(512, 601, 8)]


def test_step_checkpoints_come_at_chosen_steps_and_epochs() -> None:
    run = recipe(steps=100, batch=10, keep_at=(5,), keep_epochs=1.0)
    plan = Plan.of(run, 100)
    assert [step for step in range(1, 31) if plan.keep_due(step)] == [5, 10, 20, 30]


def test_a_score_is_due_when_a_multiple_of_its_interval_is_passed() -> None:
    run = recipe(steps=100, batch=30, score_images=100)
    plan = Plan.of(run, 100)
    # 12, 25 and 50 are an eighth, a quarter and half of the interval; then 100, 200 and 300 images.
    assert [step for step in range(1, 11) if plan.score_due(step, 30 * step)] == [1, 2, 4, 7, 10]


def test_exams_come_every_8000_images_and_half_as_often_with_each_doubling_beyond_64() -> None:
    plan = Plan.of(recipe(steps=10_000, batch=1000), 1000)
    due = [step for step in range(1, 2001) if plan.exam_due(step, 1000 * step)]
    assert due[:3] == [8, 16, 24]
    assert {later - sooner for sooner, later in pairwise(due) if later <= 511} == {8}
    assert {later - sooner for sooner, later in pairwise(due) if 528 <= later <= 1023} == {16}
    assert len(due) < 64 + 32 + 32
    often = Plan.of(recipe(steps=10_000, batch=1000, exam_images=2_000), 1000)
    assert [step for step in range(1, 10) if often.exam_due(step, 1000 * step)] == [2, 4, 6, 8]


def test_a_branch_begins_at_its_parents_step() -> None:
    run = recipe(steps=50, schedule="linear")
    plan = Plan.of(run, 1000, begins=200)
    assert plan.steps == 250
    assert plan.leg(201).recipe is run
    assert plan.lr_factor(201, run) == 1.0
    assert plan.lr_factor(226, run) == pytest.approx(0.5)


def test_a_stage_that_would_change_nothing_is_refused() -> None:
    with pytest.raises(UserError, match="changes ema, which a whole run shares"):
        Plan.of(recipe(stages=(Stage(steps=5), Stage(steps=5, changes={"ema": 0.9}))), 1000)


def test_a_stage_can_be_as_long_as_so_many_images_and_a_pace_scales_all_of_them() -> None:
    stages = (Stage(images=1000), Stage(steps=10), Stage(epochs=1))
    told = dataclasses.replace(recipe(steps=1, batch=100), steps=None, stages=stages)
    assert [leg.steps for leg in Plan.of(told, 2_000).legs] == [10, 10, 20]
    slow = dataclasses.replace(told, pace=0.5)
    assert [leg.steps for leg in Plan.of(slow, 2_000).legs] == [5, 5, 10]
    assert Plan.of(slow, 2_000).steps == 20
    with pytest.raises(ValueError, match="one of epochs, steps and images"):
        Stage(images=5, steps=5)


def test_what_a_stage_changes_gradually_moves_evenly_and_stays_where_it_ends() -> None:
    stages = (Stage(steps=4, changes={"lr": 1.0}, gradually={"lr": 3.0, "G.beta1": 0.9}), Stage(steps=2))
    told = dataclasses.replace(recipe(steps=1), steps=None, stages=stages)
    plan = Plan.of(told, 2_000)
    rates = [plan.leg(step).at(step).players["G"].lr for step in range(1, 7)]
    assert rates == pytest.approx([1.5, 2.0, 2.5, 3.0, 3.0, 3.0])
    assert plan.leg(9).at(9).players["G"].lr == 3.0
    first = told.players["G"].betas[0]
    assert plan.leg(2).at(2).players["G"].betas[0] == pytest.approx((first + 0.9) / 2)
    assert plan.leg(2).at(2).players["D"].betas == told.players["D"].betas


@pytest.mark.parametrize("course", ["linear", "cosine"])
def test_a_stage_that_begins_within_its_course_goes_on_with_it(course: str) -> None:
    """Six steps in one stage, and the last four as a stage of their own: the same rates."""
    whole = Stage(steps=6, gradually={"lr": 0.0}, course=course)  # type: ignore[arg-type]
    told = dataclasses.replace(recipe(steps=1), steps=None, stages=(whole,))
    plan = Plan.of(told, 2_000)
    rates = [plan.leg(step).at(step).players["G"].lr for step in range(1, 7)]
    begun = plan.legs[0].way(2)
    rest = dataclasses.replace(whole, steps=4, begun=begun)
    late = Plan.of(dataclasses.replace(plan.legs[0].at(2), stages=(rest,)), 2_000, begins=2)
    assert [late.leg(step).at(step).players["G"].lr for step in range(3, 7)] == pytest.approx(rates[2:])
    again = dataclasses.replace(whole, steps=2, begun=late.legs[0].way(4))
    last = Plan.of(dataclasses.replace(late.legs[0].at(4), stages=(again,)), 2_000, begins=4)
    assert [last.leg(step).at(step).players["G"].lr for step in (5, 6)] == pytest.approx(rates[4:])


def test_what_is_no_number_cannot_change_gradually() -> None:
    for key in ("loss", "nothing"):
        told = dataclasses.replace(recipe(steps=1), stages=(Stage(steps=2, gradually={key: 1.0}),))
        with pytest.raises(UserError, match=f"can't change '{key}' gradually"):
            Plan.of(told, 2_000)


def test_who_asks_for_a_setting_gets_it_whatever_a_stage_would_change_gradually() -> None:
    told = dataclasses.replace(recipe(steps=1), steps=None, stages=(Stage(steps=4, gradually={"lr": 3.0}),))
    asked = told.as_asked({"G.lr": 0.5})
    plan = Plan.of(asked, 2_000)
    assert plan.leg(4).at(4).players["G"].lr == 0.5
    assert plan.leg(4).at(4).players["D"].lr == 3.0


def test_a_plan_is_spent_where_its_last_stage_has_led_all_rates_to_0() -> None:
    """cyclegan: 10 steps at its rate, 10 down to 0; in minutes nothing else would end it there."""
    stages = (Stage(steps=10), Stage(steps=10, gradually={"lr": 0.0}))
    told = dataclasses.replace(recipes.recipe("cyclegan"), stages=stages, minutes=5.0)
    plan = Plan.of(told, 100)
    assert plan.steps is None
    assert [plan.spent(step) for step in (10, 19, 20, 21)] == [False, False, True, True]
    one = dataclasses.replace(told, stages=(Stage(steps=10, gradually={"G.lr": 0.0}),))
    assert not Plan.of(one, 100).spent(11)
    assert not Plan.of(recipe(minutes=5.0), 100).spent(10**9)
