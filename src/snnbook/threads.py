"""CPU threads: how soon idle ones sleep, how many cores are free, and how many threads of those a run takes.

The wheels of torch for Linux bring GNU's libgomp.  Its idle threads spin for long before they sleep, on cores that
another process needs: two small trainings with two threads each, on two cores, were 270 times slower than one.
Nothing here needs torch.
"""

import math
import os
import sys
import time
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from snnbook.cgroups import groups

# Turns of an idle thread's loop before it sleeps.  Libgomp's own, 300,000, take some milliseconds; with these, one
# training alone loses a sixth of its speed, and two at once gain a factor of 26.  Without any turn
# (OMP_WAIT_POLICY=PASSIVE) one alone loses two thirds.
SPINS = "3000"
SPINNING = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
# Floating point operations of a training step below which one thread is enough: a second gained a fifth at most.
# It covers the quick profile, whose records were made with one, so that a run beside them has their digits.
SMALL = 10e9
# More threads are taken where a step then takes less than this part of its time.
PAYS = 0.85
SAMPLE = 0.3  # seconds in which other programs are watched

LATE = "torch" in sys.modules  # when this module was first imported: what is set now, torch does not see


def calm(environment: MutableMapping[str, str] = os.environ) -> bool:
    """Let idle threads sleep soon, in this process and those it starts, unless somebody chose otherwise.

    Libgomp reads the environment once, when torch loads it, so this is called when :mod:`snnbook` is imported.

    Returns:
        Whether the choice was left to us.
    """
    ours = not any(name in environment for name in SPINNING)
    if ours:
        environment["GOMP_SPINCOUNT"] = SPINS
    return ours


CALMED = calm()


def advice() -> str:
    """What was set of the time that idle threads spin, or what to do, in a line."""
    if LATE and CALMED:
        return (
            f"torch was loaded before snnbook, so idle threads spin: set GOMP_SPINCOUNT={SPINS} before, or import "
            "snnbook first"
        )
    chosen = [f"{name}={os.environ[name]}" for name in SPINNING if name in os.environ]
    return f"idle ones sleep soon ({', '.join(chosen)}), which leaves cores to other programs"


def cores() -> int:
    """CPU cores this process may use: those of its affinity mask, or fewer by the quota of its control groups."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.floor(min(allowed, quota())))


def quota(system: Path = Path("/")) -> float:
    """CPU time a second that control groups, version 2 or 1, leave to this process; infinite without a limit."""
    return min(map(_limit, groups("cpu", system)))


def _limit(place: Path) -> float:
    """What one control group allows."""
    try:
        if (place / "cpu.max").is_file():
            budget, period = (place / "cpu.max").read_text().split()
        else:
            budget, period = ((place / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        share = float(budget) / float(period)
    except (OSError, ValueError, ZeroDivisionError):  # "max" is no number
        return float("inf")
    return share if share > 0 else float("inf")  # -1 is no limit


def free() -> int:
    """Cores of :func:`cores` that other programs leave idle just now; at least one.

    This process sleeps while it looks, so that its own work does not count.
    """
    if (before := _busy()) is None:
        return max(1, min(cores(), round((os.cpu_count() or 1) - os.getloadavg()[0])))
    time.sleep(SAMPLE)
    after = _busy() or before
    busy = sum(_share(after[core], before[core]) for core in after.keys() & before.keys())
    return max(1, min(cores(), round(len(after) - busy)))


def _busy(stat: Path = Path("/proc/stat")) -> dict[int, tuple[int, int]] | None:
    """Ticks in which each core of the mask was busy, and all its ticks; None on a system that does not tell."""
    try:
        lines = [line.split() for line in stat.read_text().splitlines() if line.startswith("cpu")]
    except OSError:
        return None
    allowed, found = os.sched_getaffinity(0), {}
    for name, *ticks in lines[1:]:  # the first is their sum
        user, nice, system, idle, waiting, *rest = map(int, ticks[:8])
        if (core := int(name[3:])) in allowed:
            busy = user + nice + system + sum(rest)
            found[core] = (busy, busy + idle + waiting)
    return found or None


def _share(after: tuple[int, int], before: tuple[int, int]) -> float:
    busy, ticks = (a - b for a, b in zip(after, before, strict=True))
    return busy / ticks if ticks > 0 else 0.0


def counts(work: float, free: int) -> tuple[int, ...]:
    """Numbers of threads worth a trial, from one: that alone for a small network, else powers of two and ``free``.

    Args:
        work: floating point operations of a training step.
        free: cores that are.
    """
    if work < SMALL or free < 2:
        return (1,)
    return tuple(sorted({2**power for power in range(free.bit_length())} | {free}))


def fewest(seconds: Mapping[int, float]) -> int:
    """The fewest threads with which a step takes hardly longer than with any number; see ``PAYS``.

    Args:
        seconds: of a step, by number of threads.
    """
    quickest = min(seconds.values())
    return min(count for count, each in seconds.items() if PAYS * each <= quickest)
