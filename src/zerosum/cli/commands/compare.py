"""`zerosum compare`: several runs in one table, and their samples from the same z side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zerosum.cli import options
from zerosum.cli.app import app
from zerosum.cli.output import document, number, say, table, tell, undisturbed


@app.command(rich_help_panel="Look")
def compare(
    runs: Annotated[
        list[Path], typer.Argument(help="Two run folders or more; a fleet stands for its members.", metavar="RUN RUN…")
    ],
    out: Annotated[Path, typer.Option(help="The picture: grids from the same z, and curves.")] = Path("compare.png"),
    json: options.Json = False,
) -> None:
    """Compare runs: a table here, grids from the same z and curves in a picture."""
    from zerosum import api

    with undisturbed(json):
        rows = api.compare(runs, out=out)
    if json:
        document(rows)
        say(f"the picture is {out}")
    else:
        header = list(dict.fromkeys(key for row in rows for key in row))
        tell(
            table([key.replace("_", " ") for key in header], [[number(row.get(key)) for key in header] for row in rows])
        )
        tell(f"\n{out}")
