"""Does it fit?  Asked before memory is filled, since the system kills a process that fills it."""

import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

from snnbook.cgroups import groups
from snnbook.errors import UserError

SYSTEM = Path("/")
# Of both versions: the file of the limit, that of what is in use, and what of it caches give back.
V2 = ("memory.max", "memory.current", "inactive_file")
V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def at_hand() -> int:
    """Bytes of main memory that can be had: of the machine, and below the limits of the container this runs in.

    What this process has freed and its allocator keeps for it counts, too.
    """
    return min([_of_machine(), *_of_containers()]) + _of_allocator()


FEWER = "keep fewer images or smaller ones, or read them from disk with data.stream: true (image folders)"


def check(needed: float, available: int, name: str, whose: str = "", advice: str = FEWER) -> None:
    """Refuse what would not fit.

    Args:
        needed, available: bytes; whatever else is needed counts as nothing.
        name: of what needs them.
        whose: the memory is, if it is not the main one.
        advice: what to do.

    Raises:
        UserError: ``needed`` bytes are more than ``available``.
    """
    if needed > available:
        raise UserError(
            f"{name} takes {needed:,} bytes of memory, {available:,} bytes{whose and ' ' + whose} are at hand; "
            f"{advice}"
        )


def show(count: int) -> str:
    """Bytes for people."""
    return f"{count / 2**20:,.1f} MiB" if count < 2**30 else f"{count / 2**30:,.1f} GiB"


def _of_machine() -> int:
    file = SYSTEM / "proc/meminfo"
    if file.is_file():  # on Linux, where free pages alone would leave out what caches give back
        lines = dict(line.split(":", 1) for line in file.read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


class _Information(ctypes.Structure):
    """glibc's ``struct mallinfo2``."""

    # arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks; what is free; keepcost
    _fields_ = (("before", ctypes.c_size_t * 8), ("free", ctypes.c_size_t), ("keepcost", ctypes.c_size_t))


def _of_allocator() -> int:
    try:
        ask = ctypes.CDLL(None).mallinfo2
    except (AttributeError, OSError, TypeError):  # another C library, or an old one
        return 0
    ask.restype = _Information
    return ask().free


def _of_containers() -> Iterator[int]:
    """What is left below each limit, this process's own group's and those of the groups around it."""
    for folder in groups("memory", SYSTEM):
        for limit, used, given_back in (V2, V1):
            most = _number(folder / limit)
            if most is not None:
                yield max(0, most - max(0, (_number(folder / used) or 0) - _cached(folder, given_back)))


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):  # not there, or "max"
        return None


def _cached(folder: Path, name: str) -> int:
    try:
        lines = (folder / "memory.stat").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.split()[:1] == [name])
    except (OSError, ValueError, IndexError):
        return 0
