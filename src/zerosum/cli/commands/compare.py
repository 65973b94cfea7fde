"""`zerosum compare`: several runs in one table, and their samples from the same z side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

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
    by: Annotated[
        str | None, typer.Option(help="Rank the runs by a figure of `eval`, such as fid, with its uncertainty.")
    ] = None,
    against: Annotated[str | None, typer.Option(help="With --by: the real data (default: the first run's).")] = None,
    n: Annotated[int, typer.Option("-n", help="With --by: samples of each draw.", min=2)] = 5_000,
    seeds: Annotated[int, typer.Option(help="With --by: draws of each run.", min=2)] = 3,
    device: options.Device = "auto",
    json: options.Json = False,
) -> None:
    """Compare runs: a table here, grids from the same z and curves in a picture; ranked by a figure with --by."""
    from zerosum import api

    if by is not None:
        from zerosum.api.judging import rank

        with undisturbed(json):
            ranked = rank(api.members(runs), by, against=against, n=n, seeds=seeds, device=device)
        _tell(ranked, json)
        return
    with undisturbed(json):
        rows = api.compare(runs, out=out)
    _tell(rows, json)
    if json:
        say(f"the picture is {out}")
    else:
        tell(f"\n{out}")


def _tell(rows: Sequence[Mapping[str, Any]], json: bool) -> None:
    if json:
        document(rows)
        return
    header = list(dict.fromkeys(key for row in rows for key in row))
    cells = [[number(row.get(key)) for key in header] for row in rows]
    tell(table([key.replace("_", " ") for key in header], cells))
