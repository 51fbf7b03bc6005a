"""N-MNIST (Orchard et al. 2015): MNIST before a camera of 34x34 pixels on a motor, three movements of 100 ms."""

from pathlib import Path

from snnbook.data import folder, recorded
from snnbook.data.config import DataConfig
from snnbook.data.dataset import Files
from snnbook.data.events import Events
from snnbook.data.events import read as read_events
from snnbook.errors import UserError

FOLDERS = ("nmnist", "NMNIST", "N-MNIST")
SENSOR = (34, 34)
ARCHIVES = {"Train.zip": "20959b8e626244a1b502305a9e6e2031", "Test.zip": "69ca8762b2fe404d9b9bad1103e97832"}
KIND = folder.Kind("recordings", (".bin",), "*.bin")


def listing(root: Path) -> tuple[tuple[str, ...], Files, Files]:
    """Class names, training and test recordings.

    Args:
        root: the data folder.  ``root/nmnist``, or ``root`` itself, holds what the two archives unpack to:
            ``Train/<digit>/*.bin`` and ``Test/<digit>/*.bin``.

    Raises:
        UserError: they are not there, or are not ten classes.
    """
    place = _place(root)
    if not (place / "Train").is_dir():
        todo = recorded.archives(place, ARCHIVES) or advice(root)
        raise UserError(f"no N-MNIST in {place}; {todo}, or name another data folder with --data DIR")
    classes, train, test = folder.listing(place, "Test", "Train", KIND)
    if classes != tuple(map(str, range(10))):
        raise UserError(
            f"{place} has classes {', '.join(classes[:12])}; expected 0 to 9; unpack the archives again"
        )
    return classes, train, test


def opener(config: DataConfig) -> recorded.Open:
    """Opens a recording; the marker of the camera's clock is no event, see :mod:`snnbook.data.events.formats`."""
    return lambda half, index: _recording(half.path(index))


def found(root: Path) -> str | None:
    """Where below ``root`` it lies, "." for ``root`` itself; None if it is not there."""
    place = _place(root)
    return str(place.relative_to(root)) if (place / "Train").is_dir() else None


def advice(root: Path) -> str:
    """Where to get it, and where to put it."""
    return (
        "fetch Train.zip and Test.zip from garrickorchard.com/datasets/n-mnist, and unpack them in "
        f"{root.absolute() / FOLDERS[0]}"
    )


def _recording(path: str) -> Events:
    return read_events(path, SENSOR, sort=True)


def _place(root: Path) -> Path:
    return recorded.place(root, FOLDERS, "Train")
