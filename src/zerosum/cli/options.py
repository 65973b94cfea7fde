"""The options that several commands share, and how their values become settings of a recipe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from zerosum.errors import UserError

_LENGTH = "Length (one of them)"
_SETTINGS = "Settings"
_OUTPUT = "Output"
_MACHINE = "Machine"

Run = Annotated[Path, typer.Argument(help="A run folder, such as runs/20260131-120000-quick-digits.", metavar="RUN")]
Drawings = Annotated[
    Path | None,
    typer.Option(
        "--out",
        help="FILE.png: a grid; FILE.npz: uint8 (N, H, W, C); else a folder of PNGs (default: a grid in RUN).",
    ),
]
Minutes = Annotated[float | None, typer.Option(help="Train for so many minutes.", rich_help_panel=_LENGTH)]
Steps = Annotated[int | None, typer.Option(help="Train for so many steps.", rich_help_panel=_LENGTH)]
Epochs = Annotated[float | None, typer.Option(help="Train for so many epochs.", rich_help_panel=_LENGTH)]
Lr = Annotated[float | None, typer.Option(help="Learning rate of every player.", rich_help_panel=_SETTINGS)]
Beta1 = Annotated[float | None, typer.Option(help="Adam's first β of every player.", rich_help_panel=_SETTINGS)]
Batch = Annotated[int | None, typer.Option(help="Images in G's batch.", rich_help_panel=_SETTINGS)]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Any setting that `recipes NAME` lists, such as G.lr=1e-4 or ema=0; may be repeated.",
        rich_help_panel=_SETTINGS,
    ),
]
Size = Annotated[int | None, typer.Option(help="Pixels along one side.", rich_help_panel=_SETTINGS)]
Flip = Annotated[
    bool | None, typer.Option("--flip/--no-flip", help="Mirror images at random.", rich_help_panel=_SETTINGS)
]
Seed = Annotated[int | None, typer.Option(help="Everything random follows from it.", rich_help_panel=_SETTINGS)]
Out = Annotated[
    Path | None,
    typer.Option(help="The run folder itself; a new one, in runs/ by default.", rich_help_panel=_OUTPUT),
]
Keep = Annotated[int | None, typer.Option(min=1, help="Keep only so many step checkpoints.", rich_help_panel=_OUTPUT)]
SaveEvery = Annotated[
    int | None,
    typer.Option(min=1, help="Steps between two saves of last (default: a minute).", rich_help_panel=_OUTPUT),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no preview.", rich_help_panel=_OUTPUT)]
DeviceName = Literal["auto", "cpu", "cuda", "mps"]
Device = Annotated[DeviceName, typer.Option(help="Where to compute.", rich_help_panel=_MACHINE)]
Precision = Annotated[
    Literal["32-true", "64-true", "bf16-mixed"],
    typer.Option(help="Of weights and arithmetic.", rich_help_panel=_MACHINE),
]
Checkpoint = Annotated[
    str | None,
    typer.Option(help="best, last, previous, second, best-FIGURE, or a step that was kept (default: best, else last)."),
]
Where = Annotated[Literal["cpu", "cuda", "mps"], typer.Option(help="Where to compute.")]
Psi = Annotated[
    float, typer.Option(help="Truncation, 0 to 1: less draws nearer to the mean image, less varied.", metavar="P")
]
Class = Annotated[str | None, typer.Option("--class", help="Stay in this class, by name or number.")]
Language = Annotated[
    str | None, typer.Option("--lang", help="Of the watch: en or vi (default: the locale's).", rich_help_panel=_OUTPUT)
]
Watched = Annotated[
    bool, typer.Option("--watch/--no-watch", help="Judge the run's health while it trains.", rich_help_panel=_OUTPUT)
]
Act = Annotated[
    bool,
    typer.Option("--act", help="Lower rates after a divergence; give up a dead run.", rich_help_panel=_OUTPUT),
]
DeadAfter = Annotated[
    float | None,
    typer.Option(help="Minutes of failing after which a run is dead (10); implies --act.", rich_help_panel=_OUTPUT),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, nothing else.")]


def settings(pairs: Sequence[str] | None, **named: Any) -> dict[str, Any]:
    """The settings that a command line asks for, by dotted name; `--set` and a named option may not contradict."""
    changes = {key: value for key, value in named.items() if value is not None}
    for pair in pairs or ():
        key, equals, value = pair.partition("=")
        key, value = key.strip(), value.strip()
        if not equals or not key or not value:
            raise UserError(f"--set {pair}: expected KEY=VALUE, such as --set G.lr=1e-4")
        if key in changes:
            raise UserError(f"{key} is set twice: say it once")
        changes[key] = value
    return changes


def care(keep: int | None, save_every: int | None, watch: bool, act: bool, dead_after: float | None) -> dict[str, Any]:
    """How a run is looked after, as arguments to pass on."""
    acts = act if dead_after is None else dead_after
    return {"keep": keep, "save_every": save_every, "watch": watch, "act": acts}


def length(**given: float | None) -> dict[str, Any]:
    """The one length that was given, as an argument to pass on; `--steps` and `--minutes` together are refused."""
    said = {name: value for name, value in given.items() if value is not None}
    if len(said) > 1:
        options = " and ".join(f"--{name}" for name in said)
        raise UserError(f"{options} together: a run has one length, so give one of them")
    return said
