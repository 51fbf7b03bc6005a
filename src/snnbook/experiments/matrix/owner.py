"""Runs that end with the command that started them, even where that is killed and can tell nobody."""

import os
import signal
import threading
import time
from pathlib import Path

VARIABLE = "SNNBOOK_OWNER"
SECONDS = 1.0  # between two looks


def name() -> str:
    """This process, such that another that gets its number later is not taken for it."""
    return f"{os.getpid()}:{_started(os.getpid())}"


def alive(owner: str) -> bool:
    """Whether the process called ``owner`` still runs."""
    number, _, started = owner.partition(":")
    return _started(int(number)) == started


def end_with_owner() -> None:
    """Where the environment names an owner, end this process (as by SIGTERM) when the owner is gone."""
    if owner := os.environ.get(VARIABLE):
        threading.Thread(target=_watch, args=(owner,), daemon=True).start()


def _watch(owner: str) -> None:
    while alive(owner):
        time.sleep(SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


def _started(number: int) -> str:
    """When process ``number`` was started, in the system's ticks; "" if there is none."""
    stat = Path(f"/proc/{number}/stat")
    try:
        # The name in brackets may hold anything.  Behind it stands the state, and 19 fields on the start.
        state, *fields = stat.read_text().rpartition(")")[2].split()
        return "" if state == "Z" else fields[18]
    except OSError:
        pass
    if Path("/proc/self/stat").exists():
        return ""
    try:  # a system without /proc: the number has to do
        os.kill(number, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return "running"
