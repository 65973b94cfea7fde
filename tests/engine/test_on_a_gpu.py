"""What only a GPU can show: real graphs of rounds, no waiting between logs, and the numbers of a CPU.

Left out, visibly, where there is none.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import torch

from zerosum import recipes
from zerosum.api.assemble import assemble, settle
from zerosum.cli import main
from zerosum.data import open_dataset
from zerosum.engine.engine import Device, Engine, Precision
from zerosum.engine.plan import Plan
from zerosum.engine.training import Training

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU that torch can use")

STEPS = 20
CASES: dict[str, dict[str, object]] = {
    "mlp": {"batch": 8},
    "dcgan-lite": {"batch": 8, "D.dropout": 0},  # masks come from the device's own generator
    "dcgan-k2": {"batch": 4, "D.dropout": 0},  # D plays in every second round
    "dcgan-faces": {"batch": 4, "width": 8},
    "quick": {"batch": 16, "penalty_every": 3, "ema": 0.9},  # a penalty now and then, and classes
    "wgan-gp": {"batch": 8},
}

STREETS, FLOWERS = "pairs:pairs/camvid128.tar", "unpaired:unpaired/daisy2sunflower128.tar"
TASKS: dict[str, tuple[str, dict[str, object]]] = {
    "pix2pix": (STREETS, {"width": 4, "G.dropout": 0}),
    "pix2pixhd": (
        STREETS,
        {"width": 4, "size": 64, "G.halvings": 2, "blocks": 1, "D.layers": 2, "scales": 2, "local_blocks": 1},
    ),
    "cyclegan": (FLOWERS, {"width": 4, "blocks": 1, "pool": 3}),
    "discogan": (FLOWERS, {"width": 4}),
    "stargan": (FLOWERS, {"width": 4, "blocks": 1}),
    "srgan": ("upscale:digits", {"blocks": 1, "units": 8}),
}


def training(
    name: str, device: Device, precision: Precision = "64-true", source: str = "digits", **told: object
) -> Training:
    recipe = recipes.recipe(name).override({"steps": STEPS, **told})
    source = "ring" if recipe.kind == "points" else source
    data = open_dataset(source, size=recipe.size, sizes=recipe.sizes, channels=recipe.channels)
    recipe = settle(recipe, data)
    return assemble(recipe, data, Engine(device, precision), Plan.of(recipe, len(data.train)))


def assert_captured(one: Training) -> None:
    assert one.captures is not None
    assert one.captures.refused is None
    assert one.captures._graphs  # most rounds were replayed


def round_rates(one: Training) -> None:
    """Let a CPU's rates have 32 bits, as Adam's kernel on a GPU reads them: GANs make much of a little."""
    own = one._set_rates

    def rounded(factor: float) -> None:
        own(factor)
        for group in (group for optimizer in one.optimizers.values() for group in optimizer.param_groups):
            group["lr"] = float(torch.tensor(group["lr"], dtype=torch.float32))

    one._set_rates = rounded  # type: ignore[method-assign]


def weights(one: Training) -> dict[str, torch.Tensor]:
    found = {
        f"{player}.{name}": value.detach().cpu().clone()
        for player, network in one.game.networks.items()
        for name, value in network.state_dict().items()
    }
    if one.ema is not None:
        found |= {f"ema.{name}": value.cpu().clone() for name, value in one.ema.network.state_dict().items()}
    return found


@pytest.mark.parametrize("name", CASES)
def test_a_gpu_learns_what_a_cpu_learns(name: str) -> None:
    here, there = (training(name, device, **CASES[name]) for device in ("cuda", "cpu"))
    assert_learn_alike(here, there)
    assert_captured(here)


@pytest.mark.parametrize("name", TASKS)
def test_a_gpu_translates_as_a_cpu_does(name: str, real_data: Path) -> None:
    source, told = TASKS[name]
    kind, _, path = source.partition(":")
    found = source if path == "digits" else f"{kind}:{real_data / path}"
    told = {"batch": 2, "size": 32, "stages": [], **told}
    assert_learn_alike(*(training(name, device, "64-true", found, **told) for device in ("cuda", "cpu")))


def assert_learn_alike(here: Training, there: Training) -> None:
    """The numbers of each step, and the weights after the last."""
    round_rates(there)
    begun = weights(here)
    for step in range(1, STEPS + 1):
        seen, expected = (one.take_step(observe=step % 5 == 0) for one in (here, there))
        assert {k: float(v) for k, v in seen.items()} == pytest.approx({k: float(v) for k, v in expected.items()})
    ends, expected_ends = weights(here), weights(there)
    for key, value in expected_ends.items():
        torch.testing.assert_close(ends[key], value, rtol=0, atol=1e-7, msg=lambda told, key=key: f"{key}: {told}")
    assert any(not torch.equal(begun[key], value) for key, value in ends.items())


@pytest.mark.parametrize("name", CASES)
def test_a_graph_does_what_a_played_round_does_in_single_precision(name: str) -> None:
    """Captures check themselves, within the sums' order; with dropout, whose masks a replay draws anew."""
    one = training(name, "cuda", "32-true")
    for step in range(1, STEPS + 1):
        one.take_step(observe=step % 5 == 0)
    one.settle()
    assert_captured(one)


def test_no_step_waits_for_the_gpu() -> None:
    one = training("quick", "cuda", "32-true", penalty_every=2)
    for _ in range(40):
        one.take_step(observe=False)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(40):
            one.take_step(observe=False)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    one.settle()
    assert one.step == 80


def test_a_loaded_training_goes_on_as_the_saved_one() -> None:
    saved, loaded = (training("quick", "cuda", **CASES["quick"]) for _ in range(2))
    for _ in range(10):
        saved.take_step(observe=False)
    loaded.load_state_dict(copy.deepcopy(saved.state_dict()))
    for _ in range(10):
        saved.take_step(observe=False)
        loaded.take_step(observe=False)
    for key, value in weights(saved).items():
        torch.testing.assert_close(weights(loaded)[key], value, rtol=0, atol=1e-9)


def noise_recipes() -> list[str]:
    told = {name: recipes.recipe(name) for name in recipes.names()}
    return [name for name, one in told.items() if one.inputs == "noise" and one.captions == "ignored"]


def at_32(name: str) -> dict[str, object]:
    """The setting of 32 pixels, for recipes that can have them and have no size of their own."""
    recipe = recipes.recipe(name)
    return {"size": 32} if recipe.size is None and 32 in (recipe.sizes or ()) else {}


@pytest.mark.parametrize("name", noise_recipes())
def test_every_recipe_takes_steps_on_a_gpu(name: str) -> None:
    one = training(name, "cuda", "32-true", steps=12, batch=4, **at_32(name))
    for step in range(1, 13):
        one.take_step(observe=step % 2 == 0)
    one.settle()  # every term of every step is finite
    if one.captures is not None:
        assert one.captures.refused is None


@pytest.mark.parametrize("name", noise_recipes())
def test_every_recipe_takes_the_same_first_step_in_half_precision(name: str) -> None:
    """But for rounding: what D says of real and fake images."""
    half, single = (
        training(name, "cuda", precision, batch=8, **at_32(name)) for precision in ("bf16-mixed", "32-true")
    )
    seen, expected = ({k: float(v) for k, v in one.take_step(observe=True).items()} for one in (half, single))
    said = [key for key in expected if key.startswith("d_")]
    assert said
    assert {key: seen[key] for key in said} == pytest.approx({key: expected[key] for key in said}, rel=0.1, abs=0.2)
    for _ in range(11):
        half.take_step(observe=False)
    half.settle()  # every term of every step is finite


def test_a_run_of_a_gpu_goes_on_and_draws_on_a_cpu(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    told = ["train", "quick", "--data", "digits", "--device", "cuda", "--out", str(run), "--steps", "60", "-q"]
    assert main(told) == 0
    assert json.loads((run / "run.json").read_text())["device"]["device"] == "cuda"
    for device in ("cpu", "cuda"):
        out = str(tmp_path / f"{device}.npz")
        assert main(["sample", str(run), "-n", "16", "--seed", "1", "--device", device, "--out", out]) == 0
    assert main(["resume", str(run), "--steps", "+20", "--device", "cpu", "-q"]) == 0
    assert main(["resume", str(run), "--steps", "+20", "--device", "cuda", "-q"]) == 0
    assert "100" in (run / "events.jsonl").read_text().splitlines()[-1]
    capsys.readouterr()
