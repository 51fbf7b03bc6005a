"""Does a data set fit?  Asked before memory is filled, since the system kills a process that fills it."""

import os
from pathlib import Path

from snnbook.errors import UserError

MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup/memory.max")


def at_hand() -> int:
    """Bytes of main memory that can be had, within the limit of a container."""
    return min([_of_machine(), *_of_container()])


def check(needed: int, available: int, name: str, whose: str = "") -> None:
    """Refuse a data set that would not fit.

    Raises:
        UserError: ``needed`` bytes are more than ``available``.
    """
    if needed > available:
        raise UserError(
            f"{name} takes {needed:,} bytes of memory, {available:,} bytes{whose and ' ' + whose} are at hand; "
            "keep fewer images, or read them from disk with data.stream: true (image folders)"
        )


def show(count: int) -> str:
    """Bytes for people."""
    return f"{count / 2**20:,.1f} MiB" if count < 2**30 else f"{count / 2**30:,.1f} GiB"


def _of_machine() -> int:
    if MEMINFO.is_file():  # on Linux, where free pages alone would leave out what caches give back
        lines = dict(line.split(":", 1) for line in MEMINFO.read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _of_container() -> list[int]:
    limit = CGROUP.read_text().strip() if CGROUP.is_file() else "max"
    return [] if limit == "max" else [int(limit)]
