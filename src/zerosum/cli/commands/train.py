"""`zerosum train`: a recipe, its data and a length in; a run folder out."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from zerosum.cli import options
from zerosum.cli.app import app

PerClass = Annotated[bool, typer.Option("--per-class", help="One model for each label: a fleet.")]
Source = Annotated[
    str | None,
    typer.Option(
        help="digits, mnist, folder:PATH and others: `zerosum data show --help`.",
        metavar="SOURCE",
    ),
]


@app.command(rich_help_panel="Train")
def train(
    recipe: Annotated[str, typer.Argument(help="A name that `zerosum recipes` lists.", metavar="RECIPE")] = "quick",
    data: Source = None,
    minutes: options.Minutes = None,
    steps: options.Steps = None,
    epochs: options.Epochs = None,
    lr: options.Lr = None,
    beta1: options.Beta1 = None,
    batch: options.Batch = None,
    size: options.Size = None,
    flip: options.Flip = None,
    seed: options.Seed = None,
    set_: options.Settings = None,
    out: options.Out = None,
    keep: options.Keep = None,
    save_every: options.SaveEvery = None,
    quiet: options.Quiet = False,
    watch: options.Watched = True,
    act: options.Act = False,
    dead_after: options.DeadAfter = None,
    lang: options.Language = None,
    device: options.Device = "auto",
    precision: options.Precision = "32-true",
    per_class: PerClass = False,
) -> int:
    """Train a recipe: `zerosum train` alone draws digits in about two minutes."""
    from zerosum.recipes import recipe as found

    length = options.length(minutes=minutes, steps=steps, epochs=epochs)
    changes = options.settings(set_, lr=lr, beta1=beta1, batch=batch, size=size, flip=flip, seed=seed)
    chosen = found(recipe)  # what it can refuse is refused before anything slow is imported or anything written
    if not any(key.endswith(".network") for key in changes):  # whose settings only torch's side knows
        chosen.override({**changes, **length})
    from zerosum import api
    from zerosum.cli.outcome import listeners, tell_outcome

    care = options.care(keep, save_every, watch, act, dead_after)
    where: dict[str, Any] = {"out": out, "device": device, "precision": precision, "per_class": per_class}
    run = api.train(recipe, data, settings=changes, listeners=listeners(quiet, lang), **length, **care, **where)
    return tell_outcome(run, quiet=quiet)
