"""A game: named players with their networks, and rounds of turns in which one player at a time learns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor, nn

from zerosum.spec import Rules, Stage

Terms = dict[str, Tensor]


class Draws(Protocol):
    """Where a round's chance comes from. Counts are global; a process gets its own slice."""

    def real(self, count: int) -> tuple[Tensor, Tensor | None]:
        """The next real samples and their classes (n,), or captions (n, L)."""

    def pairs(self, count: int) -> tuple[Tensor, Tensor]:
        """The next pairs: the images that are given, and those that are to be made of them."""

    def known_pairs(self, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """The next pairs with their classes."""

    def of(self, domain: int, count: int) -> Tensor:
        """The next real samples of one class."""

    def noise(self, count: int) -> Tensor:
        """z: (n, z_dim)."""

    def labels(self, count: int) -> Tensor | None:
        """Classes or captions for G, distributed as the data's; None where G takes none."""

    def uniform(self, count: int) -> Tensor:
        """(n,) in [0, 1)."""

    def dice(self, count: int) -> list[float]:
        """So many numbers in [0, 1), the same on every process, for what is decided on the host."""


@dataclass(frozen=True, kw_only=True)
class Move:
    """One update of a player: the named terms (scalars) whose sum it descends, and what was seen on the way.

    Without terms it is a look after the update before: nobody learns.
    """

    terms: Terms
    seen: Terms = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Turn:
    """A player's turn: `moves` computes each move when it is asked for, so after the update of the one before."""

    player: str
    moves: Callable[[], Iterator[Move]]


@dataclass(frozen=True, kw_only=True)
class Shown:
    """Samples that D is asked about, real and fake, with their classes; given: what the fakes were made of, if that."""

    real: Tensor
    fake: Tensor
    y: Tensor | None = None
    fake_y: Tensor | None = None
    given: Tensor | None = None


class Game(ABC):
    """Who plays, for what loss, sharing what. Knows neither optimizers nor devices nor files."""

    features: Callable[[Tensor], Tensor] | None = None  # maps of images, where the rules ask for a feature network
    beside: tuple[str, ...] = ()  # players whose networks a run is used by, together with the generator's
    value_range = (-1.0, 1.0)  # of the images that are played with

    def __init__(self, networks: Mapping[str, nn.Module], rules: Rules) -> None:
        self.networks = dict(networks)
        self.weights = {name: tuple(network.parameters()) for name, network in networks.items()}
        self.rules = rules

    @abstractmethod
    def retell(self, rules: Any) -> None:
        """Go on under other rules (a new stage); `UserError` where they contradict each other."""

    @abstractmethod
    def turns(self, step: int, batch: int, draws: Draws, observe: bool) -> Iterator[Turn]:
        """The turns of round `step` (from 1). `observe`: the moves also say what they saw."""

    @property
    @abstractmethod
    def generator(self) -> str:
        """The player whose network draws samples."""

    @classmethod
    def joined(cls, networks: Mapping[str, nn.Module]) -> nn.Module:
        """What a run is used by, of the networks of the generator and of those `beside` it."""
        return networks[str(cls.generator)]

    @property
    def drawing(self) -> bool:
        """Whether G learns to draw by now: only then its samples are scored and examined."""
        return True

    @property
    def making(self) -> int | str | None:
        """What G is by now, where it becomes another thing in a later stage: scores are compared within one alone."""
        return None

    @property
    def period(self) -> int:
        """In every so many rounds each player has its turn."""
        return 1

    def phase(self, step: int) -> Hashable | None:
        """What round `step` is like: rounds of one phase do the same work on other draws. None: no two are alike."""
        return None

    def skip(self, step: int) -> None:
        """Count round `step` as played, where its work was done by other means; for games whose rounds have phases."""
        assert self.phase(step) is None

    @staticmethod
    def staged(stages: tuple[Stage, ...], size: int) -> tuple[Stage, ...]:
        """The stages of a recipe that this game has for images of that size."""
        return stages

    def as_shown(self, x: Tensor) -> Tensor:
        """Real samples as the players see them by now."""
        return x

    def logits(self, x: Tensor, y: Tensor | None) -> Tensor | None:
        """The judging player's logits (N,) on samples and their classes, as it stands; None where nobody judges."""
        return None

    def belief(self, x: Tensor, y: Tensor) -> Tensor | None:
        """How much it holds samples to be of those classes, (N,): its logits, where it does not name classes apart."""
        return self.logits(x, y)

    def judge(self, shown: Shown) -> Terms:
        """What the judging player says of samples outside a round: `seen`'s names; nothing where none judges."""
        return {}

    def gauges(self) -> dict[str, float]:
        """Numbers of its own that move as it is played, for the exams to tell."""
        return {}

    def probes(self, shown: Shown) -> Terms:
        """Named numbers by which an exam sees whether this game is played as it is meant; none where it has none."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """What the game remembers between rounds: JSON values and tensors."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The reverse of `state_dict`."""
        if state:
            raise ValueError(f"this game remembers nothing, but was given {sorted(state)}")


def play_round(
    game: Game, step: int, batch: int, draws: Draws, update: Callable[[str, Terms], None], *, observe: bool = False
) -> tuple[Terms, Terms]:
    """Let each player take its turns, every other network frozen; `update` makes the step that a move asks for.

    Returns the round's last value of every loss term and of everything seen, all of them still on the device.
    """
    terms: Terms = {}
    seen: Terms = {}
    for turn in game.turns(step, batch, draws, observe):
        with only(turn.player, game.weights):
            for move in turn.moves():
                if move.terms:
                    update(turn.player, move.terms)
                terms.update({name: value.detach() for name, value in move.terms.items()})
                seen.update(move.seen)
    return terms, seen


@contextmanager
def only(player: str, weights: Mapping[str, Sequence[nn.Parameter]]) -> Iterator[None]:
    """Inside, gradients reach the weights of this player and of no other."""
    others = [parameter for name, own in weights.items() if name != player for parameter in own]
    held = [parameter for parameter in others if parameter.requires_grad]
    for parameter in held:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in held:
            parameter.requires_grad_(True)


@contextmanager
def evaluated(network: nn.Module) -> Iterator[None]:
    """Inside, the network neither drops out nor learns averages; then each of its modules is as it was."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
