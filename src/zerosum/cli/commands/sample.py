"""`zerosum sample`: draw from a run's generator into a grid, a folder of pictures, or an array."""

from __future__ import annotations

from typing import Annotated

import typer

from zerosum.cli import options
from zerosum.cli.app import app
from zerosum.cli.output import tell


@app.command(rich_help_panel="Go on")
def sample(
    run: options.Run,
    n: Annotated[
        int | None,
        typer.Option("-n", "--number", min=1, help="How many (default: 64, or near that in whole rows of classes)."),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed draws the same pictures.")] = 0,
    label: Annotated[str | None, typer.Option("--class", help="Draw this class only, by name or number.")] = None,
    out: options.Drawings = None,
    psi: options.Psi = 1.0,
    checkpoint: options.Checkpoint = None,
    device: options.Where = "cpu",
) -> None:
    """Draw from the generator that a run has trained."""
    from zerosum import api

    written = api.sample(run, n, seed=seed, label=label, out=out, checkpoint=checkpoint, device=device, psi=psi)
    tell(str(written))
