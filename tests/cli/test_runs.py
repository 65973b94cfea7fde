"""Training from the command line, end to end: what it prints, what it leaves behind, how it ends."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from zerosum.cli import main
from zerosum.networks.layers import product

SMALL = ["--data", "digits", "--batch", "16", "--set", "width=8"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RANK", raising=False)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of three steps; tests read it and branch from it, and write elsewhere."""
    path = tmp_path_factory.mktemp("trained") / "run"
    assert main(["train", "dcgan-digits", *SMALL, "--steps", "3", "--out", str(path), "--quiet"]) == 0
    return path


def test_run_json_says_which_path_the_run_took(trained: Path) -> None:
    taken = json.loads((trained / "run.json").read_text())["device"]
    folded = {name: len(paths["few channels, folded"]) for name, paths in taken["paths"].items()}
    assert folded == {"G": 1, "D": 2}  # G's end; D's two ends
    assert taken["threads"] >= 1
    assert isinstance(taken["instructions"], str)
    assert isinstance(taken["keeps_memory"], bool)
    assert taken["products"] == ("oneDNN" if product.AVAILABLE else "torch")
    assert taken["graphs"] is False  # a CPU has none


def contents(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_train_says_how_it_ended_where_everything_lies_and_what_to_type(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["train", "dcgan-digits", *SMALL, "--steps", "3", "--out", "my run"]) == 0
    out, _ = capsys.readouterr()
    assert "Done: 3 steps, 48 images in" in out
    places = re.findall(r"^  \w+ +(my run/.+)$", out, re.MULTILINE)
    assert len(places) >= 4
    assert all((tmp_path / place).exists() for place in places)
    preview = out.partition("Done:")[0]
    assert len(preview.splitlines()) > 10
    commands = re.findall(r"^  zerosum (.+)$", out, re.MULTILINE)
    assert [command.split()[0] for command in commands] == ["sample", "resume"]
    for command in commands:
        arguments = [one.replace("+2", "+0.001") for one in shlex.split(command)]
        assert main(arguments) == 0
    assert (tmp_path / "samples.png").exists()


def test_quiet_prints_the_run_folder_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "dcgan-digits", *SMALL, "--steps", "2", "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert Path(out.strip(), "run.json").exists()
    assert out.count("\n") == 1
    assert err == ""


def test_settings_reach_the_recipe_by_option_and_by_name(tmp_path: Path) -> None:
    options = ["--lr", "1e-3", "--beta1", "0", "--seed", "7", "--flip", "--set", "D.lr=2e-3", "--set", "grid_at=1,2"]
    # lr for every player first, then D's own: the order of the command line's two ways to say it.
    assert main(["train", "dcgan-digits", *SMALL, "--steps", "2", "--out", "run", "-q", *options]) == 0
    recipe = json.loads((tmp_path / "run" / "run.json").read_text())["recipe"]
    assert (recipe["seed"], recipe["flip"], recipe["batch"], recipe["steps"]) == (7, True, 16, 2)
    assert recipe["grid_at"] == [1, 2]
    assert [recipe["players"][name]["lr"] for name in "GD"] == [1e-3, 2e-3]
    assert [recipe["players"][name]["betas"][0] for name in "GD"] == [0, 0]
    assert [recipe["players"][name]["args"]["width"] for name in "GD"] == [8, 8]


def test_a_run_folder_that_exists_is_refused_and_left_as_it_is(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(trained)
    assert main(["train", "dcgan-digits", *SMALL, "--steps", "3", "--out", str(trained)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert contents(trained) == before


def test_resume_with_another_rate_makes_a_branch_and_leaves_the_parent(trained: Path, tmp_path: Path) -> None:
    before = contents(trained)
    assert main(["resume", str(trained), "--steps", "+2", "--lr", "1e-5", "--out", "branch", "-q"]) == 0
    info = json.loads((tmp_path / "branch" / "run.json").read_text())
    assert info["parent"]["step"] == 3
    assert info["recipe"]["players"]["G"]["lr"] == 1e-5
    assert contents(trained) == before


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("resume RUN", "--steps +N"),
        ("resume RUN --from 2 --steps +1", "step-000002"),
        ("resume RUN --steps +1 --minutes +1", "--minutes and --steps"),
        ("resume RUN --steps -1", "-1"),
        ("resume RUN --steps +1 --set width=9", "width"),
        ("resume RUN --steps +1 --lr nan", "nan"),
        ("sample RUN --class 3", "class"),
        ("sample RUN --checkpoint worst", "worst"),
        ("sample RUN --out a.jpg", ".jpg"),
        ("sample RUN -n 0", "1"),
        ("walk RUN --out a.txt", "a.txt"),
    ],
)
def test_what_a_run_can_not_do_is_one_line_and_changes_nothing(
    line: str, word: str, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(trained)
    assert main([str(trained) if part == "RUN" else part for part in line.split()]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert word in err
    assert contents(trained) == before
    assert not list(Path().iterdir())


def test_a_class_that_the_data_does_not_have_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    small = ["--set", "G.units=16", "--set", "y_units=16", "--batch", "16", "--steps", "1"]
    assert main(["train", "cgan", "--data", "digits", *small, "--out", "run", "-q"]) == 0
    capsys.readouterr()
    assert main(["sample", "run", "--class", "11", "--out", "eleven.png"]) == 2
    err = capsys.readouterr().err
    assert "'11'" in err
    assert "0, 1, 2" in err
    assert not (tmp_path / "eleven.png").exists()
    assert main(["sample", "run", "--class", "3", "-n", "4", "--out", "three.png"]) == 0
    assert capsys.readouterr().out == "three.png\n"


def test_compare_prints_a_table_or_one_document(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["resume", str(trained), "--steps", "+1", "--lr", "1e-5", "--out", "branch", "-q"]) == 0
    capsys.readouterr()
    assert main(["compare", str(trained), "branch", "--json"]) == 0
    out, err = capsys.readouterr()
    assert len(json.loads(out)) == 2
    assert "compare.png" in err
    assert Path("compare.png").exists()
    assert main(["compare", str(trained), "branch", "--out", "other.png"]) == 0
    text = capsys.readouterr().out
    assert "G.lr=1e-05" in text
    assert text.strip().endswith("other.png")


def test_a_fleet_shows_one_sample_of_each_model(capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--set", "width=8", "--batch", "8", "--steps", "1"]
    assert main(["train", "dcgan-digits", "--data", "digits", "--per-class", *small, "--out", "fleet"]) == 0
    out = capsys.readouterr().out
    assert "Done: 10 of 10 models" in out
    assert len(out.partition("Done:")[0].splitlines()) < 40
    assert len(re.findall(r"^  model +fleet/", out, re.MULTILINE)) == 10


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_with_its_own_code_and_says_how_to_go_on(number: int, code: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "zerosum", "train", "dcgan-digits", *SMALL, "--out", "run"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    events = tmp_path / "run" / "events.jsonl"
    deadline = time.monotonic() + 60
    while not (events.exists() and '"event": "step"' in events.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "Stopped:" in out
    assert "zerosum resume run" in out
    assert "Traceback" not in err


def test_two_processes_speak_with_one_voice(tmp_path: Path) -> None:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "zerosum"]
    command = [*torchrun, "train", "dcgan-digits", *SMALL, "--steps", "2", "--out", "run"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Done: 2 steps, 32 images") == 1
    assert done.stderr.count("finished at step 2") == 1
