"""Where data sets lie when nobody says."""

import os
from pathlib import Path

from snnbook import files


def default_root() -> Path:
    """``$SNNBOOK_DATA`` if set, else ``data/`` in the checkout or, without one, in the current folder."""
    if chosen := os.environ.get("SNNBOOK_DATA"):
        files.reached(Path(chosen))
        return Path(chosen)
    checkout = files.root()
    return (checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()) / "data"


# By data set: where it is looked for in the data folder, its classes, and the size of the archive
# that is downloaded if asked.
PLACES = {
    "cifar10": (("cifar10/train", "train", "cifar-10-batches-py"), 10, 170_498_071),
    "cifar100": (("cifar100/train", "train", "cifar-100-python"), 100, 169_001_437),
}
# Classes that it has, whatever its trees call the others ("plane" or "airplane").
AMONG = {"cifar10": ("bird", "deer", "frog", "ship"), "cifar100": ("apple", "beaver", "whale", "worm")}


def megabytes(name: str) -> str:
    """What the archive of ``name``, one of :data:`PLACES`, takes."""
    return f"{PLACES[name][2] / 1e6:.0f} MB"


def found(name: str, root: Path) -> str | None:
    """Where below ``root`` the data set ``name``, one of :data:`PLACES`, lies; None if it is not there.

    A tree of images with another number of classes is another data set, and so is one with other classes unless
    its folder has the data set's name.
    """
    return next((place for place in PLACES[name][0] if _is(root / place, name)), None)


def classes(half: Path) -> list[str]:
    """Names of the class folders in ``half``, sorted; none where there is no such folder."""
    if not half.is_dir():
        return []
    return sorted(path.name for path in half.iterdir() if path.is_dir() and not path.name.startswith("."))


def _is(place: Path, name: str) -> bool:
    if place.name != "train":
        return place.is_dir()
    there = classes(place)
    named = place.absolute().parent.name == name or {*AMONG[name]} <= {one.lower() for one in there}
    return len(there) == PLACES[name][1] and named
