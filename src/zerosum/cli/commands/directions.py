"""`zerosum directions`: what the strongest directions of the generator's latent space do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from zerosum.cli import options
from zerosum.cli.app import app
from zerosum.cli.output import tell


@app.command(rich_help_panel="Go on")
def directions(
    run: options.Run,
    method: Annotated[
        Literal["sefa", "pca", "codes"] | None,
        typer.Option(
            help="From G's weights (sefa), from 10,000 samples as in GANSpace (pca), or infogan's codes, its default."
        ),
    ] = None,
    count: Annotated[int, typer.Option(help="How many, the strongest first.")] = 5,
    seed: Annotated[int, typer.Option(help="Of the picture in the middle, and of the samples.")] = 0,
    label: options.Class = None,
    span: Annotated[float, typer.Option(help="How far to both sides, in deviations.")] = 3.0,
    out: Annotated[
        Path | None, typer.Option(help="FILE.png, with FILE.safetensors beside it (default: directions.png in RUN).")
    ] = None,
    checkpoint: options.Checkpoint = None,
    device: options.Where = "cpu",
) -> None:
    """Find the directions of latent space that change the most, without labels."""
    from zerosum import api

    written = api.directions(
        run,
        method=method,
        count=count,
        seed=seed,
        label=label,
        span=span,
        out=out,
        checkpoint=checkpoint,
        device=device,
    )
    tell(str(written))
    tell(str(written.with_suffix(".safetensors")))
