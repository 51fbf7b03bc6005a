"""Keep freed memory: on a CPU a fresh page costs more than the arithmetic done in it.

glibc gives large blocks back to the system when they are freed and must fault them in again at the next step.
Telling it to keep them makes training on a CPU up to twice as fast; it changes no number.
"""

import ctypes
import os
import sys
import time
from statistics import median

GLIBC = "glibc's malloc"

# glibc's mallopt parameters, from malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -3, -4, -8


def keep_freed_memory() -> bool:
    """Ask glibc to keep freed blocks; True if it does.

    Called when training starts, never at import.  ``SNNBOOK_MALLOC=system`` leaves the allocator alone, as
    does a preloaded one (jemalloc, tcmalloc) or another C library.
    """
    if name() != GLIBC or os.environ.get("SNNBOOK_MALLOC") == "system":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    settings = [(_MMAP_THRESHOLD, 2**31 - 1), (_TRIM_THRESHOLD, 2**31 - 1), (_MMAP_MAX, 0), (_ARENA_MAX, 1)]
    return all([mallopt(name, value) for name, value in settings])


def name() -> str:
    """What gives programs their memory here: a preloaded allocator, glibc's, or the system's own."""
    for preloaded in ("jemalloc", "tcmalloc", "mimalloc"):
        if preloaded in os.environ.get("LD_PRELOAD", ""):
            return preloaded
    if sys.platform.startswith("linux") and hasattr(ctypes.CDLL(None), "gnu_get_libc_version"):
        return GLIBC
    return f"the allocator of {sys.platform}"


def block_seconds(mebibytes: int = 64, repeat: int = 5) -> float:
    """Median time to allocate a block, write to it and free it, again and again as training does."""
    import torch

    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        torch.ones(mebibytes << 18)
        times.append(time.perf_counter() - start)
    return median(times[1:])
