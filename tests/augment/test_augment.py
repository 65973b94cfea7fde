"""Every operation by hand, and what all of them must be: differentiable twice, absent at p = 0, drawn per sample."""

from __future__ import annotations

import math
from typing import get_args

import numpy as np
import pytest
import torch
from scipy.ndimage import affine_transform, convolve1d
from torch import Tensor

from zerosum.augment import OPERATIONS, augment, numbers
from zerosum.augment.frequencies import NOISE, POWER, part, smoothed
from zerosum.games.rules import POLICIES, OperationName
from zerosum.recipes import recipe

X = torch.arange(2 * 3 * 8 * 8, dtype=torch.float64).view(2, 3, 8, 8) / 384 - 0.5
EVERY = pytest.mark.parametrize("name", OPERATIONS)


def apply(name: str, x: Tensor, *u: float) -> Tensor:
    return OPERATIONS[name].apply(x, torch.tensor([u] * len(x), dtype=x.dtype))


def test_the_rules_name_the_operations_that_there_are() -> None:
    assert set(get_args(OperationName)) == set(OPERATIONS)


@EVERY
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes_stay_and_so_does_what_is_finite(name: str, channels: int) -> None:
    torch.manual_seed(0)
    for u in (torch.rand(50, OPERATIONS[name].count), torch.zeros(50, OPERATIONS[name].count)):
        found = OPERATIONS[name].apply(torch.randn(50, channels, 28, 28), u)
        assert found.shape == (50, channels, 28, 28)
        assert found.isfinite().all()


@EVERY
def test_its_gradient_can_be_differentiated_again(name: str) -> None:
    torch.manual_seed(1)
    x = torch.randn(2, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    u = torch.rand(2, OPERATIONS[name].count, dtype=torch.float64)

    def applied(x: Tensor) -> Tensor:
        torch.manual_seed(2)  # noise is another one each time
        return OPERATIONS[name].apply(x, u)

    assert torch.autograd.gradcheck(applied, x)
    assert torch.autograd.gradgradcheck(applied, x)


def test_a_whole_policy_can_be_differentiated_again_in_another_range_too() -> None:
    torch.manual_seed(3)
    x = torch.rand(2, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    policy = POLICIES["ada-whole"]
    u = torch.rand(2, numbers(policy), dtype=torch.float64)

    def applied(x: Tensor) -> Tensor:
        torch.manual_seed(2)
        return augment(x, policy, u, 0.7, value_range=(0.0, 1.0))

    assert torch.autograd.gradcheck(applied, x)
    assert torch.autograd.gradgradcheck(applied, x)


def test_translation_moves_by_whole_pixels_and_lets_zeros_in() -> None:
    """An eighth of 16 is 2: u of 0 moves by -2, u just below 1 by 2."""
    x = torch.randn(1, 1, 16, 16)
    found = apply("translation", x, 0.0, 0.999)
    assert torch.equal(found[..., :14, 2:], x[..., 2:, :14])
    assert found[..., 14:, :].abs().sum() == found[..., :, :2].abs().sum() == 0
    assert torch.equal(apply("translation", x, 0.5, 0.5), x)


def test_cutout_is_a_square_of_half_the_side() -> None:
    x = torch.ones(1, 2, 8, 8)
    inside = apply("cutout", x, 0.5, 0.5)  # its middle is pixel 4 of 0 to 8: rows 2 to 5
    expected = x.clone()
    expected[:, :, 2:6, 2:6] = 0
    assert torch.equal(inside, expected)
    corner = apply("cutout", x, 0.0, 0.0)  # a quarter of it is inside
    assert (corner == 0).sum() == 2 * 2 * 2


def test_colour_is_brightness_then_saturation_then_contrast() -> None:
    found = apply("colour", X, 0.8, 0.25, 0.9)
    light = X + 0.3
    grey = light.mean(1, keepdim=True)
    saturated = grey + (light - grey) * 0.5
    middle = saturated.mean((1, 2, 3), keepdim=True)
    assert torch.allclose(found, middle + (saturated - middle) * 1.4)


def test_flips_and_quarter_turns_are_torchs() -> None:
    assert torch.equal(apply("flip", X, 0.4), X.flip(3))
    assert torch.equal(apply("flip", X, 0.6), X)
    for turns, u in enumerate((0.1, 0.3, 0.6, 0.9)):
        assert torch.equal(apply("quarter-turns", X, u), X.rot90(turns, (2, 3)))


NEUTRAL = ("scale", "stretch", "shift", "brightness", "contrast", "saturation", "noise", *POLICIES["filter"])


@pytest.mark.parametrize("name", NEUTRAL)
def test_the_middle_of_its_numbers_changes_nothing(name: str) -> None:
    assert torch.allclose(apply(name, X, *[0.5] * OPERATIONS[name].count), X, atol=1e-12)


def test_a_jump_is_a_translation_that_mirrors_at_the_edges() -> None:
    x = torch.arange(16.0).view(1, 1, 1, 16).expand(1, 1, 16, 16)
    left, right = apply("jump", x, 0.5, 0.0), apply("jump", x, 0.5, 0.999)  # by -2 and 2 columns
    assert left[0, 0, 0].tolist() == [*range(2, 16), 15, 14]
    assert right[0, 0, 0].tolist() == [1, 0, *range(14)]
    assert torch.equal(apply("jump", x.transpose(2, 3), 0.0, 0.5), left.transpose(2, 3))


def test_a_luma_flip_turns_greys_about_and_leaves_what_is_no_grey() -> None:
    x = torch.tensor([0.5, -0.1, 0.2]).view(1, 3, 1, 1)  # grey 0.2, and (0.3, -0.3, 0) beside it
    expected = torch.tensor([0.1, -0.5, -0.2]).view(1, 3, 1, 1)
    torch.testing.assert_close(apply("luma-flip", x, 0.4), expected)
    assert torch.equal(apply("luma-flip", x, 0.6), x)
    torch.testing.assert_close(apply("luma-flip", x[:, :1], 0.4), -x[:, :1])


def test_what_is_named_twice_happens_at_all_with_the_probability_of_one() -> None:
    torch.manual_seed(4)
    policy, x = ("flip", "brightness", "flip"), torch.arange(8.0).expand(20_000, 1, 1, 8)
    uniform = torch.rand(20_000, numbers(policy))
    uniform[:, [1, 5]] = 0.0  # each flip that happens mirrors
    uniform[:, 3] = 0.5  # no brightness
    once = 1 - (1 - 0.6) ** 0.5
    mirrored = (augment(x, policy, uniform, 0.6)[:, 0, 0, 0] == 7).double().mean()  # one of the two, not both
    assert float(mirrored) == pytest.approx(2 * once * (1 - once), abs=0.01)


def test_images_of_another_range_are_changed_by_as_large_a_part_of_it() -> None:
    torch.manual_seed(5)
    policy = tuple(OPERATIONS)
    x, uniform = torch.rand(16, 3, 8, 8, dtype=torch.float64) * 2 - 1, torch.rand(16, numbers(policy))
    torch.manual_seed(6)  # of the noise
    expected = augment(x, policy, uniform)
    torch.manual_seed(6)
    found = augment((x + 1) / 2, policy, uniform, value_range=(0.0, 1.0))
    torch.testing.assert_close(found, (expected + 1) / 2)
    half = torch.full((1, 1, 4, 4), 0.5)
    lighter = augment(half, ("brightness",), torch.tensor([[0.0, 0.9]]), value_range=(0.0, 1.0))
    assert (lighter - half).max() == pytest.approx((apply("brightness", half, 0.9) - half).max().item() / 2)


def test_a_policy_has_a_name_and_a_run_says_what_it_stands_for() -> None:
    told = recipe("quick").override({"augment": ["ada"], "ada_target": 0.6}).game
    assert told.augment.count("rotation") == 2
    further = {*POLICIES["filter"], "noise", "cutout"}
    assert set(told.augment) == set(OPERATIONS) - {"colour", "translation", *further}
    whole = recipe("quick").override({"augment": ["ada-whole"]}).game.augment
    assert (whole[: len(told.augment)], set(whole[len(told.augment) :])) == (told.augment, further)
    assert recipe("quick").override({"augment": ["diffaug"]}).game.augment == ("colour", "translation", "cutout")


def test_a_rotation_by_a_right_angle_moves_every_pixel_to_another_ones_place() -> None:
    """u = 3/4 is an angle of 90 degrees: (row, column) goes to (-column, row), from the top left to the bottom left."""
    assert torch.allclose(apply("rotation", X, 0.5), X, atol=1e-12)
    assert torch.allclose(apply("rotation", X, 0.75), X.rot90(1, (2, 3)), atol=1e-12)
    assert torch.allclose(apply("rotation", X, 0.25), X.rot90(3, (2, 3)), atol=1e-12)


def uniform_of(normal: float) -> float:
    return 0.5 * (1 + math.erf(normal / math.sqrt(2)))


def test_a_shift_by_whole_pixels_is_a_roll_where_no_edge_is_near() -> None:
    """One pixel of 8 is an eighth of a side: one standard deviation."""
    found = apply("shift", X, uniform_of(1.0), uniform_of(-1.0))
    assert torch.allclose(found[..., 1:, :7], X[..., :7, 1:], atol=1e-6)
    assert torch.allclose(found[..., 0, :7], X[..., 0, 1:], atol=1e-6)  # mirrored at the edge


def test_scale_and_stretch_fetch_from_nearer_or_farther() -> None:
    """A ramp from -1 to 1 over the columns, larger by 2^0.4 (two deviations): as much less steep."""
    ramp = ((2 * torch.arange(32, dtype=torch.float64) + 1) / 32 - 1).expand(1, 1, 32, 32)
    for name in ("scale", "stretch"):
        assert torch.allclose(apply(name, ramp, uniform_of(2.0)), ramp / 2**0.4, atol=1e-6)


def test_hue_turns_colours_about_grey() -> None:
    """A third of a turn makes red green, green blue and blue red; grey stays."""
    third = 0.5 + 1 / 3
    red = torch.zeros(1, 3, 1, 1, dtype=torch.float64)
    red[:, 0] = 1
    assert apply("hue", red, third).flatten().tolist() == pytest.approx([0, 1, 0], abs=1e-9)
    grey = torch.full((1, 3, 1, 1), 0.7, dtype=torch.float64)
    assert apply("hue", grey, 0.123).flatten().tolist() == pytest.approx([0.7] * 3)


def test_octaves_are_what_scipys_binomial_means_leave_and_add_up() -> None:
    x = torch.randn(2, 1, 20, 12, dtype=torch.float64)
    seen = [x.numpy()]
    for spread in (1, 2, 4):
        taps = np.zeros(4 * spread + 1)
        taps[::spread] = np.array([1, 4, 6, 4, 1]) / 16
        # scipy's `reflect` repeats the pixel at the edge; of wide kernels the means of means differ near it alone
        seen.append(convolve1d(convolve1d(seen[-1], taps, 2, mode="reflect"), taps, 3, mode="reflect"))
    for level, expected in enumerate(seen):
        np.testing.assert_allclose(smoothed(x, level).numpy(), expected, atol=1e-12)
    torch.testing.assert_close(sum(part(x, octave) for octave in range(4)), x)


def test_an_octave_holds_the_finest_stripes_or_the_mean_and_power_stays() -> None:
    """Of alternating stripes the binomial mean is 0; u = Phi(1) is a number of 1, so a factor of 2."""
    u = 0.5 + 0.5 * math.erf(1 / math.sqrt(2))
    stripes = torch.tensor([1.0, -1.0], dtype=torch.float64).repeat(24).expand(1, 1, 48, 48)
    grey = torch.full((1, 1, 48, 48), 0.3, dtype=torch.float64)
    inside = (..., slice(16, -16))  # no edge is seen from there
    for octave, held, other in ((0, grey, stripes), (3, stripes, grey)):
        kept = math.sqrt(1 + 3 * POWER[octave])  # natural power, with that octave's four times as large
        assert torch.allclose(part(held, octave)[inside], held[inside])
        assert torch.allclose(apply(f"octave-{octave}", held, u)[inside], 2 * held[inside] / kept)
        assert torch.allclose(apply(f"octave-{octave}", other, u)[inside], other[inside] / kept)


def test_noise_deviates_as_its_number_says_and_differs_by_pixel_channel_and_sample() -> None:
    torch.manual_seed(0)
    u = 0.5 + 0.5 * math.erf(-2 / math.sqrt(2))  # a number of -2
    x = torch.zeros(3, 3, 64, 64, dtype=torch.float64)
    found = apply("noise", x, u)
    assert found.std().item() == pytest.approx(2 * NOISE, rel=0.02)
    assert len(found.unique()) == found.numel()


def test_each_sample_has_its_own_numbers_and_each_operation_its_own_chance() -> None:
    torch.manual_seed(0)
    policy = ("flip", "brightness")
    x = torch.randn(4000, 1, 4, 4)
    u = torch.rand(4000, numbers(policy))
    assert numbers(policy) == 4
    assert torch.equal(augment(x, policy, u, 0.0), x)
    found = augment(x, policy, u, torch.tensor(0.3))
    flipped = (u[:, 0] < 0.3) & (u[:, 1] < 0.5)
    brighter = u[:, 2] < 0.3
    same = (found == x).flatten(1).all(1)
    assert torch.equal(same, ~flipped & ~brighter)
    assert same.float().mean().item() == pytest.approx(0.85 * 0.7, abs=0.03)
    alone = augment(x[7:8], policy, u[7:8], 0.3)
    assert torch.equal(alone, found[7:8])


def test_motions_in_a_row_are_one_and_as_scipy_has_it() -> None:
    """Rotation, stretch and shift composed by hand in pixels, and sampled bilinearly with mirrored edges by scipy."""
    u = [0.6, uniform_of(0.7), uniform_of(0.5), uniform_of(-0.8)]
    angle, factor = 2 * math.pi * u[0] - math.pi, 2 ** (0.2 * 0.7)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    forward = np.diag([1 / factor, factor]) @ turn
    side = X.shape[2]
    moved = np.array([0.25 * 0.5, 0.25 * -0.8]) * side / 2
    middle = np.full(2, (side - 1) / 2)
    back = np.linalg.inv(forward)
    offset = middle - back @ (middle + moved)
    expected = np.stack(
        [[affine_transform(plane, back, offset, order=1, mode="reflect") for plane in image] for image in X.numpy()]
    )
    policy = ("rotation", "stretch", "shift")
    uniform = torch.tensor([[0.0, u[0], 0.0, u[1], 0.0, u[2], u[3]]] * len(X), dtype=X.dtype)
    assert torch.allclose(augment(X, policy, uniform), torch.from_numpy(expected), atol=1e-9)
    one_by_one = X
    for name, own in (("rotation", u[:1]), ("stretch", u[1:2]), ("shift", u[2:])):
        one_by_one = apply(name, one_by_one, *own)
    assert one_by_one.std() < augment(X, policy, uniform).std()  # three times between pixels blurs


def test_places_are_counted_in_full_when_pixels_are_halves() -> None:
    """bfloat16 has 8 bits: it can't tell column 300 from 301, so fakes in it would be moved and real images not."""
    x = torch.rand(1, 1, 4, 512)
    whole, half = (apply("shift", one, 0.5, 0.5) for one in (x, x.bfloat16()))
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), whole, atol=0.01, rtol=0)


def test_a_sample_that_no_motion_happens_to_stays_as_it_is() -> None:
    policy = ("scale", "rotation")
    uniform = torch.tensor([[0.9, 0.1, 0.9, 0.3]] * len(X), dtype=X.dtype)
    assert torch.equal(augment(X, policy, uniform, 0.5), X)
