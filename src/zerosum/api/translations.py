"""Judge a translator: images beside their partners, and of each domain beside its real images, there and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from PIL import Image

from zerosum.api.assemble import asked_of, directed
from zerosum.api.generator import Generator
from zerosum.api.tasks import Bytes, Task, made_of, task_of
from zerosum.data import Dataset, open_dataset
from zerosum.data.transforms import fit
from zerosum.errors import UserError, nearest
from zerosum.metrics.domains import domain_accuracy
from zerosum.metrics.features import Extractor, Progress, extractor_for
from zerosum.metrics.figures import Figure
from zerosum.metrics.frechet import Moments, frechet_distance
from zerosum.metrics.labels import CAMVID, agreement
from zerosum.metrics.pairs import l1, pair_figures
from zerosum.metrics.perceptual import perceptual
from zerosum.metrics.swd import SlicedWasserstein

PAIRED = ("l1", "psnr", "ssim", "ms-ssim")
BY_NETWORK = ("perceptual", "fid")  # they ask a feature network, which may have to be trained first
GROUPS = (*PAIRED, "perceptual", "cycle", "domains", "swd", "fid", "labels")
USUAL = (*PAIRED, "cycle", "swd")  # labels asks for a palette, domains trains a classifier


def data_of(generator: Generator, against: str | None) -> Dataset:
    """The data to judge against, the run's own by default, as the run sees them."""
    recipe, domain = generator.recipe, generator.domain
    source = against or recipe.data
    assert source is not None
    found = open_dataset(asked_of(recipe, source), size=domain.size, channels=domain.channels)
    if recipe.paired:
        return directed(found, recipe)
    if found.classes is None or len(found.classes) != domain.classes:
        count = len(found.classes or ())
        raise UserError(f"{source} has {count} domains, and this run has {domain.classes}: name other data --against")
    return found


def chosen(metrics: tuple[str, ...] | None) -> tuple[str, ...]:
    """The figures that were asked for, the usual ones where none was; `UserError` for an unknown one."""
    for name in metrics or ():
        if name not in GROUPS:
            raise UserError(f"no metric {name!r} of a translation; {nearest(name, GROUPS)}")
    return metrics or USUAL


def network_for(
    dataset: Dataset, wanted: tuple[str, ...], name: str | None, progress: Progress | None
) -> Extractor | None:
    """The feature network that the figures ask, the one called `name` or what suits the data; None where none does."""
    return extractor_for(dataset, name, progress=progress) if set(wanted) & set(BY_NETWORK) else None


def judge_translation(
    generator: Generator, dataset: Dataset, count: int, seed: int, wanted: tuple[str, ...], net: Extractor | None
) -> tuple[list[Figure], int]:
    """The figures of up to `count` held-out images, and how many they were."""
    task = task_of(dataset, count)
    made = made_of(generator.network, task, generator.domain, seed)
    found = beside_partners(task, made, wanted, net)
    if task.labels is not None and "cycle" in wanted:
        back = Task(made, task.own, made, task.labels)
        error = l1(made_of(generator.network, back, generator.domain, seed), task.given)
        found.append(Figure(name="cycle", value=error, better="lower", note="l1 after the way back"))
    if task.labels is not None and "domains" in wanted:
        found.append(by_classifier(dataset, task, made))
    found += beside_domains(dataset, task, made, wanted, net)
    if task.given.shape[1] < task.target.shape[1]:
        plain = fit(task.given, task.target.shape[1], task.target.shape[3], Image.Resampling.BICUBIC)
        note = "of bicubic enlargement alone"
        same = [*beside_partners(task, plain, wanted, net), *beside_domains(dataset, task, plain, wanted, net)]
        found += [replace(one, name=f"bicubic-{one.name}", note=note) for one in same]
    return found, len(made)


def beside_partners(task: Task, made: Bytes, wanted: tuple[str, ...], net: Extractor | None) -> list[Figure]:
    """The figures of images that have a right answer; of others none."""
    if task.labels is not None:
        return []
    found = [figure for figure in pair_figures(made, task.target) if figure.name in wanted]
    if "perceptual" in wanted and net is not None:
        value, note = float(perceptual(made, task.target, net).mean()), f"{net.name}, to the partner; not LPIPS"
        found.append(Figure(name="perceptual", value=value, better="lower", note=note))
    return found + (label_figures(made, task.target) if "labels" in wanted else [])


def beside_domains(
    dataset: Dataset, task: Task, made: Bytes, wanted: tuple[str, ...], net: Extractor | None
) -> list[Figure]:
    """The distances of images made for each domain to real ones."""
    found = []
    for name, part, real in parts(dataset, task, made):
        if "swd" in wanted:
            value = SlicedWasserstein(real).distance(part)["mean"]
            found.append(Figure(name=f"swd{name}", value=value, better="lower", note=f"{len(part):,} images"))
        if "fid" in wanted and net is not None:
            value = frechet_distance(*(Moments.of(net(images).values) for images in (part, real)))
            note = f"{net.name}, {len(part):,} images"
            found.append(Figure(name=f"fid{name}", value=value, better="lower", note=note))
    return found


def by_classifier(dataset: Dataset, task: Task, made: Bytes) -> Figure:
    """How many images are of the domain that they were made for, by a classifier of the real ones."""
    assert task.labels is not None
    train, held_out = (
        (np.asarray(split.samples[:]), np.asarray(split.labels)) for split in (dataset.train, dataset.held_out)
    )
    some = len(held_out[0]) > 0
    found = domain_accuracy(train, held_out if some else train, (made, task.labels))
    which = "held-out ones" if some else "ones that it learned from"
    note = f"by a classifier of the real images, which is right about {found.real:.1%} of the {which}"
    return Figure(name="domain-accuracy", value=found.made, better="higher", note=note)


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


def parts(dataset: Dataset, task: Task, made: Bytes) -> Iterator[tuple[str, Bytes, Bytes]]:
    """Of each domain ("-NAME"; "" where there is but one): images made, and as many real held-out ones."""
    if task.labels is None:
        yield "", made, task.target
        return
    for number, name in enumerate(dataset.classes or ()):
        mine = task.labels == number
        if mine.any():
            yield f"-{name}", made[mine], task.target[mine]
