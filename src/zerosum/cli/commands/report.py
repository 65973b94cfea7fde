"""`zerosum report`: the page of a run, made anew from its events."""

from __future__ import annotations

from zerosum.cli import options
from zerosum.cli.app import app
from zerosum.cli.output import tell


@app.command(rich_help_panel="Look")
def report(run: options.Run) -> None:
    """Write a run's report.html: grids, curves, checkpoints, and the commands to go on."""
    from zerosum import api

    tell(str(api.report(run)))
