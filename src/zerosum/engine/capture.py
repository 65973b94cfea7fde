"""Rounds of one kind as one CUDA graph: a small network's step is then one launch instead of hundreds.

A round is captured with everything in it: both players' turns, penalties, optimizers. What changes from step to step
comes in through buffers: the round's draws, which are made outside in the order in which the round asks for them, and
the learning rates. The first replay is checked against the same round played as usual, from the same state: a graph
that does not do the same is not used.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from zerosum.games.base import Draws, Terms

MET = 3  # rounds of a kind that are played as usual before it is captured: kernels are chosen, buffers allocated
CLOSE = 1e-3  # of a tensor's norm: sums in another order, not another sum

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
        with torch.cuda.graph(self._graph):
            self._found = play()

    def replay(self) -> dict[str, Terms]:
        self._graph.replay()
        return self._found


class Recorded:
    """Draws that are noted on their way: which were asked for, and what came."""

    def __init__(self, draws: Draws) -> None:
        self._draws = draws
        self.requests: list[tuple[str, int]] = []
        self.answers: list[tuple[Tensor | None, ...]] = []

    def real(self, count: int) -> tuple[Tensor, Tensor | None]:
        x, y = self._draws.real(count)
        self._note("real", count, (x, y))
        return x.detach(), y

    def noise(self, count: int) -> Tensor:
        z = self._draws.noise(count)
        self._note("noise", count, (z,))
        return z.detach()

    def labels(self, count: int) -> Tensor | None:
        y = self._draws.labels(count)
        self._note("labels", count, (y,))
        return y

    def uniform(self, count: int) -> Tensor:
        numbers = self._draws.uniform(count)
        self._note("uniform", count, (numbers,))
        return numbers.detach()

    def _note(self, name: str, count: int, answer: tuple[Tensor | None, ...]) -> None:
        self.requests.append((name, count))
        self.answers.append(answer)


@dataclass
class Buffers:
    """A round's draws in places that stay; as `Draws` they answer in the order of the recorded requests."""

    requests: list[tuple[str, int]]
    places: list[tuple[Tensor | None, ...]]
    _next: int = field(default=0)

    @classmethod
    def of(cls, recorded: Recorded) -> Buffers:
        places = [tuple(None if x is None else x.detach().clone() for x in answer) for answer in recorded.answers]
        return cls(requests=list(recorded.requests), places=places)

    def fill(self, draws: Draws) -> None:
        """Make the round's draws, and put them into their places."""
        for (name, count), places in zip(self.requests, self.places, strict=True):
            answer = getattr(draws, name)(count)
            for place, value in zip(places, answer if isinstance(answer, tuple) else (answer,), strict=True):
                if place is not None:
                    place.copy_(value)

    def rewind(self) -> None:
        self._next = 0

    def _answer(self, name: str, count: int) -> tuple[Tensor | None, ...]:
        assert self.requests[self._next] == (name, count), "a round of this kind asks for other draws"
        self._next += 1
        return tuple(None if x is None else x.detach() for x in self.places[self._next - 1])

    def real(self, count: int) -> tuple[Tensor, Tensor | None]:
        x, y = self._answer("real", count)
        assert x is not None
        return x, y

    def noise(self, count: int) -> Tensor:
        (z,) = self._answer("noise", count)
        assert z is not None
        return z

    def labels(self, count: int) -> Tensor | None:
        return self._answer("labels", count)[0]

    def uniform(self, count: int) -> Tensor:
        (numbers,) = self._answer("uniform", count)
        assert numbers is not None
        return numbers


class Captures:
    """The graphs of a training, by the kind of round that they are of."""

    def __init__(
        self, draws: Draws, state: Callable[[], list[Tensor]], graph: Callable[..., Graph] = CudaGraph
    ) -> None:
        """state: all tensors that a round changes, in a fixed order."""
        self._draws, self._state, self._graph = draws, state, graph
        self._met: dict[Hashable, int] = {}
        self._graphs: dict[Hashable, tuple[Buffers, Graph]] = {}
        self.refused: str | None = None  # why rounds are played as usual, where a graph was not the same
        self._told = False

    def refusal(self) -> str | None:
        """Why rounds are no longer captured, the first time that somebody asks."""
        reason, self._told = None if self._told else self.refused, self._told or self.refused is not None
        return reason

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
            buffers.fill(self._draws)
            return _copied(graph.replay())
        return self._capture(kind, round, seed)

    def _capture(self, kind: Hashable, round: Round, seed: Callable[[], None]) -> dict[str, Terms]:
        """Play the round as usual; then capture it, replay it from the same state, and compare."""
        before = [tensor.detach().clone() for tensor in self._state()]
        recorded = Recorded(self._draws)
        found = _copied(round(recorded))
        after = [tensor.detach().clone() for tensor in self._state()]
        buffers = Buffers.of(recorded)

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
            if all(_same(mine, theirs) for mine, theirs in zip(self._state(), after, strict=True)):
                self._graphs[kind] = buffers, graph
            else:
                self.refused = "a replayed round did not do the same as a played one"
        _restore(self._state(), after)
        return found


def _copied(found: dict[str, Terms]) -> dict[str, Terms]:
    return {group: {name: value.detach().clone() for name, value in terms.items()} for group, terms in found.items()}


@torch.no_grad()
def _restore(tensors: list[Tensor], values: list[Tensor]) -> None:
    for tensor, value in zip(tensors, values, strict=True):
        tensor.copy_(value)


def _same(mine: Tensor, theirs: Tensor) -> bool:
    mine, theirs = mine.detach().double(), theirs.double()
    return bool((mine - theirs).norm() <= CLOSE * theirs.norm() + 1e-12)
