"""Judgements: real images come out as real, damage in its order, everything with its protocol, mistakes in one line."""

from __future__ import annotations

import json
import shutil
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import zerosum
from zerosum.api.judging import evaluate
from zerosum.cli import main
from zerosum.data import open_dataset
from zerosum.errors import UserError

LIGHT = ("fid", "swd")  # figures that take no time


@pytest.fixture(scope="module")
def digits() -> Any:
    return open_dataset("digits")


@pytest.fixture
def images(tmp_path: Path) -> Any:
    def save(array: np.ndarray, name: str = "images.npz") -> Path:
        np.savez(tmp_path / name, images=array)
        return tmp_path / name

    return save


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("judged") / "run"
    zerosum.train("quick", data="digits", steps=12, out=out, settings={"batch": 8})
    return out


def test_held_out_digits_score_like_real_ones_and_damage_in_its_order(digits: Any, images: Any) -> None:
    real = np.asarray(digits.held_out.samples)
    rng = np.random.default_rng(0)
    noise = {level: np.clip(real + rng.normal(0, level, real.shape), 0, 255).astype(np.uint8) for level in (30, 90)}
    found = evaluate(images(real), "digits", metrics=("fid", "coverage"))
    floor = next(figure.floor for figure in found.figures if figure.name == "fid")
    assert floor is not None
    assert found["fid"] < 10 * floor  # of 1,000 images instead of 4,500, by other hands
    assert found["coverage"] > 0.3  # by 1,000 of 9,000
    light, heavy = (evaluate(images(noise[level]), "digits", metrics=("fid", "coverage")) for level in (30, 90))
    assert found["fid"] < light["fid"] < heavy["fid"]
    assert found["coverage"] > heavy["coverage"]


def test_training_images_count_as_copies_and_unseen_ones_do_not(digits: Any, images: Any, tmp_path: Path) -> None:
    copies = evaluate(
        images(np.asarray(digits.train.samples[:500])), "digits", metrics=("copies",), pairs=tmp_path / "pairs.png"
    )
    assert copies["copies"] == 1.0
    with Image.open(tmp_path / "pairs.png") as picture:
        assert picture.width > 4 * 28
    honest = evaluate(images(np.asarray(digits.held_out.samples[:500])), "digits", metrics=("copies",))
    assert honest["copies"] < 0.05


def test_a_run_is_judged_the_same_for_the_same_seed_and_remembers_it(run: Path) -> None:
    one, again, other = (evaluate(run, n=300, seed=seed, metrics=LIGHT) for seed in (1, 1, 2))
    assert one.figures == again.figures
    assert one["fid"] != other["fid"]
    lines = [json.loads(line) for line in (run / "evaluations.jsonl").read_text().splitlines()]
    protocol = lines[-1]["protocol"]
    assert protocol["network"] == "digits-net"
    assert len(protocol["checksum"]) == 64
    assert (protocol["samples"], protocol["seeds"], protocol["ema"]) == (300, [2], True)
    assert (protocol["against"], protocol["split"], protocol["real"]) == ("digits", "train", 9_000)


def test_several_seeds_give_their_mean_and_deviation(run: Path) -> None:
    singles = [evaluate(run, n=200, seed=seed, metrics=("swd",))["swd"] for seed in (5, 6, 7)]
    together = evaluate(run, n=200, seed=5, seeds=3, metrics=("swd",)).figures[0]
    assert together.value == pytest.approx(statistics.fmean(singles))
    assert together.error == pytest.approx(statistics.stdev(singles))


def test_runs_are_ranked_with_their_uncertainty_and_equals_share_a_rank(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    better = tmp_path / "better"
    zerosum.train("quick", data="digits", steps=150, out=better, settings={"batch": 16})
    twin = tmp_path / "twin"
    shutil.copytree(run, twin)
    arguments = ["compare", str(run), str(better), str(twin), "--by", "fid", "-n", "300", "--seeds", "2", "--json"]
    assert main(arguments) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows[0]["run"] == str(better)
    assert [row["rank"] for row in rows] == [1, 2, 2]
    assert rows[1]["fid"] == rows[2]["fid"]
    assert all(row["error"] > 0 for row in rows)
    assert main([*arguments[:4], "--by", "classes"]) == 2
    assert "expected one of classifier-score, class-kl" in capsys.readouterr().err


def test_runs_of_different_sizes_are_not_ranked(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    larger = tmp_path / "larger"
    zerosum.train("quick", data="digits", steps=2, out=larger, settings={"batch": 4, "size": 32})
    assert main(["compare", str(run), str(larger), "--by", "swd", "-n", "50", "--seeds", "2"]) == 2
    said = capsys.readouterr().err
    assert f"{larger} is judged by train images of 32x32x1" in said
    assert "by train images of 28x28x1: such figures can't be ranked" in said
    assert said.count("\n") == 1


def test_a_figure_that_cannot_be_made_is_told_in_a_line(digits: Any, tmp_path: Path) -> None:
    few = tmp_path / "few"
    few.mkdir()
    for number, sample in enumerate(np.asarray(digits.train.samples[:60, :, :, 0])):
        Image.fromarray(sample).save(few / f"{number}.png")
    with pytest.raises(UserError, match=r"copies can't be made of .*too few held-out images"):
        evaluate(few, f"folder:{few}", metrics=("copies",), network="digits-net")


def test_a_damaged_cache_is_made_anew(
    run: Path, images: Any, digits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZEROSUM_CACHE", str(tmp_path / "cache"))
    first = evaluate(run, n=100, metrics=("fid",))["fid"]
    for path in (tmp_path / "cache" / "judge").glob("*-*"):
        path.write_bytes(path.read_bytes()[:100])
    assert evaluate(run, n=100, metrics=("fid",))["fid"] == first


def test_points_are_judged_by_their_modes(tmp_path: Path) -> None:
    ring = open_dataset("ring")
    np.savez(tmp_path / "ring.npz", points=ring.held_out.samples[:2500])
    found = evaluate(tmp_path / "ring.npz", "ring")
    assert found["modes"] == 8
    assert found["high-quality"] == pytest.approx(0.989, abs=0.01)
    half = ring.held_out.samples[ring.held_out.samples[:, 0] > 0][:1000]
    np.savez(tmp_path / "half.npz", points=half)
    assert evaluate(tmp_path / "half.npz", "ring")["modes"] < 8


def test_grey_images_saved_in_colour_are_grey_all_the_same(digits: Any, images: Any) -> None:
    real = np.asarray(digits.held_out.samples[:200])
    grey = evaluate(images(real), "digits", metrics=LIGHT)
    assert evaluate(images(real.repeat(3, axis=3)), "digits", metrics=LIGHT).figures == grey.figures
    as_floats = evaluate(images(real.astype(np.float32) / 255), "digits", metrics=LIGHT)
    assert as_floats.figures == grey.figures


def test_a_folder_of_another_programs_pictures_is_judged(digits: Any, images: Any, tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    real = np.asarray(digits.held_out.samples[:60])
    for index, image in enumerate(real):
        Image.fromarray(image[:, :, 0]).convert("RGB").save(folder / f"{index:03d}.png")
    (folder / "notes.txt").write_text("not an image")
    theirs = evaluate(folder, "digits", metrics=("swd",))
    assert theirs.figures == evaluate(images(real), "digits", metrics=("swd",)).figures
    assert theirs.protocol.samples == 60


BAD: list[tuple[Any, str]] = [
    (np.zeros((50, 32, 32, 1), np.uint8), "32x32 pixels, those of digits 28x28"),
    (np.random.default_rng(0).integers(0, 255, (50, 28, 28, 3), dtype=np.uint8), "in colour"),
    (np.full((50, 28, 28, 1), np.nan, np.float32), "50 of the 50 images .* not finite"),
    (np.full((50, 28, 28, 1), 7.5, np.float32), "expected floats from 0 to 1"),
    (np.zeros((1, 28, 28, 1), np.uint8), "needs at least 2"),
    (np.zeros((50, 28), np.uint8), "expected images"),
]


@pytest.mark.parametrize(("array", "message"), BAD)
def test_images_that_do_not_fit_are_refused_in_one_line(
    array: Any, message: str, images: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    path = images(array)
    with pytest.raises(UserError, match=message):
        evaluate(path, "digits", metrics=("fid",))
    assert main(["eval", str(path), "--against", "digits", "--metric", "fid"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--metric", "fidd"], "no metric 'fidd'; did you mean fid"),
        (["--metric", "pixel-acuracy"], "did you mean pixel-accuracy"),  # a translator's
        (["--network", "digit-net"], "did you mean digits-net"),
        (["--seeds", "3"], "which no seed changes"),
        (["--checkpoint", "best"], "no checkpoint best"),
    ],
)
def test_mistakes_in_the_question_are_refused(
    arguments: list[str], message: str, images: Any, digits: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    path = images(np.asarray(digits.held_out.samples[:20]))
    assert main(["eval", str(path), "--against", "digits", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_picture_has_an_ending_and_points_have_modes_alone(tmp_path: Path) -> None:
    run = zerosum.train("gan", "ring", steps=1, out=tmp_path / "run", settings={"batch": 8})
    for told, said in (
        ({"pairs": tmp_path / "pairs"}, r"can't write a picture as 'pairs'; expected a name that ends in \.png"),
        ({"pairs": tmp_path / "pairs.png"}, "ring is made of points, of which modes are told"),
        ({"metrics": ("fid",)}, "ring is made of points, of which modes are told"),
    ):
        with pytest.raises(UserError, match=said):
            evaluate(run.path, **told)  # type: ignore[arg-type]
    found = evaluate(run.path, metrics=("reverse-kl",))
    assert [figure.name for figure in found.figures] == ["modes", "high-quality", "reverse-kl"]


def test_images_need_data_and_a_path_that_is_there(images: Any, digits: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="name data --against"):
        evaluate(images(np.asarray(digits.held_out.samples[:20])))
    with pytest.raises(UserError, match="is not there"):
        evaluate(tmp_path / "nowhere", "digits")


def test_the_command_prints_every_figure_with_its_protocol(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", str(run), "-n", "400", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    names = [figure["name"] for figure in told["figures"]]
    assert names[:2] == ["fid", "kid"]
    assert {"precision", "recall", "density", "coverage", "classifier-score", "class-kl", "ms-ssim", "swd"} < set(names)
    without = {figure["name"] for figure in told["figures"] if figure["floor"] is None}
    assert without <= {"copies", "fid-infinity"}
    assert main(["eval", str(run), "-n", "100", "--metric", "swd"]) == 0
    shown = capsys.readouterr().out
    assert "seed 0" in shown
    assert "two halves of the real images" in shown
