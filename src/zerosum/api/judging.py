"""Judge a generator, or anybody's images, against real ones: figures, each with its protocol and its floor."""

from __future__ import annotations

import datetime as dt
import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from zerosum.api import translations
from zerosum.api.subjects import Drawn, Subject, fitted_to, subject
from zerosum.data import Dataset, open_dataset
from zerosum.data.sources.toy import MODES
from zerosum.errors import UserError
from zerosum.metrics.features import Extractor, Progress, extractor_for
from zerosum.metrics.figures import WITHOUT_NETWORK, Figure, Side, chosen, figures
from zerosum.metrics.memory import pairs_picture
from zerosum.metrics.modes import toy_modes
from zerosum.metrics.reference import Reference, SplitName
from zerosum.sampling.files import replacing, require_png
from zerosum.sampling.grid import montage
from zerosum.types import PathLike

SAMPLES = 10_000
POINTS = 2_500  # of a toy, as in PacGAN (arXiv 1712.04086)

Samples = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """All that a figure depends on besides the samples themselves."""

    what: str
    checkpoint: str | None  # None: images, or a fleet's own choice for each member
    step: int | None
    ema: bool | None
    samples: int
    seeds: tuple[int, ...]  # of the draws; empty where nothing was drawn
    against: str
    split: str
    real: int
    network: str | None
    checksum: str | None
    scope: str
    shape: tuple[int, ...]  # of an image (H, W, C), or of a point (2,)
    floor: str = "two halves of the real images"  # what a figure's floor is between

    @property
    def judge(self) -> str:
        """What figures have to have in common to be compared."""
        by = "" if self.network is None else f", {self.network} {str(self.checksum)[:8]}"
        return f"{self.split} images of {'x'.join(map(str, self.shape))}{by}"


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What `evaluate` returns. With several seeds a figure is their mean, and its error their standard deviation."""

    figures: tuple[Figure, ...]
    protocol: Protocol

    def __getitem__(self, name: str) -> float:
        """A figure's value by its name; `KeyError` where it was not made."""
        return {figure.name: figure.value for figure in self.figures}[name]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"figures": [asdict(figure) for figure in self.figures], "protocol": asdict(self.protocol)}


@dataclass(frozen=True, kw_only=True)
class Question:
    """How `evaluate` was asked, besides of what."""

    n: int
    seeds: tuple[int, ...]
    metrics: tuple[str, ...] | None
    network: str | None
    split: SplitName | None
    pairs: Path | None
    progress: Progress | None

    def __post_init__(self) -> None:
        if self.n < 2 or not self.seeds:
            raise UserError(f"n is {self.n} and seeds is {len(self.seeds)}; expected at least 2 samples and 1 seed")
        if self.split not in (None, "train", "held-out"):
            raise UserError(f"no split {self.split!r}; expected train or held-out")
        if self.pairs is not None:
            require_png(self.pairs)
        # An unknown name is refused before anything is read; those of translations only where nothing is translated.
        for name in self.metrics or ():
            if translations.group_of(name) is None:
                chosen((name,), translations.NAMES)


def evaluate(
    what: PathLike,
    against: str | None = None,
    *,
    n: int = SAMPLES,
    seed: int = 0,
    seeds: int = 1,
    metrics: Sequence[str] | None = None,
    network: str | None = None,
    split: SplitName | None = None,
    checkpoint: str | None = None,
    pairs: PathLike | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Judgement:
    """Judge a run, a fleet or a checkpoint; or a folder, archive or npz of images, made by anybody.

    against: a source of data, for a run its own by default. n: samples drawn of a run. seeds: that many draws, from
    `seed` on. metrics: names of figures or of their groups; all where None. network: digits-net, fashion-net, encoder
    or inception; None takes what suits the data. pairs: a PNG of the samples that are nearest to a training image,
    each above it. A run's judgement is also appended to its evaluations.jsonl. `UserError` for what can't be judged.
    """
    asked = Question(
        n=n,
        seeds=tuple(range(seed, seed + seeds)),
        metrics=tuple(metrics) if metrics else None,
        network=network,
        split=split,
        pairs=None if pairs is None else Path(pairs),
        progress=progress,
    )
    judged = subject(what, checkpoint, device)
    if seeds > 1 and not judged.drawn:
        raise UserError(f"{what} are images, which no seed changes: leave --seeds out")
    translates = isinstance(judged, Drawn) and judged.generator.domain.source is not None
    made = (_judge_translation if translates else _judge)(judged, what, against, asked)
    if (Path(what) / "run.json").exists():
        _store(Path(what), made)
    return made


def _judge_translation(judged: Subject, what: PathLike, against: str | None, question: Question) -> Judgement:
    """The figures of a translator on held-out images."""
    assert isinstance(judged, Drawn)
    if question.split == "train" or question.pairs is not None:
        raise UserError(
            "a translator is judged on held-out images, beside their partners: leave --split and --pairs out"
        )
    wanted = translations.chosen(question.metrics)
    dataset = translations.data_of(judged.generator, against)
    net = translations.network_for(judged.generator.recipe, dataset, wanted, question.network, question.progress)
    rounds = [
        translations.judge_translation(judged.generator, dataset, question.n, seed, wanted, net)
        for seed in question.seeds
    ]
    about = {**_about("held-out", rounds[0][1], net), "floor": "the real images and as many that were trained on"}
    lacks = "no partners to be told beside" if dataset.classes is not None else "no domains to lead into and back"
    return _concluded(judged, what, question, dataset, rounds, about, lacks)


def _about(split: str, real: int, network: Extractor | None) -> dict[str, Any]:
    """What a protocol says of the real images and of the feature network."""
    told = {"network": None, "checksum": None, "scope": ""}
    if network is not None:
        told = {"network": network.name, "checksum": network.checksum, "scope": network.scope}
    return {"split": split, "real": real, **told}


def _dataset(judged: Subject, what: PathLike, against: str | None) -> Dataset:
    """The data to judge against, at the size and with the channels of what is judged."""
    source = against or judged.data
    if source is None:
        raise UserError(f"{what} does not say what it should look like: name data --against which to judge")
    probe = judged.samples(2, 0, None)
    if probe.ndim == 2:
        return open_dataset(source)
    found = open_dataset(source, size=probe.shape[1] if judged.drawn else None)
    if judged.drawn and found.kind == "images" and found.shape[0] != probe.shape[3]:
        found = open_dataset(source, size=probe.shape[1], channels=probe.shape[3])
    return found


def _judge(judged: Subject, what: PathLike, against: str | None, question: Question) -> Judgement:
    """The figures of every seed together, and the protocol."""
    dataset = _dataset(judged, what, against)
    if dataset.kind == "points":
        if question.pairs is not None or chosen(question.metrics or ("modes",)) != ("modes",):
            raise UserError(f"{dataset.name} is made of points, of which modes are told: leave other figures out")
        reference, make = None, _toy_maker(judged, what, dataset)
        count, network = min(POINTS, question.n), None
    else:
        reference, make = _image_maker(judged, what, dataset, question)
        count, network = question.n, reference.extractor
    rounds = [make(count, seed) for seed in question.seeds]
    split, real = ("modes", 0) if reference is None else (reference.split, len(reference.images))
    lacks = "a network that knows no classes"
    return _concluded(judged, what, question, dataset, rounds, _about(split, real, network), lacks)


def _concluded(
    judged: Subject,
    what: PathLike,
    question: Question,
    dataset: Dataset,
    rounds: Sequence[tuple[list[Figure], int]],
    about: dict[str, Any],
    lacks: str,
) -> Judgement:
    """The figures of all seeds together; about: what the protocol says of the real images and of the network.

    `UserError` where none of the figures that were asked for can be made; lacks: what may be missing beside images.
    """
    if not any(found for found, _ in rounds):
        asked = " and ".join(question.metrics or ())
        raise UserError(f"{asked} can't be made of {dataset.name}: it has too few held-out images, or {lacks}")
    protocol = Protocol(
        what=str(what),
        checkpoint=judged.checkpoint,
        step=judged.step,
        ema=judged.ema,
        samples=rounds[0][1],
        seeds=question.seeds if judged.drawn else (),
        against=dataset.name,
        shape=tuple(dataset.held_out.samples.shape[1:]),
        **about,
    )
    return Judgement(figures=tuple(_together([found for found, _ in rounds])), protocol=protocol)


Maker = Callable[[int, int], tuple[list[Figure], int]]  # the samples asked for, and a seed -> figures, and how many


def _image_maker(judged: Subject, what: PathLike, dataset: Dataset, question: Question) -> tuple[Reference, Maker]:
    groups = chosen(question.metrics)
    needs = any(group not in WITHOUT_NETWORK for group in groups)
    extractor = extractor_for(dataset, question.network, progress=question.progress) if needs else None
    reference = Reference.of(dataset, extractor, question.split)

    def make(count: int, seed: int) -> tuple[list[Figure], int]:
        told = reference.told if judged.words == dataset.words else None
        images = fitted_to(judged.samples(count, seed, told), dataset.shape, what, dataset.name)
        side = Side(images, reference, seed)
        found = figures(side, groups)
        if question.pairs is not None and seed == question.seeds[0]:
            _draw_pairs(side, dataset, question.pairs)
        return found, len(images)

    return reference, make


def _toy_maker(judged: Subject, what: PathLike, dataset: Dataset) -> Maker:
    modes = MODES.get(dataset.name)
    if modes is None:
        raise UserError(f"{dataset.name} has no known modes; expected ring or grid")

    def make(count: int, seed: int) -> tuple[list[Figure], int]:
        points = judged.samples(count, seed, None)
        if points.ndim != 2:
            raise UserError(
                f"{what} has images, and {dataset.name} has points: name other data --against which to judge"
            )
        real = np.asarray(dataset.held_out.samples[: len(points)])
        found, floor = (toy_modes(each, modes.centres, modes.sigma) for each in (points, real))
        note = f"of {found.modes}, within 3 sigma"
        return [
            Figure(name="modes", value=found.covered, floor=floor.covered, better="higher", note=note),
            Figure(name="high-quality", value=found.high_quality, floor=floor.high_quality, better="higher"),
            Figure(name="reverse-kl", value=found.reverse_kl, floor=floor.reverse_kl, better="lower"),
        ], len(points)

    return make


def _together(rounds: Sequence[Sequence[Figure]]) -> list[Figure]:
    """One figure for each name: of several draws the mean, and their standard deviation as its error."""
    if len(rounds) == 1:
        return list(rounds[0])
    found = []
    for same in zip(*rounds, strict=True):
        values = [figure.value for figure in same]
        note = f"mean and deviation of {len(values)} draws"
        found.append(replace(same[0], value=statistics.fmean(values), error=statistics.stdev(values), note=note))
    return found


def _draw_pairs(side: Side, dataset: Dataset, path: Path) -> None:
    """The samples that lie nearest to a training image, each above it."""
    memory = side.memory
    if memory is None:
        raise UserError(f"{dataset.name} has too few held-out images to say what a copy is: leave --pairs out")
    pairs = pairs_picture(side.images, np.asarray(dataset.train.samples), memory.pairs)
    with replacing(path) as partial:
        montage(pairs).save(partial)


def _store(run: Path, judgement: Judgement) -> None:
    """Append to the run's evaluations, one JSON object a line."""
    line = {"time": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"), **judgement.to_dict()}
    try:
        with (run / "evaluations.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    except OSError as error:
        raise UserError(f"{run / 'evaluations.jsonl'} can't be written: {error.strerror}") from None


def rank(
    runs: Sequence[PathLike],
    metric: str,
    *,
    against: str | None = None,
    n: int = 5_000,
    seeds: int = 3,
    device: str = "cpu",
) -> list[dict[str, Any]]:
    """Runs in the order of one figure, the best first: run, value, error (deviation over the draws), floor, rank.

    A run shares a rank with the one before it where their values lie within two errors of their difference. All are
    judged against the same data: `against`, else those of the first. `UserError` where a run has no such figure, and
    for images of different sizes or networks, whose figures can't be compared.
    """
    if seeds < 2:
        raise UserError(f"seeds is {seeds}; expected at least 2, since a rank needs an uncertainty")
    rows, first = [], ""
    for run in runs:
        judged = evaluate(run, against, n=n, seeds=seeds, metrics=(metric,), device=device)
        against = against or judged.protocol.against
        asked = judged.protocol.judge
        first = first or asked
        if asked != first:
            raise UserError(f"{run} is judged by {asked}, and {runs[0]} by {first}: such figures can't be ranked")
        figure = next((figure for figure in judged.figures if figure.name == metric), None)
        if figure is None:
            known = ", ".join(figure.name for figure in judged.figures)
            raise UserError(f"{metric} is not one figure of {run}; expected one of {known}")
        rows.append((figure, {"run": str(run), metric: figure.value, "error": figure.error, "floor": figure.floor}))
    rows.sort(key=lambda row: -row[0].value if row[0].better == "higher" else row[0].value)
    ranks: list[int] = []
    for place, (figure, _) in enumerate(rows):
        before = rows[place - 1][0]
        error = ((figure.error or 0.0) ** 2 + (before.error or 0.0) ** 2) ** 0.5
        tied = place > 0 and abs(figure.value - before.value) <= 2 * error
        ranks.append(ranks[-1] if tied else place + 1)
    return [{"rank": number, **row} for number, (_, row) in zip(ranks, rows, strict=True)]
