"""What all tests share: where the real data lies, and one thread, so that results are the same everywhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch

from zerosum.engine import checkpoint

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with mnist/, fashion-mnist/, faces/: a visible skip where it is absent, a failure under CI."""
    folder = Path(os.environ.get("ZEROSUM_DATA") or SHARED)
    if not (folder / "mnist").is_dir():
        message = f"no real data in {folder}: set ZEROSUM_DATA to a folder with mnist/, fashion-mnist/, faces/"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return folder


Tensors = dict[str, torch.Tensor]


@pytest.fixture(scope="session")
def tensors() -> Callable[[Path], Tensors]:
    """All tensors of a run's last checkpoint, of networks, optimizers, game and chance, by their paths."""

    def of(run: Path) -> Tensors:
        state = checkpoint.read(run / "checkpoints" / "last")
        groups = {name: state[name] for name in ("weights", "ema", "optimizers", "game", "chance") if name in state}
        assert {"weights", "optimizers"} <= groups.keys()
        return dict(_leaves(groups, ""))

    return of


@pytest.fixture(scope="session")
def differences(tensors: Callable[[Path], Tensors]) -> Callable[[Path, Path], list[str]]:
    """The paths of all tensors of two runs' last checkpoints that are not equal, or only in one of them."""

    def between(one: Path, other: Path) -> list[str]:
        mine, theirs = tensors(one), tensors(other)
        both = mine.keys() & theirs.keys()
        apart = [path for path in sorted(both) if not torch.equal(mine[path], theirs[path])]
        return sorted(mine.keys() ^ theirs.keys()) + apart

    return between


def _leaves(tree: object, path: str) -> list[tuple[str, torch.Tensor]]:
    if isinstance(tree, torch.Tensor):
        return [(path, tree)]
    items = tree.items() if isinstance(tree, Mapping) else enumerate(tree) if isinstance(tree, list) else ()
    return [leaf for key, value in items for leaf in _leaves(value, f"{path}/{key}")]
