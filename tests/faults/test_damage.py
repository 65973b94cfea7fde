"""A damaged checkpoint is named, and the one before it is offered; what is offered works."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zerosum.engine import checkpoint
from zerosum.engine.run import RunFolder
from zerosum.errors import CheckpointError

FILES = ("weights", "ema", "optimizers", "chance")
COMMAND = ["train", "gan", "--data", "ring", "--save-every", 5, "--batch", 8, "--steps", 12, "-q"]
for setting in ("points_width=8", "grid=4", "ema=0.9", "schedule=linear", "keep_at=[3,6]"):
    COMMAND += ["--set", setting]


@pytest.fixture(scope="module")
def whole(nursery: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 12 steps: last is of step 12, previous of step 10."""
    run = tmp_path_factory.mktemp("whole") / "run"
    ended = nursery.run(*COMMAND, "--out", run)
    assert ended.code == 0, ended.err
    return run


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(whole, tmp_path / "run"))


def flip(path: Path, position: int, mask: int = 1) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= mask
    path.write_bytes(bytes(data))


def assert_named_and_offered(nursery: Any, run: Path, *words: str, offer: str = "--from previous") -> None:
    refused = nursery.run("resume", run, "--steps", "+1", "-q")
    assert refused.code == 2, refused.err
    assert all(word in refused.line for word in words), refused.line
    assert offer in refused.line, refused.line


@pytest.mark.parametrize("name", [*(f"{name}.safetensors" for name in FILES), "state.json", "manifest.json"])
def test_a_flipped_byte_is_named_and_the_one_before_offered(name: str, nursery: Any, run: Path) -> None:
    path = run / "checkpoints" / "last" / name
    flip(path, random.Random(name).randrange(path.stat().st_size))
    assert_named_and_offered(nursery, run, str(path), "damaged")


@pytest.mark.parametrize("name", ["weights.safetensors", "state.json", "manifest.json"])
def test_a_missing_file_is_named(name: str, nursery: Any, run: Path) -> None:
    (run / "checkpoints" / "last" / name).unlink()
    assert_named_and_offered(nursery, run, name, "missing" if name != "manifest.json" else "no manifest.json")


@pytest.mark.parametrize("name", ["weights.safetensors", "manifest.json"])
def test_a_truncated_file_is_named(name: str, nursery: Any, run: Path) -> None:
    path = run / "checkpoints" / "last" / name
    path.write_bytes(path.read_bytes()[:-7])
    assert_named_and_offered(nursery, run, str(path))


def test_an_empty_manifest_is_named(nursery: Any, run: Path) -> None:
    path = run / "checkpoints" / "last" / "manifest.json"
    path.write_bytes(b"")
    assert_named_and_offered(nursery, run, str(path), "damaged")


def test_a_manifest_of_a_future_version_says_that_a_newer_zerosum_wrote_it(nursery: Any, run: Path) -> None:
    path = run / "checkpoints" / "last" / "manifest.json"
    path.write_text(json.dumps({"format": 7, "files": ["unlike ours"]}))
    assert_named_and_offered(nursery, run, str(path), "format 7", "newer")


def test_a_pickle_in_the_place_of_a_file_is_never_loaded(nursery: Any, run: Path) -> None:
    torch.save({"G": torch.ones(1)}, run / "checkpoints" / "last" / "weights.safetensors")
    assert_named_and_offered(nursery, run, "weights.safetensors")


@pytest.mark.parametrize("command", ["resume", "sample"])
def test_a_pickled_checkpoint_is_refused_with_a_line_that_says_why(command: str, nursery: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save({"G": torch.ones(1)}, path)
    refused = nursery.run(command, path)
    assert refused.code == 2
    assert str(path) in refused.line
    assert "unpickling runs code" in refused.line


def test_a_step_is_offered_where_previous_is_damaged_too(nursery: Any, run: Path) -> None:
    for name in ("last", "previous"):
        flip(run / "checkpoints" / name / "weights.safetensors", 99)
    assert_named_and_offered(nursery, run, "weights.safetensors", offer="--from 6")


def test_nothing_is_offered_where_nothing_is_whole(nursery: Any, run: Path) -> None:
    for path in (run / "checkpoints").iterdir():
        flip(path / "state.json", 50)
    assert_named_and_offered(nursery, run, offer="no other is whole")


@pytest.mark.parametrize("source", ["previous", "6"])
def test_what_is_offered_leads_to_the_same_end(
    source: str, nursery: Any, whole: Path, run: Path, compare: Callable[..., list[str]], tmp_path: Path
) -> None:
    """The rates of this run fall over its horizon: a branch from an earlier step has to take them up again."""
    flip(run / "checkpoints" / "last" / "weights.safetensors", 99)
    branch = tmp_path / "branch"
    resumed = nursery.run("resume", run, "--from", source, "--out", branch, "-q")
    assert resumed.code == 0, resumed.err
    assert compare(whole, branch, branch=True) == []
    parent = RunFolder.open(branch).info["parent"]
    assert parent["run"] == str(run)
    assert parent["step"] == {"previous": 10, "6": 6}[source]
    assert parent["changes"] == {}


def test_last_lost_between_two_renames_is_previous(nursery: Any, whole: Path, run: Path, compare: Any) -> None:
    shutil.rmtree(run / "checkpoints" / "last")
    assert nursery.run("resume", run, "-q").code == 0
    assert compare(whole, run) == []


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 1}', '{"format": "x"}', '{"format": 9}'])
def test_a_damaged_run_json_is_named(content: str, nursery: Any, run: Path) -> None:
    (run / "run.json").write_text(content)
    refused = nursery.run("resume", run, "--steps", "+1")
    assert refused.code == 2
    assert str(run) in refused.line


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_flipped_byte_anywhere_is_detected(whole: Path, data: st.DataObject) -> None:
    folder = whole / "checkpoints" / "previous"
    path = folder / data.draw(st.sampled_from(sorted(path.name for path in folder.iterdir())))
    before = path.read_bytes()
    position = data.draw(st.integers(0, len(before) - 1))
    mask = data.draw(st.integers(1, 255))
    try:
        flip(path, position, mask)
        with pytest.raises(CheckpointError) as refused:
            checkpoint.read(folder)
    finally:
        path.write_bytes(before)
    assert str(folder) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_every_byte_of_a_manifest_counts(whole: Path, tmp_path: Path) -> None:
    """Its blanks and its line ends too; one bit of each byte, and every other blank for a blank."""
    folder = Path(shutil.copytree(whole / "checkpoints" / "last", tmp_path / "last"))
    path = folder / "manifest.json"
    before = path.read_bytes()
    for position, byte in enumerate(before):
        for other in {byte ^ 1, *(b"\t\n" if byte in b" \n" else b"")} - {byte}:
            path.write_bytes(before[:position] + bytes([other]) + before[position + 1 :])
            with pytest.raises(CheckpointError):
                checkpoint.manifest(folder) and checkpoint.read(folder)


def test_weights_of_another_network_than_the_recipe_has_now_are_one_line(run: Path, nursery: Any) -> None:
    state = RunFolder.open(run).read("last")
    state["weights"]["G"]["layers.0.weight"] = torch.zeros(3, 3)
    state["ema"] = None
    RunFolder.open(run).write("last", state)
    for command in (("resume", run, "--steps", "+1"), ("sample", run, "--checkpoint", "last", "--out", run / "x.png")):
        refused = nursery.run(*command)
        assert refused.code == 2
        assert "another network than this version of zerosum builds" in refused.line
    assert nursery.run("resume", run, "--from", "start", "--steps", 1, "--out", run.parent / "anew", "-q").code == 0
