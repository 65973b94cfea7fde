"""Runs that lead images into other groups by way of z: two stages, exact resume, and use on a user's own images."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import zerosum
from zerosum.cli import main
from zerosum.data import open_dataset
from zerosum.engine.checkpoint import read
from zerosum.errors import UserError

STAGES = [{"steps": 4}, {"steps": 4, "changes": {"encoding": True}}]
SMALL = {"G.width": 4, "D.width": 4, "E.width": 4, "units": 8, "batch": 8, "grid": 3, "identity_network": "digits-net"}


def trained(out: Path, data: str, **settings: object) -> zerosum.Run:
    run = zerosum.train("age-cgan", data, out=out, settings={**SMALL, "size": 28, "stages": STAGES, **settings})
    assert isinstance(run, zerosum.Run)
    return run


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Digits by the names of faces, in three groups of ages."""
    folder = tmp_path_factory.mktemp("faces")
    split = open_dataset("digits").train
    for number, age in enumerate([7, 25, 64] * 30):
        Image.fromarray(split.samples[number, :, :, 0]).save(folder / f"{age}_0_0_{number:05}.png")
    return f"ages:{folder}"


@pytest.fixture(scope="module")
def run(faces: str, tmp_path_factory: pytest.TempPathFactory) -> zerosum.Run:
    return trained(tmp_path_factory.mktemp("codes") / "run", faces)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    Image.fromarray(open_dataset("digits").train.samples[5, :, :, 0]).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def test_in_the_last_stage_the_encoder_alone_has_a_loss(run: zerosum.Run) -> None:
    steps = [json.loads(line) for line in (run.path / "events.jsonl").read_text().splitlines() if '"step"' in line]
    told = [event for event in steps if event["event"] == "step"]
    assert {"D/adv", "G/adv"} <= told[0]["losses"].keys()
    assert told[-1]["losses"].keys() == {"E/z"}


@pytest.mark.parametrize("steps", [2, 6])
def test_a_run_stopped_in_either_stage_goes_on_bit_for_bit(
    steps: int, run: zerosum.Run, faces: str, tmp_path: Path, differences: Callable[[Path, Path], list[str]]
) -> None:
    part = trained(tmp_path / "part", faces, steps=steps)
    zerosum.resume(part.path, steps=8 - steps)
    assert differences(part.path, run.path) == []


def test_in_the_second_stage_the_encoder_learns_and_the_others_rest(
    run: zerosum.Run, faces: str, tmp_path: Path, tensors: Callable[[Path], dict[str, torch.Tensor]]
) -> None:
    first, whole = (tensors(one.path) for one in (trained(tmp_path / "first", faces, steps=4), run))
    changed = {
        name.split("/")[2]
        for name, value in whole.items()
        if name.split("/")[1] in ("weights", "optimizers") and (name not in first or (value != first[name]).any())
    }
    assert changed == {"E"}
    events = list(run.events())
    assert [event["changes"] for event in events if event["event"] == "stage"] == [{}, {"encoding": True}]
    losses = [event["losses"] for event in events if event["event"] == "step"]
    assert 0.3 < losses[-1]["E/z"] < 3
    assert not [event for event in events if event["event"] == "warning"]


def test_grids_show_the_input_its_own_group_and_all_groups(run: zerosum.Run) -> None:
    picture = np.asarray(Image.open(run.path / "samples" / "000008.png"))
    assert picture.shape[:2] == (2 + 3 * 58, 2 + 5 * 58)  # 28 pixels, enlarged twice
    cells = [[picture[2 + 58 * r : 58 + 58 * r, 2 + 58 * c : 58 + 58 * c] for c in range(5)] for r in range(3)]
    for number, (given, back, *led) in enumerate(cells):
        assert (back == led[number]).all()  # the images are of each group in turn
        assert (given != back).any()
    scores = [event for event in run.events() if event["event"] == "score"]
    assert {tuple(event["levels"]) for event in scores} == {("0-18", "19-29", "60+")}


def test_an_image_is_led_into_the_group_that_is_asked_for(
    run: zerosum.Run, image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = {}
    for name, told in (
        ("old", "--domain 60+"),
        ("again", "--domain 60+"),
        ("young", "--domain 0-18"),
        ("encoder", "--domain 60+ --steps 0"),
    ):
        out = tmp_path / name
        assert main(["translate", str(run.path), str(image), *told.split(), "--out", str(out)]) == 0
        pictures[name] = np.asarray(Image.open(out / "a.png"))
    assert pictures["old"].shape == (28, 28)
    assert (pictures["old"] == pictures["again"]).all()
    assert (pictures["old"] != pictures["young"]).any()
    assert (pictures["old"] != pictures["encoder"]).any()
    capsys.readouterr()


def test_the_search_is_nearer_in_the_features_than_the_encoder_and_both_are_the_saved_networks(
    run: zerosum.Run, faces: str
) -> None:
    from zerosum.api.assemble import vectors_by
    from zerosum.sampling.identity import codes
    from zerosum.sampling.translate import to_range

    generator = zerosum.load(run.path, "last")
    network, saved = generator.network, read(run.path / "checkpoints" / "last")["weights"]
    for name, part in (("G", network.generator), ("E", network.encoder)):
        assert all(torch.equal(value, saved[name][key]) for key, value in part.state_dict().items())
    data = open_dataset(faces, size=28)
    recognise = vectors_by("digits-net", data, generator.domain)
    x = to_range(np.array(data.held_out.samples[:3]), (-1.0, 1.0))
    distances = []
    for steps in (0, 10):
        z, y = codes(network, recognise, x, steps=steps)
        distances.append((recognise(network.drawn(z, y)) - recognise(x)).square().sum(dim=1))
    assert (distances[1] < distances[0]).all()


def test_such_runs_are_judged_as_translators_are(run: zerosum.Run) -> None:
    judged = zerosum.evaluate(run.path, n=30)
    assert [figure.name for figure in judged.figures] == ["cycle", "swd-0-18", "swd-19-29", "swd-60+"]


def test_an_average_of_g_is_what_the_encoder_goes_with(faces: str, tmp_path: Path) -> None:
    run = trained(tmp_path / "average", faces, ema=0.5)
    network, state = zerosum.load(run.path, "last").network, read(run.path / "checkpoints" / "last")
    assert all(torch.equal(value, state["ema"][key]) for key, value in network.generator.state_dict().items())
    assert any(not torch.equal(value, state["weights"]["G"][key]) for key, value in state["ema"].items())


def test_what_does_not_fit_is_refused_in_one_line_and_code_two(
    run: zerosum.Run, faces: str, image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "refused"
    start = ["train", "age-cgan", "--size", "28", "--steps", "1", "--out", str(out)]
    for line, said in (
        (["translate", str(run.path), str(image), "--out", str(out)], "name the --domain to lead images into: 0-18"),
        (
            ["translate", str(run.path), str(image), "--domain", "80", "--out", str(out)],
            "there is no domain '80'",
        ),
        (
            ["translate", str(run.path), str(image), "--domain", "60+", "--steps", "-1", "--out", str(out)],
            "-1 steps asked for",
        ),
        (["sample", str(run.path)], "translates images: `zerosum translate RUN IMAGES`"),
        ([*start, "--data", faces, "--set", "G.z_dim=5"], "E finds 100 numbers and G takes 5: set z_dim"),
        ([*start, "--data", faces, "--set", "identity_network=inceptoin"], "no feature network 'inceptoin'"),
        ([*start, "--data", f"upscale:{faces}"], "needs classes"),
    ):
        assert main(line) == 2
        err = capsys.readouterr().err
        assert said in err
        assert err.count("\n") == 1
        assert not out.exists()


def test_where_the_data_are_gone_the_encoder_still_leads_and_the_search_says_so(
    run: zerosum.Run, faces: str, image: Path, tmp_path: Path
) -> None:
    folder = Path(faces.removeprefix("ages:"))
    away = folder.rename(folder.with_name("away"))
    try:
        with pytest.raises(UserError, match=r"needs the data of the run: .*; --steps 0 does without it"):
            zerosum.translate(run.path, [image], out=tmp_path / "out", domain="60+")
        assert zerosum.translate(run.path, [image], out=tmp_path / "out", domain="60+", steps=0).made == 1
    finally:
        away.rename(folder)


def test_a_run_without_a_search_takes_no_steps(faces: str, image: Path, tmp_path: Path) -> None:
    settings = {"width": 4, "blocks": 1, "batch": 4, "grid": 3, "size": 28, "n_critic": 1, "stages": []}
    star = zerosum.train("stargan", faces, steps=1, out=tmp_path / "star", settings=settings)
    assert isinstance(star, zerosum.Run)
    with pytest.raises(UserError, match="this run of stargan looks for no z: leave --steps out"):
        zerosum.translate(star.path, [image], out=tmp_path / "out", domain="60+", steps=3)
