"""Spiking Heidelberg Digits and Spiking Speech Commands (Cramer et al. 2022): spoken words as spikes of a cochlea.

There is no picture here: 700 channels, from low to high tones, spike at times of their own.  Frames are images of
one pixel with a channel each, ``[T, C, 1, 1]``, and hold counts: the network sees how many spikes there were.
"""

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from snnbook.data import recorded
from snnbook.data.config import DataConfig
from snnbook.data.dataset import Files, Statistics
from snnbook.data.events import Events
from snnbook.data.events.reading import needed
from snnbook.errors import UserError, one_line

CHANNELS = 700
COUNTS = {"shd": 20, "ssc": 35}
ARCHIVES = {
    "shd_train.h5.zip": "f3252aeb598ac776c1b526422d90eecb",
    "shd_test.h5.zip": "1503a5064faa34311c398fb0a1ed0a6f",
}


def listing(name: str, root: Path) -> tuple[tuple[str, ...], Files, Files]:
    """Class names, training and test recordings of ``"shd"`` or ``"ssc"``.

    Args:
        name: which of the two.
        root: the data folder.  ``root/<name>``, or ``root`` itself, holds ``<name>_train.h5`` and
            ``<name>_test.h5`` (SSC's ``ssc_valid.h5`` plays no part).

    Raises:
        UserError: they are not there, h5py is not installed, or a file has another form.
    """
    place = _place(name, root)
    paths = [place / f"{name}_{half}.h5" for half in ("train", "test")]
    if lacking := [path.name for path in paths if not path.is_file()]:
        todo = recorded.archives(place, ARCHIVES if name == "shd" else {}) or advice(name, root)
        raise UserError(
            f"no {' and no '.join(lacking)} in {place}; {todo}, or name another data folder with --data DIR"
        )
    halves = []
    for path in paths:
        labels = torch.from_numpy(np.asarray(_open(str(path))["labels"]).astype(np.int64))
        if not len(labels) or not 0 <= int(labels.min()) <= int(labels.max()) < COUNTS[name]:
            raise UserError(f"{path} has no labels from 0 to {COUNTS[name] - 1}; unpack its archive again")
        names = np.array([f"{path.name}#{index:06}".encode() for index in range(len(labels))])
        halves.append(Files(place, names, labels))
    return _classes(name, _open(str(paths[0]))), *halves


def opener(config: DataConfig) -> recorded.Open:
    """Opens a recording, whose 700 channels are brought together in ``config.size`` groups of neighbours.

    Times are half-precision seconds in the file; in double precision they become whole microseconds, so that each
    spike falls into one frame.

    Raises:
        UserError: more groups than channels.
    """
    if config.size > CHANNELS:
        raise UserError(
            f"size is {config.size}; {config.name} has {CHANNELS} channels; expected at most as many"
        )
    return lambda half, index: _recording(half.path(index), config.size)


def trains(frames: np.ndarray, size: int) -> np.ndarray:
    """Frames ``[T, 2, 1, C]`` as bytes ``[T, C, 1, 1]``: counts, not shares of the largest.

    Raises:
        UserError: more spikes in a frame than a byte holds.
    """
    counts = frames.sum(axis=1)[:, 0, :, None, None]
    if counts.max() > 255:
        raise UserError(
            f"a channel spikes {counts.max()} times in one frame; expected at most 255; "
            "choose more frames or a larger data.size"
        )
    return counts.astype(np.uint8)


def pixels(config: DataConfig) -> Statistics:
    """Mean and deviation that leave counts what they are."""
    return (0.0,) * config.size, (1 / 255,) * config.size


def found(name: str, root: Path) -> str | None:
    """Where below ``root`` it lies, "." for ``root`` itself; None if it is not there."""
    place = _place(name, root)
    return str(place.relative_to(root)) if (place / f"{name}_train.h5").is_file() else None


def advice(name: str, root: Path) -> str:
    """Where to get it, and where to put it."""
    return (
        f"fetch {name}_train.h5 and {name}_test.h5 from zenkelab.org/datasets, and unpack them in "
        f"{root.absolute() / name}"
    )


def _place(name: str, root: Path) -> Path:
    return recorded.place(root, (name, name.upper()), f"{name}_train.h5")


def _open(path: str) -> Any:
    return _opened(path, os.stat(path).st_mtime_ns)


@lru_cache(maxsize=4)
def _opened(path: str, changed: int) -> Any:
    h5py = needed("h5py")
    try:
        content = h5py.File(path, "r")
        lengths = {len(content[key]) for key in ("labels", "spikes/times", "spikes/units")}
        if len(lengths) > 1:
            raise ValueError(f"labels, times and units have {sorted(lengths)} entries")
    except (OSError, KeyError, ValueError, AttributeError, TypeError) as error:
        reason = one_line(error)[:120]
        raise UserError(
            f"cannot read spikes from {path} ({reason}); expected labels, spikes/times and spikes/units"
        ) from None
    return content


def _recording(name: str, size: int) -> Events:
    path, _, number = name.rpartition("#")
    content = _open(path)
    try:
        times, units = (content[f"spikes/{key}"][int(number)] for key in ("times", "units"))
        seconds, units = np.asarray(times, np.float64), np.asarray(units, np.int64)
    except Exception as error:  # HDF5 raises whatever a torn file made of it
        raise UserError(f"cannot read {name} ({one_line(error)[:120]}); unpack its archive again") from None
    if len(seconds) != len(units) or not np.isfinite(seconds).all() or (units >= CHANNELS).any():
        raise UserError(
            f"{name} has {len(seconds)} times and {len(units)} channels up to {units.max(initial=0)}; expected a "
            f"finite time and a channel below {CHANNELS} for each spike"
        )
    order = np.argsort(seconds, kind="stable")
    t = np.rint(seconds * 1e6).astype(np.int64)[order]
    x = (units * size // CHANNELS)[order]
    return Events(t, x, np.zeros_like(x), np.ones_like(x), (size, 1))


def _classes(name: str, content: Any) -> tuple[str, ...]:
    """The words, where the file has them."""
    keys = content.get("extra/keys")
    words = [] if keys is None else [word.decode() if isinstance(word, bytes) else str(word) for word in keys]
    return tuple(words) if len(set(words)) == COUNTS[name] else tuple(map(str, range(COUNTS[name])))
