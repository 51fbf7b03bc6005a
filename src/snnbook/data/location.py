"""Where data sets lie when nobody says."""

import os
from pathlib import Path

from snnbook import files


def default_root() -> Path:
    """``$SNNBOOK_DATA`` if set, else ``data/`` in the checkout or, without one, in the current folder."""
    if chosen := os.environ.get("SNNBOOK_DATA"):
        return Path(chosen)
    checkout = files.root()
    return (checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()) / "data"
