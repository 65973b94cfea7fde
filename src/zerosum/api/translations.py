"""Judge a translator: images beside their partners, and of each domain beside its real images, there and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from PIL import Image

from zerosum.api.assemble import asked_of, directed
from zerosum.api.generator import Generator
from zerosum.api.tasks import Bytes, Task, made_of, spread, task_of
from zerosum.data import Dataset, open_dataset
from zerosum.data.transforms import fit
from zerosum.errors import UserError, nearest
from zerosum.metrics.domains import domain_accuracy
from zerosum.metrics.features import Extractor, Progress, extractor_for, own
from zerosum.metrics.figures import Figure
from zerosum.metrics.frechet import Moments, frechet_distance
from zerosum.metrics.labels import LABELLED, agreement, near, palette_of
from zerosum.metrics.pairs import l1, pair_figures
from zerosum.metrics.perceptual import perceptual
from zerosum.metrics.swd import SlicedWasserstein
from zerosum.spec import Recipe

Distance = Callable[[Bytes, Bytes], float]  # of images made to real ones
PAIRED = ("l1", "psnr", "ssim", "ms-ssim")
BY_NETWORK = ("perceptual", "fid")  # they ask a feature network, which may have to be trained first
GROUPS = (*PAIRED, "perceptual", "cycle", "domains", "swd", "fid", "labels")
USUAL = (*PAIRED, "cycle", "swd")  # labels asks for a palette, domains trains a classifier
MEMBERS = {"domain-accuracy": "domains", **dict.fromkeys(("pixel-accuracy", "class-accuracy", "iou"), "labels")}
NAMES = (*GROUPS, *MEMBERS)


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
    if generator.classes is not None and found.classes != generator.classes:
        theirs, ours = (", ".join(names) for names in (found.classes, generator.classes))
        raise UserError(f"the domains of {source} are {theirs}, and this run's are {ours}: name other data --against")
    return found


def group_of(name: str) -> str | None:
    """The group of a figure of translations, or the name of a group itself; None for another name."""
    plain = name.removeprefix("bicubic-")
    of_domain = next((group for group in ("swd", "fid") if plain.startswith(f"{group}-")), None)
    group = MEMBERS.get(plain) or of_domain or plain
    return group if group in GROUPS else None


def chosen(metrics: tuple[str, ...] | None) -> tuple[str, ...]:
    """The groups that were asked for, by their names or a figure's; the usual ones where none was.

    `UserError` for an unknown one.
    """
    groups = []
    for name in metrics or ():
        group = group_of(name)
        if group is None:
            raise UserError(f"no metric {name!r} of a translation; {nearest(name, NAMES)}")
        groups.append(group)
    return tuple(dict.fromkeys(groups)) or USUAL


def network_for(
    recipe: Recipe, dataset: Dataset, wanted: tuple[str, ...], name: str | None, progress: Progress | None
) -> Extractor | None:
    """The feature network that the figures ask, the one called `name` or what suits the data; None where none does.

    What was trained by the encoder of the data is judged by a second one.
    """
    if not set(wanted) & set(BY_NETWORK):
        return None
    usual = "second-encoder" if taught_by(recipe) == "encoder" and own(dataset.name) is None else None
    return extractor_for(dataset, name or usual, progress=progress)


def taught_by(recipe: Recipe) -> str | None:
    """The feature network whose maps G's loss compares, in the recipe or in any stage of it."""
    weight = max(
        [getattr(recipe.game, "content", 0.0), *(stage.changes.get("content", 0.0) for stage in recipe.stages)]
    )
    return str(getattr(recipe.game, "content_network", "")) if weight else None


def judge_translation(
    generator: Generator, dataset: Dataset, count: int, seed: int, wanted: tuple[str, ...], net: Extractor | None
) -> tuple[list[Figure], int]:
    """The figures of up to `count` held-out images, and how many they were."""
    task = task_of(dataset, count)
    if task.labels is not None:
        require_all_domains(dataset)
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


def require_all_domains(dataset: Dataset) -> None:
    """`UserError` where images of some domains are held out and of others not: these would be those trained on."""
    if dataset.held_out.labels is not None and len(dataset.held_out):
        for number, name in enumerate(dataset.classes or ()):
            if not (dataset.held_out.labels == number).any():
                raise UserError(f"{dataset.name} holds out no image of {name}: add some, or name data --against")


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
    """The distances of images made for each domain to real ones; beside each that of as many that were trained on."""
    distances: dict[str, tuple[str, Distance]] = {}
    if "swd" in wanted:
        distances["swd"] = "", lambda some, others: SlicedWasserstein(others).distance(some)["mean"]
    if "fid" in wanted and net is not None:
        of = net
        distances["fid"] = f"{of.name}, ", lambda *sets: frechet_distance(*(Moments.of(of(x).values) for x in sets))
    found = []
    for domain, part, real, taught in parts(dataset, task, made):
        for name, (by, distance) in distances.items():
            value, floor = distance(part, real), distance(taught, real) if len(taught) > 1 else None
            note = f"{by}{len(part):,} images" + (f"; of those trained on {len(taught):,}" if len(taught) > 1 else "")
            found.append(Figure(name=f"{name}{domain}", value=value, floor=floor, better="lower", note=note))
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
    """How well maps of CamVid's colours agree; `UserError` for grey ones, and for images that are no such maps."""
    if made.shape[3] != 3:
        raise UserError("labels are told by their colours, and these images are grey: leave labels out")
    palette = palette_of(target)
    share = near(target, palette)
    if share < LABELLED:
        raise UserError(f"labels are told by CamVid's colours, which {share:.1%} of real pixels have: leave labels out")
    found = agreement(made, target, palette)
    note = f"nearest of CamVid's {len(palette)} colours, which {share:.1%} of real pixels are near"
    return [
        Figure(name="pixel-accuracy", value=found.pixels, better="higher", note=note),
        Figure(
            name="class-accuracy", value=found.classes, better="higher", note="mean over the classes that are there"
        ),
        Figure(name="iou", value=found.iou, better="higher", note="mean over the classes that are there"),
    ]


def parts(dataset: Dataset, task: Task, made: Bytes) -> Iterator[tuple[str, Bytes, Bytes, Bytes]]:
    """Of each domain ("-NAME"; "" where there is but one): images made, as many real held-out ones, and of train's.

    Where none is held out there are none of train: the others are these.
    """
    train = dataset.train

    def taught(rows: npt.NDArray[np.int64], count: int) -> Bytes:
        return np.asarray(train.samples[rows[spread(len(rows), count if len(dataset.held_out) else 0)]])

    if task.labels is None:
        yield "", made, task.target, taught(np.arange(len(train)), len(made))
        return
    for number, name in enumerate(dataset.classes or ()):
        mine = task.labels == number
        if mine.any():
            own = taught(np.flatnonzero(train.labels == number), int(mine.sum()))
            yield f"-{name}", made[mine], task.target[mine], own
