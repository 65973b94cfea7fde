"""What a finished run is for, on one small run: loading, sampling, walking, comparing, the page."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import zerosum
from zerosum.cli import main
from zerosum.cli.outcome import places
from zerosum.engine.run import RunFolder
from zerosum.errors import CheckpointError, UserError

SMALL = {"batch": 8, "G.width": 8, "D.width": 4, "grid": 20, "grid_steps": 3, "score_images": 32}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> zerosum.Run:
    """Six steps of `quick` with classes."""
    return zerosum.train("quick", "digits", steps=6, out=tmp_path_factory.mktemp("runs") / "a", settings=SMALL)


def test_a_run_folder_holds_what_the_design_says(run: zerosum.Run) -> None:
    there = {path.name for path in run.path.iterdir()}
    assert {"run.json", "events.jsonl", "tensorboard", "samples", "checkpoints", "report.html", "losses.png"} <= there
    grids = sorted(path.name for path in (run.path / "samples").glob("*.png"))
    assert grids == ["000000.png", "000003.png", "000006.png"]
    with Image.open(run.path / "samples" / "evolution.webp") as film:
        assert film.n_frames == 3  # type: ignore[attr-defined]
    info = json.loads((run.path / "run.json").read_text())
    assert info["horizon"] == {"steps": 6, "images": 48}
    assert info["recipe"]["data"] == "digits"
    assert info["parent"] is None
    assert {"best", "last", "previous"} <= set(run.checkpoints())


def test_events_tell_the_run_from_start_to_end(run: zerosum.Run) -> None:
    kinds = [event["event"] for event in run.events()]
    assert kinds[0] == "start"
    assert kinds[-1] == "end"
    steps = [event["step"] for event in run.events() if event["event"] == "step"]
    assert (steps[0], steps[-1]) == (1, 6)  # on a slow machine two seconds may pass in between
    assert {"grid", "held_out", "score", "checkpoint"} <= set(kinds)
    assert run.end is not None
    assert run.end["reason"] == "finished"
    held = next(event for event in run.events() if event["event"] == "held_out")
    assert held["dis_acc"] == pytest.approx((held["d_real"] + 1 - held["d_fake"]) / 2)
    assert held["gan_acc"] == held["d_fake"]


def test_a_fresh_process_that_knows_only_the_folder_draws_the_same(run: zerosum.Run, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    shutil.copytree(run.path / "checkpoints" / "last", moved)
    code = (
        "import sys, numpy, torch, zerosum; torch.set_num_threads(1); "
        "numpy.save(sys.argv[2], zerosum.load(sys.argv[1]).sample(10, seed=3))"
    )
    subprocess.run([sys.executable, "-c", code, str(moved), str(tmp_path / "x.npy")], check=True)
    ours = run.sample(10, seed=3, checkpoint="last").astype(int)
    assert np.abs(np.load(tmp_path / "x.npy").astype(int) - ours).max() <= 1  # rounding where threads differ


def test_the_generator_is_the_average_and_not_the_raw_weights(run: zerosum.Run) -> None:
    state = run.state("last")
    loaded = run.generator("last").network.state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in state["ema"].items())
    assert any(not torch.equal(loaded[name], value) for name, value in state["weights"]["G"].items())


def test_the_same_seed_draws_the_same_and_another_does_not(run: zerosum.Run) -> None:
    assert np.array_equal(run.sample(4, seed=1), run.sample(4, seed=1))
    assert not np.array_equal(run.sample(4, seed=1), run.sample(4, seed=2))


def test_a_class_is_drawn_by_name_or_number_and_an_unknown_one_is_refused(run: zerosum.Run) -> None:
    assert np.array_equal(run.sample(4, label="7"), run.sample(4, label=7))
    assert not np.array_equal(run.sample(4, label="7"), run.sample(4, label="8"))
    with pytest.raises(UserError, match="there is no class 'cat'; expected one of: 0, 1"):
        run.sample(4, label="cat")


def test_a_number_counts_where_it_is_no_name(run: zerosum.Run) -> None:
    generator = run.generator()
    generator.classes = ("cat", "2", "dog", *"3456789")
    assert [generator.label(name) for name in ("cat", "0", 0, "1", "2", 2, "9")] == [0, 0, 0, 1, 1, 1, 9]
    for name in ("10", 10, "-1", -1, "1.0", "bird"):
        with pytest.raises(UserError, match="there is no class"):
            generator.label(name)


@pytest.mark.parametrize("name", ["grid.png", "many.npz", "folder"])
def test_samples_go_where_the_name_says(run: zerosum.Run, tmp_path: Path, name: str) -> None:
    out = zerosum.sample(run.path, 20, out=tmp_path / name)
    if name.endswith("png"):
        with Image.open(out) as grid:
            assert grid.width > 2 * 28  # two columns: a row for each of ten classes
    elif name.endswith("npz"):
        with np.load(out) as found:
            assert found["images"].shape == (20, 28, 28, 1)
            assert found["images"].dtype == np.uint8
            assert sorted(set(found["labels"].tolist())) == list(range(10))
    else:
        assert len(list(out.glob("*.png"))) == 20


def test_a_grid_has_rows_by_class_while_they_are_short(run: zerosum.Run, tmp_path: Path) -> None:
    sizes = {}
    for n in (640, 650):
        with Image.open(zerosum.sample(run.path, n, out=tmp_path / f"{n}.png")) as grid:
            sizes[n] = grid.size
    assert sizes[640][0] > 64 * (28 + 2)  # 28 pixels and a gutter of 2, beside the names
    assert sizes[640][1] == 10 * (28 + 2) + 2
    assert sizes[650] == (26 * (56 + 2) + 2, 25 * (56 + 2) + 2)


def test_a_seed_of_more_than_64_bits_is_one_line(run: zerosum.Run, tmp_path: Path) -> None:
    for seed in (2**64, -(2**63) - 1, 10**30):
        with pytest.raises(UserError, match=f"seed is {seed}; expected a whole number of 64 bits"):
            zerosum.sample(run.path, 1, seed=seed, out=tmp_path / "a.png")
        with pytest.raises(UserError, match=f"seed is {seed}"):
            zerosum.walk(run.path, seed=seed, out=tmp_path / "a.gif")
    assert list(tmp_path.iterdir()) == []
    for edge in (2**64 - 1, -(2**63)):
        assert run.sample(1, seed=edge).shape == (1, 28, 28, 1)


def test_a_device_that_is_not_there_is_one_line(run: zerosum.Run) -> None:
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "nonsense": False}
    for name in (name for name, known in there.items() if not known):
        with pytest.raises(UserError, match=f"device {name} can't be used here .*: use cpu") as caught:
            run.generator(device=name)
        assert "\n" not in str(caught.value)


def test_places_that_can_not_be_written_are_one_line_from_every_command(
    run: zerosum.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    under, again = tmp_path / "file" / "x", tmp_path / "again"
    shutil.copytree(run.path, again)
    (again / "report.html.new").mkdir()
    commands = [
        ["sample", run.path, "-n", 2, "--out", f"{under}.png"],
        ["sample", run.path, "-n", 2, "--out", f"{under}.npz"],
        ["sample", run.path, "-n", 2, "--out", under],
        ["walk", run.path, "--out", f"{under}.gif"],
        ["compare", run.path, run.path, "--out", f"{under}.png"],
        ["compare", run.path, run.path, "--out", "a.foo"],
        ["recipes", "quick", "--diagram", f"{under}.svg"],
        ["report", again],
    ]
    for command in commands:
        assert main([str(part) for part in command]) == 2, command
        _, err = capsys.readouterr()
        assert err.count("\n") == 1
        assert "can't" in err
        assert "should not happen" not in err


def test_step_checkpoints_go_by_their_number(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run", {})
    names = ["last", "best-coverage", "step-000500", "step-999999", "step-1000000", "step-10000000"]
    for name in names:
        folder.write(name, {"counters": {"step": 1}})
    assert folder.checkpoints() == names
    (folder.checkpoint_path("last") / "state.json").unlink()
    with pytest.raises(CheckpointError, match="; 10000000 is whole: `resume --from 10000000`, or `sample --checkpoint"):
        folder.read("last")
    folder.prune(2)
    assert folder.checkpoints() == ["last", "best-coverage", "step-1000000", "step-10000000"]


def test_the_samples_to_open_are_the_latest(tmp_path: Path) -> None:
    (tmp_path / "samples").mkdir()
    for step in (500, 999_999, 1_000_000):
        (tmp_path / "samples" / f"{step:06d}.png").touch()
    assert places(tmp_path) == [("samples", tmp_path / "samples" / "1000000.png")]


def test_a_walk_is_an_animation_that_ends_where_it_begins(run: zerosum.Run, tmp_path: Path) -> None:
    out = zerosum.walk(run.path, out=tmp_path / "walk.gif", keyframes=2, steps=3, walks=4)
    with Image.open(out) as film:
        assert film.n_frames == 6  # type: ignore[attr-defined]


def test_compare_ranks_two_runs_from_the_same_z(run: zerosum.Run, tmp_path: Path) -> None:
    other = zerosum.resume(run.path, steps=2, settings={"lr": 1e-4}, out=tmp_path / "b")
    rows = zerosum.compare([run.path, other.path], out=tmp_path / "compare.png")
    assert len(rows) == 2
    assert Image.open(tmp_path / "compare.png").width > 200
    with pytest.raises(UserError, match="at least two"):
        zerosum.compare([run.path])


def test_a_branch_names_its_parent_and_leaves_it_alone(run: zerosum.Run, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in sorted(run.path.rglob("*")) if path.is_file()}
    branch = zerosum.resume(run.path, steps=2, settings={"G.lr": 1e-4, "r1": 1.0}, out=tmp_path / "branch")
    assert branch.info["parent"] == {
        "run": str(run.path.resolve()),
        "checkpoint": "last",
        "step": 6,
        "changes": {"G.lr": 1e-4, "r1": 1.0},
    }
    assert branch.end is not None
    assert branch.end["step"] == 8
    after = {path: path.read_bytes() for path in sorted(run.path.rglob("*")) if path.is_file()}
    assert before == after


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    torch.save({"weights": torch.ones(3)}, tmp_path / "model.pth")
    with pytest.raises(CheckpointError, match="unpickling runs code"):
        zerosum.load(tmp_path / "model.pth")


def test_what_is_no_run_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not the folder of a run"):
        zerosum.load(tmp_path)
    with pytest.raises(UserError, match="is not there"):
        zerosum.load(tmp_path / "nowhere")


def test_an_existing_out_is_refused_and_untouched(run: zerosum.Run) -> None:
    with pytest.raises(UserError, match="is there already"):
        zerosum.train("quick", "digits", steps=1, out=run.path, settings=SMALL)
    assert run.end is not None


def test_nothing_is_written_where_the_recipe_is_refused(tmp_path: Path) -> None:
    for bad in ({"batch": 0}, {"lr": "nan"}, {"no_such": 1}, {"size": 17}):
        with pytest.raises(UserError):
            zerosum.train("quick", "digits", steps=1, settings=bad, root=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_points_are_drawn_as_points(tmp_path: Path) -> None:
    run = zerosum.train("gan", "ring", steps=3, out=tmp_path / "ring", settings={"batch": 16})
    drawn = run.sample(50)
    assert drawn.shape == (50, 2)
    assert drawn.dtype == np.float32
    assert zerosum.sample(run.path, 50, out=tmp_path / "ring.png").exists()


@pytest.mark.parametrize("setting", [{"steps": 9}, {"minutes": 1}, {"stages": "[]"}])
def test_a_branch_refuses_a_length_among_its_settings(setting: dict[str, object], run: zerosum.Run) -> None:
    with pytest.raises(UserError, match=f"{next(iter(setting))} can't be set in a branch"):
        zerosum.resume(run.path, settings=setting)


def test_another_architecture_is_one_setting(tmp_path: Path) -> None:
    settings = {"G.network": "quick-generator", "G.width": 8, "batch": 8}
    run = zerosum.train("dcgan-lite", "digits", steps=1, out=tmp_path / "other", settings=settings)
    player = run.info["recipe"]["players"]["G"]
    assert (player["network"], player["args"]) == ("quick-generator", {"z_dim": 64, "width": 8})
    assert player["lr"] == 2e-4  # the rest of the recipe stays
    assert run.sample(2).shape == (2, 28, 28, 1)
    with pytest.raises(UserError, match="did you mean quick-generator"):
        zerosum.train("dcgan-lite", "digits", steps=1, settings={"G.network": "quik-generator"})


def test_logs_come_where_every_player_has_its_turn(tmp_path: Path) -> None:
    settings = {"batch": 4, "d_every": 3, "G.width": 8, "D.width": 8}
    run = zerosum.train("mlp", "digits", steps=160, out=tmp_path / "k3", settings=settings)
    logged = {event["step"]: event for event in run.events() if event["event"] == "step"}
    assert {51, 102, 150} <= set(logged)
    assert all(event["d_real"] is not None for step, event in logged.items() if step not in (1, 160))


def test_more_minutes_do_not_throw_the_rate_back_to_its_start(run: zerosum.Run, tmp_path: Path) -> None:
    shutil.copytree(run.path, tmp_path / "longer")
    rate = run.info["recipe"]["players"]["G"]["lr"]
    longer = zerosum.resume(tmp_path / "longer", minutes=run.state()["counters"]["seconds"] / 60)
    rates = [event["lr"]["G"] for event in longer.events() if event["event"] == "step" and event["step"] > 6]
    assert rates
    assert max(rates) < 0.6 * rate  # half of the longer run is over


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("quick", {"G.width": 4, "D.width": 4}),
        ("acgan", {"G.width": 4, "D.width": 4}),
        ("sngan", {"width": 4}),
        ("biggan", {"width": 4}),
    ],
)
def test_classes_are_the_subfolders_of_a_folder(name: str, settings: dict[str, float], tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for label in ("cats", "dogs", "owls"):
        (tmp_path / "data" / label).mkdir(parents=True)
        for index in range(6):
            picture = random.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(picture).save(tmp_path / "data" / label / f"{index}.png")
    told = {**settings, "size": 32, "batch": 4, "grid": 6}
    run = zerosum.train(name, f"folder:{tmp_path / 'data'}", steps=2, out=tmp_path / "run", settings=told)
    assert isinstance(run, zerosum.Run)
    assert run.info["data"]["classes"] == ["cats", "dogs", "owls"]
    with np.load(zerosum.sample(run.path, 4, label="owls", out=tmp_path / "owls.npz")) as drawn:
        assert drawn["labels"].tolist() == [2] * 4
    with np.load(zerosum.sample(run.path, out=tmp_path / "all.npz")) as drawn:  # 64 or near it, as many of each
        assert np.bincount(drawn["labels"]).tolist() == [21, 21, 21]
    with pytest.raises(UserError, match="no class 'owl'"):
        zerosum.sample(run.path, 1, label="owl")
