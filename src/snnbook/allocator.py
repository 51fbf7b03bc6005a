"""Keep freed memory: on a CPU a fresh page costs more than the arithmetic done in it.

glibc gives large blocks back to the system when they are freed and must fault them in again at the next step.
Telling it to keep them makes training on a CPU up to twice as fast; it changes no number.
"""

import ctypes
import os
import sys

# glibc's mallopt parameters, from malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -3, -4, -8


def keep_freed_memory() -> bool:
    """Ask glibc to keep freed blocks; True if it does.

    Called when training starts, never at import.  ``SNNBOOK_MALLOC=system`` leaves the allocator alone, as
    does a preloaded one (jemalloc, tcmalloc) or another C library.
    """
    if not _can_be_told():
        return False
    mallopt = ctypes.CDLL(None).mallopt
    settings = [(_MMAP_THRESHOLD, 2**31 - 1), (_TRIM_THRESHOLD, 2**31 - 1), (_MMAP_MAX, 0), (_ARENA_MAX, 1)]
    return all([mallopt(name, value) for name, value in settings])


def _can_be_told() -> bool:
    preloaded = any(name in os.environ.get("LD_PRELOAD", "") for name in ("jemalloc", "tcmalloc"))
    if preloaded or os.environ.get("SNNBOOK_MALLOC") == "system" or not sys.platform.startswith("linux"):
        return False
    return hasattr(ctypes.CDLL(None), "gnu_get_libc_version")
