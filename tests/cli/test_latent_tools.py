"""Latent tools from the command line, on runs of a few steps: what they leave, and one line for what can't be."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image
from safetensors import safe_open

import zerosum
from zerosum.cli import main
from zerosum.data.dataset import open_dataset
from zerosum.sampling.grid import BACKGROUND
from zerosum.sampling.latents import Space

LITTLE = ["--data", "digits", "--batch", "8", "-q", "--no-watch", "--set", "score_images=32", "--set", "grid=4"]
RUNS = {
    "plain": ["dcgan-digits", *LITTLE, "--set", "width=8", "--steps", "3"],
    "classed": ["quick", *LITTLE, "--set", "G.width=8", "--set", "D.width=4", "--steps", "3"],
    "styled": ["stylegan2", *LITTLE, "--set", "width=4", "--set", "z_dim=8", "--set", "w_dim=6", "--steps", "2"],
    "points": ["gan", "--data", "ring", "--batch", "8", "-q", "--no-watch", "--steps", "2"],
    "led": [
        *("srgan", *LITTLE, "--size", "32", "--set", "width=4", "--set", "blocks=1", "--set", "units=4"),
        *("--set", "stages=[]", "--steps", "1"),
    ],
}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RANK", raising=False)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A run of each kind; tests read them, and write elsewhere."""
    folder = tmp_path_factory.mktemp("runs")
    for name, line in RUNS.items():
        assert main(["train", *line, "--out", str(folder / name)]) == 0
    return {name: str(folder / name) for name in RUNS}


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A digit that nothing was trained on, larger and in colour."""
    path = tmp_path / "photo.jpg"
    Image.fromarray(open_dataset("digits").held_out.samples[0][:, :, 0]).resize((90, 90)).convert("RGB").save(path)
    return path


def pixels(path: str) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


def test_mix_writes_its_grid(runs: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mix", runs["styled"], "--rows", "2", "--columns", "3", "--class", "4", "--out", "mix.png"]) == 0
    assert capsys.readouterr().out == "mix.png\n"
    found = pixels("mix.png")
    assert found.shape == (2 + 3 * 58, 2 + 4 * 58)  # 28 pixels, enlarged twice, and the gutters
    assert (found[:60, :60] == BACKGROUND).all()
    assert main(["mix", runs["styled"], "--rows", "2", "--columns", "3", "--layers", "0-5", "--out", "all.png"]) == 0
    found = pixels("all.png")
    assert (found[:, 60:] == np.concatenate([found[:58], found[:58], found[:58], found[:2]])[:, 60:]).all()


def test_directions_writes_a_picture_and_beside_it_the_numbers(
    runs: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["directions", runs["classed"], "--count", "3", "--class", "7", "--seed", "5", "--out", "d.png"]
    assert main(line) == 0
    assert capsys.readouterr().out.split() == ["d.png", "d.safetensors"]
    tensors = safetensors.torch.load_file("d.safetensors")
    assert tensors["directions"].shape == (3, 64)
    torch.testing.assert_close(tensors["directions"].norm(dim=1), torch.ones(3))
    assert tensors["scales"].tolist() == [1, 1, 1]
    with safe_open("d.safetensors", framework="pt") as file:
        about = file.metadata()
    assert (about["method"], about["space"], about["recipe"]) == ("sefa", "z", "quick")
    middle = zerosum.load(runs["classed"]).sample(1, seed=5, label=7)[0, :, :, 0]
    sheet, cell = pixels("d.png"), middle.repeat(2, axis=0).repeat(2, axis=1)
    left = sheet.shape[1] - 7 * 58 + 3 * 58
    for row in range(3):
        shown = sheet[2 + 58 * row : 58 + 58 * row, left : left + 56]
        assert np.abs(shown.astype(int) - cell).max() <= 1


def test_directions_of_styles_are_of_w(runs: dict[str, str]) -> None:
    assert main(["directions", runs["styled"], "--method", "pca", "--count", "6", "--out", "w.png"]) == 0
    with safe_open("w.safetensors", framework="pt") as file:
        assert (file.metadata()["method"], file.metadata()["space"]) == ("pca", "w")
        assert file.get_tensor("directions").shape == (6, 6)


@pytest.mark.parametrize("name", ["plain", "classed", "styled"])
def test_project_writes_what_it_found(
    name: str, runs: dict[str, str], photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["project", runs[name], str(photo), "--steps", "6", "--out", "found"]) == 0
    line = capsys.readouterr().out
    assert line.count("\n") == 1
    files = ["found/projection.png", "found/curve.png", "found/code.safetensors", "found/result.json"]
    assert all(path in line and Path(path).exists() for path in files)
    result = json.loads(Path("found/result.json").read_text())
    assert f"distance {result['distance']['end']:.4g}" in line
    assert result["distance"]["end"] <= result["distance"]["start"]
    assert (result["steps"], result["seed"], result["target"]) == (6, 0, str(photo))
    assert (result["class"] is not None) == (name == "classed")
    assert pixels("found/curve.png").shape[1] == 1200
    sheet = pixels("found/projection.png")
    generator = zerosum.load(runs[name])
    code = safetensors.torch.load_file("found/code.safetensors")["code"][None]
    y = None if result["class"] is None else torch.tensor([generator.label(result["class"])])
    image = Space(generator.network).images(code, y)[0, 0]
    shown = sheet[2:58, 60:116].astype(int)[::2, ::2]
    assert np.abs(shown - ((image.numpy() + 1) * 127.5)).max() <= 1.01


def test_a_projection_is_the_same_again_and_stays_in_the_class_that_is_named(runs: dict[str, str], photo: Path) -> None:
    for folder in ("a", "b"):
        line = ["project", runs["classed"], str(photo), "--steps", "4", "--class", "9", "--seed", "3", "--out", folder]
        assert main(line) == 0
    assert json.loads(Path("a/result.json").read_text())["class"] == "9"
    for name in ("result.json", "curve.png", "projection.png"):
        assert Path("a", name).read_bytes() == Path("b", name).read_bytes()
    first, again = (safetensors.torch.load_file(f"{folder}/code.safetensors")["code"] for folder in ("a", "b"))
    assert torch.equal(first, again)


def test_walks_in_w_morphs_and_truncated_samples(runs: dict[str, str]) -> None:
    api = {"steps": 2, "walks": 4}
    for name, how, frames in (
        ("styled", {"keyframes": 3, "psi": 0.5}, 6),
        ("styled", {"keyframes": 3, "space": "z"}, 6),
        ("styled", {"morph": ["1", 7]}, 4),
        ("classed", {"morph": ["3", "8", "1"]}, 6),
    ):
        with Image.open(zerosum.walk(runs[name], out="walk.webp", **api, **how)) as film:
            assert film.n_frames == frames  # type: ignore[attr-defined]
    assert main(["walk", runs["classed"], "--morph", "3, 8", "--psi", "0.7", "--out", "m.gif"]) == 0
    for name in ("plain", "classed", "styled"):
        assert main(["sample", runs[name], "-n", "5", "--psi", "0", "--out", f"{name}.npz"]) == 0
    plain, classed = (np.load(f"{name}.npz")["images"] for name in ("plain", "classed"))
    assert (plain == plain[:1]).all()
    assert len({image.tobytes() for image in classed}) == 5  # a class each, of z = 0


def test_without_out_everything_goes_into_the_run(runs: dict[str, str], photo: Path, tmp_path: Path) -> None:
    for command in (["mix"], ["directions"], ["project", str(photo), "--steps", "1"]):
        assert main([command[0], runs["styled"], *command[1:]]) == 0
    there = {path.name for path in Path(runs["styled"]).iterdir()}
    assert {"mix.png", "directions.png", "directions.safetensors", "projection"} <= there
    assert [path.name for path in tmp_path.iterdir()] == [photo.name]


BAD = [
    ("mix plain", ["dcgan-digits", "no styles", "stylegan", "stylegan2"]),
    ("mix styled --layers fine", ["fine", "coarse", "0 to 5"]),
    ("mix styled --layers 4-6", ["4-6", "0 to 5"]),
    ("mix styled --layers sharp", ["sharp", "coarse, middle, fine"]),
    ("mix styled --rows 0", ["0 rows", "at least 1"]),
    ("mix styled --columns -3", ["-3 columns", "at least 1"]),
    ("mix styled --psi 1.5", ["psi is 1.5", "0", "1"]),
    ("mix styled --class cat", ["'cat'"]),
    ("mix styled --out mix.jpg", ["mix.jpg", ".png"]),
    ("mix styled --seed 99999999999999999999", ["seed", "64 bits"]),
    ("mix nowhere", ["nowhere"]),
    ("directions plain --count 0", ["0 directions", "1 to 100"]),
    ("directions plain --count 101", ["101 directions", "1 to 100"]),
    ("directions styled --count 7 --method pca", ["7 directions", "1 to 6"]),
    ("directions plain --method ica", ["--method", "sefa", "pca"]),
    ("directions plain --span 0", ["span is 0", "above 0"]),
    ("directions plain --span nan", ["span is nan", "above 0"]),
    ("directions plain --class 3", ["takes no class"]),
    ("directions plain --out d.safetensors", ["d.safetensors", ".png"]),
    ("directions points", ["points", "images"]),
    ("project plain missing.png", ["missing.png", "not there", "image file"]),
    ("project plain FOLDER", ["no file", "image file"]),
    ("project plain NOTES", ["not an image", "image file"]),
    ("project plain EMPTY", ["empty", "image file"]),
    ("project plain PHOTO --steps 0", ["0 steps", "at least 1"]),
    ("project plain PHOTO --class 3", ["takes no class"]),
    ("project classed PHOTO --class cat", ["'cat'", "0, 1, 2"]),
    ("project classed PHOTO --seed -99999999999999999999", ["seed", "64 bits"]),
    ("project points PHOTO", ["points", "images"]),
    ("project led PHOTO", ["srgan translates images", "zerosum translate"]),
    ("directions led", ["srgan translates images", "zerosum translate"]),
    ("walk plain --space w", ["no styles", "stylegan2"]),
    ("walk plain --space x", ["--space", "w", "z"]),
    ("walk plain --psi nan", ["psi is nan"]),
    ("walk plain --morph 3,8", ["takes no class", "leave morph out"]),
    ("walk classed --morph 3", ["morph has 1", "at least two"]),
    ("walk classed --morph 3,3", ["morph has 1", "at least two"]),
    ("walk classed --morph 3,cat", ["'cat'", "0, 1, 2"]),
    ("walk classed --morph 3,8 --class 3", ["together", "one"]),
    ("walk points", ["points", "sample"]),
    ("sample plain --psi -0.5", ["psi is -0.5", "0", "1"]),
    ("sample styled --psi nan --out a", ["psi is nan"]),
]


@pytest.mark.parametrize(("line", "words"), BAD)
def test_what_can_not_be_is_one_line_with_exit_code_2_and_writes_nothing(
    line: str, words: list[str], runs: dict[str, str], photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.png").write_text("no picture")
    (tmp_path / "in" / "empty.png").touch()
    places = {"PHOTO": photo, "FOLDER": "in", "NOTES": "in/notes.png", "EMPTY": "in/empty.png", **runs}
    before = sorted(path for folder in (tmp_path, *map(Path, runs.values())) for path in folder.rglob("*"))
    assert main([str(places.get(part, part)) for part in line.split()]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert all(word in err for word in words), err
    assert sorted(path for folder in (tmp_path, *map(Path, runs.values())) for path in folder.rglob("*")) == before


@pytest.mark.parametrize("command", ["mix styled", "directions plain", "project plain PHOTO --steps 1"])
def test_a_place_that_can_not_be_written_is_one_line(
    command: str, runs: dict[str, str], photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("file").write_text("in the way")
    places = {"PHOTO": str(photo), **runs}
    assert main([*(places.get(part, part) for part in command.split()), "--out", "file/x.png"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "can't be written" in err


def test_python_says_the_same(runs: dict[str, str]) -> None:
    with pytest.raises(zerosum.ZerosumError, match="method is 'ica'; expected one of sefa, pca"):
        zerosum.directions(runs["plain"], method="ica")  # type: ignore[arg-type]
    mixed = zerosum.mix(runs["styled"], rows=1, columns=1, out="one.png")
    assert pixels(str(mixed)).shape == (2 + 2 * 58, 2 + 2 * 58)
