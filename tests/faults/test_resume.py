"""Resume is exact: after any step, bit for bit. Resume is editable: a change is a branch, and the parent stays."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from zerosum import api
from zerosum.engine.run import RunFolder

Compare = Callable[..., list[str]]
EACH_STEP = ("log_every", {"steps": 1})


def options(**settings: object) -> list[str]:
    return [part for key, value in settings.items() for part in ("--set", f"{key.replace('__', '.')}={value}")]


def stop(step: int) -> tuple[str, dict[str, int]]:
    return ("send", {"number": signal.SIGINT, "step": step})


MLP = ["mlp", *options(G__width=4, D__width=16, epoch_share=0.005, batch=8, grid=4, grid_epochs=1)]
RECIPES = {
    # The best by G's loss, an epoch each 5 steps: its mean is of steps on either side of the stop.
    "mlp": MLP,
    "average-and-schedule": [*MLP, *options(ema=0.9, schedule="cosine", flip="true")],
    "batch-norm": ["dcgan-digits", *options(width=4, batch=4, grid=4)],
    "dropout": ["gan", *options(G__width=16, units=8, batch=8, grid=4)],
    "dropout-and-classes": ["cgan", *options(units=8, y_units=8, x_units=8, z_units=8, batch=8, grid=10)],
    "gradient-penalty": ["wgan-gp", *options(width=4, batch=4, n_critic=2, grid=4)],
    "clipped-weights": ["wgan", *options(width=4, batch=4, n_critic=2, grid=4)],
    "d-every-other-step": ["dcgan-lite", *options(width=4, batch=4, d_every=3, grid=4)],
    # The vectors of power iteration, and classes that D names.
    "spectral-norm-and-attention": ["sagan", *options(width=8, batch=4, grid=10)],
    "auxiliary-classifier": ["acgan", *options(width=4, batch=4, grid=10)],
    # Stopped while new layers fade in; mixed styles, noise, path lengths and their mean; rates on a cosine.
    "growing": ["stylegan", *options(width=4, depth=2, batch=4, grid=10, size=28, pace=2e-5)],
    "growing-with-penalty": ["progan", *options(width=4, batch=4, grid=10, size=28, pace=1e-5)],
    "path-lengths": ["stylegan2", *options(width=4, depth=2, batch=4, grid=10, size=28, path_every=3)],
    "gradual-rates": ["r3gan", *options(width=8, batch=4, grid=10, pace=2e-6, ema=0.9)],
    "codes": ["infogan", *options(width=4, batch=4, grid=4)],
    # Its penalties come each third turn: what is logged between two is the last one's.
    "lazy-penalties": ["quick", *options(width=4, batch=4, penalty_every=3, grid=10)],
}


@pytest.mark.parametrize("name", RECIPES)
def test_stopped_after_any_step_and_resumed_it_is_the_uninterrupted_run(
    name: str, nursery: Any, compare: Compare, numbers: Callable[[Path], dict[Any, Any]], tmp_path: Path
) -> None:
    command = ["train", *RECIPES[name], "--data", "digits", "--steps", 12, "-q", "--out"]
    whole = tmp_path / "whole"
    assert nursery.run(*command, whole, faults=[EACH_STEP]).code == 0
    for step in (1, 4, 11):
        run = tmp_path / str(step)
        stopped = nursery.run(*command, run, faults=[EACH_STEP, stop(step)])
        assert stopped.code == 130, stopped.err
        assert nursery.run("resume", run, "-q", faults=[EACH_STEP]).code == 0
        names = tuple(checkpoint for checkpoint in RunFolder.open(whole).checkpoints() if checkpoint != "previous")
        assert compare(whole, run, checkpoints=names) == []
        assert numbers(run).keys() == numbers(whole).keys()
        # Where D waits there is nothing of it to log: the steps between its turns are left out.
        period = 3 if name == "d-every-other-step" else 1
        logged = {1, 12} | {number for number in range(1, 13) if number % period == 0}
        assert {("step", number) for number in logged} == {key for key in numbers(run) if key[0] == "step"}


def test_stopped_after_every_step_it_is_still_the_same(nursery: Any, compare: Compare, tmp_path: Path) -> None:
    command = ["train", "gan", "--data", "ring", "--steps", 6, "-q", *options(points_width=8, batch=8, grid=4)]
    assert nursery.run(*command, "--out", tmp_path / "whole").code == 0
    run = tmp_path / "run"
    assert nursery.run(*command, "--out", run, faults=[stop(1)]).code == 130
    for step in range(2, 6):
        assert nursery.run("resume", run, "-q", faults=[stop(step)]).code == 130
    assert nursery.run("resume", run, "-q").code == 0
    assert compare(tmp_path / "whole", run) == []


@pytest.mark.parametrize(
    "recipe", [MLP, ["dcgan-digits", *options(width=4, batch=8, grid=4, first="G")]], ids=["mlp", "batch-norm-after-g"]
)
def test_how_often_it_logs_or_saves_changes_nothing(
    recipe: list[Any], nursery: Any, compare: Compare, tmp_path: Path
) -> None:
    command = ["train", *recipe, "--data", "digits", "--steps", 9, "-q"]
    assert nursery.run(*command, "--out", tmp_path / "a", faults=[EACH_STEP]).code == 0
    assert nursery.run(*command, "--out", tmp_path / "b", "--save-every", 1).code == 0
    assert compare(tmp_path / "a", tmp_path / "b") == []


@pytest.mark.parametrize("more", [["--steps", "+5"], ["--epochs", "+1"]])
def test_twice_five_more_steps_are_ten_more(more: list[str], nursery: Any, compare: Compare, tmp_path: Path) -> None:
    """An epoch of this run is five steps."""
    command = ["train", *MLP, "--data", "digits", "-q"]
    assert nursery.run(*command, "--steps", 20, "--out", tmp_path / "once").code == 0
    run = tmp_path / "run"
    assert nursery.run(*command, "--steps", 10, "--out", run).code == 0
    for end in (15, 20):
        assert nursery.run("resume", run, *more, "-q").code == 0
        assert RunFolder.open(run).info["horizon"] == {"steps": end, "images": 8 * end}
    assert compare(tmp_path / "once", run, checkpoints=("last", "best"), branch=True) == []


@pytest.mark.parametrize(("more", "end"), [(["--steps", "+5"], 25), (["--epochs", "+1"], 25), ([], 20)])
@pytest.mark.parametrize("step", [1, 12])
def test_more_of_a_run_that_was_stopped_is_more_than_its_own_end(
    step: int, more: list[str], end: int, nursery: Any, compare: Compare, tmp_path: Path
) -> None:
    command = ["train", *MLP, "--data", "digits", "-q"]
    whole, run = tmp_path / "whole", tmp_path / "run"
    assert nursery.run(*command, "--steps", end, "--out", whole).code == 0
    assert nursery.run(*command, "--steps", 20, "--out", run, faults=[stop(step)]).code == 130
    assert nursery.run("resume", run, *more, "-q").code == 0
    assert RunFolder.open(run).info["horizon"] == {"steps": end, "images": 8 * end}
    assert compare(whole, run, checkpoints=("last", "best"), branch=True) == []


def test_more_minutes_of_a_run_that_was_stopped_come_after_its_own_end(nursery: Any, tmp_path: Path) -> None:
    ring = ["gan", "--data", "ring", *options(points_width=8, batch=8, grid=4)]
    run = tmp_path / "run"
    assert nursery.run("train", *ring, "--steps", 400, "--out", run, "-q", faults=[stop(200)]).code == 130
    spent = RunFolder.open(run).read("last")["counters"]["seconds"] / 60
    assert nursery.run("resume", run, "--minutes", f"+{spent}", "-q").code == 0
    assert RunFolder.open(run).read("last")["counters"]["step"] == 600  # as many minutes as 200 steps had taken
    timed = tmp_path / "timed"
    assert nursery.run("train", *ring, "--minutes", 5, "--out", timed, "-q", faults=[stop(200)]).code == 130
    per_step = RunFolder.open(timed).read("last")["counters"]["seconds"] / 200
    assert nursery.run("resume", timed, "--steps", "+7", "-q", faults=[stop(202)]).code == 130
    assert RunFolder.open(timed).info["horizon"]["steps"] == pytest.approx(300 / per_step + 7, rel=1e-6, abs=1)


def test_a_run_in_minutes_goes_on_for_more_minutes(nursery: Any, tmp_path: Path) -> None:
    command = ["train", "gan", "--data", "ring", "--minutes", 0.02, "-q", *options(points_width=8, batch=8, grid=4)]
    run = tmp_path / "run"
    assert nursery.run(*command, "--out", run).code == 0
    first = RunFolder.open(run).read("last")["counters"]
    assert first["seconds"] >= 1.2
    assert nursery.run("resume", run, "--minutes", "+0.02", "-q").code == 0
    second = RunFolder.open(run).read("last")["counters"]
    assert second["seconds"] >= first["seconds"] + 1.2
    branch = tmp_path / "branch"
    assert nursery.run("resume", run, "--minutes", "+0.02", "--lr", "1e-4", "--out", branch, "-q").code == 0
    third = RunFolder.open(branch).read("last")["counters"]
    assert third["seconds"] >= second["seconds"] + 1.2
    assert third["step"] > second["step"]


# Branches


@pytest.fixture(scope="module")
def parent(nursery: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stopped at step 6 of 12, with a checkpoint of step 4 and one that is the best."""
    run = tmp_path_factory.mktemp("parent") / "run"
    settings = options(width=4, batch=4, n_critic=2, grid=4, keep_at="[4]", score_images=8)
    stopped = nursery.run("train", "wgan-gp", "--data", "digits", "--steps", 12, *settings, "--out", run, "-q")
    assert stopped.code == 0
    # Whether its last score was better than the first, which leaves a `second`, is up to the machine's arithmetic.
    names = [name for name in RunFolder.open(run).checkpoints() if name != "second"]
    assert names == ["last", "previous", "best", "step-000004"]
    return run


@pytest.mark.parametrize(
    ("change", "named", "end"),
    [
        (["--lr", "1e-5"], {"G.lr": 1e-5, "D.lr": 1e-5}, 12),
        (["--beta1", "0.3"], {"G.betas": [0.3, 0.9], "D.betas": [0.3, 0.9]}, 12),
        (["--batch", "2"], {"batch": 2}, 20),  # the 8 steps that were left are 16 of half the batch
        (["--set", "n_critic=1"], {"n_critic": 1}, 12),
        (["--set", "gp=1"], {"gp": 1.0}, 12),
        (["--set", "G.lr=0", "--steps", "+2"], {"G.lr": 0.0}, 6),
        (["--set", "ema=0.5"], {"ema": 0.5}, 12),
        (["--set", "D.optimizer=sgd"], {"D.optimizer": "sgd"}, 12),
    ],
)
def test_a_changed_setting_makes_a_branch_that_names_its_parent(
    change: list[str],
    named: dict[str, object],
    end: int,
    nursery: Any,
    parent: Path,
    compare: Compare,
    contents: Callable[[Path], dict[str, str]],
    tmp_path: Path,
) -> None:
    before = contents(parent)
    branch = tmp_path / "branch"
    made = nursery.run("resume", parent, "--from", 4, *change, "--out", branch, "-q")
    assert made.code == 0, made.err
    assert contents(parent) == before
    folder = RunFolder.open(branch)
    assert folder.info["parent"] == {"run": str(parent), "checkpoint": "step-000004", "step": 4, "changes": named}
    assert folder.read("last")["counters"]["step"] == end
    changed = "/ema/" if "ema" in named else "/weights/"  # an average follows the weights and does not move them
    assert any(changed in path for path in compare(parent, branch, branch=True))


def test_a_branch_lies_beside_its_parent_unless_it_is_told_where(nursery: Any, parent: Path) -> None:
    made = nursery.run("resume", parent, "--from", 4, "--lr", "1e-5", "-q")
    branch = Path(made.out.strip())
    assert branch.parent == parent.parent
    assert branch.name.endswith("wgan-gp-branch-of-run")


def test_a_branch_with_nothing_changed_is_the_run_itself(
    nursery: Any, parent: Path, compare: Compare, tmp_path: Path
) -> None:
    assert nursery.run("resume", parent, "--from", 4, "--out", tmp_path / "branch", "-q").code == 0
    assert compare(parent, tmp_path / "branch", branch=True) == []


def test_a_branch_goes_on_exactly_too(nursery: Any, parent: Path, compare: Compare, tmp_path: Path) -> None:
    command = ["resume", parent, "--from", 4, "--lr", "1e-5", "-q", "--out"]
    assert nursery.run(*command, tmp_path / "whole").code == 0
    for step in (5, 9):
        run = tmp_path / str(step)
        assert nursery.run(*command, run, faults=[stop(step)]).code == 130
        assert nursery.run("resume", run, "-q").code == 0
        assert compare(tmp_path / "whole", run) == []


def test_a_branch_has_a_checkpoint_from_its_first_moment(nursery: Any, parent: Path, tmp_path: Path) -> None:
    branch = tmp_path / "branch"
    killed = ("send", {"number": signal.SIGKILL, "step": 5})
    nursery.run("resume", parent, "--from", 4, "--lr", "1e-5", "--out", branch, faults=[killed])
    assert RunFolder.open(branch).read("last")["counters"]["step"] == 4
    assert nursery.run("resume", branch, "-q").code == 0


def test_from_start_is_the_run_anew_and_with_another_setting_another_run(
    nursery: Any, parent: Path, compare: Compare, tmp_path: Path
) -> None:
    same, other, wider = (tmp_path / name for name in ("same", "other", "wider"))
    assert nursery.run("resume", parent, "--from", "start", "--out", same, "-q").code == 0
    assert compare(parent, same, branch=True) == []
    assert nursery.run("resume", parent, "--from", "start", "--lr", "1e-3", "--out", other, "-q").code == 0
    assert RunFolder.open(other).read("last")["counters"]["step"] == 12
    assert any("/weights/" in path for path in compare(parent, other, branch=True))
    made = nursery.run("resume", parent, "--from", "start", "--set", "width=8", "--steps", 3, "--out", wider, "-q")
    assert made.code == 0, made.err
    folder = RunFolder.open(wider)
    changes = {"G.width": 8, "D.width": 8}
    assert folder.info["parent"] == {"run": str(parent), "checkpoint": "start", "step": 0, "changes": changes}
    assert folder.read("last")["counters"]["step"] == 3
    made = nursery.run("resume", parent, "--from", "start", "--set", "size=32", "--out", tmp_path / "larger", "-q")
    assert made.code == 0, made.err
    assert RunFolder.open(tmp_path / "larger").info["data"]["shape"] == [1, 32, 32]


def test_from_best_begins_where_the_best_was(nursery: Any, parent: Path, tmp_path: Path) -> None:
    best = RunFolder.open(parent).read("best")["counters"]["step"]
    branch = tmp_path / "branch"
    assert nursery.run("resume", parent, "--from", "best", "--steps", "+1", "--out", branch, "-q").code == 0
    assert RunFolder.open(branch).info["parent"]["step"] == best
    assert RunFolder.open(branch).read("last")["counters"]["step"] == best + 1


@pytest.mark.parametrize("name", ["999", "bset", "step-4"])
def test_an_unknown_checkpoint_is_one_line_with_those_that_are_there(name: str, nursery: Any, parent: Path) -> None:
    refused = nursery.run("resume", parent, "--from", name)
    assert refused.code == 2
    assert f"it has: {', '.join(RunFolder.open(parent).checkpoints())}" in refused.line


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["--set", "width=8"], "shapes the network, which a branch keeps"),
        (["--set", "size=32"], "size shapes what the networks see, which a branch keeps"),
        (["--set", "value_range=0,1"], "value_range shapes what the networks see, which a branch keeps"),
        (["--set", "direction=B2A"], "direction shapes what the networks see, which a branch keeps"),
        (["--set", "only_class=cat"], "has no class 'cat'"),
        (["--set", "lrr=1"], "did you mean lr?"),
        (["--lr", "nan"], "lr is nan"),
        (["--lr", "-1"], "greater than or equal to 0"),
        (["--batch", "0"], "greater than or equal to 1"),
        (["--steps", "0"], "above 0"),
        (["--steps", "5", "--minutes", "1"], "one length"),
        (["--data", "ring"], "no option --data"),
    ],
)
def test_what_a_branch_can_not_change_is_one_line_and_writes_nothing(
    change: list[str], words: str, nursery: Any, parent: Path, tmp_path: Path
) -> None:
    refused = nursery.run("resume", parent, "--from", 4, *change, "--out", tmp_path / "branch")
    assert refused.code == 2, refused.err
    assert words in refused.line
    assert not (tmp_path / "branch").exists()


# Stages


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen colour images, one of them held out: an epoch of batch 5 is three steps."""
    folder = tmp_path_factory.mktemp("faces")
    random = np.random.default_rng(0)
    for index in range(16):
        Image.fromarray(random.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(folder / f"{index:02d}.png")
    return folder


@pytest.fixture(scope="module")
def staged(nursery: Any, faces: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[object], Path]:
    command: list[object] = ["train", "dcgan-faces", "--data", f"folder:{faces}", "-q"]
    command += options(width=2, batch=5, grid=4, grid_epochs=10, score_images=10_000)
    run = tmp_path_factory.mktemp("staged") / "run"
    ended = nursery.run(*command, "--out", run, faults=[EACH_STEP])
    assert ended.code == 0, ended.err
    assert RunFolder.open(run).read("last")["counters"]["step"] == 90  # 5 + 5 + 10 + 10 epochs of 3 steps
    return command, run


@pytest.mark.parametrize("step", [7, 15, 40])
def test_a_run_in_stages_is_resumed_within_and_between_them(
    step: int,
    nursery: Any,
    staged: tuple[list[object], Path],
    compare: Compare,
    numbers: Callable[[Path], dict[Any, dict[str, Any]]],
    tmp_path: Path,
) -> None:
    command, whole = staged
    run = tmp_path / "run"
    assert nursery.run(*command, "--out", run, faults=[EACH_STEP, stop(step)]).code == 130
    assert nursery.run("resume", run, "-q", faults=[EACH_STEP]).code == 0
    assert compare(whole, run) == []
    rates = {step: numbers(run)["step", step]["lr"]["G"] for step in (1, 15, 16, 60, 61, 90)}
    assert rates == {1: 2e-4, 15: 2e-4, 16: 1e-4, 60: 1e-4, 61: 1e-5, 90: 1e-5}
    assert [event["step"] for event in api.open_run(run).events() if event["event"] == "stage"] == [0, 15, 30, 60]


def test_a_branch_of_a_run_in_stages_keeps_those_that_remain(
    nursery: Any,
    staged: tuple[list[object], Path],
    compare: Compare,
    numbers: Callable[[Path], dict[Any, dict[str, Any]]],
    tmp_path: Path,
) -> None:
    command, whole = staged
    run, same, other = (tmp_path / name for name in ("run", "same", "other"))
    assert nursery.run(*command, "--out", run, faults=[EACH_STEP, stop(7)]).code == 130
    assert nursery.run("resume", run, "--out", same, "-q", faults=[EACH_STEP]).code == 0
    assert compare(whole, same, branch=True) == []
    assert nursery.run("resume", run, "--set", "D.lr=3e-4", "--out", other, "-q", faults=[EACH_STEP]).code == 0
    rates = {step: numbers(other)["step", step]["lr"] for step in (8, 15, 16, 60, 61, 90)}
    assert {rate["D"] for rate in rates.values()} == {3e-4}  # what was asked for, no stage sets back
    assert [rate["G"] for rate in rates.values()] == [2e-4, 2e-4, 1e-4, 1e-4, 1e-5, 1e-5]
    assert max(step for _, step in numbers(other)) == 90


def test_half_the_batch_makes_each_remaining_stage_twice_as_long(
    nursery: Any, staged: tuple[list[object], Path], tmp_path: Path
) -> None:
    """What was left of the first stage were 8 steps of 5 images; then an epoch of batch 1 is 15 steps."""
    command, _ = staged
    run, branch = tmp_path / "run", tmp_path / "branch"
    assert nursery.run(*command, "--out", run, faults=[stop(7)]).code == 130
    made = nursery.run("resume", run, "--batch", 1, "--out", branch, "-q", faults=[stop(60)])
    assert made.code == 130, made.err
    stages = RunFolder.open(branch).info["recipe"]["stages"]
    assert [(stage["steps"], stage["epochs"]) for stage in stages] == [(40, None), (None, 5), (None, 10), (None, 10)]
    assert RunFolder.open(branch).info["horizon"] == {"steps": 7 + 5 * 83, "images": 90 * 5}


# Data


@pytest.mark.parametrize("change", [["--steps", "+1"], ["--lr", "1e-5", "--steps", "+1"]])
def test_other_data_under_the_same_name_is_refused(change: list[str], nursery: Any, tmp_path: Path) -> None:
    data, run = tmp_path / "data", tmp_path / "run"
    data.mkdir()
    for index in range(6):
        Image.new("L", (28, 28), 40 * index).save(data / f"{index}.png")
    settings = options(width=2, batch=2, grid=4)
    trained = nursery.run("train", "dcgan-digits", "--data", data, "--steps", 2, *settings, "--out", run, "-q")
    assert trained.code == 0, trained.err
    Image.new("L", (28, 28), 255).save(data / "new.png")
    refused = nursery.run("resume", run, *change, "-q")
    assert refused.code == 2
    assert f"folder:{data} is not the data that {run} began with" in refused.line
    for path in data.iterdir():
        path.unlink()
    data.rmdir()
    assert nursery.run("resume", run, *change, "-q").code == 2
    assert nursery.processes[-1].line
