"""Judge a translator: images beside their partners, and of each domain beside its real images, there and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from PIL import Image

from zerosum.api.assemble import asked_of, directed
from zerosum.api.generator import Generator
from zerosum.api.tasks import Bytes, Task, task_of
from zerosum.data import Dataset, open_dataset
from zerosum.data.dataset import of_class
from zerosum.errors import UserError, nearest
from zerosum.metrics.features import Progress, extractor_for
from zerosum.metrics.figures import Figure
from zerosum.metrics.frechet import Moments, frechet_distance
from zerosum.metrics.labels import CAMVID, agreement
from zerosum.metrics.pairs import l1, pair_figures
from zerosum.metrics.swd import SlicedWasserstein
from zerosum.sampling.translate import translate

PAIRED = ("l1", "psnr", "ssim", "ms-ssim")
GROUPS = (*PAIRED, "cycle", "swd", "fid", "labels")
USUAL = (*PAIRED, "cycle", "swd")  # fid asks for a network, which may have to be trained first, labels for a palette


def data_of(generator: Generator, against: str | None) -> Dataset:
    """The data to judge against, the run's own by default, as the run sees them."""
    recipe, domain = generator.recipe, generator.domain
    source = against or recipe.data
    assert source is not None
    found = open_dataset(asked_of(recipe, source), size=domain.size, channels=domain.channels)
    if recipe.inputs in ("pairs", "small"):
        return directed(found, recipe)
    if found.classes is None or len(found.classes) != domain.classes:
        count = len(found.classes or ())
        raise UserError(f"{source} has {count} domains, and this run has {domain.classes}: name other data --against")
    return found


def judge_translation(
    generator: Generator,
    dataset: Dataset,
    count: int,
    seed: int,
    metrics: tuple[str, ...] | None,
    network: str | None,
    progress: Progress | None,
) -> tuple[list[Figure], int]:
    """The figures of up to `count` held-out images, and how many they were; `UserError` for an unknown figure."""
    for name in metrics or ():
        if name not in GROUPS:
            raise UserError(f"no metric {name!r} of a translation; {nearest(name, GROUPS)}")
    wanted = metrics or USUAL
    task = task_of(dataset, count)
    made = made_by(generator, task, seed)
    found = (
        [figure for figure in pair_figures(made, task.target) if figure.name in wanted] if task.labels is None else []
    )
    if task.labels is None and task.given.shape[1] < task.target.shape[1]:
        plain = [figure for figure in pair_figures(enlarged(task), task.target) if figure.name in wanted]
        found += [
            replace(figure, name=f"bicubic-{figure.name}", note="of bicubic enlargement alone") for figure in plain
        ]
    if task.labels is None and "labels" in wanted:
        found += label_figures(made, task.target)
    if task.labels is not None and "cycle" in wanted:
        back = made_by(generator, Task(made, (task.labels - 1) % len(dataset.classes or ()), made), seed)
        found.append(Figure(name="cycle", value=l1(back, task.given), better="lower", note="l1 after the way back"))
    for name, part, own, real in parts(dataset, task, made):
        if "swd" in wanted:
            value = SlicedWasserstein(real).distance(part)["mean"]
            found.append(Figure(name=f"swd{name}", value=value, better="lower", note=f"{len(part):,} images"))
        if "fid" in wanted:
            net = extractor_for(own, network, progress=progress)
            value = frechet_distance(*(Moments.of(net(images).values) for images in (part, real)))
            found.append(
                Figure(name=f"fid{name}", value=value, better="lower", note=f"{net.name}, {len(part):,} images")
            )
    return found, len(made)


def enlarged(task: Task) -> Bytes:
    """The given images at the size of their partners, bicubic."""
    side, channels = task.target.shape[1], task.target.shape[3]
    made = []
    for image in task.given:
        picture = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
        made.append(np.asarray(picture.resize((side, side), Image.Resampling.BICUBIC)).reshape(side, side, channels))
    return np.stack(made)


def label_figures(made: Bytes, target: Bytes) -> list[Figure]:
    """How well maps of CamVid's colours agree; `UserError` for grey ones."""
    if made.shape[3] != 3:
        raise UserError("labels are told by their colours, and these images are grey: leave labels out")
    found = agreement(made, target, np.array(list(CAMVID.values())))
    note = f"nearest of CamVid's {len(CAMVID)} colours"
    return [
        Figure(name="pixel-accuracy", value=found.pixels, better="higher", note=note),
        Figure(
            name="class-accuracy", value=found.classes, better="higher", note="mean over the classes that are there"
        ),
        Figure(name="iou", value=found.iou, better="higher", note="mean over the classes that are there"),
    ]


def made_by(generator: Generator, task: Task, seed: int) -> Bytes:
    """What the generator makes of a task's images."""
    value_range, device = generator.domain.value_range, generator.device
    return np.concatenate(
        list(translate(generator.network, task.given, task.labels, value_range=value_range, device=device, seed=seed))
    )


def parts(dataset: Dataset, task: Task, made: Bytes) -> Iterator[tuple[str, Bytes, Dataset, Bytes]]:
    """Of each domain ("-NAME"; "" where there is but one): images made, its data, and as many real held-out ones."""
    if task.labels is None:
        yield "", made, replace(dataset, classes=None), task.target
        return
    for number, name in enumerate(dataset.classes or ()):
        mine = task.labels == number
        if mine.any():
            yield f"-{name}", made[mine], of_class(dataset, number), task.target[mine]
