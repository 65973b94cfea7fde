"""A saved generator, loaded from a folder alone: what it makes, and the network itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from zerosum.data.captions import Vocabulary
from zerosum.engine import checkpoint
from zerosum.engine.run import RunFolder
from zerosum.engine.training import weights_in_use
from zerosum.errors import CheckpointError, UserError
from zerosum.games import GAMES
from zerosum.networks import NETWORKS, build
from zerosum.networks.layers.styled import Styled
from zerosum.recipes import names, recipe
from zerosum.sampling import draw
from zerosum.spec import Player, Recipe
from zerosum.types import Domain, PathLike

Samples = npt.NDArray[Any]


class Generator:
    """G of a checkpoint, in eval mode: its average where the run kept one."""

    def __init__(
        self,
        network: nn.Module,
        recipe: Recipe,
        domain: Domain,
        classes: tuple[str, ...] | None,
        step: int,
        vocabulary: Vocabulary | None = None,
        captions: tuple[str, ...] = (),
    ):
        self.network, self.recipe, self.domain, self.classes, self.step = network, recipe, domain, classes, step
        self.vocabulary, self.captions = vocabulary, captions  # of one that draws what a text says; some of its data's

    @property
    def z_dim(self) -> int:
        """How many numbers z has; `UserError` for a generator that translates images."""
        self.require_noise()
        return draw.z_dim_of(self.network)

    def require_noise(self) -> None:
        """`UserError` for a generator that translates images."""
        if self.domain.source is not None:
            raise UserError(f"this generator of {self.recipe.name} translates images: `zerosum translate RUN IMAGES`")

    def __call__(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """z: (N, z_dim); y: None, (N,) or (N, L) words -> samples (N, C, H, W) in the domain's range, points (N, 2)."""
        made: Tensor = self.network(z, y)
        return made

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device

    def label(self, name: str | int) -> int:
        """The number of a class given by name or number; `UserError` where the generator has no such class."""
        if self.domain.classes is None or self.classes is None:
            raise UserError(f"this generator of {self.recipe.name} takes no class: leave --class out")
        if str(name) in self.classes:
            return self.classes.index(str(name))
        number = int(name) if isinstance(name, int) or name.isdecimal() else -1
        if 0 <= number < len(self.classes):
            return number
        raise UserError(f"there is no class {name!r}; expected one of: {', '.join(self.classes)}")

    def labels(self, count: int, only: str | int | None = None) -> npt.NDArray[np.int64] | None:
        """(count,) labels: one class, or every class in turn; None for a generator without classes.

        One that draws what a text says is told the captions of its data in turn: (count, L) words.
        """
        if self.vocabulary is not None and only is None:
            rows = self.vocabulary.rows([[caption] for caption in self.captions], 1)[:, 0].astype(np.int64)
            return rows[np.arange(count) % len(rows)]
        if self.domain.classes is None:
            if only is not None:
                self.label(only)  # raises
            return None
        return draw.class_labels(count, self.domain.classes, None if only is None else self.label(only))

    def words(self, text: str, count: int = 1) -> npt.NDArray[np.int64]:
        """(count, L): a text as the network takes it; `UserError` for one that it can't know, or if it hears none."""
        if self.vocabulary is None:
            other = "sample RUN" if self.domain.source is None else "translate RUN IMAGES"
            raise UserError(f"this run of {self.recipe.name} hears no text: `zerosum {other}` is its command")
        return np.repeat(self.vocabulary.row(text)[None], count, axis=0)

    def styled(self) -> Styled:
        """The network, as one with styles; `UserError` that names the recipes which have them where it has none."""
        if isinstance(self.network, Styled):
            return self.network
        found = [name for name in names() if any(_has_styles(player) for player in recipe(name).players.values())]
        raise UserError(
            f"this generator of {self.recipe.name} has no styles, and so no w; expected a run of {', '.join(found)}"
        )

    def batches(
        self,
        count: int,
        *,
        seed: int = 0,
        labels: npt.NDArray[np.int64] | None = None,
        batch: int | None = None,
        psi: float = 1.0,
    ) -> Iterator[Samples]:
        """`count` samples, a batch at a time: uint8 (n, H, W, C), or points float32 (n, 2).

        batch: how many at a time; None: 256, or fewer of large images. psi: truncation, from 0 (all alike) to 1 (none).
        """
        return draw.draw(
            self.network,
            count,
            z_dim=self.z_dim,
            seed=seed,
            device=self.device,
            labels=labels,
            batch=batch or draw.at_once(self.domain.shape, self.network),
            value_range=self.domain.value_range,
            psi=psi,
        )

    def sample(self, n: int = 64, *, seed: int = 0, label: str | int | None = None, psi: float = 1.0) -> Samples:
        """n samples: uint8 (n, H, W, C), or points float32 (n, 2); the same for the same seed."""
        if n < 1:
            raise UserError(f"n is {n}; expected at least 1")
        return np.concatenate(list(self.batches(n, seed=seed, labels=self.labels(n, label), psi=psi)))

    def text(self, text: str, n: int = 16, *, seed: int = 0, psi: float = 1.0) -> Samples:
        """n images of what the text says: uint8 (n, H, W, C), the same for the same seed."""
        if n < 1:
            raise UserError(f"n is {n}; expected at least 1")
        return np.concatenate(list(self.batches(n, seed=seed, labels=self.words(text, n), psi=psi)))


def _has_styles(player: Player) -> bool:
    return issubclass(NETWORKS[player.network], Styled)


def load(path: PathLike, checkpoint_name: str | None = None, *, device: str = "cpu") -> Generator:
    """The generator of a run folder (its best checkpoint, else its last) or of a checkpoint's folder.

    `UserError` where there is none, `CheckpointError` where it is damaged or a pickle.
    """
    path = Path(path)
    checkpoint.refuse_pickle(path)
    if not path.exists():
        raise UserError(f"{path} is not there; expected the folder of a run or of a checkpoint")
    if (path / "manifest.json").exists():
        state = checkpoint.read(path)
    else:
        folder = RunFolder.open(path)
        state = folder.read(checkpoint_name or ("best" if "best" in folder.checkpoints() else "last"))
    return from_state(state, device)


def _usable(device: str) -> torch.device:
    """The device of that name, of auto CUDA's where there is one; `UserError` where this machine has none."""
    if device == "auto":  # not a Mac's GPU, which lacks 64 bits and some operators
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0].partition(". ")[0]
        raise UserError(f"device {device} can't be used here ({reason}): use cpu") from None


def from_state(state: dict[str, Any], device: str = "cpu") -> Generator:
    """The generator of a checkpoint's state."""
    try:
        about = state["about"]
        recipe = Recipe.from_dict(about["recipe"])
        game = GAMES[recipe.game.kind]
        domain = Domain(
            shape=tuple(about["domain"]["shape"]),
            classes=about["domain"]["classes"],
            value_range=tuple(about["domain"]["value_range"]),
            source=None if about["domain"].get("source") is None else tuple(about["domain"]["source"]),
            text=None if about["domain"].get("text") is None else tuple(about["domain"]["text"]),
        )
        told = about.get("text")
        vocabulary = None if told is None else Vocabulary(tuple(told["words"]), int(told["length"]))
        captions = () if told is None else tuple(told["captions"])
        classes = None if about["classes"] is None else tuple(about["classes"])
        networks = {name: build(recipe.players[name], domain) for name in (str(game.generator), *game.beside)}
        for name, network in networks.items():
            checkpoint.load_weights(network, weights_in_use(state, name, str(game.generator)))
    except (KeyError, TypeError, RuntimeError) as error:
        raise CheckpointError(f"the checkpoint does not describe its generator: {error}") from error
    whole = game.joined(networks).eval().requires_grad_(False).to(_usable(device))
    return Generator(whole, recipe, domain, classes, state["counters"]["step"], vocabulary, captions)
