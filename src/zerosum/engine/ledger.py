"""Every step's loss terms, kept on the device until somebody looks: then checked, averaged and handed over."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from zerosum.errors import DivergedError


def stacked(values: Iterable[Tensor]) -> Tensor:
    """Numbers of any precision as one vector on their device: in float64, or float32 on MPS, which has no other."""
    flat = [value.detach().reshape(()) for value in values]
    widest = torch.float32 if flat[0].device.type == "mps" else torch.float64
    return torch.stack([value.to(widest) for value in flat])


class Ledger:
    """Collects the terms of each step without a read from the device; `settle` reads them all at once."""

    def __init__(self) -> None:
        self._open: list[tuple[int, dict[str, Tensor] | None]] = []  # a step's terms; None where a stage begins
        self.latest: dict[str, float] = {}  # the last value of each term of this stage
        self.epoch_sum = 0.0  # of G's terms, over the steps of this epoch
        self.epoch_count = 0

    def record(self, step: int, terms: dict[str, Tensor]) -> None:
        self._open.append((step, terms))

    def turn_over(self, step: int) -> None:
        """A stage begins with that step: what only earlier ones played is not the latest of anything any more."""
        self._open.append((step, None))

    def values(self) -> Tensor | None:
        """All that was recorded since the last `settle`, flat and in order; still on the device."""
        flat = [value for _, terms in self._open if terms is not None for value in terms.values()]
        return stacked(flat) if flat else None

    def settle(self, values: Tensor | None) -> None:
        """Take `values()` (perhaps averaged over processes) into the books.

        `DivergedError` names the first term that is not finite, and its step.
        """
        numbers = iter(values.tolist() if values is not None else ())
        entries, self._open = self._open, []
        for step, terms in entries:
            if terms is None:
                self.latest = {}
                continue
            for name in terms:
                number = next(numbers)
                if not math.isfinite(number):
                    raise DivergedError(f"{name} is {number} at step {step}")
                self.latest[name] = number
                if name.startswith("G/"):
                    self.epoch_sum += number
            self.epoch_count += 1

    def close_epoch(self) -> float:
        """The mean of G's loss over the epoch's steps; the next epoch begins."""
        mean = self.epoch_sum / max(1, self.epoch_count)
        self.epoch_sum, self.epoch_count = 0.0, 0
        return mean

    def state_dict(self) -> dict[str, Any]:
        # `latest` too: a term that is not played at each step is logged with the value of an earlier one.
        return {"epoch_sum": self.epoch_sum, "epoch_count": self.epoch_count, "latest": dict(self.latest)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.epoch_sum, self.epoch_count = float(state["epoch_sum"]), int(state["epoch_count"])
        self.latest = dict(state["latest"])
