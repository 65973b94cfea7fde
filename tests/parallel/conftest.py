"""What the parallel tests share: the fault tests' processes, and two of them as the ranks of one training."""

from __future__ import annotations

import importlib.util
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

_path = Path(__file__).resolve().parents[1] / "faults" / "conftest.py"
_spec = importlib.util.spec_from_file_location("fault_fixtures", _path)
assert _spec is not None
assert _spec.loader is not None
_faults = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = _faults
_spec.loader.exec_module(_faults)

nursery, wait_for, compare = _faults.nursery, _faults.wait_for, _faults.compare


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


@pytest.fixture(scope="session")
def start_ranks(nursery: Any) -> Callable[..., list[Any]]:
    """Start one command as two ranks, in the environment that torchrun makes; `faults` by rank."""

    def start(*argv: object, faults: dict[int, Any] | None = None, cwd: Path | None = None) -> list[Any]:
        port = str(_free_port())
        common = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        common |= {"TORCHELASTIC_RUN_ID": "test", "GROUP_RANK": "0"}
        return [
            nursery.start(
                *argv,
                faults=(faults or {}).get(rank),
                cwd=cwd,
                env={**common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            )
            for rank in range(2)
        ]

    return start


@pytest.fixture(scope="session")
def ranks(start_ranks: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    """The same, waited for."""

    def run(*argv: object, **how: Any) -> list[Any]:
        return [process.wait() for process in start_ranks(*argv, **how)]

    return run
