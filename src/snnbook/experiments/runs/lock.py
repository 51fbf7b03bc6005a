"""One process a run."""

import os
from contextlib import AbstractContextManager
from pathlib import Path

from snnbook import files

# A killed command's notebook kernel notices within seconds; a rerun waits for that instead of failing.  What
# `snnbook reproduce` starts waits as long as it takes: a run that outlived its scheduler is not lost.
PATIENCE = float(os.environ.get("SNNBOOK_PATIENCE", 10))


def hold(path: Path, patience: float = PATIENCE) -> AbstractContextManager[None]:
    """Hold a run's lock file, see :func:`snnbook.files.hold`."""
    return files.hold(path, "this run", patience)
