"""Figures of images beside their partners, and of label maps, against numbers worked out by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from zerosum.data import open_dataset
from zerosum.errors import UserError
from zerosum.metrics.features import FEATURES, Extractor, Features, Images
from zerosum.metrics.labels import CAMVID_12, CAMVID_32, agreement, near, nearest, palette_of
from zerosum.metrics.pairs import l1, pair_figures, psnr
from zerosum.metrics.perceptual import layer_distance, perceptual
from zerosum.metrics.similarity import ssim

DIGITS_NET = FEATURES["digits-net"](open_dataset("digits"), None)
COLOURS = np.array([(0, 0, 0), (200, 0, 0), (0, 0, 200)])


def test_l1_and_psnr_by_hand() -> None:
    one = np.zeros((2, 12, 12, 1), np.uint8)
    other = one.copy()
    other[0] = 51  # a fifth
    assert l1(one, other) == pytest.approx(0.1)
    assert psnr(one, other) == pytest.approx((10 * math.log10(25) + 100) / 2)  # equal images count as 100 dB


def test_figures_of_pairs_are_those_functions_and_small_images_go_without_similarity() -> None:
    rng = np.random.default_rng(0)
    one, other = (rng.integers(0, 256, (70, 16, 16, 3)).astype(np.uint8) for _ in range(2))
    found = {figure.name: figure.value for figure in pair_figures(one, other)}
    assert list(found) == ["l1", "psnr", "ssim", "ms-ssim"]
    assert found["l1"] == pytest.approx(np.abs(one.astype(float) - other).mean() / 255)
    assert found["ssim"] == pytest.approx(float(ssim(one, other).mean()))
    assert [figure.name for figure in pair_figures(one[:, :8, :8], other[:, :8, :8])] == ["l1", "psnr"]


class Shown(Extractor):
    """Two layers: the three channels themselves, and their mean over the image, 3 and 1 channels."""

    name, checksum, dimensions, classes, scope = "shown", "", 3, None, ""

    def layers(self, images: Images) -> list[Tensor]:
        x = torch.from_numpy(images).permute(0, 3, 1, 2).float()
        return [x, x.mean(dim=(1, 2, 3), keepdim=True)]

    def _features(self, images: Images) -> Features:
        raise NotImplementedError


def test_the_perceptual_distance_by_hand() -> None:
    one = np.zeros((65, 1, 2, 3), np.uint8)
    other = one.copy()
    one[0], other[0] = [[(30, 40, 0), (0, 0, 7)]], [[(0, 40, 30), (0, 0, 9)]]
    one[1], other[1] = [[(5, 0, 0), (0, 0, 0)]], [[(0, 0, 0), (0, 0, 0)]]
    found = perceptual(one, other, Shown())
    # First layer: (0.6, 0.8, 0) and (0, 0.8, 0.6), then equal directions; the second layer's one channel is 1 for both.
    assert found[0] == pytest.approx(2 * 0.36 / 2, rel=1e-5)
    assert found[1] == pytest.approx(1 / 2 + 1, rel=1e-5)  # against zeros, which stay zeros
    assert found[2:].tolist() == [0.0] * 63
    x = torch.rand(3, 8, 5, 5)
    assert layer_distance(x, 7 * x).max() < 1e-6
    with pytest.raises(UserError, match="no layers to compare: take --network encoder"):
        Extractor.layers(Shown(), one)


def test_the_perceptual_distance_orders_damage_and_places_what_pixels_can_not() -> None:
    digits = np.asarray(open_dataset("digits").held_out.samples[:100])
    rng = np.random.default_rng(0)
    noise = rng.normal(size=digits.shape)
    hurt = [np.clip(digits + sigma * noise, 0, 255).round().astype(np.uint8) for sigma in (0, 10, 30, 90)]
    found = [perceptual(digits, images, DIGITS_NET) for images in hurt]
    assert found[0].max() == 0
    assert found[1].mean() < found[2].mean() < found[3].mean()
    assert perceptual(hurt[2], digits, DIGITS_NET) == pytest.approx(found[2], rel=1e-5)
    # A shift by a pixel is nearer than another digit; by the mean absolute error it is not so much nearer.
    shifted, others = np.roll(digits, 1, axis=2), np.roll(digits, 1, axis=0)
    near, far = (perceptual(digits, images, DIGITS_NET).mean() for images in (shifted, others))
    assert near / far < 0.8 * l1(digits, shifted) / l1(digits, others)


def test_maps_are_a_layer_in_the_middle_and_can_be_descended() -> None:
    images = open_dataset("digits").held_out.samples[:4]
    x = torch.from_numpy(images.copy()).permute(0, 3, 1, 2).float().div(255).requires_grad_()
    maps = DIGITS_NET.maps(x)
    torch.testing.assert_close(maps.detach(), DIGITS_NET.layers(images)[3])
    assert maps.shape == (4, 64, 7, 7)
    maps.square().sum().backward()
    assert x.grad is not None
    assert (x.grad != 0).flatten(1).any(1).tolist() == [True] * 4


def test_layers_end_in_the_features_of_the_network() -> None:
    digits = np.asarray(open_dataset("digits").held_out.samples[:5])
    layers = DIGITS_NET.layers(digits)
    assert [tuple(x.shape) for x in layers] == [
        *((5, 32, 14, 14), (5, 32, 14, 14), (5, 64, 7, 7), (5, 64, 7, 7), (5, 64, 4, 4)),
    ]
    values = DIGITS_NET._network.project(layers[-1].flatten(1))  # type: ignore[attr-defined]
    assert values.detach().numpy() == pytest.approx(DIGITS_NET(digits).values, abs=1e-4)


def test_the_nearest_colour_is_a_pixels_class() -> None:
    image = np.array([[[(10, 5, 0), (120, 0, 90), (90, 0, 120)]]], np.uint8).reshape(1, 1, 3, 3)
    assert nearest(image, COLOURS).tolist() == [[[0, 1, 2]]]


def test_agreement_by_hand() -> None:
    target = COLOURS[np.array([0, 0, 0, 1])].astype(np.uint8).reshape(1, 2, 2, 3)
    made = COLOURS[np.array([0, 0, 1, 1])].astype(np.uint8).reshape(1, 2, 2, 3)
    found = agreement(made, target, COLOURS)
    assert found.pixels == 0.75
    assert found.classes == pytest.approx((2 / 3 + 1) / 2)  # the third class is nowhere
    assert found.iou == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert agreement(target, target, COLOURS).iou == 1


def test_the_street_scenes_have_camvids_colours(real_data: Path) -> None:
    data = open_dataset(f"pairs:{real_data / 'pairs' / 'camvid128.tar'}", size=128)
    maps = np.asarray(data.held_out.samples[:40])
    palette = palette_of(maps)
    assert len(palette) == 12
    assert near(maps, palette) > 0.9  # the others are mixtures at borders
    names = list(CAMVID_12)
    shares = np.bincount(nearest(maps, palette).ravel(), minlength=len(names)) / maps[..., 0].size
    assert {names[k] for k in shares.argsort()[::-1][:3]} == {"road", "tree", "sky"}  # of the first 40 frames
    assert min(shares[names.index(name)] for name in ("building", "car", "pavement")) > 0.02
    smaller = np.asarray(open_dataset(f"pairs:{real_data / 'pairs' / 'camvid128.tar'}", size=64).held_out.samples[:40])
    assert len(palette_of(smaller)) == 12


def test_maps_of_all_classes_have_the_longer_palette() -> None:
    colours = np.array(list(CAMVID_32.values()), np.uint8)
    assert len(palette_of(colours.reshape(1, 4, 8, 3))) == 32
