"""`zerosum eval`: how good samples are, every figure with its protocol and with what real images themselves get."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from zerosum.cli import options
from zerosum.cli.app import app
from zerosum.cli.output import document, number, table, tell, undisturbed

if TYPE_CHECKING:
    from zerosum.api.judging import Judgement


What = Annotated[Path, typer.Argument(help="A run, or a folder, archive or npz of images.", metavar="RUN|IMAGES")]
Against = Annotated[
    str | None, typer.Option(help="Real data, such as mnist or folder:PATH (default: a run's own).", metavar="DATA")
]
Count = Annotated[int, typer.Option("-n", help="Samples drawn of a run.", min=2)]
Seed = Annotated[int, typer.Option(help="Of the first draw.")]
Seeds = Annotated[int, typer.Option(help="Draws: mean and deviation over them.", min=1)]
Metric = Annotated[list[str] | None, typer.Option(help="Only this figure or group, such as fid; may be repeated.")]
Network = Annotated[
    str | None, typer.Option(help="digits-net, fashion-net, encoder or inception (default: what suits the data).")
]
Split = Annotated[
    Literal["train", "held-out"] | None, typer.Option(help="Of the real images (default: held-out, where it is large).")
]
Pairs = Annotated[
    Path | None, typer.Option(help="A picture of the samples nearest to a training image.", metavar="FILE.png")
]


@app.command("eval", rich_help_panel="Look")
def evaluate(
    what: What,
    against: Against = None,
    n: Count = 10_000,
    seed: Seed = 0,
    seeds: Seeds = 1,
    metric: Metric = None,
    network: Network = None,
    split: Split = None,
    checkpoint: options.Checkpoint = None,
    pairs: Pairs = None,
    device: options.Device = "auto",
    json: options.Json = False,
) -> None:
    """Judge a run, or anybody's images, against real ones."""
    from zerosum.api.judging import evaluate as judge

    how: dict[str, Any] = {"n": n, "seed": seed, "seeds": seeds, "metrics": metric, "network": network, "split": split}
    with undisturbed(json):
        found = judge(what, against, checkpoint=checkpoint, pairs=pairs, device=device, progress=_progress, **how)
    if json:
        document(found.to_dict())
    else:
        tell(_table(found))
        tell()
        tell("\n".join(_protocol(found)))


def _table(found: Judgement) -> str:
    rows = [
        [figure.name, number(figure.value), _known(figure.error), _known(figure.floor), figure.better, figure.note]
        for figure in found.figures
    ]
    return table(("figure", "value", "±", "real", "better", "note"), rows)


def _known(value: float | None) -> str:
    return "" if value is None else number(value)


def _protocol(found: Judgement) -> list[str]:
    protocol = found.protocol
    drawn = f"{protocol.samples:,} samples"
    if protocol.step is not None:
        average = "the average of G" if protocol.ema else "G itself"
        drawn += f" of {average} at step {protocol.step:,} (checkpoint {protocol.checkpoint})"
    if protocol.seeds:
        drawn += f", seed{'s' if len(protocol.seeds) > 1 else ''} {', '.join(map(str, protocol.seeds))}"
    real = f"{protocol.real:,} images of {protocol.against}, {protocol.split}" if protocol.real else protocol.against
    lines = [f"judged      {drawn}", f"against     {real}"]
    if protocol.network is not None:
        lines.append(f"network     {protocol.network}, SHA-256 {str(protocol.checksum)[:16]}")
        lines.append(f"            {protocol.scope}")
    lines.append(f"real        the same figure between {protocol.floor}")
    return lines


def _progress(step: int, steps: int) -> None:
    """A feature network is being trained: one line that is written over, in a terminal."""
    if sys.stderr.isatty():
        typer.echo(f"\rtraining the feature network: step {step:,} of {steps:,}", err=True, nl=step == steps)
