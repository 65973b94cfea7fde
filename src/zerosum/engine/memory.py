"""What the process does with memory that it has used once: keep it, instead of giving it back and asking again.

By default glibc takes every large block from the system and returns it when it is freed, and a step of training does
that with each of its activations: the system then clears the same pages over and over, which takes longer than the
sums that the layers between two convolutions are made of.
"""

from __future__ import annotations

import ctypes
from functools import cache

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
