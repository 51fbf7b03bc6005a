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


# By data set: where it is looked for in the data folder, and the size of the archive that is downloaded if asked.
PLACES = {
    "cifar10": (("cifar10/train", "train", "cifar-10-batches-py"), 170_498_071),
    "cifar100": (("cifar100/train", "train", "cifar-100-python"), 169_001_437),
}


def megabytes(name: str) -> str:
    """What the archive of ``name``, one of :data:`PLACES`, takes."""
    return f"{PLACES[name][1] / 1e6:.0f} MB"


def found(name: str, root: Path) -> str | None:
    """Where below ``root`` the data set ``name``, one of :data:`PLACES`, lies; None if it is not there."""
    return next((place for place in PLACES[name][0] if (root / place).exists()), None)
