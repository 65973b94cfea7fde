"""`zerosum mix`: pictures whose styles come from two sources each, as a grid."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from zerosum.cli import options
from zerosum.cli.app import app
from zerosum.cli.output import tell


@app.command(rich_help_panel="Go on")
def mix(
    run: options.Run,
    rows: Annotated[int, typer.Option(help="Sources A, in the first column.")] = 4,
    columns: Annotated[int, typer.Option(help="Sources B, in the first row.")] = 6,
    layers: Annotated[
        str, typer.Option(help="Which styles are B's: coarse, middle, fine, or numbers from 0.", metavar="NAME|A-B")
    ] = "coarse",
    seed: Annotated[int, typer.Option(help="The same seed draws the same sources.")] = 0,
    label: options.Class = None,
    psi: options.Psi = 1.0,
    out: Annotated[Path | None, typer.Option(help="FILE.png (default: mix.png in RUN).")] = None,
    checkpoint: options.Checkpoint = None,
    device: options.Where = "cpu",
) -> None:
    """Mix the styles of pictures A with those of pictures B (stylegan, stylegan2)."""
    from zerosum import api

    sources: dict[str, Any] = {"rows": rows, "columns": columns, "seed": seed, "label": label, "psi": psi}
    tell(str(api.mix(run, layers=layers, out=out, checkpoint=checkpoint, device=device, **sources)))
