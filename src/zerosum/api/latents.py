"""What a finished run's latent space is for: style mixing, directions, and the code nearest to a given image."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn

from zerosum.api.generator import Generator, load
from zerosum.api.using import beside
from zerosum.data.convert import one_image
from zerosum.errors import UserError
from zerosum.networks.infogan import InfoganGenerator
from zerosum.reporting.charts import Chart, Line
from zerosum.reporting.curves import picture
from zerosum.reporting.words import words
from zerosum.sampling import mixing, projection
from zerosum.sampling.directions import COLUMNS, find, strips
from zerosum.sampling.files import replacing, require_png
from zerosum.sampling.grid import Bytes, montage, to_uint8
from zerosum.sampling.latents import Space
from zerosum.sampling.sweeps import along_codes, coded, sweeps
from zerosum.types import PathLike


@dataclass(frozen=True, kw_only=True)
class Projected:
    """What `project` found and wrote; distances are mean squared errors of values from 0 to 1, over several scales."""

    path: Path  # the folder with `files`
    start: float
    end: float
    steps: int
    label: str | None  # the class it lies in

    @property
    def files(self) -> list[Path]:
        """The target beside the projection, the distance by step, the code, and the numbers."""
        return [self.path / name for name in ("projection.png", "curve.png", "code.safetensors", "result.json")]


Method = Literal["sefa", "pca", "codes"]


def mix(
    run: PathLike,
    *,
    rows: int = 4,
    columns: int = 6,
    layers: str = "coarse",
    seed: int = 0,
    label: str | int | None = None,
    psi: float = 1.0,
    out: PathLike | None = None,
    checkpoint: str | None = None,
    device: str = "cpu",
) -> Path:
    """Write a grid of mixed styles as FILE.png: sources A in the first column, B in the first row; returns it.

    Each other picture is A's, with B's styles on the chosen layers: coarse, middle, fine, or "A-B", numbers from 0.
    Without `out`, mix.png in the run's folder. `UserError` for a generator without styles.
    """
    target = _png(run, out, "mix.png")
    generator = load(run, checkpoint, device=device)
    made = mixing.mix(
        generator.styled(),
        rows=rows,
        columns=columns,
        layers=layers,
        seed=seed,
        device=generator.device,
        labels=generator.labels(max(rows, 0) + max(columns, 0), label),
        psi=psi,
        value_range=generator.domain.value_range,
    )
    with replacing(target) as partial:
        montage(made, columns + 1).save(partial)
    return target


def directions(
    run: PathLike,
    *,
    method: Method | None = None,
    count: int = 5,
    seed: int = 0,
    label: str | int | None = None,
    span: float = 3.0,
    out: PathLike | None = None,
    checkpoint: str | None = None,
    device: str = "cpu",
) -> Path:
    """Write what the strongest directions of latent space do as FILE.png, and beside it FILE.safetensors.

    A row for each direction: the seed's picture in the middle, led from -span to span deviations. The other file has
    `directions` (count, D), of length 1, and `scales` (count,), the deviation along each. method: "sefa", from weights,
    "pca", from samples (GANSpace), or "codes", of an InfoGAN: each of its continuous codes led through, a row for each
    category. Without one "codes" where G has them, else "sefa". Without `out`, directions.png in the run's folder.
    `UserError` for points.
    """
    target = _png(run, out, "directions.png")
    generator = load(run, checkpoint, device=device)
    _require_images(generator)
    first = None if (labels := generator.labels(1, label)) is None else int(labels[0])
    G, where, shades = generator.network, generator.device, generator.domain.value_range
    if (method := _method(G, method)) == "codes":
        found = along_codes(coded(G))
        made, rows = sweeps(coded(G), seed=seed, device=where, value_range=shades)
    else:
        only = {"classes": generator.domain.classes, "label": None if label is None else first}
        found = find(G, method, count, seed=seed, device=where, **only)
        made = strips(G, found, seed=seed, span=span, device=where, label=first, value_range=shades)
        rows = [str(row + 1) for row in range(count)]
    with replacing(target) as partial:
        montage(made, COLUMNS, row_labels=rows).save(partial)
    tensors = {"directions": torch.from_numpy(found.directions), "scales": torch.from_numpy(found.scales)}
    about = {"method": method, "seed": seed, **_about(generator)}
    _write_tensors(target.with_suffix(".safetensors"), {name: value.float() for name, value in tensors.items()}, about)
    return target


def _method(G: nn.Module, told: Method | None) -> Method:
    """How to find directions of G: as told, or the way of its kind; `UserError` for a way that there is not."""
    if told not in (None, *get_args(Method)):
        raise UserError(f"method is {told!r}; expected one of {', '.join(get_args(Method))}")
    return told or ("codes" if isinstance(G, InfoganGenerator) else "sefa")


def project(
    run: PathLike,
    image: PathLike,
    *,
    steps: int = 300,
    seed: int = 0,
    label: str | int | None = None,
    out: PathLike | None = None,
    checkpoint: str | None = None,
    device: str = "cpu",
) -> Projected:
    """Find the code whose picture is nearest to an image file, and write what was found into the folder `out`.

    The image is cropped and resized as those of a folder are. A conditional generator without `label` takes the class
    of its best start. Without `out`, projection in the run's folder. `UserError` for a file that is no image, and for
    a generator of points.
    """
    folder = Path(out) if out else beside(run, "projection")
    generator = load(run, checkpoint, device=device)
    _require_images(generator)
    domain = generator.domain
    number = None if label is None else generator.label(label)
    pixels = one_image(Path(image), domain.size, domain.channels)
    found = projection.project(
        generator.network,
        _as_tensor(pixels, domain.value_range),
        steps=steps,
        seed=seed,
        classes=domain.classes,
        label=number,
        device=generator.device,
        value_range=domain.value_range,
    )
    chosen = found.label if number is None else number
    name = None if chosen is None or generator.classes is None else generator.classes[chosen]
    projected = Projected(path=folder, start=found.start, end=found.end, steps=steps, label=name)
    about = {"target": str(image), "steps": steps, "seed": seed, "class": name, **_about(generator)}
    sides = np.stack([pixels, to_uint8(found.image[None], domain.value_range)[0]])
    _write_projection(projected, found, sides, about)
    return projected


def _as_tensor(pixels: Bytes, value_range: tuple[float, float]) -> Tensor:
    """uint8 (H, W, C) to float32 (C, H, W) in the range."""
    low, high = value_range
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1) * ((high - low) / 255) + low


def _write_projection(
    projected: Projected, found: projection.Projection, sides: Bytes, about: Mapping[str, Any]
) -> None:
    sheet, curve, code, result = projected.files
    with replacing(sheet) as partial:
        montage(sides, 2).save(partial)
    line = Line(label="distance", x=np.arange(1.0, len(found.distances) + 1), y=np.array(found.distances))
    with replacing(curve) as partial:
        chart = Chart(key="projection", title=words("projection.title"), lines=(line,), log=True)
        picture([chart]).savefig(partial)
    _write_tensors(code, {"code": found.code}, about)
    with replacing(result) as partial:
        document = {"distance": {"start": found.start, "end": found.end}, **about}
        partial.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _write_tensors(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """A safetensors file; its metadata are text alone."""
    plain = {name: value.cpu().contiguous() for name, value in tensors.items()}
    metadata = {name: str(value) for name, value in about.items() if value is not None}
    with replacing(path) as partial:
        partial.write_bytes(safetensors.torch.save(plain, metadata=metadata))


def _about(generator: Generator) -> dict[str, Any]:
    """Where codes come from: whoever reads them needs this generator."""
    return {"space": Space(generator.network).name, "recipe": generator.recipe.name, "step": generator.step}


def _png(run: PathLike, out: PathLike | None, name: str) -> Path:
    """Where a picture goes; `UserError` for another kind of file."""
    path = Path(out) if out else beside(run, name)
    require_png(path)
    return path


def _require_images(generator: Generator) -> None:
    """`UserError` for a generator of points, and for one that makes images of something else than z alone."""
    generator.require_noise()
    if len(generator.domain.shape) != 3:
        raise UserError(f"this generator of {generator.recipe.name} makes points; expected one of images")
    if generator.domain.text is not None:
        raise UserError(f"this generator of {generator.recipe.name} draws what a text says: `zerosum text RUN TEXT`")
