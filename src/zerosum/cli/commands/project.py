"""`zerosum project`: the code whose picture is nearest to a user's own image."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zerosum.cli import options
from zerosum.cli.app import app
from zerosum.cli.output import number, tell


@app.command(rich_help_panel="Go on")
def project(
    run: options.Run,
    image: Annotated[
        Path, typer.Argument(help="An image file, cropped and resized as a folder's are.", metavar="IMAGE")
    ],
    steps: Annotated[int, typer.Option(help="How long to look.")] = 300,
    seed: Annotated[int, typer.Option(help="The same seed finds the same code.")] = 0,
    label: Annotated[
        str | None, typer.Option("--class", help="Look in this class only (default: that of the best start).")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="A folder (default: projection in RUN).")] = None,
    checkpoint: options.Checkpoint = None,
    device: options.Where = "cpu",
) -> None:
    """Find the picture nearest to an image of yours, and the code that makes it."""
    from zerosum import api

    found = api.project(run, image, steps=steps, seed=seed, label=label, out=out, checkpoint=checkpoint, device=device)
    where = "" if found.label is None else f" in class {found.label}"
    tell(
        f"{', '.join(map(str, found.files))}: distance {number(found.end)}{where} after {number(steps)} steps, "
        f"{number(found.start)} before"
    )
