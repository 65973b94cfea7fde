"""What a finished run is for: samples, images of texts, walks, comparisons, the report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from zerosum.api.fleets import Fleet
from zerosum.api.generator import Generator, Samples, load
from zerosum.api.habits import verdict_of
from zerosum.api.run import Run
from zerosum.errors import UserError
from zerosum.reporting.report import write_report
from zerosum.sampling import draw
from zerosum.sampling.animate import animation
from zerosum.sampling.files import grids
from zerosum.sampling.grid import montage, scatter
from zerosum.sampling.latents import require_psi
from zerosum.sampling.walk import walk as walking
from zerosum.types import PathLike

COMPARE_SEED = 0
USUAL = 64  # samples where nobody says how many
TALLEST = 16  # rows of one image each, or twice as many of two, beyond which they are no grid
WIDEST = 64  # images in a row of one class; more of them make a square grid


def open_run(path: PathLike) -> Run | Fleet:
    """The run or the fleet in a folder; `UserError` where there is neither."""
    return Fleet(path) if (Path(path) / "fleet.json").exists() else Run(path)


def sample(
    run: PathLike,
    n: int | None = None,
    *,
    seed: int = 0,
    label: str | int | None = None,
    out: PathLike | None = None,
    checkpoint: str | None = None,
    device: str = "cpu",
    psi: float = 1.0,
) -> Path:
    """Write n samples of a run, a checkpoint or a fleet (n of each label), as `out` says by its name.

    FILE.png: one grid, with a row for each class where there are several, of at most 64 images; FILE.npz: images uint8
    (N, H, W, C) and labels; else a folder of PNGs. Memory does not grow with n. Without n, 64 or near that, as many of
    each class. Without `out`, samples-SEED.png in the run's folder. psi: truncation, from 0 (all alike) to 1 (none);
    less is nearer to the mean image, and less varied.
    """
    if n is not None and n < 1:
        raise UserError(f"n is {n}; expected at least 1")
    require_psi(psi)
    out = Path(out) if out else beside(run, f"samples-{seed}.png")
    if (Path(run) / "fleet.json").exists():
        return _sample_fleet(Fleet(run), n or USUAL, seed, label, out, checkpoint, device, psi)
    generator = load(run, checkpoint, device=device)
    n = n or usual(generator.domain.classes if label is None else None)
    labels = generator.labels(n, label)
    columns, rows = None, None
    if labels is not None and label is None and out.suffix.lower() == ".png" and generator.classes is not None:
        labels = np.sort(labels)
        classes = sorted(set(labels.tolist()))
        each, rest = divmod(n, len(classes))
        if rest == 0 and each <= WIDEST and len(classes) <= TALLEST * each:
            columns, rows = each, [generator.classes[number] for number in classes]
    batches = generator.batches(n, seed=seed, labels=labels, psi=psi)
    return draw.write(batches, out, count=n, labels=labels, columns=columns, row_labels=rows)


def usual(classes: int | None) -> int:
    """How many samples are drawn of so many classes where nobody says: near `USUAL`, and as many of each."""
    return USUAL if classes is None or classes > WIDEST else classes * max(1, round(USUAL / classes))


def text(
    run: PathLike,
    text: str,
    n: int = 16,
    *,
    seed: int = 0,
    out: PathLike | None = None,
    checkpoint: str | None = None,
    device: str = "cpu",
    psi: float = 1.0,
) -> Path:
    """Write n images of what a text says, as `sample` does: FILE.png, FILE.npz or a folder of PNGs; returns it.

    Without `out`, text-SEED.png in the run's folder. `UserError` for a run that hears no text, for an empty or too
    long one, and for words that the run's captions don't have, each with the nearest that they have.
    """
    if n < 1:
        raise UserError(f"n is {n}; expected at least 1")
    require_psi(psi)
    generator = load(run, checkpoint, device=device)
    rows = generator.words(text, n)
    target = Path(out) if out else beside(run, f"text-{seed}.png")
    return draw.write(generator.batches(n, seed=seed, labels=rows, psi=psi), target, count=n, labels=rows)


def _sample_fleet(
    fleet: Fleet, n: int, seed: int, label: str | int | None, out: Path, checkpoint: str | None, device: str, psi: float
) -> Path:
    chosen = fleet.chosen(label)
    labels = np.repeat([fleet.labels.index(name) for name in chosen], n)

    def batches() -> Iterator[Samples]:
        for name, run in chosen.items():
            generator = run.generator(checkpoint, device=device)
            yield from generator.batches(n, seed=fleet.seed(seed, name), labels=generator.labels(n), psi=psi)

    columns, rows = (n, list(chosen)) if n <= WIDEST else (None, None)
    return draw.write(batches(), out, count=len(labels), labels=labels, columns=columns, row_labels=rows)


def walk(
    run: PathLike,
    *,
    out: PathLike | None = None,
    seed: int = 0,
    label: str | int | None = None,
    keyframes: int = 8,
    steps: int = 16,
    walks: int = 16,
    checkpoint: str | None = None,
    device: str = "cpu",
    space: Literal["w", "z"] | None = None,
    psi: float = 1.0,
    morph: Sequence[str | int] | None = None,
) -> Path:
    """Write a walk through latent space as an animation, .webp or .gif: `walks` images side by side.

    From keyframe to keyframe on a straight line in w, where the generator has one, else on a great circle in z; `space`
    says which. morph: classes that a conditional generator is led along and back to the first, while z stays. psi:
    truncation, from 0 to 1.
    """
    require_psi(psi)
    generator = load(run, checkpoint, device=device)
    if space == "w":
        generator.styled()
    frames = walking(
        generator.network,
        z_dim=generator.z_dim,
        seed=seed,
        keyframes=keyframes,
        steps=steps,
        walks=walks,
        device=generator.device,
        labels=generator.labels(walks, label),
        value_range=generator.domain.value_range,
        space=space,
        psi=psi,
        morph=None if morph is None else _classes(generator, morph, label),
    )
    return animation(frames, Path(out) if out else beside(run, "walk.webp"))


def _classes(generator: Generator, morph: Sequence[str | int], label: str | int | None) -> Tensor:
    """(K, classes) of zeros with a one in each row; `UserError` for fewer than two classes, or beside a label."""
    if label is not None:
        raise UserError("class and morph together: a walk stays in one class or leads through several, so give one")
    if generator.domain.classes is None:
        raise UserError(f"this generator of {generator.recipe.name} takes no class: leave morph out")
    numbers = [generator.label(name) for name in morph]
    if len(set(numbers)) < 2:
        raise UserError(f"morph has {len(set(numbers))} classes; expected at least two, such as --morph 3,8")
    return torch.eye(generator.domain.classes)[numbers]


def beside(run: PathLike, name: str) -> Path:
    """In the run's folder; for a lone checkpoint, which is left as it is, in the working directory."""
    return Path(name) if (Path(run) / "manifest.json").exists() else Path(run) / name


def compare(runs: Sequence[PathLike], *, out: PathLike | None = "compare.png") -> list[dict[str, Any]]:
    """A table of runs, one dictionary each; and one picture of their samples, from the same z, and curves.

    A fleet stands for its members. `UserError` where that makes fewer than two runs.
    """
    from zerosum.reporting.compare import compare as comparing  # brings matplotlib

    found = members(runs)

    def picture(path: Path) -> Image.Image:
        generator = load(path)
        if generator.domain.source is not None:
            return _last_grid(path)
        drawn = generator.sample(36 if len(generator.domain.shape) == 3 else 2500, seed=COMPARE_SEED)
        return montage(drawn) if drawn.ndim == 4 else scatter(drawn)

    return comparing(found, None if out is None else Path(out), picture)


def _last_grid(run: Path) -> Image.Image:
    """The last picture that a run drew of itself."""
    drawn = grids(run / "samples")
    if not drawn:
        raise UserError(f"{run} has drawn no grid yet: train it on, or leave it out")
    with Image.open(drawn[-1]) as picture:
        return picture.copy()


def members(runs: Sequence[PathLike]) -> list[Path]:
    """The folders of these runs, a fleet standing for its members; `UserError` where they are fewer than two."""
    found = [member.path for path in runs for member in _runs(path)]
    if len(found) < 2:
        raise UserError("compare takes at least two runs, or a fleet: name another one")
    return found


def report(run: PathLike) -> Path:
    """Write the run's report.html anew, and return its path; of a fleet those of its members, and the fleet's path."""
    pages = [write_report(member.path, verdict_of(member.path)) for member in _runs(run)]
    return pages[0] if (Path(run) / "run.json").exists() else Path(run)


def _runs(path: PathLike) -> list[Run]:
    """The run in a folder, or the members of a fleet."""
    found = open_run(path)
    return [found] if isinstance(found, Run) else list(found.members.values())
