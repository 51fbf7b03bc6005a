"""Recordings of one's own, in folders: ``train/<class>/*`` and ``test/<class>/*``, of any one sensor."""

import re
from pathlib import Path

from snnbook import files
from snnbook.data import folder, recorded
from snnbook.data.config import DataConfig
from snnbook.data.dataset import Files
from snnbook.data.events import SUFFIXES
from snnbook.data.events import read as read_events
from snnbook.errors import UserError

SIZE = "sensor.txt"
KIND = folder.Kind("recordings", tuple(SUFFIXES), "*.npz")


def listing(root: Path) -> tuple[tuple[str, ...], Files, Files]:
    """Class names, training and test recordings.

    Args:
        root: holds ``train/<class>/*`` and ``test/<class>/*`` of the formats of
            :func:`snnbook.data.events.read`; and, where files do not tell their sensor's size (``.bin``, some
            ``.raw`` and ``.npz``), a file ``sensor.txt`` that reads like ``346x260``, width and height.

    Raises:
        UserError: a folder is missing or empty, there is but one class, training and test have other classes.
    """
    return folder.listing(root, kind=KIND)


def opener(config: DataConfig) -> recorded.Open:
    """Opens a recording; events that are out of order by less than a second are sorted."""
    known: dict[Path, tuple[int, int] | None] = {}

    def open_(half: Files, index: int):
        root = half.folder.parent
        if root not in known:
            known[root] = _sensor(root / SIZE)
        return read_events(half.path(index), known[root], sort=True)

    return open_


def told(half: Files) -> str | None:
    """What is said of the sensor beside the recordings."""
    path = half.folder.parent / SIZE
    return files.read_text(path, "a sensor's size") if path.exists() else None


def _sensor(path: Path) -> tuple[int, int] | None:
    if not path.exists():
        return None
    text = files.read_text(path, "a sensor's size").strip()
    found = re.fullmatch(r"(\d{1,5})\s*x\s*(\d{1,5})", text)
    if not found:
        raise UserError(f"{path} reads {text[:40]!r}; expected width and height, such as 346x260")
    return int(found[1]), int(found[2])
