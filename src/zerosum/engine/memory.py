"""What the process does with memory that it has used once: keep it, instead of giving it back and asking again.

By default glibc takes every large block from the system and returns it when it is freed, and a step of training does
that with each of its activations: the system then clears the same pages over and over, which takes longer than the
sums that the layers between two convolutions are made of.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache

import torch

from zerosum.errors import UserError

FLOAT_BYTES, GIB = 4, 2**30
MMAP_MAX, TRIM_THRESHOLD = -4, -1  # mallopt's names for them, of malloc.h


@cache
def keep_memory() -> bool:
    """From now on freed memory stays with the process; whether the C library can do that (glibc can)."""
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018  other libraries have a mallopt that does nothing
        mallopt = library.mallopt
    except (AttributeError, OSError, TypeError):  # no such function, no such library, not on this system
        return False
    # No block of its own for a large tensor, and no end of the heap is given back.
    return bool(mallopt(MMAP_MAX, 0)) and bool(mallopt(TRIM_THRESHOLD, -1))


def out_of_memory(error: RuntimeError) -> bool:
    """Whether torch found no room for a tensor, on a device or on the host."""
    told = ("can't allocate memory", "not enough memory", "out of memory")  # on Linux, Windows, a Mac's GPU
    return isinstance(error, torch.OutOfMemoryError) or any(words in str(error) for words in told)


def physical_memory() -> int | None:
    """Bytes of memory that this machine has; None where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def fits(values: int) -> bool:
    """Whether so many float32 values are within this machine's memory; True where the system does not say."""
    there = physical_memory()
    return there is None or values * FLOAT_BYTES <= there


def check_fits(batch: int, values: int) -> None:
    """`UserError` where so many float32 values a sample of the batch, all kept at a time, are beyond the machine.

    Without it the system would end the process somewhere in the first step, without a word.
    """
    if not fits(batch * values):
        raise UserError(
            f"a batch of {batch:,} takes at least {batch * values * FLOAT_BYTES / GIB:,.0f} GiB of memory, and this "
            f"machine has {(physical_memory() or 0) / GIB:,.0f}: lower --batch"
        )
