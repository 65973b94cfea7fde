"""A run in the hand: its folder, its checkpoints, its generator."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zerosum.api.generator import Generator, Samples, load
from zerosum.engine.listeners import read_events
from zerosum.engine.run import RunFolder
from zerosum.types import PathLike
from zerosum.watch.looking import look
from zerosum.watch.verdict import Verdict


class Run:
    """What `train` and `resume` return, and `open_run` finds."""

    def __init__(self, path: PathLike, *, stopped_by: int | None = None) -> None:
        """`UserError` where `path` is no run. `stopped_by`: the signal that ended its last session."""
        self.folder = RunFolder.open(Path(path))
        self.stopped_by = stopped_by

    @property
    def path(self) -> Path:
        return self.folder.path

    @property
    def info(self) -> dict[str, Any]:
        """run.json."""
        return self.folder.info

    def checkpoints(self) -> list[str]:
        """Their names, such as last, previous, best, step-000500."""
        return self.folder.checkpoints()

    def state(self, name: str = "last") -> dict[str, Any]:
        """Everything that a checkpoint holds, tensors on the CPU."""
        return self.folder.read(name)

    def generator(self, checkpoint: str | None = None, *, device: str = "cpu") -> Generator:
        """G of a checkpoint; of the best one, else the last, where none is named."""
        return load(self.path, checkpoint, device=device)

    def sample(
        self,
        n: int = 64,
        *,
        seed: int = 0,
        label: str | int | None = None,
        checkpoint: str | None = None,
        psi: float = 1.0,
    ) -> Samples:
        """n samples: uint8 (n, H, W, C), or points float32 (n, 2)."""
        return self.generator(checkpoint).sample(n, seed=seed, label=label, psi=psi)

    def events(self) -> Iterator[dict[str, Any]]:
        """Everything the run said, in order."""
        return iter(read_events(self.folder.events)) if self.folder.events.exists() else iter(())

    @property
    def verdict(self) -> Verdict | None:
        """What the watch says of the run as it stands; None before its first logged step."""
        return look(self.path).verdict

    @property
    def end(self) -> dict[str, Any] | None:
        """How its last session ended; None while it goes on, or where it was killed."""
        end = None
        for event in self.events():
            if event["event"] in ("start", "end"):
                end = event if event["event"] == "end" else None
        return end
