"""Recordings in files as frames in memory: what the data sets of event cameras share."""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from snnbook import bars, room
from snnbook.data import decoded, events
from snnbook.data.config import DataConfig
from snnbook.data.dataset import Cut, Files, Images
from snnbook.data.events import Events
from snnbook.data.folder import BAR_FROM
from snnbook.errors import UserError

Open = Callable[[Files, int], Events]  # the recording at an index
VERSION = 2  # of how recordings are read, cut and resized
NUMBERS = 9  # of 64 bits, before the lengths, of 64 bits, too, and the frames
FEWER = "keep fewer recordings, or smaller or fewer frames"


class _Half(NamedTuple):
    """Recordings that were read.

    Attributes:
        frames: uint8 ``[N, T, C, H, W]``.
        lengths: how many of them each recording has, int64 ``[N]``.
        events, dropped: how many they have, and how many of them no frame holds.
        sensor: its width and height.
    """

    frames: NDArray[np.uint8]
    lengths: NDArray[np.int64]
    events: int
    dropped: int
    sensor: tuple[int, int]

    @classmethod
    def of(cls, content: NDArray[np.uint8]) -> "_Half":
        """From the bytes of :func:`_read`."""
        counted, dropped, width, height, *shape = _numbers(content)
        begin = 8 * (NUMBERS + shape[0])
        lengths = np.array(content[8 * NUMBERS : begin]).view(np.int64)
        return cls(content[begin:].reshape(shape), lengths, counted, dropped, (width, height))


def read(
    train: Files,
    test: Files,
    config: DataConfig,
    open_: Open,
    finish: Callable[[np.ndarray, int], np.ndarray],
    told: object = None,
) -> tuple[Images, Images, Cut, tuple[Tensor, Tensor]]:
    """Frames of the recordings listed, uint8 ``[N, T, C, H, W]`` each, what no frame holds, and lengths.

    They are kept, see :mod:`snnbook.data.decoded`.

    Args:
        train, test: what was kept.
        config: how they are cut, and to which size.
        open_: finds a recording.
        finish: frames of one, ``[T, 2, height, width]``, as bytes; see :func:`pictures`.
        told: what else the frames depend on.

    Raises:
        UserError: recordings that cannot be read or cut, have several sensors, or would not fit into memory.
    """
    settings = (VERSION, config.name, config.size, config.frames, config.split_by, config.accumulate, told)
    both = (len(train.labels) + len(test.labels)) / len(train.labels)  # as many as there are in the first
    sources, halves = (train, test), []
    for half, what, times in ((train, "training", both), (test, "test", 1.0)):
        make = partial(_read, half, what, config, open_, finish, times)
        halves.append(_Half.of(decoded.kept(half, settings, partial(_fits, config.name), make)))
    _check_one({found.sensor: half.path(0) for found, half in zip(halves, sources, strict=True)})
    frames, ends = ([torch.from_numpy(getattr(x, part)) for x in halves] for part in ("frames", "lengths"))
    images = [Images(x, half.labels) for x, half in zip(frames, sources, strict=True)]
    cut = Cut(sum(found.events for found in halves), sum(found.dropped for found in halves), 0)
    return *images, cut, tuple(ends)


def _read(
    half: Files, what: str, config: DataConfig, open_: Open, finish: Callable, times: float
) -> NDArray[np.uint8]:
    """All recordings of a half as bytes: the numbers of a :class:`_Half`, its frames' shape, lengths, frames.

    Raises:
        UserError: ``times`` as many would not fit into memory, and as :func:`read`.
    """
    sensors: dict[tuple[int, int], str] = {}
    content, counted, dropped = None, 0, 0
    order = np.argsort(half.names, kind="stable")  # parts of one file follow each other
    for index in bars.bar(order.tolist(), f"reading {what} recordings", disable=len(order) <= BAR_FROM):
        name = half.path(index)
        recording = open_(half, index)
        sensors.setdefault(recording.sensor, name)
        _check_one(sensors)
        try:
            found, left = events.cut(recording, config.frames, None, config.split_by, config.accumulate)
        except UserError as error:
            raise UserError(f"{name}: {error}") from None
        counted, dropped = counted + len(recording), dropped + left
        found = finish(found, config.size)
        if content is None:
            room.check(times * len(order) * found.nbytes, room.at_hand(), config.name, advice=FEWER)
            begin = 8 * (NUMBERS + len(order))
            content = np.empty(begin + len(order) * found.nbytes, np.uint8)
            lengths = content[8 * NUMBERS : begin].view(np.int64)
            frames = content[begin:].reshape(len(order), *found.shape)
        lengths[index], frames[index] = events.length(recording, len(found), config.split_by), found
    content[: 8 * NUMBERS].view(np.int64)[:] = [counted, dropped, *recording.sensor, *frames.shape]
    return content


def _numbers(content: NDArray[np.uint8]) -> list[int]:
    return np.array(content[: 8 * NUMBERS]).view(np.int64).tolist()


def _fits(name: str, content: NDArray[np.uint8]) -> bool:
    """Whether it may be what :func:`_read` made."""
    if content.ndim != 1 or len(content) < 8 * NUMBERS:
        return False
    shape = _numbers(content)[-5:]
    room.check(content.nbytes, room.at_hand(), name, advice=FEWER)
    return min(shape) > 0 and len(content) == 8 * (NUMBERS + shape[0]) + math.prod(shape)


def _check_one(sensors: Mapping[tuple[int, int], str]) -> None:
    if len(sensors) > 1:
        sides = " and ".join(f"{w}x{h} ({Path(place).name})" for (w, h), place in sensors.items())
        raise UserError(f"recordings are of sensors {sides}; expected one; keep them in folders of their own")


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
