"""`zerosum resume`: the same run goes on exactly; another setting or an earlier checkpoint makes a branch."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from zerosum.cli import options
from zerosum.cli.app import app

_MORE = "More (one of them)"


@app.command(rich_help_panel="Go on")
def resume(
    run: options.Run,
    source: Annotated[
        str, typer.Option("--from", help="last, best, previous, a kept step; start: anew.", metavar="CHECKPOINT")
    ] = "last",
    steps: Annotated[int | None, typer.Option(help="So many steps more.", metavar="+N", rich_help_panel=_MORE)] = None,
    epochs: Annotated[
        float | None, typer.Option(help="So many epochs more.", metavar="+N", rich_help_panel=_MORE)
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="So many minutes more.", metavar="+M", rich_help_panel=_MORE)
    ] = None,
    lr: options.Lr = None,
    beta1: options.Beta1 = None,
    batch: options.Batch = None,
    set_: options.Settings = None,
    out: options.Out = None,
    keep: options.Keep = None,
    save_every: options.SaveEvery = None,
    quiet: options.Quiet = False,
    watch: options.Watched = True,
    act: options.Act = False,
    dead_after: options.DeadAfter = None,
    lang: options.Language = None,
    device: Annotated[
        options.DeviceName | None,
        typer.Option(help="Where to compute (default: as before).", rich_help_panel="Machine"),
    ] = None,
) -> int:
    """Go on with a run, exactly; with another setting, in a branch that leaves the run as it is."""
    more = options.length(minutes=minutes, steps=steps, epochs=epochs)
    changes = options.settings(set_, lr=lr, beta1=beta1, batch=batch)

    from zerosum import api
    from zerosum.cli.outcome import listeners, tell_outcome

    care = options.care(keep, save_every, watch, act, dead_after)
    where: dict[str, Any] = {"out": out, "device": device}
    result = api.resume(run, source=source, settings=changes, listeners=listeners(quiet, lang), **more, **care, **where)
    return tell_outcome(result, quiet=quiet)
