"""`zerosum bench` and what it is made of: turns, rates, counted operations, and the lines it prints."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

from zerosum.bench import keras, speed
from zerosum.bench.contestants import enter
from zerosum.bench.race import Result, race, race_of
from zerosum.bench.speed import Chore, Raced, chore, operations
from zerosum.cli import main
from zerosum.engine.engine import Engine
from zerosum.errors import ZerosumError


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_operations_of_dcgan_lite_are_those_worked_out_by_hand() -> None:
    G = [100 * 6272, 49 * 128 * 128 * 16, 196 * 128 * 128 * 16, 784 * 128 * 49]
    D = [196 * 9 * 64, 49 * 64 * 64 * 9, 7 * 7 * 64]
    # D's turn: half a batch of fakes is drawn, a whole batch judged, with gradients by all weights and all but the
    # first inputs. G's turn: forward and both gradients in G, forward and the gradient by the input in D.
    d_turn = sum(G) / 2 + sum(D) + sum(D) + sum(D[1:])
    g_turn = sum(G) + sum(G) + sum(G[1:]) + sum(D) + sum(D)
    assert operations("dcgan-lite") == pytest.approx(2 * (d_turn + g_turn) / 1e9, rel=1e-12)


def test_a_product_in_place_of_a_convolution_is_not_counted() -> None:
    assert operations("dcgan-k2") is None


def test_everybody_has_every_turn_and_rates_are_images_over_seconds() -> None:
    found = race(["zerosum", "plain"], "mlp", rounds=3, seconds=0.2)
    assert list(found) == ["zerosum", "plain"]
    for result in found.values():
        assert result.batch == 64
        assert len(result.rates) == 3
        assert result.spread[0] <= result.median <= result.spread[1]
        assert 100 < result.median < 1e6


def test_a_guest_that_can_not_run_is_left_out_and_anybody_else_is_missed() -> None:
    here = [
        sys.executable,
        "-c",
        "import sys; print('1.0 me', flush=True); [print(0.5, flush=True) for _ in sys.stdin]",
    ]
    gone = [sys.executable, "-c", "raise SystemExit(3)"]
    later = [
        *gone[:2],
        "print('1.0 it', flush=True); [print(input() and 0.5, flush=True) for _ in range(5)]; " + gone[2],
    ]
    for guest in (gone, later):  # the second one in its second turn
        found = race_of({"keras": guest, "zerosum": here}, rounds=3, seconds=1.0)
        assert {kind: len(result.rates) for kind, result in found.items()} == {"zerosum": 3}
        with pytest.raises(ZerosumError, match="the process that measures ended by itself, with 3"):
            race_of({"zerosum": here, "plain": guest}, rounds=3, seconds=1.0)


def test_the_plain_loop_has_nothing_of_what_an_engine_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """How memory is kept, above all: it would make the peer faster."""

    def refused(*told: object) -> None:
        raise AssertionError("an engine was made")

    monkeypatch.setattr("zerosum.bench.contestants.Engine", refused)
    peer = enter("plain", "mlp", "cpu", 1)
    peer.step()
    assert peer.batch == 64


def test_a_ratio_and_a_share_come_from_the_medians() -> None:
    def result(kind: str, *rates: float) -> Result:
        return Result(kind=kind, about="", batch=1, rates=list(rates))

    results = {
        "zerosum": result("zerosum", 10, 200, 30),
        "plain": result("plain", 15, 1, 20),
        "convolution": result("convolution", 50, 40, 60),
    }
    found = Raced(recipe="dcgan-lite", threads=1, device="cpu", results=results, operations=0.5)
    assert found.times("plain") == 2.0
    assert found.times("keras") is None
    assert found.achieved == 15.0
    assert found.share == pytest.approx(0.3)


def test_a_chore_is_a_command_with_its_memory_and_its_failure_is_told() -> None:
    done = chore("help", ["--help"])
    assert 0.05 < done.seconds < 60
    assert done.memory is not None
    assert 5 < done.memory < 2000
    with pytest.raises(ZerosumError, match="ended with 2"):
        chore("nonsense", ["no-such-command"])


def test_chores_are_done_on_the_device_that_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def chore(name: str, arguments: list[str], log: object, **told: object) -> Chore:
        asked.append(arguments)
        return Chore(name=name, seconds=1.0, memory=None)

    monkeypatch.setattr(speed, "chore", chore)
    speed.chores(samples=10, judged=10, threads=1, tell=lambda name: None, device="cuda")
    assert [arguments[0] for arguments in asked] == ["train", "sample", "eval", "eval"]
    assert all(arguments[-2:] == ["--device", "cuda"] for arguments in asked)


def test_the_limit_of_a_race_is_told_beside_its_rates(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = {"zerosum": 3.0, "plain": 2.0, "arithmetic": 4.5}
    results = {kind: Result(kind=kind, about="", batch=1, rates=[rate]) for kind, rate in rates.items()}
    found = Raced(recipe="mlp", threads=1, device="cpu", results=results, operations=None)
    monkeypatch.setattr(speed, "run_race", lambda *names, **told: found)
    monkeypatch.setattr(speed, "chores", lambda **told: [])
    assert main(["bench", "--recipe", "mlp"]) == 0
    assert "mlp: its convolutions and products alone would make 4 images/s here" in capsys.readouterr().out


def test_bench_prints_rates_and_waits(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras, "installed", lambda: False)
    few = speed.chores
    monkeypatch.setattr(speed, "chores", lambda **told: few(**{**told, "samples": 300, "judged": 300}))
    assert main(["bench", "--recipe", "mlp", "--rounds", "1", "--seconds", "0.1", "--threads", "1", "--json"]) == 0
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert [one["recipe"] for one in told["races"]] == ["mlp"]
    assert told["races"][0]["times_plain"] > 0.1
    assert [one["name"].partition(":")[0] for one in told["chores"]] == ["train", "sample", "eval", "eval"]
    assert all(one["seconds"] > 0 for one in told["chores"])
    assert "mlp: 1 rounds" in err


def test_a_missing_peer_is_named_with_the_way_to_get_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keras, "installed", lambda: False)
    result = Result(kind="zerosum", about="", batch=1, rates=[3.0])
    found = Raced(recipe="dcgan-lite", threads=1, device="cpu", results={"zerosum": result}, operations=None)
    monkeypatch.setattr(speed, "run_race", lambda *names, **told: found)
    monkeypatch.setattr(speed, "chores", lambda **told: [])
    assert main(["bench", "--recipe", "dcgan-lite"]) == 0
    assert "pip install tensorflow-cpu" in capsys.readouterr().out


def test_auto_is_measured_as_the_device_that_it_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def run_race(name: str, *, device: str, **told: object) -> Raced:
        asked.append(device)
        result = Result(kind="zerosum", about="", batch=1, rates=[3.0])
        return Raced(recipe=name, threads=1, device=device, results={"zerosum": result}, operations=None)

    monkeypatch.setattr(speed, "run_race", run_race)
    monkeypatch.setattr(speed, "chores", lambda **told: [])
    assert main(["bench", "--recipe", "mlp", "--device", "auto"]) == 0
    assert asked == [Engine("auto").device.type]


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that wrong arguments get."""
    assert main(["bench", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


def test_a_recipe_without_a_plain_loop_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert "dcgan-lite" in refused(capsys, "--recipe", "dcgan-lit")


@pytest.mark.skipif(torch.cuda.is_available(), reason="here it would be measured")
def test_a_device_that_is_not_here_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert "cuda" in refused(capsys, "--device", "cuda")
