"""What the commands write: lines for a person, tables, and the one JSON document of `--json`."""

from __future__ import annotations

import io
import json
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import typer


def rank() -> int:
    """This process's number among those that train together; 0 alone."""
    return int(os.environ.get("RANK") or os.environ.get("SLURM_PROCID") or 0)


def say(message: str) -> None:
    """One line on standard error; with its rank where several processes train together and it is not the first."""
    who = f"zerosum: rank {rank()}: " if rank() > 0 else "zerosum: "
    typer.echo(who + " ".join(message.split()), err=True)


def tell(text: str = "") -> None:
    """Text on standard output, from the first process only."""
    if rank() == 0:
        typer.echo(text)


@contextmanager
def undisturbed(wanted: bool) -> Iterator[None]:
    """While `wanted`, whatever anybody prints goes to standard error, so that a JSON document stays alone."""
    if wanted:
        with redirect_stdout(sys.stderr):
            yield
    else:
        yield


def document(value: Any) -> None:
    """One JSON document on standard output; a number that is not finite becomes null."""
    tell(json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Path):
        return str(value)
    return value


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns side by side, numbers to the right; wrapped to a terminal's width, one line a row in a pipe."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    found = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=None)
    for column, name in enumerate(header):
        numeric = bool(rows) and all(_numeric(row[column]) for row in rows)
        found.add_column(name, justify="right" if numeric else "left", no_wrap=column == 0, overflow="fold")
    for row in rows:
        found.add_row(*(escape(cell) for cell in row))
    console = Console(width=None if sys.stdout.isatty() else 10_000, color_system=None, file=io.StringIO())
    with console.capture() as capture:
        console.print(found)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def _numeric(cell: str) -> bool:
    return cell in ("", "-") or (cell.replace(",", "").lstrip("+-")[:1].isdigit() and " " not in cell)


def number(value: Any) -> str:
    """A value as a table shows it: 1,234 and four digits of a fraction, KEY=VALUE for pairs, `-` for none."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={item}" for key, item in value.items()) or "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def duration(seconds: float) -> str:
    """`42 s`, `2 min 5 s`, `1 h 3 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
