"""Rounds of one kind as one CUDA graph: a small network's step is then one launch instead of hundreds.

A round is captured with everything in it: both players' turns, penalties, optimizers. What changes from step to step
comes in through buffers: the round's draws, which are made outside in the order in which the round asks for them, and
the learning rates. The first replay is checked against the same round played as usual, from the same state: a graph
that does not do the same is not used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, Protocol

import torch
from torch import Tensor

from zerosum.games.base import Draws, Terms

MET = 3  # rounds of a kind that are played as usual before it is captured: kernels are chosen, buffers allocated
# Of what the round changed, by its norm. Sums come in another order, and where a gradient is zero but for rounding (a
# bias before batch norm) Adam makes a whole step of it, in any direction; a turn left out would be all of the change.
CLOSE = 0.2

State = dict[str, list[Tensor]]  # by what they are: "G.weights", "D.exp_avg" …
Play = Callable[[], dict[str, Terms]]  # groups of named tensors: terms, seen, norms
Round = Callable[[Draws], dict[str, Terms]]  # the same with these draws


class Graph(Protocol):
    """What a round was captured into."""

    def replay(self) -> dict[str, Terms]:
        """Play it again on what lies in the buffers now; the same tensors each time."""


class CudaGraph:
    """`torch.cuda.CUDAGraph` of a round; capturing it executes nothing."""

    def __init__(self, play: Play) -> None:
        self._graph = torch.cuda.CUDAGraph()
        generator = torch.cuda.default_generators[torch.cuda.current_device()]
        spare = generator.clone_state()
        try:
            with torch.cuda.graph(self._graph):
                self._found = play()
        except RuntimeError:
            generator.graphsafe_set_state(spare)  # its own would wait for the end of a capture that has failed
            raise

    def replay(self) -> dict[str, Terms]:
        self._graph.replay()
        return self._found


class Buffers:
    """A round's draws in places that stay. The first round through them notes what it asks for; later ones get that."""

    def __init__(self, draws: Draws) -> None:
        self._draws = draws
        # What was asked for, with how many of them, and where it lies.
        self._dealt: list[tuple[str, tuple[int, ...], tuple[Tensor | None, ...]]] = []
        self._next: int | None = None  # None while the first round notes

    def rewind(self) -> None:
        """Answer from the first place again."""
        self._next = 0

    def fill(self) -> None:
        """Make the next round's draws, and put them into their places."""
        for name, asked, places in self._dealt:
            for place, value in zip(places, self._drawn(name, asked), strict=True):
                if place is not None:
                    place.copy_(value)

    def real(self, count: int) -> tuple[Tensor, Tensor | None]:
        x, y = self._deal("real", count)
        assert x is not None
        return x, y

    def pairs(self, count: int) -> tuple[Tensor, Tensor]:
        given, target = self._deal("pairs", count)
        assert given is not None
        assert target is not None
        return given, target

    def known_pairs(self, count: int) -> tuple[Tensor, Tensor, Tensor]:
        given, target, y = self._deal("known_pairs", count)
        assert given is not None
        assert target is not None
        assert y is not None
        return given, target, y

    def of(self, domain: int, count: int) -> Tensor:
        (x,) = self._deal("of", domain, count)
        assert x is not None
        return x

    def noise(self, count: int) -> Tensor:
        (z,) = self._deal("noise", count)
        assert z is not None
        return z

    def labels(self, count: int) -> Tensor | None:
        return self._deal("labels", count)[0]

    def uniform(self, count: int) -> Tensor:
        (numbers,) = self._deal("uniform", count)
        assert numbers is not None
        return numbers

    def dice(self, count: int) -> list[float]:
        raise AssertionError("rounds that are decided on the host have no phase, and are not captured")

    def _deal(self, name: str, *asked: int) -> tuple[Tensor | None, ...]:
        if self._next is None:
            places = tuple(None if x is None else x.detach().clone() for x in self._drawn(name, asked))
            self._dealt.append((name, asked, places))
        else:
            *dealt, places = self._dealt[self._next]
            assert dealt == [name, asked], "a round of this kind asks for other draws"
            self._next += 1
        return tuple(None if x is None else x.detach() for x in places)  # a turn may ask for a gradient by them

    def _drawn(self, name: str, asked: tuple[int, ...]) -> tuple[Any, ...]:
        answer = getattr(self._draws, name)(*asked)
        return answer if isinstance(answer, tuple) else (answer,)


class Captures:
    """The graphs of a training, by the kind of round that they are of."""

    def __init__(self, draws: Draws, state: Callable[[], State], graph: Callable[[Play], Graph] = CudaGraph) -> None:
        """state: all tensors that a round changes, always in the same order."""
        self._draws, self._state, self._graph = draws, state, graph
        self._met: dict[Hashable, int] = {}
        self._graphs: dict[Hashable, tuple[Buffers, Graph]] = {}
        self.refused: str | None = None  # why rounds are played as usual, where a graph was not the same
        self._told = False

    def refusal(self) -> str | None:
        """Why rounds are no longer captured, the first time that somebody asks."""
        if self._told:
            return None
        self._told = self.refused is not None
        return self.refused

    def forget(self) -> None:
        """Begin anew: what a round does, or where its tensors lie, is no longer the same."""
        self._met, self._graphs = {}, {}

    def play(self, kind: Hashable, round: Round, seed: Callable[[], None]) -> dict[str, Terms]:
        """Play a round of this kind, by its graph if there is one; `seed` sets torch's own generators for it."""
        self._met[kind] = self._met.get(kind, 0) + 1
        seed()
        if self.refused is not None or self._met[kind] <= MET:
            return round(self._draws)
        if kind in self._graphs:
            buffers, graph = self._graphs[kind]
            buffers.fill()
            return _copied(graph.replay())
        return self._capture(kind, round, seed)

    def _capture(self, kind: Hashable, round: Round, seed: Callable[[], None]) -> dict[str, Terms]:
        """Play the round as usual; then capture it, replay it from the same state, and compare."""
        try:
            before, _ = _copies(self._state()), _copies(self._state())  # room for two: how it is after the round, too
        except torch.OutOfMemoryError:
            self.refused = "there is no room for what a capture needs"
            return round(self._draws)
        buffers = Buffers(self._draws)
        found = _copied(round(buffers))
        after = _copies(self._state())

        def again() -> dict[str, Terms]:
            buffers.rewind()
            return round(buffers)

        try:
            graph = self._graph(again)
            _restore(self._state(), before)
            seed()
            graph.replay()
        except RuntimeError as error:
            self.refused = f"this round can't be captured: {str(error).partition(chr(10))[0]}"
        else:
            if other := [name for name, mine in self._state().items() if not _same(mine, before[name], after[name])]:
                self.refused = f"a replayed round did not do the same as a played one: {', '.join(other)}"
            else:
                self._graphs[kind] = buffers, graph
        _restore(self._state(), after)
        return found


def _copied(found: dict[str, Terms]) -> dict[str, Terms]:
    return {group: {name: value.detach().clone() for name, value in terms.items()} for group, terms in found.items()}


def _copies(state: State) -> State:
    return {name: [tensor.detach().clone() for tensor in tensors] for name, tensors in state.items()}


@torch.no_grad()
def _restore(state: State, values: State) -> None:
    for name, tensors in state.items():
        for tensor, value in zip(tensors, values[name], strict=True):
            tensor.copy_(value)


def _same(mine: list[Tensor], before: list[Tensor], after: list[Tensor]) -> bool:
    """Whether a round that leads from before to mine does what one does that leads to after."""
    allowed = CLOSE * _norm(_differences(after, before)) + 1e-6 * _norm(after)
    return _norm(_differences(mine, after)) <= allowed


def _differences(some: list[Tensor], others: list[Tensor]) -> Iterator[Tensor]:
    return (a.double() - b.double() for a, b in zip(some, others, strict=True))


@torch.no_grad()
def _norm(tensors: Iterable[Tensor]) -> float:
    """Of all of them together; inf where one is not finite."""
    found = float(sum(tensor.double().square().sum() for tensor in tensors))
    return math.sqrt(found) if math.isfinite(found) else math.inf
