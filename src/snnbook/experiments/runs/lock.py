"""One process a run."""

from contextlib import AbstractContextManager
from pathlib import Path

from snnbook import files
from snnbook.checks import environment

# A killed command's notebook kernel notices within seconds; a rerun waits for that instead of failing.  What
# `snnbook reproduce` starts waits as long as it takes: a run that outlived its scheduler is not lost.
PATIENCE = 10.0


def hold(path: Path, patience: float | None = None) -> AbstractContextManager[None]:
    """Hold a run's lock file, see :func:`snnbook.files.hold`.

    Args:
        path: of the lock.
        patience: seconds to wait; by default what ``SNNBOOK_PATIENCE`` says.

    Raises:
        UserError: as :func:`snnbook.files.hold`; or ``SNNBOOK_PATIENCE`` is no number.
    """
    return files.hold(
        path, "this run", environment("SNNBOOK_PATIENCE", PATIENCE) if patience is None else patience
    )
