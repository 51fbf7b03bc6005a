"""Events cut into frames; every event is in one of them, or is counted among those left out."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snnbook import room
from snnbook.checks import shown, whole
from snnbook.data.events.recording import Events, sensor_size
from snnbook.errors import UserError

SPLITS = ("number", "time")
ACCUMULATIONS = ("count", "binary")
LARGE = 2**24  # cells of frames, from which on it is asked whether they fit
MICROSECONDS = {"us": 1, "ms": 1000, "s": 1_000_000}


def to_frames(
    events: Events | ArrayLike,
    frames: int | None,
    size: int | tuple[int, int] | None = None,
    split_by: str = "number",
    accumulate: str = "count",
) -> NDArray[np.int64]:
    """Events in T frames of two channels, OFF and ON.

    Args:
        events: an :class:`Events`; or ``[M, 4]``, see :mod:`snnbook.data.events`.
        frames: T; None, with windows of fixed length, for as many as the recording has.
        size: side of the sensor in pixels, or its width and height; an :class:`Events` has it already.
        split_by: ``"number"``, equal numbers of events, where the remainder of M / T is dropped at the end;
            ``"time"``, equal times from the first event to the last; or ``"10 ms"`` (us, ms or s), windows of this
            length from the first event on, where a recording that is longer than T of them loses its end, and a
            shorter one ends in empty frames.
        accumulate: ``"count"``, how many events came from a pixel; or ``"binary"``, whether any did.

    Returns:
        Whole numbers ``[T, 2, height, width]``.

    Raises:
        UserError: something else than events in order of time from such a sensor, fewer of them than frames, or
            another way to split or to accumulate.
    """
    return cut(events, frames, size, split_by, accumulate)[0]


def cut(
    events: Events | ArrayLike,
    frames: int | None,
    size: int | tuple[int, int] | None = None,
    split_by: str = "number",
    accumulate: str = "count",
) -> tuple[NDArray[np.int64], int]:
    """As :func:`to_frames`, and how many events no frame holds: all others are counted once."""
    check_cut(frames, split_by, accumulate)
    if not isinstance(events, Events):
        if size is None:
            raise UserError("size is not given; expected the side of the sensor, or its width and height")
        events = Events.of(events, size)
    elif size is not None and sensor_size(size) != events.sensor:
        raise UserError(
            f"size is {shown(size)} and the events' sensor {events.sensor[0]}x{events.sensor[1]}; leave size out"
        )
    step = _steps(events, frames, split_by)
    frames = int(step[-1]) + 1 if frames is None else frames
    width, height = events.sensor
    cells = frames * 2 * height * width
    if cells > LARGE:
        advice = "choose fewer frames or a smaller sensor"
        room.check(16 * cells, room.at_hand(), f"a recording in {frames} frames", advice=advice)
    place = ((step * 2 + events.polarity) * height + events.y) * width + events.x
    kept = place[step < frames]
    counts = np.bincount(kept, minlength=cells).reshape(frames, 2, height, width)
    counts = counts if accumulate == "count" else (counts > 0).astype(counts.dtype)
    return counts, len(step) - len(kept)


def as_bytes(frames: np.ndarray) -> np.ndarray:
    """Frames ``[T, 2, H, W]`` as uint8, each divided by its own largest value, which becomes 255.

    An empty frame stays empty.  (The public code of Deng et al. 2022 divides likewise, and an empty one by 0.)
    """
    largest = frames.max(axis=(1, 2, 3), keepdims=True)
    return np.rint(255 * frames / np.maximum(largest, np.finfo(float).tiny)).astype(np.uint8)


def pad(recordings: Sequence[ArrayLike]) -> tuple[np.ndarray, NDArray[np.int64]]:
    """Frames of recordings that are not equally long, as one array.

    Args:
        recordings: frames ``[T_n, ...]`` each, alike but for their number.

    Returns:
        ``[N, T, ...]``, where T is the largest number and shorter recordings end in zeros; and the lengths
        ``[N]``, which the losses over time take (:func:`snnbook.losses.sdt`).

    Raises:
        UserError: no recording, an empty one, or frames of several shapes.
    """
    found = [np.asarray(frames) for frames in recordings]
    if not found or any(not frames.ndim or not len(frames) for frames in found):
        raise UserError("recordings are none, or one has no frame; expected at least one frame each")
    shapes = {frames.shape[1:] for frames in found}
    if len(shapes) > 1:
        sizes = " and ".join(str(list(shape)) for shape in sorted(shapes)[:3])
        raise UserError(f"frames have shapes {sizes}; expected one sensor; resize them first")
    lengths = np.array([len(frames) for frames in found])
    kind = np.result_type(*found)
    padded = np.zeros((len(found), lengths.max(), *found[0].shape[1:]), kind)
    for full, frames in zip(padded, found, strict=True):
        full[: len(frames)] = frames
    return padded, lengths


def length(events: Events, frames: int, split_by: str) -> int:
    """How many of T ``frames`` a recording has: less than T where windows are of fixed length and it ends early.

    It ends with its last event: an empty window is no end while events follow.
    """
    wide = window(split_by)
    return min(int(events.t[-1] - events.t[0]) // wide + 1, frames) if wide else frames


def window(split_by: str) -> int | None:
    """The length in microseconds of windows like ``"10 ms"``; None for other ways to split."""
    found = re.fullmatch(r"([1-9][0-9]{0,11}) ?(us|ms|s)", split_by) if isinstance(split_by, str) else None
    return int(found[1]) * MICROSECONDS[found[2]] if found else None


def check_cut(frames: int | None, split_by: str, accumulate: str) -> None:
    """Refuse what :func:`to_frames` could not do.

    Raises:
        UserError: no frames, or another way to split or to accumulate.
    """
    if frames is not None:
        whole(frames, "frames", 1)
    if split_by not in SPLITS and window(split_by) is None:
        raise UserError(
            f"split_by is {shown(split_by)}; expected one of {', '.join(SPLITS)}, or a window such as '10 ms'"
        )
    if accumulate not in ACCUMULATIONS:
        raise UserError(f"accumulate is {accumulate!r}; expected one of {', '.join(ACCUMULATIONS)}")


def _steps(events: Events, frames: int | None, split_by: str) -> NDArray[np.int64]:
    """The frame of each event; at or above ``frames`` where it is left out."""
    count, length = len(events), window(split_by)
    least = 1 if length else frames
    if least is None:
        raise UserError(
            f"frames is None with split_by {split_by!r}; expected a number, or a window like '10 ms'"
        )
    if count < least:
        advice = "ask for fewer frames" if count else "leave this recording out"
        raise UserError(f"{count} events cannot fill {least} frames; {advice}")
    span = int(events.t[-1]) - int(events.t[0])
    if span * (frames or 1) >= 2**62:
        raise UserError(
            f"the recording spans {span:,} us; expected times in microseconds; is it another unit?"
        )
    t = events.t - events.t[0]
    if length:
        return t // length if frames is None else np.minimum(t // length, frames)
    return np.arange(count) // (count // frames) if split_by == "number" else t * frames // (span + 1)
