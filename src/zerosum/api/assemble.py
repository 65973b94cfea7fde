"""From a recipe, its data and an engine to a training that can take its first step."""

from __future__ import annotations

import dataclasses
import math
import platform
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import zerosum
from zerosum.data import Dataset, Split, open_dataset
from zerosum.data.dataset import fingerprint, of_class, resolve
from zerosum.data.loader import Feed
from zerosum.data.sources import SOURCES
from zerosum.engine.draws import Streams, mixed
from zerosum.engine.engine import Engine
from zerosum.engine.memory import check_fits, fits
from zerosum.engine.plan import Plan
from zerosum.engine.training import Training
from zerosum.errors import UserError
from zerosum.games import GAMES
from zerosum.metrics.features import extractor_for
from zerosum.networks import build, hears_classes
from zerosum.networks.describe import describe_player
from zerosum.sampling.draw import z_dim_of
from zerosum.spec import Recipe
from zerosum.types import Domain

MOST_KEPT = 10_000  # values for each value of an image: no network keeps as many


def find_data(recipe: Recipe, source: str | None) -> Dataset:
    """The data that the user named, else the recipe's own; `UserError` where the recipe can't use it."""
    wanted = recipe.data if source is None else source
    if wanted is None:
        raise UserError(f"{recipe.name} has no data of its own: name some, as in --data folder:PATH")
    if recipe.inputs == "small" and recipe.jitter != 1:
        raise UserError(f"{recipe.name} would crop small and large images in other places: leave jitter at 1")
    wanted = asked_of(recipe, wanted)
    dataset = open_dataset(
        wanted, size=recipe.size, sizes=recipe.sizes, channels=recipe.channels, fallback=source is None
    )
    if recipe.kind not in ("any", dataset.kind):
        raise UserError(
            f"{recipe.name} learns {recipe.kind}, and {wanted} is made of {dataset.kind}: name other --data"
        )
    if dataset.kind == "points" and recipe.size is not None:
        raise UserError(f"{wanted} is made of points, which have no size: leave --size out")
    if recipe.paired:
        dataset = directed(dataset, recipe)
    if recipe.captions == "required" and dataset.text is None:
        raise UserError(f"{recipe.name} learns from captions, and {wanted} has none: name --data captions:PATH")
    if recipe.classes == "required" and dataset.classes is None:
        raise UserError(f"{recipe.name} needs classes, and {wanted} has none: put each class into a folder of its own")
    if recipe.classes != "ignored" and recipe.only_class is None:
        require_full(dataset)
    if recipe.only_class is not None:
        dataset = one_class(dataset, recipe.only_class, recipe)
    if len(dataset.train) < 2:
        raise UserError(f"{dataset.name} has one sample to train on: a game needs at least two, add some")
    return dataset


def require_full(dataset: Dataset) -> None:
    """`UserError` for a class without images."""
    if dataset.empty_classes:
        name = dataset.empty_classes[0]
        raise UserError(
            f"class {name!r} of {dataset.name} has no image that can be read: add some, or remove its folder"
        )


def asked_of(recipe: Recipe, source: str) -> str:
    """The source that a recipe means by the one that is named: one that enlarges wants the same images small, too."""
    if recipe.inputs == "small" and resolve(source)[0] not in ("upscale", "pairs"):
        return f"upscale:{source}"
    return source


def directed(dataset: Dataset, recipe: Recipe) -> Dataset:
    """Pairs with what G is given as the partners; `UserError` where the data are no pairs."""
    if dataset.train.partners is None:
        source = recipe.inputs if recipe.inputs in ("poses", "profiles") else "pairs"
        raise UserError(f"{recipe.name} learns from pairs, and {dataset.name} has none: name --data {source}:PATH")
    given, wanted = dataset.source_shape or (), dataset.shape
    if recipe.inputs == "pairs" and given[1:] != wanted[1:]:
        sides = " beside ".join(f"{shape[2]}x{shape[1]}" for shape in (given, wanted))
        raise UserError(
            f"{recipe.name} learns from pairs of one size, and {dataset.name} has {sides} pixels: name --data "
            "pairs:PATH, or take srgan, which enlarges"
        )
    if recipe.direction == "A2B":
        return dataset
    if given != wanted:
        raise UserError(f"{dataset.name} leads from A to B alone: leave direction out")
    train, held_out = _turned(dataset.train), _turned(dataset.held_out)
    return dataclasses.replace(dataset, train=train, held_out=held_out, fingerprint=fingerprint(train, held_out))


def _turned(split: Split) -> Split:
    assert split.partners is not None
    return dataclasses.replace(split, samples=split.partners, partners=split.samples)


def one_class(dataset: Dataset, name: str, recipe: Recipe) -> Dataset:
    """The samples of one class: without classes, or, for a recipe that needs some, as the only one.

    `UserError` where there is no such class, or it is empty.
    """
    if dataset.classes is None or name not in dataset.classes:
        known = ", ".join(dataset.classes or ()) or "none"
        raise UserError(f"{dataset.name} has no class {name!r}; its classes: {known}")
    number = dataset.classes.index(name)
    train, held_out = dataset.train.of(number), dataset.held_out.of(number)
    classes = None
    if recipe.classes == "required":
        classes = (name,)
        train, held_out = (
            dataclasses.replace(split, labels=np.zeros(len(split), np.int64)) for split in (train, held_out)
        )
    if not len(train):
        raise UserError(f"class {name!r} of {dataset.name} has no sample to train on: add some")
    return dataclasses.replace(
        dataset, train=train, held_out=held_out, classes=classes, fingerprint=fingerprint(train, held_out)
    )


def settle(recipe: Recipe, dataset: Dataset) -> Recipe:
    """The recipe with what the data decided: its source, size and channels."""
    source, argument = resolve(dataset.name)
    if argument:
        argument = SOURCES[source].in_full(argument)  # a run is resumed from anywhere
    decided: dict[str, Any] = {"data": f"{source}:{argument}" if argument else source}
    if dataset.kind == "images":
        decided |= {"size": dataset.shape[-1], "channels": dataset.shape[0]}
        decided |= {"stages": GAMES[recipe.game.kind].staged(recipe.stages, dataset.shape[-1])}
    return dataclasses.replace(recipe, **decided)


def given_shape(recipe: Recipe, dataset: Dataset) -> tuple[int, ...] | None:
    """Of an image that G is given: (c, h, w); None where that is noise."""
    if recipe.inputs == "noise":
        return None
    return dataset.source_shape if recipe.paired else dataset.shape


def domain_of(recipe: Recipe, dataset: Dataset) -> Domain:
    """What the networks have to fit."""
    conditional = recipe.classes != "ignored" and dataset.classes is not None
    return Domain(
        shape=dataset.shape,
        classes=len(dataset.classes or ()) if conditional else None,
        value_range=recipe.value_range,
        text=dataset.text if recipe.captions == "required" else None,
        source=given_shape(recipe, dataset),
    )


def build_networks(recipe: Recipe, domain: Domain) -> dict[str, nn.Module]:
    """Every player's network, freshly initialised from the recipe's seed."""
    torch.manual_seed(recipe.seed)
    return {name: build(player, domain) for name, player in recipe.players.items()}


def assemble(recipe: Recipe, dataset: Dataset, engine: Engine, plan: Plan) -> Training:
    """A training at its first step. `UserError` where recipe, data and processes do not go together."""
    domain = domain_of(recipe, dataset)
    _check_kind(recipe, dataset, domain)
    if engine.device.type == "cpu":
        _check_memory(recipe, domain, max(leg.recipe.batch for leg in plan.legs) // engine.world)
    networks = {name: engine.place(network) for name, network in build_networks(recipe, domain).items()}
    game = GAMES[recipe.game.kind](networks, plan.legs[0].recipe.game)
    game.value_range = recipe.value_range
    for name in {leg.recipe.game.features for leg in plan.legs} - {None}:
        game.features = maps_by(str(name), dataset, domain)
    if recipe.game.recognises:
        vectors_by(recipe.game.recognises, dataset, domain)  # refused here, before anything is written
    feed = partial(
        Feed,
        device=engine.device,
        dtype=engine.dtype,
        value_range=recipe.value_range,
        draw=recipe.draw,
        flip=recipe.flip,
        jitter=recipe.jitter,
        rank=engine.rank,
        world=engine.world,
    )
    each = range(len(dataset.classes or ())) if recipe.game.by_domain else ()
    streams = Streams(
        feed(dataset, seed=recipe.seed),
        domains=[feed(of_class(dataset, number), seed=mixed(recipe.seed, number)) for number in each],
        z_dim=z_dim_of(networks[game.generator]) if recipe.inputs in ("noise", "codes") else 0,
        conditional=domain.conditional,
        device=engine.device,
        dtype=engine.dtype,
        seed=recipe.seed,
        rank=engine.rank,
        world=engine.world,
    )
    for count in {count for leg in plan.legs for count in leg.recipe.game.draws(leg.recipe.batch)}:
        if count % engine.world:
            raise UserError(f"a batch of {count} does not divide over {engine.world} processes: change --batch")
    return Training(game, plan.legs[0].recipe, plan, streams, engine)


def maps_by(name: str, dataset: Dataset, domain: Domain) -> Callable[[Tensor], Tensor]:
    """The maps of a feature network, of images in the domain's range; it is trained now where the cache has none.

    `UserError` where it has none.
    """
    extractor = extractor_for(dataset, name)
    low, high = domain.value_range
    extractor.maps(torch.zeros(1, *domain.shape))  # refused here, not when the stage comes that compares them
    return lambda images: extractor.maps(((images - low) / (high - low)).float())


def vectors_by(name: str, dataset: Dataset, domain: Domain) -> Callable[[Tensor], Tensor]:
    """The same of the features (N, D) of whole images; `UserError` where they can't be differentiated."""
    extractor = extractor_for(dataset, name)
    low, high = domain.value_range
    extractor.vectors(torch.zeros(1, *domain.shape))
    return lambda images: extractor.vectors(((images - low) / (high - low)).float())


def feature_networks(recipe: Recipe, plan: Plan, dataset: Dataset) -> dict[str, str]:
    """The checksum of each feature network that a run learns by, in any of its stages, or is used with."""
    names = {recipe.game.recognises, *(leg.recipe.game.features for leg in plan.legs)}
    return {name: extractor_for(dataset, name).checksum for name in sorted(filter(None, names))}


def _check_kind(recipe: Recipe, dataset: Dataset, domain: Domain) -> None:
    """`UserError` where points are to be augmented, and where there are classes and G draws without them."""
    if recipe.game.needs_images and dataset.kind == "points":
        raise UserError(f"augment is for images, and {dataset.name} is made of points: leave it out")
    G = recipe.players.get("G")
    if recipe.inputs == "noise" and domain.classes and G is not None and not hears_classes(G, domain):
        raise UserError(f"network {G.network} of {recipe.name} draws without classes: leave classes=ignored")
    _check_best(recipe, dataset, domain)


def _check_best(recipe: Recipe, dataset: Dataset, domain: Domain) -> None:
    """`UserError` where `best` or `best_of` names a score that runs of this kind have not."""
    names = ",".join(recipe.best_of)
    if domain.source is not None and recipe.best_of:
        raise UserError(f"best_of={names} is kept of images from noise, and this run translates: leave it out")
    if domain.source is not None and recipe.best == "fid":
        raise UserError("best=fid is of images from noise, and this run translates: swd, or leave it out")
    if dataset.kind == "points" and (recipe.best == "fid" or set(recipe.best_of) - {"swd"}):
        asked = f"best_of={names}" if recipe.best_of else "best=fid"
        raise UserError(f"{asked} asks for images, and {dataset.name} is points: swd")


def _check_memory(recipe: Recipe, domain: Domain, batch: int) -> None:
    """`UserError` where not even what the backward pass of the largest network needs has room.

    Running the networks to see takes a second: a batch that fits whatever the network is spared it.
    """
    if fits(batch * math.prod(domain.shape) * MOST_KEPT):
        return
    kept = []
    for player in recipe.players.values():
        layers = [layer for layer in describe_player(player, domain) if layer.multiply_adds]
        kept.append(sum(math.prod(layer.output) for layer in layers))
    check_fits(batch, max(kept))


def describe_data(dataset: Dataset) -> dict[str, Any]:
    """What run.json says of the data."""
    return {
        "source": dataset.name,
        "kind": dataset.kind,
        "fingerprint": dataset.fingerprint,
        "shape": list(dataset.shape),
        "train": len(dataset.train),
        "held_out": len(dataset.held_out),
        "classes": None if dataset.classes is None else list(dataset.classes),
        "words": len(dataset.words) or None,
        "skipped": len(dataset.skipped),
        "note": dataset.note,
    }


def versions() -> dict[str, str]:
    """Of what a run's numbers depend on."""
    found = {"zerosum": zerosum.__version__, "python": platform.python_version(), "torch": torch.__version__}
    return found | {name: version(name) for name in ("numpy", "lightning-fabric", "safetensors", "pillow")}
