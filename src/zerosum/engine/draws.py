"""A round's chance: real batches, z, classes and uniform numbers, each from a stream of its own that can be saved."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from zerosum.data.loader import Feed, sent
from zerosum.errors import UserError


class Streams:
    """What `games.Draws` asks for. Every process draws the global numbers and keeps its own slice of them."""

    def __init__(
        self,
        feed: Feed,
        *,
        z_dim: int,
        conditional: bool,
        device: torch.device,
        dtype: torch.dtype,
        seed: int,
        rank: int = 0,
        world: int = 1,
        domains: Sequence[Feed] = (),
    ) -> None:
        """domains: a feed of each class alone, where the game asks for them."""
        self.domains = tuple(domains)
        self.feed, self.z_dim, self.conditional = feed, z_dim, conditional
        self.device, self.dtype, self.rank, self.world = device, dtype, rank, world
        self.seed = seed
        self.generator = torch.Generator().manual_seed(seed)

    def begin(self, step: int) -> None:
        """Seed torch's own generator (dropout, noise inside networks) for this step and process.

        So it needs no saving, and nothing that happens between two steps can change what comes after.
        """
        seed = mixed(self.seed, step, self.rank)
        # torch.manual_seed would ask every kind of device, which takes longer than a small step.
        torch.default_generator.manual_seed(seed)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(seed)
        elif self.device.type == "mps":
            torch.mps.manual_seed(seed)

    def real(self, count: int) -> tuple[Tensor, Tensor | None]:
        x, y = self.feed.take(count)
        return x, y if self.conditional else None

    def pairs(self, count: int) -> tuple[Tensor, Tensor]:
        return self.feed.take_pairs(count)

    def known_pairs(self, count: int) -> tuple[Tensor, Tensor, Tensor]:
        return self.feed.take_known_pairs(count)

    def of(self, domain: int, count: int) -> Tensor:
        return self.domains[domain].take(count)[0]

    def labels(self, count: int) -> Tensor | None:
        return self.feed.labels(count) if self.conditional else None

    def noise(self, count: int) -> Tensor:
        return self._slice(torch.randn(count, self.z_dim, generator=self.generator, dtype=torch.float32))

    def uniform(self, count: int) -> Tensor:
        return self._slice(torch.rand(count, generator=self.generator, dtype=torch.float32))

    def dice(self, count: int) -> list[float]:
        return torch.rand(count, generator=self.generator, dtype=torch.float32).tolist()

    def _slice(self, numbers: Tensor) -> Tensor:
        if len(numbers) % self.world:
            raise UserError(f"{len(numbers)} samples do not divide over {self.world} processes: change --batch")
        share = len(numbers) // self.world
        mine = numbers[self.rank * share : (self.rank + 1) * share]
        return sent(mine.to(self.dtype), self.device)

    def state_dict(self) -> dict[str, Any]:
        """Generators' states as uint8 tensors, counts as numbers."""
        state = {"z": self.generator.get_state(), "feed": self.feed.state_dict()}
        return state | ({"domains": [feed.state_dict() for feed in self.domains]} if self.domains else {})

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The reverse of `state_dict`."""
        self.generator.set_state(state["z"])
        self.feed.load_state_dict(state["feed"])
        for feed, told in zip(self.domains, state.get("domains", ()), strict=True):
            feed.load_state_dict(told)


def mixed(*numbers: int) -> int:
    """A 63-bit seed from several numbers; near ones give unrelated seeds."""
    digest = hashlib.blake2b(repr(numbers).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1
