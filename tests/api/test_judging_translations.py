"""Translators judged on held-out images, by what their data can tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import zerosum
from zerosum.api import translations
from zerosum.data import Dataset
from zerosum.errors import UserError

pytestmark = pytest.mark.usefixtures("elsewhere")


def test_pairs_are_judged_beside_their_partners_and_domains_there_and_back(runs: dict[str, zerosum.Run]) -> None:
    pairs = zerosum.evaluate(runs["pix2pix"].path, n=40, metrics=("l1", "psnr", "ssim", "labels"))
    assert [figure.name for figure in pairs.figures] == [
        *("l1", "psnr", "ssim", "pixel-accuracy", "class-accuracy", "iou"),
    ]
    assert (pairs.protocol.samples, pairs.protocol.split) == (40, "held-out")
    assert 0 < pairs["l1"] < 1
    assert 5 < pairs["psnr"] < 30
    told = zerosum.evaluate(runs["pix2pix"].path, n=40, metrics=("perceptual",), network="digits-net")
    assert [figure.name for figure in told.figures] == ["perceptual"]
    assert 0 < told["perceptual"] < 2 * 5  # unit vectors lie at most 2 apart (positive ones), in five layers
    assert (told.protocol.network, len(told.protocol.checksum or "")) == ("digits-net", 64)
    assert pairs.protocol.network is None
    large = zerosum.evaluate(
        runs["srgan"].path, n=40, metrics=("psnr", "perceptual", "swd", "fid"), network="digits-net"
    )
    names = ["psnr", "perceptual", "swd", "fid"]
    assert [figure.name for figure in large.figures] == [*names, *(f"bicubic-{name}" for name in names)]
    assert all(large[f"bicubic-{name}"] < large[name] for name in names[1:])
    large = zerosum.evaluate(runs["srgan"].path, n=40, metrics=("psnr",))
    assert [figure.name for figure in large.figures] == ["psnr", "bicubic-psnr"]
    assert large["bicubic-psnr"] > large["psnr"]  # after six steps
    sets = zerosum.evaluate(runs["cyclegan"].path, n=40)
    assert [figure.name for figure in sets.figures] == ["cycle", "swd-A", "swd-B"]
    assert all(figure.value > 0 for figure in sets.figures)
    told = zerosum.evaluate(runs["cyclegan"].path, n=40, metrics=("domains",))
    assert [figure.name for figure in told.figures] == ["domain-accuracy"]
    assert 0 <= told["domain-accuracy"] <= 1
    with pytest.raises(UserError, match=r"CamVid's colours, which \d+.\d% of real pixels have: leave labels out"):
        translations.label_figures(*[np.full((2, 8, 8, 3), 255, np.uint8)] * 2)
    with pytest.raises(UserError, match=r"l1 can't be made of .*, or no partners to be told beside"):
        zerosum.evaluate(runs["cyclegan"].path, n=40, metrics=("l1",))
    with pytest.raises(UserError, match=r"cycle can't be made of .*, or no domains to lead into and back"):
        zerosum.evaluate(runs["pix2pix"].path, n=40, metrics=("cycle",))
    with pytest.raises(UserError, match="no metric 'kid' of a translation"):
        zerosum.evaluate(runs["cyclegan"].path, metrics=("kid",))
    Path("some").mkdir()
    for number in range(3):
        Image.new("RGB", (28, 28), (number, 0, 0)).save(f"some/{number}.png")
    with pytest.raises(UserError, match="no metric 'psnr'"):
        zerosum.evaluate("some", "digits", metrics=("psnr",))


def test_domains_are_judged_by_one_network_of_the_whole_data_and_halves_by_their_own(
    runs: dict[str, zerosum.Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    from zerosum.api import translations
    from zerosum.api.assemble import find_data
    from zerosum.metrics.features import FEATURES
    from zerosum.recipes import recipe

    asked: list[tuple[int, str]] = []

    def extractor(dataset: Dataset, network: str | None, **told: object) -> object:
        asked.append((len(dataset.train), dataset.fingerprint))
        return FEATURES["digits-net"](dataset, None)

    monkeypatch.setattr(translations, "extractor_for", extractor)
    judged = zerosum.evaluate(runs["cyclegan"].path, n=200, metrics=("fid",))
    assert [figure.name for figure in judged.figures] == ["fid-A", "fid-B"]
    assert asked == [(1274, runs["cyclegan"].info["data"]["fingerprint"])]
    source = runs["pix2pix"].info["recipe"]["data"]
    there, back = (
        find_data(recipe("pix2pix").override({"size": 32, "direction": way}), source).fingerprint
        for way in ("A2B", "B2A")
    )
    assert there != back  # what is learned of the one is not taken for the other


def test_as_many_images_of_train_stand_beside_the_distances_to_real_ones(runs: dict[str, zerosum.Run]) -> None:
    judged = zerosum.evaluate(runs["cyclegan"].path, n=40, metrics=("swd", "cycle"))
    floors = {figure.name: figure.floor for figure in judged.figures}
    assert floors["cycle"] is None
    for name in ("swd-A", "swd-B"):
        assert floors[name] is not None
        assert 0 < floors[name] < judged[name]  # after six steps
    assert judged.protocol.floor == "the real images and as many that were trained on"


def test_the_floor_of_a_domain_with_few_held_out_images_is_of_others_too() -> None:
    """Nine of B are held out, and shown again and again: their distance to themselves would be 0."""
    from dataclasses import replace

    from zerosum.api.tasks import task_of
    from zerosum.data import open_dataset

    digits = open_dataset("digits", size=28)
    few = np.r_[np.flatnonzero(digits.held_out.labels == 0)[:60], np.flatnonzero(digits.held_out.labels == 1)[:9]]
    splits = {
        "train": replace(digits.train, samples=digits.train.samples[:], labels=np.minimum(digits.train.labels, 1)),
        "held_out": replace(
            digits.held_out, samples=digits.held_out.samples[few], labels=np.minimum(digits.held_out.labels[few], 1)
        ),
    }
    data = replace(digits, classes=("A", "B"), **splits)
    task = task_of(data, 100)
    found = {name: (made, real, taught) for name, made, real, taught in translations.parts(data, task, task.target)}
    assert {name: [len(part) for part in all_] for name, all_ in found.items()} == {"-A": [50] * 3, "-B": [50] * 3}
    assert len(np.unique(found["-B"][1], axis=0)) == 9
    assert len(np.unique(found["-B"][2], axis=0)) == 50
    judged = {figure.name: figure for figure in translations.beside_domains(data, task, task.target, ("swd",), None)}
    assert (judged["swd-B"].value, judged["swd-A"].value) == (0, 0)
    assert judged["swd-B"].floor > 0


def test_who_was_taught_by_the_encoder_is_judged_by_another(runs: dict[str, zerosum.Run]) -> None:
    from zerosum.api.translations import taught_by
    from zerosum.recipes import recipe

    assert taught_by(recipe("srgan")) == "encoder"
    assert taught_by(recipe("srgan").override({"stages": [], "steps": 5})) is None
    assert taught_by(recipe("pix2pix").override({"content": 1.0, "content_network": "digits-net"})) == "digits-net"
    assert taught_by(recipe("pix2pix")) is None
    assert taught_by(recipe("cyclegan")) is None


def test_single_figures_are_asked_for_by_their_names(runs: dict[str, zerosum.Run]) -> None:
    assert translations.chosen(("domain-accuracy", "swd-A", "bicubic-fid", "iou", "l1")) == (
        *("domains", "swd", "fid", "labels", "l1"),
    )
    with pytest.raises(UserError, match="no metric 'domain-acuracy' of a translation; did you mean domain-accuracy"):
        translations.chosen(("domain-acuracy",))
    paths = [runs["cyclegan"].path] * 2
    ranked = zerosum.rank(paths, "swd-B", n=8, seeds=2)
    assert [(row["rank"], set(row)) for row in ranked] == [(1, {"rank", "run", "swd-B", "error", "floor"})] * 2
    with pytest.raises(UserError, match=r"swd is not one figure of .*; expected one of swd-A, swd-B"):
        zerosum.rank(paths, "swd", n=8, seeds=2)


def test_domains_of_other_names_are_other_domains(runs: dict[str, zerosum.Run], tmp_path: Path) -> None:
    for name in ("cats", "dogs"):
        (tmp_path / "in" / name).mkdir(parents=True)
        for level in range(30):
            Image.new("RGB", (16, 16), (level, 0, 0)).save(tmp_path / "in" / name / f"{level}.png")
    with pytest.raises(UserError, match=r"the domains of .* are cats, dogs, and this run's are A, B"):
        zerosum.evaluate(runs["cyclegan"].path, f"domains:{tmp_path / 'in'}")


def test_a_domain_that_holds_nothing_out_is_refused(runs: dict[str, zerosum.Run]) -> None:
    from dataclasses import replace

    from zerosum.api.translations import require_all_domains
    from zerosum.data import open_dataset

    data = open_dataset(runs["cyclegan"].info["recipe"]["data"], size=28)
    require_all_domains(data)
    labels = data.held_out.labels
    assert labels is not None
    only = replace(data, held_out=replace(data.held_out, labels=labels * 0))
    with pytest.raises(UserError, match="holds out no image of B"):
        require_all_domains(only)
