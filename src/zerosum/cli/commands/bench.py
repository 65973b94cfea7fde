"""`zerosum bench`: how fast this machine trains, draws and judges, beside what one would run instead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zerosum.cli import options
from zerosum.cli.app import app
from zerosum.cli.output import document, say, table, tell, undisturbed

if TYPE_CHECKING:
    from zerosum.bench.speed import Chore, Raced

SHORT = ("dcgan-lite", "mlp")
Recipes = Annotated[
    list[str] | None,
    typer.Option("--recipe", help="A tutorial's recipe that has a plain loop (default: dcgan-lite and mlp)."),
]
Rounds = Annotated[int, typer.Option(help="Turns of each contestant.", min=1)]
Seconds = Annotated[float, typer.Option(help="Of a turn, about.", min=0.1)]
Threads = Annotated[int | None, typer.Option(help="Of the processor (default: all).", min=1)]


@app.command(rich_help_panel="Look")
def bench(
    recipe: Recipes = None,
    rounds: Rounds = 3,
    seconds: Seconds = 5.0,
    threads: Threads = None,
    device: options.Device = "cpu",
    json: options.Json = False,
) -> None:
    """Measure this machine: training beside the loops that tutorials write, drawing and judging."""
    from zerosum.bench import speed
    from zerosum.engine.engine import Engine, cores

    engine = Engine(device)  # a device that is not here is refused
    kind = engine.device.type  # what auto is here
    for message in engine.remarks():
        say(message)
    names, threads = _known(recipe or list(SHORT)), threads or cores()
    with undisturbed(json):
        raced = []
        for name in names:
            say(f"{name}: {rounds} rounds against the plain PyTorch loop")
            found = speed.run_race(name, rounds=rounds, seconds=seconds, threads=threads, device=kind)
            raced.append(found)
        chores = speed.chores(samples=10_000, judged=2000, threads=threads, tell=say, device=kind)
    missing = _missing(raced) if kind == "cpu" else None
    if json:
        if missing:
            say(missing)
        document({"races": [found.to_dict() for found in raced], "chores": [vars(chore) for chore in chores]})
        return
    tell(table(("recipe", "who", "images/s", "slowest", "fastest", "zerosum is"), _rates(raced)))
    for line in _limits(raced):
        tell(line)
    tell()
    tell(table(("what you wait for", "seconds", "MiB"), _waits(chores)))
    if missing:
        tell(missing)


def _known(names: list[str]) -> list[str]:
    from zerosum.bench.plain import LOOPS
    from zerosum.errors import UserError, nearest

    for name in names:
        if name not in LOOPS:
            raise UserError(f"bench has no plain loop of {name!r}; {nearest(name, LOOPS)}")
    return names


def _missing(raced: list[Raced]) -> str | None:
    """What to say of a peer that took no part; None where all did."""
    from zerosum.bench import keras

    if all("keras" in found.results for found in raced if found.recipe == "dcgan-lite"):
        return None
    why = "can't run here" if keras.installed() else f"is not installed (`{keras.HOW}`)"
    return f"The tutorial's Keras script was left out: TensorFlow {why}."


def _limits(raced: list[Raced]) -> Iterator[str]:
    """How near each came to what this machine could do at best."""
    for found in raced:
        if found.share is not None:
            best = found.results["convolution"].about
            yield f"{found.recipe} runs at {found.achieved:,.0f} GFLOP/s: {found.share:.0%} of what {best} reaches here"
        if "arithmetic" in found.results:
            alone = found.results["arithmetic"].median
            yield f"{found.recipe}: its convolutions and products alone would make {alone:,.0f} images/s here"


def _rates(raced: list[Raced]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for found in raced:
        for kind in (kind for kind in ("zerosum", "plain", "keras") if kind in found.results):
            result: Any = found.results[kind]
            times = "" if kind == "zerosum" else f"{found.times(kind):.2f} times as fast"
            rows.append((found.recipe, kind, *(f"{rate:,.1f}" for rate in (result.median, *result.spread)), times))
    return rows


def _waits(chores: list[Chore]) -> list[tuple[str, ...]]:
    memory = ("" if chore.memory is None else f"{chore.memory:,.0f}" for chore in chores)
    return [(chore.name, f"{chore.seconds:.1f}", held) for chore, held in zip(chores, memory, strict=True)]
