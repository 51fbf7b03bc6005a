"""One process a run: the system drops the lock when its holder ends, however it ends."""

import fcntl
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from snnbook.errors import UserError

# A killed command's notebook kernel notices within seconds; a rerun waits for that instead of failing.  What
# `snnbook reproduce` starts waits as long as it takes: a run that outlived its scheduler is not lost.
PATIENCE = float(os.environ.get("SNNBOOK_PATIENCE", 10))


@contextmanager
def hold(path: Path, patience: float = PATIENCE) -> Iterator[None]:
    """Hold the lock file ``path`` while the body runs.

    Args:
        path: its folder exists; the file says who holds it.
        patience: seconds to wait for another holder.

    Raises:
        UserError: another process still holds it; the message names it.
    """
    deadline = time.monotonic() + patience
    with open(path, "a+", encoding="utf-8") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    file.seek(0)
                    owner = file.read().strip() or "another process"
                    raise UserError(
                        f"{owner} is at this run already (lock {path}); wait for it, or stop it and try again"
                    ) from None
            time.sleep(0.1)
        file.truncate(0)
        file.write(f"process {os.getpid()} on {platform.node()}")
        file.flush()
        yield
