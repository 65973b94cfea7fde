"""`zerosum translate`: one's own images through the translator of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zerosum.cli import options
from zerosum.cli.app import app
from zerosum.cli.output import tell

if TYPE_CHECKING:
    from zerosum.api.translating import Translated

NAMED = 10  # of the images that are left out


@app.command(rich_help_panel="Go on")
def translate(
    run: options.Run,
    images: Annotated[list[Path], typer.Argument(help="Image files, folders or archives of them.")],
    out: Annotated[Path, typer.Option(help="The folder for the translations; a half-finished one is gone on with.")],
    direction: Annotated[str | None, typer.Option(help="A2B or B2A, of a run with two domains.")] = None,
    domain: Annotated[str | None, typer.Option(help="The domain to lead images into, of a run with several.")] = None,
    steps: Annotated[
        int | None, typer.Option(help="Of the search for each image's z, of a run of age-cgan; 0: the encoder's z.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the noise in a generator that has some.")] = 0,
    checkpoint: options.Checkpoint = None,
    device: options.Where = "cpu",
) -> None:
    """Translate images with a run of pix2pix, cyclegan, age-cgan or their kin."""
    from zerosum import api

    done = api.translate(
        run,
        images,
        out=out,
        direction=direction,
        domain=domain,
        steps=steps,
        seed=seed,
        checkpoint=checkpoint,
        device=device,
    )
    said(done, "translated")


def said(done: Translated, what: str) -> None:
    """One line on what was made and what was there, and one on each of the first that were left out."""
    fitted = f", {done.fitted:,} of them cropped and resized to the run's size" if done.fitted else ""
    kept = f", {done.kept:,} were there" if done.kept else ""
    left = f"; {len(done.skipped):,} left out:" if done.skipped else ""
    tell(f"{done.made:,} images {what} into {done.out}{fitted}{kept}{left}")
    for one in done.skipped[:NAMED]:
        tell(f"  {one.name}: {one.reason}")
    if len(done.skipped) > NAMED:
        tell(f"  and {len(done.skipped) - NAMED:,} more")
