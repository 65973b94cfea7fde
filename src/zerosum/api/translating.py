"""`translate`: images of a user's own through the translator of a run, into a folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, PngImagePlugin
from torch import Tensor

from zerosum.api.codes import searcher
from zerosum.api.generator import Generator, load
from zerosum.data import archive, transforms
from zerosum.data.archive import File
from zerosum.data.dataset import Skipped, resolve
from zerosum.data.sources import SOURCES
from zerosum.errors import UserError, nearest, writing
from zerosum.metrics.features.tensors import checksum
from zerosum.sampling.draw import as_tensor, dtype_of, evaluating
from zerosum.sampling.files import replacing, sweep
from zerosum.sampling.grid import to_uint8
from zerosum.sampling.tiles import bands
from zerosum.sampling.translate import to_range
from zerosum.sampling.translate import translate as translate_given
from zerosum.types import PathLike

Bytes = npt.NDArray[np.uint8]
NOTE = "translation.json"  # in the folder: what made it, so that a half-finished one can be gone on with
Make = Callable[[Tensor, Tensor | None], Tensor]  # images, and the domains to lead them into -> images
SMALLEST = 8  # pixels of a side
MADE_OF = "zerosum:made-of"  # in each PNG: SHA-256 of what was translated
TILE = 512  # pixels of a side that goes through a network whole; larger images go in tiles
DAMAGED = "damaged"  # in the place of such a digest


@dataclass
class Translated:
    """A folder of translations: how many were made now, how many were there, and what was left out.

    fitted: of those made, how many were cropped and resized before, as the network makes one size.
    """

    out: Path
    made: int = 0
    kept: int = 0
    fitted: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    _names: dict[Path, str] = field(default_factory=dict)  # the image that became each file

    def take(self, target: Path, item: File, make: Callable[[bytes], Image.Image]) -> None:
        """Write the translation of one file, where it is not there yet."""
        if self._names.get(target, item.name) != item.name:  # a.jpg, and now a.png beside it
            target = self.out / f"{item.name}.png"
        if target in self._names:
            both = f"{self._names[target]} and {item.name}"
            raise UserError(f"{both} would become one file: rename one, or translate them into folders of their own")
        self._names[target] = item.name
        digest = hashlib.sha256(item.data).hexdigest()
        if target.exists() and (known := made_of(target)) != DAMAGED:
            if known not in (digest, None):
                raise UserError(
                    f"{target} was made of another image than {item.name}: remove it, or name another --out"
                )
            self.kept += 1
            return
        with transforms.quiet():
            picture = make(item.data)
        about = PngImagePlugin.PngInfo()
        about.add_text(MADE_OF, digest)
        with replacing(target) as partial:
            picture.save(partial, format="PNG", pnginfo=about)
        self.made += 1


def made_of(target: Path) -> str | None:
    """What a translation says that it was made of; None where it says nothing, DAMAGED where it is no whole image."""
    try:
        with transforms.quiet(), PngImagePlugin.PngImageFile(target) as image:  # not `open`: it may be large
            image.load()
            told = image.info.get(MADE_OF)
            return None if told is None else str(told)
    except (OSError, SyntaxError):
        return DAMAGED


def translate(
    run: PathLike,
    images: Sequence[PathLike],
    *,
    out: PathLike,
    direction: str | None = None,
    domain: str | int | None = None,
    steps: int | None = None,
    seed: int = 0,
    checkpoint: str | None = None,
    device: str = "cpu",
) -> Translated:
    """Translate image files, folders and archives into PNGs of the same names in the folder `out`.

    direction: A2B or B2A, of a run with two domains; domain: the one to lead images into, of a run with several.
    steps: of the search for each image's z, of a run that has one; 0 takes the encoder's z. A folder that was left half
    finished is gone on with. `UserError` where the run does not translate, for a direction or a domain that it has not,
    for steps of a run without a search, and where no image can be read.
    """
    generator = load(run, checkpoint, device=device)
    return _led(generator, label_of(generator, direction, domain), run, images, Path(out), steps, seed)


def _led(
    generator: Generator,
    label: int | None,
    run: PathLike,
    images: Sequence[PathLike],
    out: Path,
    steps: int | None,
    seed: int,
) -> Translated:
    """Lead images into the domain of that number, and write them."""
    make = searcher(generator, steps)
    weights = checksum(generator.network.state_dict())[:16]
    told = {"run": Path(run).name, "step": generator.step, "weights": weights, "label": label, "seed": seed}
    require_apart(out, images)
    begin(out, told if steps is None else {**told, "steps": steps})
    done = Translated(out)
    if (reads := layout_of(generator)) is not None:
        laid_out(generator, reads, images, seed, done)
    else:
        one_by_one(lambda data: one(generator, make, data, label, seed, done), images, done)
    return done


def upscale(
    run: PathLike,
    images: Sequence[PathLike],
    *,
    out: PathLike,
    seed: int = 0,
    checkpoint: str | None = None,
    device: str = "cpu",
) -> Translated:
    """Enlarge image files, folders and archives with a run that learned to: `translate` of no other kind of run.

    `UserError` as there, and where the run does not enlarge.
    """
    generator = load(run, checkpoint, device=device)
    if generator.recipe.inputs != "small":
        raise UserError(f"this run of {generator.recipe.name} does not enlarge: `zerosum translate` or `sample` it")
    return _led(generator, label_of(generator, None, None), run, images, Path(out), None, seed)


def one_by_one(made: Callable[[bytes], Image.Image], paths: Sequence[PathLike], done: Translated) -> None:
    """Translate every image of paths, by its bytes; `UserError` where there is none."""
    for item in files(paths):
        if isinstance(item, Skipped):
            done.skipped.append(item)
            continue
        target = done.out / f"{archive.stem(item.name)}.png"
        try:
            done.take(target, item, made)
        except transforms.ImageError as error:
            done.skipped.append(Skipped(name=item.name, reason=str(error)))
    if not done.made + done.kept:
        why = f", such as {done.skipped[0].name}: {done.skipped[0].reason}" if done.skipped else ""
        raise UserError(f"no image could be read{why}; expected image files, folders or archives of them")


Layout = Callable[[Path, int, int], Iterator[tuple[str, Bytes]]]


def layout_of(generator: Generator) -> Layout | None:
    """How what this run was given is read, where that is more than an image; None where it is one."""
    assert generator.recipe.data is not None
    return SOURCES[resolve(generator.recipe.data)[0]].givens


def laid_out(generator: Generator, reads: Layout, paths: Sequence[PathLike], seed: int, done: Translated) -> None:
    """Translate all that paths in the layout of the run's own data hold; `UserError` where they are in another one."""
    channels, size, _ = generator.domain.shape
    assert generator.domain.source is not None
    for path in map(Path, paths):
        for name, given in reads(path, size, channels):
            if given.shape[2] != generator.domain.source[0]:
                maps = given.shape[2] - channels, generator.domain.source[0] - channels
                raise UserError(f"{path} has {maps[0]} maps beside an image; this run was given {maps[1]}")
            item = File(name, given.tobytes())
            done.take(done.out / f"{name}.png", item, partial(drawn_of, generator, given, seed))


def drawn_of(generator: Generator, given: Bytes, seed: int, _: bytes = b"") -> Image.Image:
    """What the run makes of what it is given, (S, S, c)."""
    domain = generator.domain
    drawn = translate_given(
        generator.network, given[None], value_range=domain.value_range, device=generator.device, seed=seed
    )
    made = next(drawn)
    return transforms.picture(made[0])


def label_of(generator: Generator, direction: str | None, domain: str | int | None) -> int | None:
    """The number of the domain that images are led into; None for a run of pairs."""
    recipe, classes = generator.recipe, generator.classes
    if generator.domain.source is None:
        raise UserError(f"this run of {recipe.name} draws from noise: `zerosum sample RUN`")
    if direction not in (None, "A2B", "B2A"):
        raise UserError(f"direction is {direction!r}; expected A2B or B2A")
    if recipe.paired or classes is None:
        if domain is not None or direction not in (None, recipe.direction):
            raise UserError(f"this run of {recipe.name} translates {recipe.direction} alone: leave the rest out")
        return None
    if direction is not None and domain is not None:
        raise UserError("direction and domain are both given: one says where images are led")
    if direction is not None and len(classes) != 2:
        raise UserError(f"this run has {len(classes)} domains, and no direction: name a --domain: {', '.join(classes)}")
    if domain is not None and str(domain) not in classes and not isinstance(domain, int):
        raise UserError(f"there is no domain {domain!r}; {nearest(str(domain), classes)}")
    if domain is None and len(classes) != 2:
        raise UserError(f"name the --domain to lead images into: {', '.join(classes)}")
    return generator.label(domain) if domain is not None else int(direction != "B2A")


def require_apart(out: Path, images: Sequence[PathLike]) -> None:
    """`UserError` for an input that is not there, and for one that holds the folder of translations."""
    for path in map(Path, images):
        if not path.exists():
            raise UserError(f"can't open {archive.shown(path)}: there is no such file; expected images to translate")
        if path.resolve() in out.resolve().parents:
            raise UserError(f"{out} lies inside {path}, whose images are read: name an --out outside it")


def begin(out: Path, told: dict[str, Any]) -> None:
    """The folder of a new translation, or of the same one gone on with; `UserError` for any other folder."""
    note = out / NOTE
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file: name a folder for --out")
    with writing(out):
        sweep(out)
    if note.exists():
        try:
            known = json.loads(note.read_text())
        except (OSError, ValueError):
            known = None
        if known != told:
            raise UserError(f"{out} holds another translation: name another --out, or remove it")
        return
    if out.exists() and any(out.iterdir()):
        raise UserError(f"{out} is there and holds other files: name another --out")
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    with replacing(note) as partial:
        partial.write_text(json.dumps(told))


def files(images: Sequence[PathLike]) -> Iterator[File | Skipped]:
    """Every file of the paths: files by their own names, those in folders and archives by their places there."""
    for path in map(Path, images):
        if path.is_file() and not archive.is_archive(path):
            yield archive.read_file(path)
        else:
            yield from archive.read_files(path)


def one(generator: Generator, make: Make, data: bytes, label: int | None, seed: int, done: Translated) -> Image.Image:
    """The translation of an image file: of its own size, where the network takes any, else of the run's."""
    source = generator.domain.source
    assert source is not None
    granularity = getattr(generator.network, "granularity", None)
    least = getattr(generator.network, "smallest", SMALLEST)
    width, height = transforms.sides(data)
    if min(width, height) < least:
        raise transforms.ImageError(f"{width}x{height} pixels are too small: at least {least} a side")
    if granularity is None:
        given = transforms.decode(data, source[1], source[0])
        done.fitted += (width, height) != (source[1], source[1])
    else:
        given = transforms.whole(data)[1]
        given = transforms.fit(given[None], len(given), source[0])[0]
    value_range, device = generator.domain.value_range, generator.device
    x = to_range(given[None], value_range).to(device, dtype_of(generator.network))
    y = None if label is None else as_tensor(np.array([label]), device)
    with evaluating(generator.network), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if granularity is None:
            made = to_uint8(make(x, y), value_range)[0]
        else:
            factor = getattr(generator.network, "factor", 1)
            # What is made by a factor is larger still, and so are the maps before it.
            tile = max(TILE, generator.domain.size) if factor == 1 else TILE // 2
            sizes = {"granularity": granularity, "factor": factor, "tile": tile, "overlap": tile // 8}
            rows = bands(lambda part: make(part, y), x, **sizes)
            made = np.concatenate([to_uint8(band, value_range)[0] for band in rows])
    return transforms.picture(made)
