"""Two processes train what one would: parameters, moments, statistics and logged numbers; and one that dies is named.

Two tests start a real torchrun; in the others its environment is made for two processes that are already warm.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from zerosum import api
from zerosum.data import open_dataset
from zerosum.engine.run import RunFolder

Ranks = Callable[..., list[Any]]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "zerosum"]


def options(**settings: object) -> list[str]:
    return [part for key, value in settings.items() for part in ("--set", f"{key.replace('__', '.')}={value}")]


STAGES = json.dumps([{"steps": 7, "changes": {"stage": stage}} for stage in range(3)])
TEXTS = {"embedding": 8, "units": 8, "condition": 4, "compressed": 4, "z_dim": 8}
# Two turns of D with a penalty, and an average; batch norm; G first; losses that compare, lazy penalties, classes.
RECIPES: dict[str, list[object]] = {
    "penalty": ["wgan-gp", *options(width=4, batch=8, n_critic=2, ema=0.9, grid=4)],
    "batch-norm": ["dcgan-digits", *options(width=4, batch=8, grid=4)],
    "mlp": ["mlp", *options(G__width=8, D__width=16, batch=8, grid=4, flip="true")],
    "quick": ["quick", *options(width=4, batch=8, penalty_every=2, grid=10)],
    # The vectors of power iteration; augmentation whose p all ranks have to agree on; a balance that is state.
    "attention": ["sagan", *options(width=8, batch=8, grid=10)],
    "ada": ["quick", *options(width=4, batch=8, grid=10, augment="flip,shift,hue", ada_target=0.001, ada_images=64)],
    "balance": ["began", *options(width=4, batch=8, grid=4, k_rate=0.1)],
    # Images of the past that all ranks choose from; a translator into ten domains; small images.
    "pool": ["cyclegan", *options(width=4, blocks=1, batch=4, pool=5, grid=4, stages="[]")],
    "domains": ["stargan", *options(width=4, blocks=1, batch=4, n_critic=2, grid=10, size=28, stages="[]")],
    # A second stage in which a third player learns from what G makes.
    "encoder": [
        *("age-cgan", *options(G__width=4, D__width=4, E__width=4, units=8, batch=8, grid=2, size=28)),
        *options(identity_network="digits-net", stages='[{"steps":12},{"steps":8,"changes":{"encoding":true}}]'),
    ],
    # Two parts of a G, of which the second one learns; maps beside images, and mirrored ones in another order.
    "poses": ["pg2", *options(width=4, z_dim=8, batch=4, part=2, adversarial=1, size=32, stages="[]")],
    "pairs": ["srgan", *options(width=4, blocks=1, units=8, batch=4, adversarial=0.1, size=32, stages="[]")],
    # Captions that are compared with those of all ranks' images, and then both stages.
    "texts": ["stackgan", *options(width=4, blocks=1, batch=4, grid=4, stages=STAGES, **TEXTS)],
}
DATA = {"pool": "folder:sets", "poses": "poses:posed", "pairs": "upscale:digits", "texts": "captions:told"}


def command(name: str, steps: int, *more: object) -> list[object]:
    return ["train", *RECIPES[name], "--data", DATA.get(name, "digits"), "--steps", steps, "-q", *more]


def write_two_sets(folder: Path) -> None:
    """Two folders of digits, some of them inverted."""
    samples = open_dataset("digits").train.samples
    for number in range(60):
        pixels = samples[number, :, :, 0]
        side = folder / "sets" / "AB"[number % 2]
        side.mkdir(parents=True, exist_ok=True)
        Image.fromarray(255 - pixels if number % 2 else pixels).save(side / f"{number:02}.png")


def write_captions(folder: Path) -> None:
    """Digits with a caption each, of one of three."""
    digits = open_dataset("digits", size=64).train
    (folder / "told").mkdir()
    for number in range(40):
        Image.fromarray(digits.samples[number, :, :, 0]).save(folder / "told" / f"{number:02}.png")
        (folder / "told" / f"{number:02}.txt").write_text(f"a digit of kind {number % 3}\nkind {number % 3}\n")


def write_poses(folder: Path) -> None:
    """Digits, each with the one after it as its target, and three points that are somewhere."""
    samples = open_dataset("digits").train.samples
    root = folder / "posed"
    root.mkdir(parents=True, exist_ok=True)
    lines, pairs = ["name:keypoints_y:keypoints_x"], ["from,to"]
    for number in range(30):
        Image.fromarray(samples[number, :, :, 0]).save(root / f"{number}.png")
        lines.append(f"{number}.png: [{number % 28}, 9, 20]: [4, {number % 28}, -1]")
        pairs.append(f"{number}.png,{(number + 1) % 30}.png")
    (root / "keypoints.csv").write_text("\n".join(lines))
    (root / "pairs.csv").write_text("\n".join(pairs))


def tensors(tree: dict[str, Any], where: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from tensors(value, f"{where}/{key}")
        elif isinstance(value, torch.Tensor):
            yield f"{where}/{key}", value


def distance(one: Path, other: Path) -> float:
    """The greatest difference of any weight, statistic, average or moment; everything else has to be equal."""
    states = [RunFolder.open(run).read("last") for run in (one, other)]
    for name in ("chance", "game"):
        chance = [dict(tensors(state)) for state in states]
        assert chance[0].keys() == chance[1].keys(), name
        for key, value in chance[0].items() if name == "game" else ():
            torch.testing.assert_close(chance[1][key], value, rtol=0, atol=1e-8)
    assert torch.equal(states[0]["chance"]["z"], states[1]["chance"]["z"])
    assert states[0]["chance"]["feed"] == states[1]["chance"]["feed"]
    worst = 0.0
    for part in ("weights", "ema", "optimizers"):
        first, second = (dict(tensors(state[part])) for state in states)
        assert first.keys() == second.keys()
        assert first or part == "ema"
        for name in first:
            worst = max(worst, float((first[name].double() - second[name].double()).abs().max()))
    return worst


def logged(run: Path) -> dict[str, Any]:
    """The numbers of the last step event."""
    return [event for event in api.open_run(run).events() if event["event"] == "step"][-1]


def files(run: Path) -> set[str]:
    """Every file of a run by its name, TensorBoard's without the time in it."""
    found = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
    return {name if "tfevents" not in name else "tensorboard" for name in found}


def torchrun(*argv: object, cwd: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    parts = [str(part) for part in (*TORCHRUN, *argv)]
    return subprocess.Popen(parts, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("name", RECIPES)
def test_in_float64_twenty_steps_of_two_are_those_of_one(name: str, nursery: Any, ranks: Ranks, tmp_path: Path) -> None:
    double = ("--precision", "64-true")
    write_two_sets(tmp_path)
    if name == "texts":
        write_captions(tmp_path)
    write_poses(tmp_path)
    assert nursery.run(*command(name, 20, *double, "--out", tmp_path / "one"), cwd=tmp_path).code == 0
    both = ranks(*command(name, 20, *double, "--out", tmp_path / "two"), cwd=tmp_path)
    assert [process.code for process in both] == [0, 0], both[1].err
    assert RunFolder.open(tmp_path / "two").info["device"]["processes"] == 2
    assert distance(tmp_path / "one", tmp_path / "two") < 1e-8
    one, two = logged(tmp_path / "one"), logged(tmp_path / "two")
    assert one["step"] == two["step"] == 20
    assert two["losses"] == pytest.approx(one["losses"], abs=1e-8)
    assert two["grad_norm"] == pytest.approx(one["grad_norm"], abs=1e-8)
    if name in ("batch-norm", "mlp"):  # the other losses compare real and fake within a rank's own batch
        for key in ("d_real", "d_fake_before", "d_fake_after", "acc_real", "acc_fake"):
            assert two[key] == pytest.approx(one[key], abs=1e-8), key


def test_under_torchrun_too_and_only_rank_0_writes(nursery: Any, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    double = ("--precision", "64-true")
    process = torchrun(*command("penalty", 20, *double, "--out", "run"), cwd=tmp_path / "here")
    assert nursery.run(*command("penalty", 20, *double, "--out", tmp_path / "one")).code == 0
    out, err = process.communicate(timeout=180)
    assert process.returncode == 0, err
    assert distance(tmp_path / "one", tmp_path / "here" / "run") < 1e-8
    assert out.splitlines() == ["run"]  # what --quiet says, once
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["run"]
    extra = files(tmp_path / "here" / "run") - files(tmp_path / "one")
    assert extra <= {"report.html", "accuracy.png", "losses.png", "samples/evolution.webp"}
    starts = [event for event in api.open_run(tmp_path / "here" / "run").events() if event["event"] == "start"]
    assert len(starts) == 1


@pytest.mark.parametrize("name", ["penalty", "batch-norm", "mlp"])
def test_in_float32_the_gradients_of_the_first_step_are_close(
    name: str, nursery: Any, ranks: Ranks, tmp_path: Path
) -> None:
    """Adam's first moment after one turn is (1 - beta1) of the gradient.

    Of a bias before batch norm the gradient is nothing but rounding, and left out.
    """
    train = [part.replace("n_critic=2", "n_critic=1") for part in map(str, command(name, 1))]
    assert nursery.run(*train, "--out", tmp_path / "one").code == 0
    both = ranks(*train, "--out", tmp_path / "two")
    assert [process.code for process in both] == [0, 0], both[1].err
    one, two = (RunFolder.open(tmp_path / run).read("last")["optimizers"] for run in ("one", "two"))
    compared = 0
    for player, weights in one.items():
        largest = max(float(moments["exp_avg"].norm()) for moments in weights.values())
        for index, moments in weights.items():
            if float(moments["exp_avg"].norm()) < 1e-6 * largest:
                continue
            gradient, other = moments["exp_avg"], two[player][index]["exp_avg"]
            assert gradient.dtype == torch.float32
            assert float((gradient - other).norm()) <= 1e-4 * float(gradient.norm()), f"{player} {index}"
            compared += 1
    assert compared > 6


def test_a_signal_to_one_rank_stops_all_and_the_resumed_run_is_exact(
    nursery: Any, ranks: Ranks, compare: Callable[..., list[str]], tmp_path: Path
) -> None:
    whole = ranks(*command("batch-norm", 12, "--out", tmp_path / "whole"))
    assert [process.code for process in whole] == [0, 0]
    run = tmp_path / "run"
    stop = {1: [("send", {"number": int(signal.SIGTERM), "step": 7})]}
    stopped = ranks(*command("batch-norm", 12, "--out", run), faults=stop)
    assert [process.code for process in stopped] == [143, 143], stopped[0].err
    assert RunFolder.open(run).read("last")["counters"]["step"] in (7, 8)  # rank 0 may be a step ahead
    resumed = ranks("resume", run, "-q")
    assert [process.code for process in resumed] == [0, 0], resumed[0].err + resumed[1].err
    assert compare(tmp_path / "whole", run) == []


def test_a_run_of_two_is_resumed_by_one_and_branched_by_two(nursery: Any, ranks: Ranks, tmp_path: Path) -> None:
    double = ("--precision", "64-true")
    assert nursery.run(*command("penalty", 12, *double, "--out", tmp_path / "one")).code == 0
    ranks(*command("penalty", 6, *double, "--out", tmp_path / "two"))
    assert nursery.run("resume", tmp_path / "two", "--steps", "+6", "-q").code == 0
    assert distance(tmp_path / "one", tmp_path / "two") < 1e-8
    before = len(list(tmp_path.iterdir()))
    branched = ranks("resume", tmp_path / "two", "--lr", "1e-5", "--steps", "+2", "-q")
    assert [process.code for process in branched] == [0, 0], branched[0].err
    assert len(list(tmp_path.iterdir())) == before + 1


def test_a_fleet_is_trained_stopped_and_resumed_by_two(
    ranks: Ranks, compare: Callable[..., list[str]], tmp_path: Path
) -> None:
    for label in ("a", "b", "c"):
        (tmp_path / "data" / label).mkdir(parents=True)
        for index in range(6):
            Image.new("L", (28, 28), 40 * index + ord(label) - 97).save(tmp_path / "data" / label / f"{index}.png")
    train: list[object] = ["train", "dcgan-digits", "--data", f"folder:{tmp_path / 'data'}", "--per-class", "-q"]
    train += options(width=2, batch=2, grid=4, best="g-loss")
    assert [process.code for process in ranks(*train, "--steps", 3, "--out", tmp_path / "whole")] == [0, 0]
    stop = {0: [("send", {"number": int(signal.SIGINT), "step": 2, "run": 2})]}
    stopped = ranks(*train, "--steps", 2, "--out", tmp_path / "fleet", faults=stop)
    assert [process.code for process in stopped] == [130, 130], stopped[0].err + stopped[1].err
    for more in ([], ["--steps", "+1"]):
        resumed = ranks("resume", tmp_path / "fleet", *more, "-q")
        assert [process.code for process in resumed] == [0, 0], resumed[0].err + resumed[1].err
    members = [api.open_run(tmp_path / name).members for name in ("whole", "fleet")]
    assert list(members[0]) == list(members[1]) == ["a", "b", "c"]
    for label, member in members[0].items():
        assert compare(member.path, members[1][label].path, branch=True) == []


@pytest.mark.parametrize("change", [["--batch", "5"], ["--lr", "-1"]])
def test_what_the_user_did_wrong_is_said_once(change: list[str], ranks: Ranks, tmp_path: Path) -> None:
    train = ["train", "gan", "--data", "ring", "--steps", 2, *options(points_width=8), *change]
    both = ranks(*train, "--out", tmp_path / "run")
    assert [process.code for process in both] == [2, 2]
    assert both[0].line
    assert both[1].err == ""
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_not_finite_on_one_rank_ends_both(ranks: Ranks, tmp_path: Path) -> None:
    lost = {1: [("lose_weights", {"step": 4})]}
    both = ranks(*command("batch-norm", 12, "--save-every", 2, "--out", tmp_path / "run"), faults=lost)
    assert [process.code for process in both] == [1, 1]
    assert "is nan at step 4; checkpoint last, of step 2, is from before" in both[0].line


@pytest.mark.parametrize("name", ["penalty", "batch-norm"])
@pytest.mark.parametrize("dead", [0, 1])
def test_a_rank_that_dies_is_named_by_the_other_within_a_minute(
    name: str, dead: int, start_ranks: Ranks, tmp_path: Path
) -> None:
    """Whether the other one waits for gradients or, inside a network, for batch norm's sums."""
    kill = {dead: [("send", {"number": int(signal.SIGKILL), "step": 6})]}
    both = start_ranks(*command(name, 1_000_000, "--save-every", 2, "--out", tmp_path / "run"), faults=kill)
    assert both[dead].wait().code == -signal.SIGKILL
    began = time.monotonic()
    assert both[1 - dead].wait().code == 1
    assert time.monotonic() - began < 60
    said = both[1 - dead].err.strip().splitlines()[-1]
    assert f"rank {dead} was lost, so rank {1 - dead} stops" in said
    assert RunFolder.open(tmp_path / "run").read("last")["counters"]["step"] == 4


def rank_of(pid: int) -> str | None:
    """What a process of ours was told to be, by its environment."""
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return None
    return next((value[5:].decode() for value in variables if value.startswith(b"RANK=")), None)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the rank to kill in /proc")
def test_a_killed_rank_ends_torchrun_within_a_minute_with_a_line_that_says_which(
    wait_for: Callable[..., None], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    process = torchrun(*command("batch-norm", 1_000_000, "--save-every", 5, "--out", run), cwd=tmp_path)
    try:
        wait_for(run / "checkpoints" / "previous", 120)
        victim = next(child for child in children(process.pid) if rank_of(child) == "1")
        os.kill(victim, signal.SIGKILL)
        began = time.monotonic()
        _, err = process.communicate(timeout=60)
        assert time.monotonic() - began < 60
    finally:
        process.kill()
    assert process.returncode != 0
    assert "rank 1 was lost, so rank 0 stops: resume the run from its last checkpoint" in err, err
    assert RunFolder.open(run).read("last")["counters"]["step"] >= 5
