"""What a person sees when training ends: the pictures, where everything lies, and the next command to type."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from rich.console import Console

from zerosum.cli.output import duration, rank, say, tell
from zerosum.errors import ZerosumError
from zerosum.shell import typed

if TYPE_CHECKING:
    from zerosum.api import Fleet, Run
    from zerosum.engine.events import Listener

PREVIEWED, POINTS = 10, 2000
BINS = 40


def listeners(quiet: bool, language: str | None = None) -> Sequence[Listener]:
    """Who shows the progress: nobody where it is not wanted, and only the first of several processes."""
    from zerosum.watch.catalogue import Words, spoken

    words = Words(spoken(language))
    if quiet or rank() > 0:
        return ()
    from zerosum.cli.progress import Progress

    return (Progress(words=words),)


def tell_outcome(run: Run | Fleet, *, quiet: bool) -> int:
    """Say how training ended; the exit code: 0, or 128 and the number of the signal that stopped it."""
    if quiet:
        tell(str(run.path))
    elif rank() == 0:
        _show_samples(run)
        _tell_places(run)
    return 128 + run.stopped_by if run.stopped_by else 0


def _show_samples(run: Run | Fleet) -> None:
    """Ten samples, one of each model of a fleet, or a cloud of points; G that can't draw is reported and no more."""
    if translates(run):
        return
    try:
        samples = run.sample(PREVIEWED if members(run) is None else 1, seed=0)
        show(samples if samples.ndim == 4 else run.sample(POINTS, seed=0))
    except ZerosumError as error:
        say(str(error))


def translates(run: Run | Fleet) -> bool:
    """Whether it makes images of images; its grid among the places shows them."""
    return bool(run.info["recipe"].get("inputs", "noise") != "noise")


def members(run: Run | Fleet) -> dict[str, Run] | None:
    """The models of a fleet by label; None for a single run."""
    found: dict[str, Run] | None = getattr(run, "members", None)
    return found


def show(samples: npt.NDArray[Any]) -> None:
    """Images uint8 (N, H, W, C), or points (N, 2), in the terminal."""
    from zerosum.sampling import terminal

    terminal.show(samples if samples.ndim == 4 else density(samples), Console())


def density(points: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """points (N, 2) as one picture uint8 (1, 40, 40, 1): the brighter, the more of them; y grows upwards."""
    finite = points[np.isfinite(points).all(axis=1)]
    if not len(finite):
        return np.zeros((1, BINS, BINS, 1), np.uint8)
    counts, _, _ = np.histogram2d(finite[:, 1], finite[:, 0], bins=BINS)
    light: npt.NDArray[np.uint8] = (255 * np.sqrt(counts / counts.max())).astype(np.uint8)
    return light[None, ::-1, :, None]


def _tell_places(run: Run | Fleet) -> None:
    tell(_ending(run))
    tell()
    for name, place in places(run.path):
        tell(f"  {name:<12} {place}")
    where = typed(run.path)
    tell("\nNext:")
    if run.stopped_by:
        tell(f"  zerosum resume {where}    goes on where it stopped")
    if translates(run):
        enlarges = str(run.info["recipe"].get("data") or "").startswith("upscale:")
        tell(f"  zerosum {'upscale' if enlarges else 'translate'} {where} IMAGES --out DIR")
    else:
        tell(f"  zerosum sample {where} --out samples.png")
    if not run.stopped_by:
        tell(f"  zerosum resume {where} --minutes +2")


def _ending(run: Any) -> str:
    """`Done: 2,345 steps, 150,080 images in 2 min 0 s`; of a fleet, how many of its models have begun."""
    word = "Stopped" if run.stopped_by else "Done"
    models = members(run)
    if models is not None:
        return f"{word}: {len(models)} of {len(run.labels)} models"
    if run.end is None:
        return f"{word}."
    end = run.end
    return f"{word}: {end['step']:,} steps, {end['images']:,} images in {duration(end['seconds'])}"


def places(path: Path) -> list[tuple[str, Path]]:
    """What a run folder holds for a person to open, as far as it is there; of a fleet, its models."""
    from zerosum.sampling.files import grids

    drawn = grids(path / "samples")
    models = sorted(model.parent for model in path.glob("*/run.json"))
    candidates = (
        *((("samples", drawn[-1]),) if drawn else ()),
        ("evolution", path / "samples" / "evolution.webp"),
        ("report", path / "report.html"),
        ("checkpoints", path / "checkpoints"),
        ("TensorBoard", path / "tensorboard"),
        *(("model", model) for model in models),
    )
    return [(name, place) for name, place in candidates if place.exists()]
