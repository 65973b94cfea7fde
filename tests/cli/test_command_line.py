"""The command line as a user meets it: quick answers, one line for an error, the right exit code, nothing written."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from zerosum import __version__
from zerosum.cli import main
from zerosum.cli.app import _explain, app
from zerosum.recipes import names, recipe

ROOT = Path(__file__).resolve().parents[2]
QUICK = [
    "--help",
    "--version",
    "recipes",
    "recipes --json",
    "data show digits",
    "train --help",
    "project --help",
    "train dcgan-lit",
]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RANK", raising=False)


def fails(capsys: pytest.CaptureFixture[str], line: str) -> str:
    """The one line that a wrong command line gets; nothing on standard output, nothing written."""
    assert main(shlex.split(line)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("zerosum: ")
    assert err.count("\n") == 1
    assert not list(Path().iterdir())
    return err


@pytest.mark.parametrize("line", QUICK)
def test_answers_within_half_a_second_and_without_torch(line: str, tmp_path: Path) -> None:
    code = (
        "import resource, sys, zerosum.cli; zerosum.cli.main(sys.argv[1:]); "
        "used = resource.getrusage(resource.RUSAGE_SELF); "
        "heavy = {'torch', 'matplotlib', 'scipy'} & sys.modules.keys(); "
        "sys.stderr.write(f'{used.ru_utime + used.ru_stime} {len(heavy)}')"
    )

    def measured() -> tuple[float, int]:
        command = [sys.executable, "-c", code, *line.split()]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
        seconds, heavy = done.stderr.split()[-2:]
        return float(seconds), int(heavy)

    # Time of the processor, the best of a few: another process on the same cores does not count.
    best = 60.0
    for _ in range(6):
        seconds, heavy = measured()
        assert heavy == 0
        best = min(best, seconds)
        if best < 0.5:
            break
    assert best < 0.5


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("train dcgan-lite --lr -1", ["lr", "-1"]),
        ("train dcgan-lite --lr nan", ["lr", "nan", "finite"]),
        ("train dcgan-lite --batch 0", ["batch", "0", "1"]),
        ("train dcgan-lite --beta1 1", ["betas", "1"]),
        ("train dcgan-lite --steps 0", ["steps", "0"]),
        ("train dcgan-lite --minutes -1", ["minutes", "-1"]),
        ("train dcgan-lit", ["'dcgan-lit'", "did you mean dcgan-lite?"]),
        ("train dcgan-lite --set G.network=quik-generator", ["did you mean quick-generator?"]),
        ("train dcgan-k2 --data digits --set dropout=1.5", ["dcgan-k2-discriminator", "dropout", "1.5"]),
        ("train dcgan-k2 --set dropout=NaN", ["dropout", "nan", "finite"]),
        ("train quick --precision 16-mixed", ["16-mixed", "bf16-mixed"]),
        ("train dcgan-lite --set G.lrr=1", ["'G.lrr'", "did you mean G.lr?"]),
        ("train dcgan-lite --set lr", ["expected KEY=VALUE"]),
        ("train dcgan-lite --lr 1e-3 --set lr=1e-4", ["lr is set twice"]),
        ("train dcgan-lite --size 17", ["size 17", "28"]),
        ("train dcgan-digits --data digits --size 17", ["size 17", "28"]),
        ("train dcgan-lite --steps 5 --minutes 1", ["--minutes and --steps", "one"]),
        ("train dcgan-lite --data digitz", ["'digitz'", "did you mean digits?"]),
        ("train dcgan-lite --data folder:nowhere", ["nowhere", "folder, tar or zip"]),
        ("train --data ''", ["no data source ''", "digits"]),
        ("train dcgan-lite --data digits --batch 1000000", ["1,000,000", "GiB", "lower --batch"]),
        ("train dcgan-faces", ["--data folder:PATH"]),
        ("train dcgan-lite --data ring", ["ring", "points"]),
        ("train quick-points --data digits", ["digits", "images"]),
        ("train gan --data ring --size 28", ["ring", "no size"]),
        ("train dcgan-lite --data digits --keep 0", ["--keep", "1"]),
        ("train dcgan-lite --device tpu", ["--device", "cpu", "cuda"]),
        ("train dcgan-lite --learning-rate 1", ["--learning-rate"]),
        ("train dcgan-lite --bach 1", ["--bach", "did you mean --batch?"]),
        ("trian", ["'trian'", "did you mean train?"]),
        ("data", ["data --help"]),
        ("data shew digits", ["shew"]),
        ("resume nowhere", ["nowhere"]),
        ("sample nowhere", ["nowhere"]),
        ("sample", ["RUN"]),
        ("walk nowhere", ["nowhere"]),
        ("report nowhere", ["nowhere"]),
        ("compare one", ["one is not the folder of a run"]),
        ("recipes dcgan", ["'dcgan'"]),
        ("recipes --diagram net.svg", ["--diagram", "name"]),
        ("recipes dcgan-lite --diagram net.png", [".svg"]),
        ("data show nowhere/at/all", ["nowhere/at/all"]),
    ],
)
def test_wrong_input_gets_one_line_and_exit_code_2(
    line: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    err = fails(capsys, line)
    assert all(word in err for word in words), err


def test_an_unexpected_error_is_one_line_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> list[str]:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("zerosum.recipes.names", broken)
    assert main(["recipes"]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "ZeroDivisionError: a bug" in err
    assert "--debug" in err
    assert main(["recipes", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_debug_shows_where_a_wrong_input_was_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--debug", "train", "dcgan-lit"]) == 2
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert err.strip().splitlines()[-1] == "zerosum: no recipe 'dcgan-lit'; did you mean dcgan-lite?"


def test_an_interrupt_ends_with_130(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> list[str]:
        raise KeyboardInterrupt

    monkeypatch.setattr("zerosum.recipes.names", interrupted)
    assert main(["recipes"]) == 130
    assert capsys.readouterr().err == "zerosum: stopped\n"


def test_of_several_ranks_only_the_first_names_a_wrong_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    assert main(["train", "dcgan-lit"]) == 2
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("line", ["recipes", "--help", "data show ring"])  # plain, by Typer, by rich
def test_a_closed_pipe_is_no_error(line: str, tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "zerosum", *line.split()]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False, cwd=tmp_path)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"zerosum {__version__}\n"
    assert main([]) == 0
    text = capsys.readouterr().out
    commands = ["train", "resume", "sample", "walk", "compare", "data", "recipes", "report"]
    places = [re.search(rf"^\W*{name} ", text, re.MULTILINE) for name in commands]
    starts = [place.start() for place in places if place]
    assert len(starts) == len(commands)
    assert starts == sorted(starts)  # what a newcomer needs first stands first


def test_recipes_lists_every_recipe_with_what_it_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes"]) == 0
    text = capsys.readouterr().out
    rows = {line.split()[0]: line for line in text.splitlines() if line}
    for name in names():
        assert recipe(name).title in rows[name]
        assert recipe(name).source in rows[name]
    assert "a folder of images, 64x64, colour" in rows["dcgan-faces"]
    assert "with labels" in rows["cgan"]


def test_json_of_recipes_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", "--json"]) == 0
    out, err = capsys.readouterr()
    assert [one["name"] for one in json.loads(out)] == names()
    assert {"name", "title", "source", "needs"} == json.loads(out)[0].keys()
    assert err == ""


def test_one_recipe_shows_every_setting_and_every_layer(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["recipes", "dcgan-k2", "--diagram", "k2.svg"]) == 0
    text = capsys.readouterr().out
    for key in recipe("dcgan-k2").keys():  # noqa: SIM118  (a Recipe is no mapping)
        assert re.search(rf"^  {re.escape(key)} ", text, re.MULTILINE), key
    assert re.search(r"^  G\.betas +\[0\.5, 0\.999\]$", text, re.MULTILINE)
    # By hand: the convolution over 28x28 with one bias, and all of G: 316,736 + 36,928 + 18,464 + 25,089.
    assert re.search(r"conv 28x28, stride 1, same +1x28x28 +25,089 +19,668,992$", text, re.MULTILINE)
    assert "397,217 parameters" in text
    assert (tmp_path / "k2.svg").read_text(encoding="utf-8").startswith("<svg")


def test_json_of_one_recipe_gives_the_recipe_back(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", "dcgan-k2", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    extra = {"needs", "settings", "networks"}
    fields = {key: value for key, value in document.items() if key not in extra}
    assert type(recipe("dcgan-k2")).from_dict(fields) == recipe("dcgan-k2")
    assert document["networks"]["G"]["parameters"] == 397_217
    assert document["settings"]["d_every"] == 2


def test_every_setting_that_recipes_shows_can_be_set_as_it_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    for name in names():
        found = recipe(name)
        assert main(["recipes", name]) == 0
        lines = re.findall(r"^  (\S+) +(\S.*)$", capsys.readouterr().out.split("\nG  ")[0], re.MULTILINE)
        lengths = {"epochs", "steps", "minutes"}
        shown = {key: value for key, value in lines if key not in lengths}
        assert len(shown) > 30
        assert found.override(shown) == found


def test_data_show_writes_a_grid_and_says_what_is_there(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["data", "show", "digits", "--out", "five.png"]) == 0
    text = capsys.readouterr().out
    assert "images of 28x28 pixels, grey (N, 28, 28, 1)" in text
    assert "uint8, 0 to 255" in text
    assert "10: 0 (1,001), 1 (1,127)" in text  # of MNIST's first 10,000
    assert (tmp_path / "five.png").read_bytes().startswith(b"\x89PNG")


def test_json_of_data_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "show", "ring", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["shape"] == [2]
    assert Path(facts["picture"]).exists()
    assert main(["data", "check", "digits", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True


def test_data_check_names_what_is_wrong(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    import numpy as np
    from PIL import Image

    folder = tmp_path / "pictures"
    folder.mkdir()
    for index in range(12):
        pixels = np.random.RandomState(min(index, 10)).randint(0, 256, (32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{index:02}.png")
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "notes.png").write_text("no picture")
    assert main(["data", "check", "folder:pictures"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"empty\.jpg +\S", text)
    assert re.search(r"notes\.png +\S", text)
    assert "11.png" in text
    assert "the same pixels as" in text


def test_the_documentation_has_every_command_and_every_option() -> None:
    import typer

    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    group = typer.main.get_command(app)
    found = []
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        assert f"zerosum {name}" in page
        for one in getattr(command, "commands", {"": command}).values():
            found += [option for parameter in one.params for option in parameter.opts if option.startswith("--")]
    missing = {option for option in found if option not in ("--help", "--number") and option not in page}
    assert not missing


def test_the_readme_has_the_table_of_recipes() -> None:
    from zerosum.cli.commands.recipes import needs

    rows = [(f"`{name}`", recipe(name).title, needs(recipe(name)), recipe(name).source) for name in names()]
    lines = ["| recipe | what | needs | source |", "|---|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = readme.partition("with `zerosum recipes` -->\n")[2].partition("\n<!-- /recipes")[0]
    assert table.splitlines() == lines, "the table should be:\n" + "\n".join(lines)


def test_one_image_is_nothing_to_learn_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path.parent / f"{tmp_path.name}-one"
    folder.mkdir()
    Image.new("RGB", (32, 32), "red").save(folder / "red.png")
    told = fails(capsys, f"train quick --data folder:{folder} --steps 1 --out run -q")
    assert "has one sample to train on: a game needs at least two" in told


@pytest.mark.parametrize(
    ("told", "expected"),
    [({}, "20000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "passive"}, "None")],
)
def test_threads_sleep_soon_where_the_user_says_nothing(told: dict[str, str], expected: str) -> None:
    kept = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    code = "import os, sys, zerosum.cli; assert 'torch' not in sys.modules; print(os.environ.get('GOMP_SPINCOUNT'))"
    done = subprocess.run([sys.executable, "-c", code], env=kept | told, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == expected


def test_what_a_macs_gpu_cannot_do_is_a_line_with_the_way_round(capsys: pytest.CaptureFixture[str]) -> None:
    torchs = "The operator 'aten::x' is not currently implemented for the MPS device. If you want it, set a variable"
    assert _explain(NotImplementedError(torchs), debug=False) == 1
    said = capsys.readouterr().err
    assert "'aten::x' is not currently implemented for the MPS device: a Mac's GPU can't do all" in said
    assert "use --device cpu" in said
    assert said.count("\n") == 1
    _explain(NotImplementedError("of ours"), debug=False)
    assert "this should not happen" in capsys.readouterr().err
