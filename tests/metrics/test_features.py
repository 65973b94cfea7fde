"""The feature networks on real images: what they know, what they see of known damage, and what they refuse."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage

from zerosum.data import Dataset, Split, open_dataset
from zerosum.data.dataset import fingerprint
from zerosum.errors import UserError
from zerosum.metrics.features import FEATURES, Extractor, extractor_for
from zerosum.metrics.features.classifier import FOLDER, NAMES, Classifier
from zerosum.metrics.features.damage import DAMAGES, damaged, transplant
from zerosum.metrics.features.encoder import Settings, encoder_of, trained
from zerosum.metrics.features.tensors import checksum, fitted
from zerosum.metrics.frechet import Moments, frechet_distance

DATA = {"digits-net": "mnist", "fashion-net": "fashion-mnist"}
LEAST = {"digits-net": 99.3, "fashion-net": 92.0}


def read(path: Path, header: int) -> np.ndarray:
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=header)


@pytest.fixture(scope="module")
def test_splits(real_data: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """By network: the 10,000 images it never saw, and their labels, in an order by chance: the files have a trend."""
    order = np.random.default_rng(0).permutation(10_000)
    found = {}
    for name, data in DATA.items():
        images = read(real_data / data / "t10k-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28, 1)
        found[name] = images[order], read(real_data / data / "t10k-labels-idx1-ubyte.gz", 8)[order]
    return found


@pytest.fixture(scope="module")
def networks() -> dict[str, Classifier]:
    return {name: Classifier(name) for name in NAMES}


def as_bytes(images: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(images), 0, 255).astype(np.uint8)


def images_of(rng: np.random.Generator, count: int = 12, size: int = 28, channels: int = 1) -> np.ndarray:
    return rng.integers(0, 256, (count, size, size, channels), dtype=np.uint8)


# The shipped networks


@pytest.mark.parametrize("name", NAMES)
def test_card_and_weights_belong_together(name, networks):
    card = json.loads((FOLDER / f"{name}.json").read_text())
    weights = (FOLDER / f"{name}.safetensors").read_bytes()
    assert card["sha256"] == hashlib.sha256(weights).hexdigest() == networks[name].checksum
    assert {"data", "seed", "layers", "test_accuracy", "made_by"} <= card.keys()
    assert card["parameters"] == sum(weight.numel() for weight in networks[name]._network.parameters())
    assert tuple(card["classes"]) == networks[name].classes == extractor_for(digits_like(DATA[name])).classes


def test_all_weights_together_are_under_one_and_a_half_megabytes():
    assert sum(path.stat().st_size for path in FOLDER.glob("*.safetensors")) < 1.5e6


@pytest.mark.needs_data
@pytest.mark.parametrize("name", NAMES)
def test_accuracy_on_the_test_split_is_what_the_card_says(name, networks, test_splits):
    images, labels = test_splits[name]
    probabilities = networks[name](images).probabilities
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    right = 100 * (probabilities.argmax(axis=1) == labels).mean()
    assert right >= LEAST[name]
    assert right == pytest.approx(json.loads((FOLDER / f"{name}.json").read_text())["test_accuracy"], abs=0.03)


@pytest.mark.needs_data
@pytest.mark.parametrize("name", NAMES)
def test_features_are_scaled_and_not_collapsed_onto_the_classes(name, networks, test_splits):
    values = networks[name](test_splits[name][0][:3000]).values
    assert values.shape == (3000, 64)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values.std(axis=0), 1, atol=0.2)
    shares = np.linalg.eigvalsh(np.cov(values.T))
    shares = shares / shares.sum()
    assert np.exp(-(shares * np.log(shares)).sum()) > 20  # directions that matter; nine are enough for ten classes


@pytest.mark.needs_data
@pytest.mark.parametrize("name", NAMES)
def test_damage_to_real_images_is_ordered(name, networks, test_splits):
    images, labels = test_splits[name]
    real, held, held_labels = images[:1000], images[1000:2000], labels[1000:2000]
    network, rng = networks[name], np.random.default_rng(1)
    reference, noise = Moments.of(network(real).values), rng.normal(size=held.shape)

    def distance(fake: np.ndarray) -> float:
        return frechet_distance(Moments.of(network(as_bytes(fake)).values), reference)

    floor = distance(held)
    orders = {
        "noise": [distance(held + sigma * noise) for sigma in (10, 30, 80)],
        "blur": [distance(ndimage.gaussian_filter(held.astype(float), (0, s, s, 0))) for s in (0.6, 1, 2)],
        "fewer classes": [distance(held[held_labels < kept]) for kept in (9, 6, 2)],
        "moved": [distance(np.roll(held, shift, axis=1)) for shift in (1, 2, 4)],
        "copies": [distance(np.repeat(held[:kept], 1000 // kept, axis=0)) for kept in (500, 50, 1)],
    }
    for damage, distances in orders.items():
        assert distances == sorted(distances), damage
        assert distances[0] > 1.25 * floor, damage


def test_loading_is_quick_and_leaves_the_global_random_state_alone():
    state = torch.get_rng_state()
    Classifier("digits-net")
    assert torch.equal(torch.get_rng_state(), state)


def test_same_images_same_features_whatever_the_batch(networks):
    images = images_of(np.random.default_rng(0), 600)
    network = networks["digits-net"]
    whole = network(images)
    again = network(images)
    assert (whole.values == again.values).all()
    assert (whole.probabilities == again.probabilities).all()
    parts = np.concatenate([network(part).values for part in np.array_split(images, 7)])
    np.testing.assert_allclose(parts, whole.values, atol=1e-4)


def test_grey_repeated_as_colour_is_the_same_image(networks):
    images = images_of(np.random.default_rng(0))
    for network in networks.values():
        np.testing.assert_allclose(network(np.repeat(images, 3, axis=3)).values, network(images).values, atol=1e-3)


def test_colour_becomes_grey_by_its_luma():
    red, green, blue = np.eye(3, dtype=np.uint8)[:, None, None, None, :] * np.uint8(255)
    greys = [fitted(colour, 1, 1).item() for colour in (red, green, blue)]
    assert greys == pytest.approx([0.299, 0.587, 0.114])


def test_another_size_is_the_same_image_resized(networks):
    images = images_of(np.random.default_rng(0), 3, 7).repeat(4, axis=1).repeat(4, axis=2)
    larger = images.repeat(2, axis=1).repeat(2, axis=2)
    assert torch.allclose(fitted(larger, 28, 1), fitted(images, 28, 1), atol=0.3)
    assert np.abs(networks["digits-net"](images_of(np.random.default_rng(1), 2, 64, 3)).values).max() < 100
    flat = np.full((1, 50, 50, 3), 51, np.uint8)
    assert torch.allclose(fitted(flat, 28, 1), torch.full((1, 1, 28, 28), 0.2))


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (np.zeros((0, 28, 28, 1), np.uint8), "no images"),
        (np.zeros((4, 28, 28, 1), np.float32), "float32"),
        (np.zeros((4, 28, 28), np.uint8), r"\(4, 28, 28\)"),
        (np.zeros((4, 28, 28, 4), np.uint8), r"\(4, 28, 28, 4\)"),
        (np.zeros((4, 1, 28, 28), np.uint8), r"\(4, 1, 28, 28\)"),
        (np.zeros((4, 0, 0, 1), np.uint8), r"\(4, 0, 0, 1\)"),
        ([[1, 2]], "list"),
    ],
)
def test_what_are_no_images_is_told_in_one_line(images, said, networks):
    with pytest.raises(UserError, match=said) as caught:
        networks["digits-net"](images)
    assert "\n" not in str(caught.value)


def test_damaged_or_missing_weights_are_told_in_one_line(tmp_path):
    for ending in ("json", "safetensors"):
        shutil.copy(FOLDER / f"digits-net.{ending}", tmp_path)
    weights = tmp_path / "digits-net.safetensors"
    whole = weights.read_bytes()
    for content in (whole[:-100], whole[:-1] + bytes([whole[-1] ^ 1]), b""):
        weights.write_bytes(content)
        with pytest.raises(UserError, match=r"damaged.*install zerosum anew"):
            Classifier("digits-net", tmp_path)
    weights.unlink()
    with pytest.raises(UserError, match=r"can't be read.*install zerosum anew"):
        Classifier("digits-net", tmp_path)


# The choice of a network


def digits_like(name: str, **changes: object) -> Dataset:
    """A small data set of that name."""
    samples = Split(samples=images_of(np.random.default_rng(2), 40))
    fields = {"kind": "images", "train": samples, "held_out": samples, "classes": None, "fingerprint": "f" * 64}
    return Dataset(name=name, **{**fields, **changes})


@pytest.mark.parametrize(
    ("data", "network"), [("mnist", "digits-net"), ("digits", "digits-net"), ("fashion-mnist", "fashion-net")]
)
def test_data_sets_with_a_network_of_their_own_get_it(data, network):
    extractor = extractor_for(digits_like(data))
    assert isinstance(extractor, Extractor)
    assert extractor.name == network
    assert extractor_for(digits_like("folder:x"), network).checksum == extractor.checksum


def test_an_unknown_network_is_told_with_the_nearest():
    with pytest.raises(UserError, match="did you mean fashion-net"):
        extractor_for(digits_like("mnist"), "fashon-net")
    assert set(FEATURES) == {"digits-net", "encoder", "fashion-net", "inception", "second-encoder"}


def test_points_have_no_feature_network():
    points = Split(samples=np.zeros((9, 2), np.float32))
    with pytest.raises(UserError, match="points"):
        extractor_for(digits_like("ring", kind="points", train=points, held_out=points))


# The encoder

SHORT = Settings(steps=4, batch=64)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ZEROSUM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "encoders"


@pytest.fixture(scope="module")
def few_digits() -> Dataset:
    """200 real digits under a name for which there is no network."""
    digits = open_dataset("digits")
    some = Split(samples=digits.train.samples[:200])
    return replace(digits, name="folder:mine", train=some, fingerprint=fingerprint(some, digits.held_out))


def test_the_encoder_is_trained_once_and_then_comes_from_the_cache(few_digits, cache):
    steps: list[tuple[int, int]] = []
    first = encoder_of(few_digits, lambda *step: steps.append(step), SHORT)
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]
    second = encoder_of(few_digits, lambda *step: steps.append(step), SHORT)
    assert len(steps) == 4
    images = few_digits.train.samples[:40]
    assert first.checksum == second.checksum
    np.testing.assert_array_equal(first(images).values, second(images).values)
    assert first(images).values.shape == (40, first.dimensions)
    assert first(images).probabilities is None
    layers = first.layers(images)
    assert [x.shape[2] for x in layers] == [14, 7, 4]
    assert all(x.min() >= 0 for x in layers)
    assert "only within folder:mine" in first.scope


def test_the_same_seed_gives_the_same_encoder_and_another_does_not(few_digits):
    state = torch.get_rng_state()
    sums = [
        checksum(trained(few_digits.train.samples, 28, replace(SHORT, seed=seed)).state_dict()) for seed in (5, 5, 6)
    ]
    assert sums[0] == sums[1] != sums[2]
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("damage", ["cut", "changed", "emptied"])
def test_a_damaged_file_in_the_cache_is_made_anew(damage, few_digits, cache):
    whole = encoder_of(few_digits, None, SHORT).checksum
    (path,) = cache.glob("*.safetensors")
    data = path.read_bytes()
    path.write_bytes({"cut": data[: len(data) // 2], "changed": data[:-1] + b"\xff", "emptied": b""}[damage])
    assert encoder_of(few_digits, None, SHORT).checksum == whole
    assert path.read_bytes() == data


def test_ctrl_c_in_the_middle_leaves_nothing_in_the_cache(few_digits, cache):
    def stop(step: int, steps: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encoder_of(few_digits, stop, SHORT)
    assert not list(cache.glob("*.safetensors"))
    assert encoder_of(few_digits, None, SHORT).checksum  # the lock is free again


def test_other_data_or_settings_have_an_encoder_of_their_own(few_digits, cache):
    encoder_of(few_digits, None, SHORT)
    encoder_of(few_digits, None, replace(SHORT, steps=5))
    encoder_of(replace(few_digits, fingerprint="0" * 64), None, SHORT)
    assert len(list(cache.glob("*.safetensors"))) == 3


def test_features_of_the_data_itself_are_standardised(few_digits, cache):
    values = encoder_of(few_digits, None, SHORT)(few_digits.train.samples).values
    np.testing.assert_allclose(values.mean(axis=0), 0, atol=0.05)
    np.testing.assert_allclose(values.var(axis=0), 1, atol=0.1)


@pytest.mark.parametrize(("size", "channels"), [(28, 1), (40, 3), (64, 3), (128, 1), (9, 3)])
def test_the_encoder_takes_every_size_grey_and_colour(size, channels, cache):
    rng = np.random.default_rng(0)
    data = digits_like("folder:x", train=Split(samples=images_of(rng, 34, size, channels)))
    encoder = encoder_of(data, None, Settings(steps=1, batch=8))
    other = images_of(rng, 5, 24, 4 - channels)
    assert np.isfinite(encoder(other).values).all()


@pytest.mark.parametrize(("size", "channels"), [(28, 1), (40, 3)])
def test_what_can_be_differentiated_are_the_same_features(size, channels, cache, networks):
    rng = np.random.default_rng(1)
    images = images_of(rng, 34, size, channels)
    encoder = encoder_of(digits_like("folder:y", train=Split(samples=images)), None, Settings(steps=1, batch=8))
    for extractor in (encoder, networks["digits-net"]):
        x = (torch.from_numpy(images[:3]).permute(0, 3, 1, 2).float() / 255).requires_grad_()
        values = extractor.vectors(x)
        np.testing.assert_allclose(values.detach().numpy(), extractor(images[:3]).values, rtol=1e-4, atol=1e-4)
        values.square().sum().backward()
        assert (x.grad.flatten(1).abs().amax(1) > 0).all()


def test_too_few_images_for_an_encoder_are_told(cache):
    data = digits_like("folder:x", train=Split(samples=images_of(np.random.default_rng(0), 31)))
    with pytest.raises(UserError, match=r"31 images.*at least 32"):
        extractor_for(data)


def test_identical_images_do_not_break_the_training():
    network = trained(np.full((40, 28, 28, 1), 7, np.uint8), 28, Settings(steps=2, batch=16))
    assert all(torch.isfinite(tensor).all() for tensor in network.state_dict().values())


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damage_grows_with_its_strength_from_nothing(damage, few_digits):
    images = fitted(few_digits.train.samples[:32], 28, 1) * 0.5 + 0.25
    changes = []
    for strength in (0.0, 0.1, 0.5, 1.0):
        chance = torch.Generator().manual_seed(3)
        changed = damage(images, torch.full((32, 1, 1, 1), strength), chance)
        changes.append(float((changed - images).abs().mean()))
    assert changes == sorted(changes)
    assert changes[0] < 1e-6 or damage is transplant  # whose smallest rectangle is still one
    assert changes[3] > 1.5 * changes[1]


def test_half_of_the_images_are_damaged_and_each_one_once(few_digits):
    images = fitted(np.repeat(few_digits.train.samples, 5, axis=0), 28, 1)
    changed, strengths = damaged(images, torch.Generator().manual_seed(0))
    assert ((strengths > 0).sum(dim=1) <= 1).all()
    intact = (strengths == 0).all(dim=1)
    assert 0.4 < intact.float().mean() < 0.6
    assert torch.equal(changed[intact], images[intact])
    assert changed.min() >= 0
    assert changed.max() <= 1
