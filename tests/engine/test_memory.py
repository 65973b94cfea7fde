"""Memory that was used once stays with the process, where the C library can keep it."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from zerosum.engine.engine import Engine
from zerosum.engine.memory import keep_memory, out_of_memory

FAULTS = """
import resource, sys, torch
if sys.argv[1] == "kept":
    from zerosum.engine.memory import keep_memory
    assert keep_memory()
torch.set_num_threads(1)
layer, x = torch.nn.Conv2d(8, 8, 3, padding=1), torch.randn(64, 8, 64, 64)  # activations of 8 MiB each
def steps(count):
    for _ in range(count):
        layer(torch.relu(layer(x))).square().mean().backward()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
begun = steps(5)
print(steps(5) - begun)
"""


def page_faults(mode: str) -> int:
    """Of five steps, the least of three runs: pages that the kernel takes back meanwhile come on top."""
    command = [sys.executable, "-c", FAULTS, mode]
    runs = (subprocess.run(command, check=True, capture_output=True, text=True) for _ in range(3))
    return min(int(done.stdout) for done in runs)


@pytest.mark.parametrize(
    ("message", "full"),
    [
        ("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes", True),
        ("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes.", True),
        ("MPS backend out of memory (MPS allocated: 17 GB)", True),
        ("mat1 and mat2 shapes cannot be multiplied", False),
    ],
)
def test_a_full_memory_is_known_by_the_words_of_each_system(message: str, full: bool) -> None:
    assert out_of_memory(RuntimeError(message)) is full


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no such setting")
def test_a_step_clears_hardly_a_page_anew() -> None:
    assert page_faults("kept") < 0.2 * page_faults("as it is")


def test_a_run_says_whether_memory_is_kept() -> None:
    assert Engine("cpu").describe()["keeps_memory"] is keep_memory()
