"""`zerosum upscale`: one's own images, enlarged by a run that learned to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zerosum.cli import options
from zerosum.cli.app import app
from zerosum.cli.commands.translate import said


@app.command(rich_help_panel="Go on")
def upscale(
    run: options.Run,
    images: Annotated[list[Path], typer.Argument(help="Image files, folders or archives of them.")],
    out: Annotated[Path, typer.Option(help="The folder for the large images; a half-finished one is gone on with.")],
    seed: Annotated[int, typer.Option(help="Of the noise in a generator that has some.")] = 0,
    checkpoint: options.Checkpoint = None,
    device: options.Where = "cpu",
) -> None:
    """Enlarge images with a run of srgan."""
    from zerosum import api

    said(api.upscale(run, images, out=out, seed=seed, checkpoint=checkpoint, device=device), "enlarged")
