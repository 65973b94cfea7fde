"""`zerosum walk`: an animated path through the generator's latent space, or from class to class."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

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
    label: options.Class = None,
    morph: Annotated[
        str | None, typer.Option(help="Keep z, and lead it through these classes and back.", metavar="A,B[,C...]")
    ] = None,
    space: Annotated[
        Literal["w", "z"] | None,
        typer.Option(help="Straight in w, or on circles in z (default: w where there is one)."),
    ] = None,
    psi: options.Psi = 1.0,
    checkpoint: options.Checkpoint = None,
    device: options.Where = "cpu",
) -> None:
    """Walk from picture to picture through latent space, or from class to class, as an animation."""
    from zerosum import api

    classes = None if morph is None else [name.strip() for name in morph.split(",")]
    written = api.walk(
        run,
        out=out,
        seed=seed,
        label=label,
        space=space,
        psi=psi,
        morph=classes,
        checkpoint=checkpoint,
        device=device,
    )
    tell(str(written))
