"""A fleet is trained, stopped, killed, resumed, lengthened and sampled as one."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from zerosum import api

Compare = Callable[..., list[str]]
EACH_STEP = ("log_every", {"steps": 1})
SETTINGS = ["--set", "width=2", "--set", "batch=2", "--set", "grid=4", "--lr", "1e-3"]


def stop(step: int, run: int) -> tuple[str, dict[str, int]]:
    return ("send", {"number": signal.SIGINT, "step": step, "run": run})


@pytest.fixture(scope="module")
def fleet(nursery: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[object], Path]:
    folder = tmp_path_factory.mktemp("fleet")
    random = np.random.default_rng(1)  # images and a rate by which each model is better after five steps than after 3
    for label in ("cat", "dog", "owl"):
        (folder / "data" / label).mkdir(parents=True)
        for index in range(6):
            picture = random.integers(0, 256, (28, 28), dtype=np.uint8)
            Image.fromarray(picture).save(folder / "data" / label / f"{index}.png")
    command: list[object] = ["train", "dcgan-digits", "--data", f"folder:{folder / 'data'}", "--per-class", "-q"]
    command += SETTINGS
    ended = nursery.run(*command, "--steps", 5, "--out", folder / "whole", faults=[EACH_STEP])
    assert ended.code == 0, ended.err
    return command, folder / "whole"


def test_a_class_of_one_image_and_an_empty_one_are_refused_before_anything_is_written(
    nursery: Any, tmp_path: Path
) -> None:
    for label, count in (("cat", 3), ("dog", 3)):
        (tmp_path / "data" / label).mkdir(parents=True)
        for index in range(count):
            Image.new("L", (28, 28), 40 * index).save(tmp_path / "data" / label / f"{index}.png")
    command = ["train", "dcgan-digits", "--data", f"folder:{tmp_path / 'data'}", "--per-class", "--steps", 1, *SETTINGS]
    (tmp_path / "data" / "owl").mkdir()
    for picture, said in ((None, "class 'owl' of"), ("0.png", "class 'owl' of .* has one sample to train on")):
        if picture is not None:
            Image.new("L", (28, 28)).save(tmp_path / "data" / "owl" / picture)
        refused = nursery.run(*command, "--out", tmp_path / "fleet")
        assert refused.code == 2
        assert re.search(said, refused.line)
        assert not (tmp_path / "fleet").exists()


def assert_same_fleet(compare: Compare, one: Path, other: Path, **how: bool) -> None:
    first, second = api.open_run(one), api.open_run(other)
    assert list(first.members) == list(second.members) == ["cat", "dog", "owl"]
    for label, member in first.members.items():
        assert compare(member.path, second.members[label].path, **how) == []


@pytest.mark.parametrize(("run", "begun"), [(1, 1), (2, 2), (3, 3)])
def test_a_fleet_stopped_in_any_member_is_resumed_as_one(
    run: int, begun: int, nursery: Any, fleet: tuple[list[object], Path], compare: Compare, tmp_path: Path
) -> None:
    command, whole = fleet
    path = tmp_path / "fleet"
    stopped = nursery.run(*command, "--steps", 5, "--out", path, faults=[EACH_STEP, stop(3, run)])
    assert stopped.code == 130
    assert len(api.open_run(path).members) == begun
    assert nursery.run("resume", path, "-q", faults=[EACH_STEP]).code == 0
    assert_same_fleet(compare, whole, path)
    assert "is finished" in nursery.run("resume", path).line


@pytest.mark.parametrize(
    "fault",
    [
        ("kill_before_saving_info", {"call": 2}),  # the folder of the second member is there, and empty
        ("watch_saves", {"save": 4, "kill": 1}),  # before its first checkpoint
        ("kill_before_saying", {"event": "end"}),  # the first is at its end, but could not say so
    ],
)
def test_a_fleet_killed_between_two_members_goes_on(
    fault: tuple[str, dict[str, Any]], nursery: Any, fleet: tuple[list[object], Path], compare: Compare, tmp_path: Path
) -> None:
    command, whole = fleet
    path = tmp_path / "fleet"
    killed = nursery.run(*command, "--steps", 5, "--out", path, faults=[EACH_STEP, fault])
    assert killed.code == -signal.SIGKILL
    resumed = nursery.run("resume", path, "-q", faults=[EACH_STEP])
    assert resumed.code == 0, resumed.err
    assert_same_fleet(compare, whole, path)


@pytest.mark.parametrize(
    "fault",
    [
        ("kill_before_saving_info", {"call": 1}),
        ("kill_before_saving_info", {"call": 2}),
        ("kill_before_saying", {"event": "start"}),
        ("kill_before_saying", {"event": "end"}),
    ],
)
def test_every_member_gets_as_much_more_and_gets_it_once(
    fault: tuple[str, dict[str, Any]], nursery: Any, fleet: tuple[list[object], Path], compare: Compare, tmp_path: Path
) -> None:
    command, whole = fleet
    path = tmp_path / "fleet"
    assert nursery.run(*command, "--steps", 3, "--out", path).code == 0
    assert nursery.run("resume", path, "--steps", "+2", faults=[fault]).code == -signal.SIGKILL
    assert "is not finished yet" in nursery.run("resume", path, "--steps", "+2").line
    resumed = nursery.run("resume", path, "-q")
    assert resumed.code == 0, resumed.err
    assert_same_fleet(compare, whole, path, branch=True)
    assert "is finished" in nursery.run("resume", path).line


def test_a_fleet_is_sampled_as_one_grid_with_a_row_for_each_label(
    nursery: Any, fleet: tuple[list[object], Path], tmp_path: Path
) -> None:
    _, whole = fleet
    found = api.open_run(whole)
    for name in ("grid.png", "all.npz"):
        assert nursery.run("sample", whole, "-n", 5, "--seed", 3, "--out", tmp_path / name).code == 0
    drawn = found.sample(5, seed=3)
    with np.load(tmp_path / "all.npz") as archive:
        assert np.array_equal(archive["images"], drawn)
        assert archive["labels"].tolist() == [0] * 5 + [1] * 5 + [2] * 5
    rows = [run.sample(5, seed=found.seed(3, label)) for label, run in found.members.items()]
    assert np.array_equal(drawn, np.concatenate(rows))
    assert np.array_equal(found.sample(5, seed=3, label="owl"), drawn[10:])
    with Image.open(tmp_path / "grid.png") as grid:
        pixels = np.asarray(grid.convert("L")).astype(int)
    # A row for each label: every drawn image lies somewhere in the band of its row, twice as large.
    height = pixels.shape[0] / 3
    for number, image in enumerate(drawn[..., 0].astype(int).repeat(2, axis=1).repeat(2, axis=2)):
        band = pixels[round(number // 5 * height) : round((number // 5 + 1) * height)]
        windows = np.lib.stride_tricks.sliding_window_view(band, image.shape)
        assert (np.abs(windows - image).sum(axis=(2, 3)) == 0).any(), f"image {number} is not in its row"


def test_a_class_that_the_fleet_does_not_have_is_one_line(nursery: Any, fleet: tuple[list[object], Path]) -> None:
    refused = nursery.run("sample", fleet[1], "--class", "cow")
    assert refused.code == 2
    assert "cat, dog, owl" in refused.line
