"""`zerosum text`: draw what a text says."""

from __future__ import annotations

from typing import Annotated

import typer

from zerosum.cli import options
from zerosum.cli.app import app
from zerosum.cli.output import tell


@app.command(rich_help_panel="Go on")
def text(
    run: options.Run,
    text: Annotated[str, typer.Argument(help="What to draw, such as 'a thick seven leaning left'.", metavar="TEXT")],
    n: Annotated[int, typer.Option("-n", "--number", min=1, help="How many.")] = 16,
    seed: Annotated[int, typer.Option(help="The same seed draws the same pictures.")] = 0,
    out: options.Drawings = None,
    psi: options.Psi = 1.0,
    checkpoint: options.Checkpoint = None,
    device: options.Where = "cpu",
) -> None:
    """Draw what a text says with a run of stackgan."""
    from zerosum import api

    tell(str(api.text(run, text, n, seed=seed, out=out, checkpoint=checkpoint, device=device, psi=psi)))
