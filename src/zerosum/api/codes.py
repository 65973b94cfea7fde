"""Images by way of their z: a run's grid of every class, and what `translate` makes of an image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from zerosum.api.assemble import vectors_by
from zerosum.api.generator import Generator
from zerosum.api.tasks import task_of
from zerosum.api.translations import data_of
from zerosum.data import Dataset
from zerosum.engine.run import RunFolder
from zerosum.errors import UserError
from zerosum.networks.encoded import Encoded
from zerosum.sampling.draw import as_tensor, evaluating
from zerosum.sampling.files import replacing
from zerosum.sampling.grid import to_uint8
from zerosum.sampling.identity import STEPS, codes
from zerosum.sampling.translate import side_by_side, to_range
from zerosum.spec import Recipe
from zerosum.types import Domain


def code_drawer(
    folder: RunFolder, recipe: Recipe, domain: Domain, dataset: Dataset
) -> Callable[[nn.Module, int], Path]:
    """Draws input | in its own class | in every class, of the same held-out images, into samples/000500.png."""
    task, classes = task_of(dataset, recipe.grid), domain.classes
    assert task.own is not None
    assert classes is not None
    assert recipe.game.recognises is not None
    recognise = vectors_by(recipe.game.recognises, dataset, domain)
    own = task.own

    def draw_grid(generator: nn.Module, step: int) -> Path:
        network, like = cast(Encoded, generator), next(generator.parameters())
        with evaluating(network):
            x = to_range(task.given, domain.value_range).to(like)
            z, y = codes(network, recognise, x, as_tensor(own, like.device))
            led = [y, *(torch.full_like(y, number) for number in range(classes))]
            rows = [task.given, *(to_uint8(network.drawn(z, into), domain.value_range) for into in led)]
        folder.samples.mkdir(exist_ok=True)
        path = folder.samples / f"{step:06d}.png"
        with replacing(path) as partial:
            side_by_side(rows, 1).save(partial)
        return path

    return draw_grid


def searcher(generator: Generator, steps: int | None) -> Callable[[Tensor, Tensor | None], Tensor]:
    """What makes an image of another class: the search for its z first, where the run has an encoder for that.

    steps: of the search, 0 for none. The feature network may have to be trained on the run's own data. `UserError` for
    steps where nothing is searched.
    """
    network = cast(Any, generator.network)
    if not isinstance(network, Encoded):
        if steps is not None:
            raise UserError(f"this run of {generator.recipe.name} looks for no z: leave --steps out")
        return generator
    steps = STEPS if steps is None else steps
    if steps < 0:
        raise UserError(f"{steps} steps asked for; expected 0, which takes the encoder's z, or more")
    name, recognise = generator.recipe.game.recognises, None
    if steps and name is not None:
        try:
            recognise = vectors_by(name, data_of(generator, None), generator.domain)
        except UserError as error:
            raise UserError(f"the search for z needs the data of the run: {error}; --steps 0 does without it") from None

    def make(x: Tensor, y: Tensor | None) -> Tensor:
        assert y is not None
        return network.drawn(codes(network, recognise, x, steps=steps)[0], y)

    return make
