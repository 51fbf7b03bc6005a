"""DVS128 Gesture (Amir et al. 2017): eleven gestures of 29 people before a camera of 128x128 pixels."""

import os
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from snnbook import files
from snnbook.data import recorded
from snnbook.data.config import DataConfig
from snnbook.data.dataset import Files
from snnbook.data.events import Events
from snnbook.data.events import read as read_events
from snnbook.errors import UserError, one_line

FOLDERS = ("dvs_gesture", "dvs_gesture/DvsGesture", "DvsGesture")
SENSOR = (128, 128)
ARCHIVES = {"DvsGesture.tar.gz": "8a5c71fb11e24e5ca5b11866ca6c00a1"}
LISTS = {"train": "trials_to_train.txt", "test": "trials_to_test.txt"}
CLASSES = (
    "hand clapping",
    "right hand wave",
    "left hand wave",
    "right arm clockwise",
    "right arm counter-clockwise",
    "left arm clockwise",
    "left arm counter-clockwise",
    "arm roll",
    "air drums",
    "air guitar",
    "other gestures",
)


def listing(root: Path) -> tuple[tuple[str, ...], Files, Files]:
    """Class names, training and test gestures; each is a window of a recording, as its table of labels has it.

    Args:
        root: the data folder.  ``root/dvs_gesture``, the archive's folder ``DvsGesture`` in it or beside it, or
            ``root`` itself, holds ``user*.aedat``, their ``user*_labels.csv``, ``trials_to_train.txt`` and
            ``trials_to_test.txt``: the official division, by people.

    Raises:
        UserError: they are not there, or a table has another form.
    """
    place = _place(root)
    if not (place / LISTS["train"]).is_file():
        todo = recorded.archives(root / FOLDERS[0], ARCHIVES) or advice(root)
        raise UserError(f"no DVS128 Gesture in {place}; {todo}, or name another data folder with --data DIR")
    return CLASSES, *(_half(place, LISTS[half]) for half in ("train", "test"))


def opener(config: DataConfig) -> recorded.Open:
    """Opens a gesture: the events of its window, of which the end is left out."""
    return lambda half, index: _gesture(half.path(index))


def found(root: Path) -> str | None:
    """Where below ``root`` it lies, "." for ``root`` itself; None if it is not there."""
    place = _place(root)
    return str(place.relative_to(root)) if (place / LISTS["train"]).is_file() else None


def advice(root: Path) -> str:
    """Where to get it, and where to put it."""
    return (
        "fetch DvsGesture.tar.gz from research.ibm.com/dvsgesture, and unpack it in "
        f"{root.absolute() / FOLDERS[0]}"
    )


def _half(place: Path, name: str) -> Files:
    """Names like ``user01_led.aedat#80048239-85092709``: a recording and a window of it in microseconds."""
    recordings = [line.strip() for line in files.read_text(place / name, "names of recordings").splitlines()]
    names, labels = [], []
    for recording in filter(None, recordings):
        table = place / f"{recording.removesuffix('.aedat')}_labels.csv"
        if not (place / recording).is_file():
            raise UserError(f"{place} lacks {recording}, which {name} lists; unpack the archive again")
        for gesture, start, stop in _table(table):
            names.append(f"{recording}#{start}-{stop}".encode())
            labels.append(gesture - 1)
    if not names:
        raise UserError(f"{place / name} lists no recording; unpack the archive again")
    return Files(place, np.array(names), torch.tensor(labels))


def _table(path: Path) -> list[tuple[int, int, int]]:
    """Class from 1 on, start and end of each gesture."""
    text = files.read_text(path, "gestures' times")
    try:
        rows = [
            tuple(int(cell) for cell in line.split(",")) for line in text.splitlines()[1:] if line.strip()
        ]
        if any(len(row) != 3 or not 1 <= row[0] <= len(CLASSES) or row[1] >= row[2] for row in rows):
            raise ValueError("a row is no class from 1 to 11, start and end")
    except ValueError as error:
        raise UserError(f"cannot read {path} ({one_line(error)[:80]}); unpack the archive again") from None
    return rows


def _gesture(name: str) -> Events:
    path, _, window = name.rpartition("#")
    start, stop = map(int, window.split("-"))
    return _recording(path, os.stat(path).st_mtime_ns).between(start, stop)


@lru_cache(maxsize=1)  # a dozen gestures follow each other in a recording
def _recording(path: str, changed: int) -> Events:
    return read_events(path, SENSOR, sort=True)


def _place(root: Path) -> Path:
    return recorded.place(root, FOLDERS, LISTS["train"])
