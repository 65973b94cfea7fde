"""What a run is asked now and then, besides its score: D about samples it never saw, G about its variety."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from zerosum.data import Dataset, Split
from zerosum.data.loader import Feed
from zerosum.games.base import Game, Shown
from zerosum.metrics.coverage import NEIGHBOURS, RealManifold
from zerosum.metrics.variety import variety
from zerosum.sampling import draw
from zerosum.spec import Recipe
from zerosum.types import Domain

SEED = 12661  # of the z; apart from the grid's and the score's
ASKED = 256  # held-out samples that D is asked about, and as many fakes
EXAMINED = 128  # samples of each kind in an exam
VALUES = 2**26  # of the images of each kind, which are kept as numbers for the whole run
PIXELS = 16  # along a side, at which images are compared: fine noise would hide what they show

Batch = tuple[Tensor, Tensor | None]


def asker(recipe: Recipe, domain: Domain, dataset: Dataset) -> Callable[[Game], Mapping[str, float]]:
    """Asks D about held-out samples and as many fresh fakes of the same classes, the same z every time."""
    count = min(draw.kept_at_once(domain.shape, ASKED, VALUES), len(dataset.held_out))
    if not count:
        return lambda game: {}
    x, y = _taken(dataset, dataset.held_out, recipe, domain, count)

    def ask(game: Game) -> Mapping[str, float]:
        G = game.networks[str(game.generator)]
        like = next(G.parameters())
        labels = None if y is None else y.to(like.device)
        found: dict[str, float] = {}
        with all_evaluating(game):
            for part, fake in _fakes(G, count, labels, domain):
                told = None if labels is None else labels[part]
                real = game.as_shown(x[part].to(like))
                for name, value in game.judge(Shown(real=real, fake=fake, y=told, fake_y=told)).items():
                    found[name] = found.get(name, 0.0) + float(value) * len(real) / count
        return {"samples": count, **found} if found else {}

    return ask


def examiner(recipe: Recipe, domain: Domain, dataset: Dataset) -> Callable[[Game, nn.Module], Mapping[str, Any]] | None:
    """Compares the samples' variety with that of real ones, and asks D what it can only know by heart.

    None where too few samples are held out. Every exam has the same real samples and the same z.
    """
    count = min(draw.kept_at_once(domain.shape, EXAMINED, VALUES), len(dataset.held_out), len(dataset.train))
    if count <= max(NEIGHBOURS):
        return None
    seen = _taken(dataset, dataset.train, recipe, domain, count)
    unseen = _taken(dataset, dataset.held_out, recipe, domain, count)
    reals = compared(unseen[0])
    manifold = RealManifold(reals)
    classes = None if unseen[1] is None or unseen[1].dim() > 1 else unseen[1].cpu().numpy()

    def examine(game: Game, generator: nn.Module) -> Mapping[str, Any]:
        like = next(generator.parameters())
        labels = None if unseen[1] is None else unseen[1].to(like.device)
        with all_evaluating(game), draw.evaluating(generator):
            fakes = np.concatenate([compared(fake) for _, fake in _fakes(generator, count, labels, domain)])
            gap, label_gap = _by_heart(game, seen, unseen, like)
        spread, nearest = variety(fakes, reals, classes)
        coverage = manifold.score(fakes).coverage
        reach = float(np.ptp(fakes) / np.ptp(reals)) if np.ptp(reals) else None
        looks = {"spread": spread, "nearest": nearest, "coverage": coverage, "reach": reach}
        return {"samples": count, **looks, "gap": gap, "label_gap": label_gap, "probes": game.gauges()}

    return examine


def _taken(dataset: Dataset, split: Split, recipe: Recipe, domain: Domain, count: int) -> Batch:
    """Some samples of a split, as networks see them."""
    feed = Feed(dataclasses.replace(dataset, train=split), device=torch.device("cpu"), value_range=recipe.value_range)
    x, y = feed.take(count)
    return x, y if domain.conditional else None


def _fakes(G: nn.Module, count: int, labels: Tensor | None, domain: Domain) -> Iterator[tuple[slice, Tensor]]:
    """The same images every time, as many at once as have room, and which of them these are."""
    start = 0
    for z in draw.latents(count, draw.z_dim_of(G), seed=SEED, batch=draw.at_once(domain.shape, G)):
        part = slice(start, start := start + len(z))
        yield part, G(z.to(next(G.parameters())), None if labels is None else labels[part])


def compared(x: Tensor) -> npt.NDArray[np.float64]:
    """Samples as vectors (N, D) in which near means alike: images averaged down to 16 pixels, points as they are."""
    x = x.detach().float().cpu()
    if x.dim() == 4 and x.shape[-1] > PIXELS:
        x = functional.adaptive_avg_pool2d(x, PIXELS)
    return x.flatten(1).double().numpy()


def _by_heart(game: Game, seen: Batch, unseen: Batch, like: Tensor) -> tuple[float | None, float | None]:
    """How far D's logits on train samples lie above those on held-out ones, and right classes above wrong ones.

    Both in units of their own deviation. None where nobody judges, or there are no classes to be wrong about.
    """
    by_heart, fresh = (_said(game, game.logits, x, y, like) for x, y in (seen, unseen))
    if by_heart is None or fresh is None:
        return None, None
    x, y = unseen
    label_gap = None
    if y is not None and len(torch.unique(y, dim=0)) > 1:
        right, wrong = (_said(game, game.belief, x, given, like) for given in (y, y.roll(1, 0)))
        differs = (y != y.roll(1, 0)).view(len(y), -1).any(1).to(like.device)
        assert right is not None
        assert wrong is not None
        label_gap = _apart(right[differs], wrong[differs])
    return _apart(by_heart, fresh), label_gap


def _said(game: Game, ask: Callable[..., Tensor | None], x: Tensor, y: Tensor | None, like: Tensor) -> Tensor | None:
    """What the game answers about real samples, as many at once as have room; None where nobody judges."""
    found: list[Tensor] = []
    for part in torch.split(torch.arange(len(x)), draw.at_once(tuple(x.shape[1:]))):
        given = None if y is None else y[part].to(like.device)
        said = ask(game.as_shown(x[part].to(like)), given)
        if said is None:
            return None
        found.append(said)
    return torch.cat(found)


def _apart(one: Tensor, other: Tensor) -> float:
    """The difference of two means over the common standard deviation; 0 where there is no deviation."""
    one, other = one.cpu().double(), other.cpu().double()
    deviation = ((one.var(correction=0) + other.var(correction=0)) / 2).sqrt()
    return float((one.mean() - other.mean()) / deviation) if float(deviation) > 0 else 0.0


@contextlib.contextmanager
def all_evaluating(game: Game) -> Iterator[None]:
    """Inside, no network of the game learns or drops out."""
    with contextlib.ExitStack() as stack:
        for network in game.networks.values():
            stack.enter_context(draw.evaluating(network))
        yield
