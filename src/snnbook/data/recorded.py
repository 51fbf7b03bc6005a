"""Recordings in files as frames in memory: what the data sets of event cameras share."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from snnbook import bars, room
from snnbook.data import events
from snnbook.data.config import DataConfig
from snnbook.data.dataset import Cut, Files, Images, frames_missing
from snnbook.data.events import Events
from snnbook.data.folder import BAR_FROM
from snnbook.errors import UserError

Open = Callable[[Files, int], Events]  # the recording at an index
FEWER = "keep fewer recordings, or smaller or fewer frames"


def read(
    train: Files,
    test: Files,
    config: DataConfig,
    open_: Open,
    finish: Callable[[np.ndarray, int], np.ndarray],
) -> tuple[Images, Images, Cut]:
    """Frames of the recordings listed, uint8 ``[N, T, C, H, W]`` each, and what no frame holds.

    Args:
        train, test: what was kept.
        config: how they are cut, and to which size.
        open_: finds a recording.
        finish: frames of one, ``[T, 2, height, width]``, as bytes; see :func:`pictures`.

    Raises:
        UserError: recordings that cannot be read or cut, have several sensors, or would not fit into memory.
    """
    sensors: dict[tuple[int, int], str] = {}
    halves, counted, dropped = [], 0, 0
    everything = len(train.labels) + len(test.labels)
    for half, what in ((train, "training"), (test, "test")):
        frames = None
        order = np.argsort(half.names, kind="stable")  # parts of one file follow each other
        few = len(order) <= BAR_FROM
        for index in bars.bar(order.tolist(), f"reading {what} recordings", disable=few):
            name = half.path(index)
            recording = open_(half, index)
            sensors.setdefault(recording.sensor, name)
            if len(sensors) > 1:
                sides = " and ".join(f"{w}x{h} ({Path(place).name})" for (w, h), place in sensors.items())
                raise UserError(
                    f"recordings are of sensors {sides}; expected one; keep them in folders of their own"
                )
            try:
                found, left = events.cut(recording, config.frames, None, config.split_by, config.accumulate)
            except UserError as error:
                raise UserError(f"{name}: {error}") from None
            counted, dropped = counted + len(recording), dropped + left
            found = finish(found, config.size)
            if frames is None:
                room.check(everything * found.nbytes, room.at_hand(), config.name, advice=FEWER)
                frames = torch.empty(len(order), *found.shape, dtype=torch.uint8)
            frames[index] = torch.from_numpy(found)
        halves.append(Images(frames, half.labels))
    ends = sum(frames_missing(images) for images, _ in halves) if events.window(config.split_by) else 0
    return *halves, Cut(counted, dropped, ends)


def pictures(frames: np.ndarray, size: int) -> np.ndarray:
    """Frames as bytes, ``size`` pixels high and as wide as keeps the sensor's proportions.

    They are resized (bilinear, each polarity by itself) before each is divided by its largest value, so that a
    frame with an event is never empty.
    """
    height, width = frames.shape[-2:]
    target = (size, max(1, round(size * width / height)))
    if target != (height, width):
        needed = 8 * (
            len(frames) * 2 * target[0] * max(width, target[1]) + target[0] * height + target[1] * width
        )
        room.check(needed, room.at_hand(), f"a recording of {target[1]}x{target[0]} pixels", advice=FEWER)
        rows, columns = (_weights(*sides) for sides in zip((height, width), target, strict=True))
        frames = rows @ frames @ columns.T
    return events.as_bytes(frames)


def _weights(before: int, after: int) -> NDArray[np.float64]:
    """Of ``before`` pixels in each of ``after``: a triangle as wide as two of the coarser ones.

    As torch's bilinear interpolation with antialias=True, which is wrong where one column is left (torch 2.15).
    """
    scale = before / after
    middles = (np.arange(after) + 0.5) * scale - 0.5
    away = np.abs(np.arange(before) - middles[:, None])
    shares = np.maximum(0, 1 - away / max(scale, 1))
    return shares / shares.sum(axis=1, keepdims=True)


def place(root: Path, folders: Sequence[str], mark: str) -> Path:
    """The first of ``folders`` in ``root`` that holds ``mark``, or ``root`` itself; else where they should lie."""
    known = [root / name for name in folders]
    return next((path for path in (*known, root) if (path / mark).exists()), known[0])


def archives(folder: Path, sums: Mapping[str, str]) -> str:
    """What to do with archives that lie in ``folder`` and are not unpacked; nothing to say where there are none.

    Args:
        sums: their MD5, as published, by name.
    """
    there = {name: folder / name for name in sums if (folder / name).is_file()}
    for name, path in there.items():
        with open(path, "rb") as content:
            if hashlib.file_digest(content, "md5").hexdigest() != sums[name]:
                return f"{path} has another MD5 than the published {sums[name]}; fetch it again"
    return f"unpack {' and '.join(there)} there" if there else ""
