"""`zerosum walk`: an animated path through the generator's latent space."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zerosum.cli import options
from zerosum.cli.app import app
from zerosum.cli.output import tell


@app.command(rich_help_panel="Go on")
def walk(
    run: options.Run,
    out: Annotated[
        Path | None, typer.Option(help="An animation: FILE.webp or FILE.gif (default: walk.webp in RUN).")
    ] = None,
    seed: Annotated[int, typer.Option(help="Where the walk begins and what it passes.")] = 0,
    label: Annotated[str | None, typer.Option("--class", help="Stay in this class, by name or number.")] = None,
    checkpoint: options.Checkpoint = None,
) -> None:
    """Walk from picture to picture: spherical interpolation in z, as an animation."""
    from zerosum import api

    tell(str(api.walk(run, out=out, seed=seed, label=label, checkpoint=checkpoint)))
