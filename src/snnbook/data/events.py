"""Events, and the frames a network can take: what an event camera puts out, cut into T pieces of time.

A pixel of an event camera (dynamic vision sensor, DVS) measures no brightness.  It remembers the logarithm of the
brightness at its last event, and as soon as that has changed by a threshold it sends another: ON (1) for brighter,
OFF (0) for darker.  A recording is an array ``[M, 4]`` of whole numbers: time in microseconds, x (column, from the
left), y (row, from the top), polarity; in order of time.
"""

import numpy as np

from snnbook import room
from snnbook.errors import UserError

SPLITS = ("number", "time")
ACCUMULATIONS = ("count", "binary")
LARGE = 2**24  # cells of frames, from which on it is asked whether they fit


def record(
    video: np.ndarray, times: np.ndarray, threshold: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The events of pixels that watch ``video``, where brightness goes in a straight line between two moments.

    Args:
        video: logarithm of the brightness, ``[K, ...]``: any number of pixels at K moments.
        times: of these moments in microseconds, ``[K]``, rising.
        threshold: change of the logarithm that makes an event, above 0.

    Returns:
        Time, pixel (a place in the flattened ``[...]``) and polarity of each event, ``[M]`` each, in order of
        time.

    Raises:
        UserError: a threshold of 0 or less, or not as many times as moments.
    """
    if threshold <= 0 or len(video) != len(times):
        raise UserError(
            f"threshold is {threshold} and {len(times)} times belong to {len(video)} moments; "
            "expected a threshold above 0 and one time a moment"
        )
    video = video.reshape(len(video), -1).astype(float)
    remembered = video[0].copy()
    found = []
    for before, now, start, stop in zip(video, video[1:], times, times[1:], strict=False):
        change = now - remembered
        # A change that should be exactly one threshold may fall short of it by rounding.
        count = np.floor(np.abs(change) / threshold + 1e-9).astype(int)
        pixel = np.repeat(np.arange(count.size), count)
        # 1, 2, ... at each pixel.
        nth = np.arange(len(pixel)) - np.repeat(np.cumsum(count) - count, count) + 1
        sign = np.sign(change)
        level = remembered[pixel] + sign[pixel] * nth * threshold  # that sets off this event
        share = (level - before[pixel]) / (now - before)[pixel]  # of the way from `before` to `now`
        time = np.rint(start + share.clip(0, 1) * (stop - start)).astype(np.int64)
        order = np.argsort(time, kind="stable")
        found.append((time[order], pixel[order], (sign[pixel] > 0).astype(np.int64)[order]))
        remembered += sign * count * threshold
    if not found:
        return (np.empty(0, np.int64),) * 3
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


def to_frames(
    events: np.ndarray, frames: int, size: int, split_by: str = "number", accumulate: str = "count"
) -> np.ndarray:
    """Events in T frames of two channels, OFF and ON.

    Args:
        events: ``[M, 4]``, see the top of this module.
        frames: T.
        size: side of the sensor in pixels.
        split_by: ``"number"``, equal numbers of events, where the remainder of M / T is dropped at the end; or
            ``"time"``, equal times from the first event to the last.
        accumulate: ``"count"``, how many events came from a pixel; or ``"binary"``, whether any did.

    Returns:
        Whole numbers ``[T, 2, size, size]``.

    Raises:
        UserError: something else than events in order of time from such a sensor, fewer of them than frames, or
            another way to split or to accumulate.
    """
    check_cut(frames, split_by, accumulate)
    _check_events(events, frames, size)
    t, x, y, polarity = events.T
    if split_by == "number":
        step = np.arange(len(events)) // (len(events) // frames)
    else:
        step = (t - t[0]) * frames // (t[-1] - t[0] + 1)
    cells = frames * 2 * size * size
    if cells > LARGE:
        advice = "choose fewer frames or a smaller sensor"
        room.check(16 * cells, room.at_hand(), f"a recording in {frames} frames", advice=advice)
    place = ((step * 2 + polarity) * size + y) * size + x
    counts = np.bincount(place[step < frames], minlength=cells).reshape(frames, 2, size, size)
    return counts if accumulate == "count" else (counts > 0).astype(counts.dtype)


def as_bytes(frames: np.ndarray) -> np.ndarray:
    """Frames ``[T, 2, H, W]`` as uint8, each divided by its own largest value, which becomes 255.

    An empty frame stays empty.  (The public code of Deng et al. 2022 divides likewise, and an empty one by 0.)
    """
    largest = frames.max(axis=(1, 2, 3), keepdims=True)
    return np.rint(255 * frames / np.maximum(largest, np.finfo(float).tiny)).astype(np.uint8)


def check_cut(frames: int | None, split_by: str, accumulate: str) -> None:
    """Refuse what :func:`to_frames` could not do.

    Raises:
        UserError: no frames, or another way to split or to accumulate.
    """
    if frames is not None and frames < 1:
        raise UserError(f"frames is {frames}; expected at least 1")
    if split_by not in SPLITS:
        raise UserError(f"split_by is {split_by!r}; expected one of {', '.join(SPLITS)}")
    if accumulate not in ACCUMULATIONS:
        raise UserError(f"accumulate is {accumulate!r}; expected one of {', '.join(ACCUMULATIONS)}")


def _check_events(events: np.ndarray, frames: int, size: int) -> None:
    if events.ndim != 2 or events.shape[1] != 4 or not np.issubdtype(events.dtype, np.integer):
        raise UserError(
            f"events are {events.dtype} of shape {list(events.shape)}; "
            "expected whole numbers [M, 4]: t, x, y, polarity"
        )
    if len(events) < frames:
        raise UserError(f"{len(events)} events cannot fill {frames} frames; ask for fewer frames")
    if (np.diff(events[:, 0]) < 0).any():
        raise UserError("events are not in order of time; sort them by their first column")
    if events[:, 1:].min() < 0 or events[:, 1:3].max() >= size or events[:, 3].max() > 1:
        raise UserError(
            f"events reach x, y, polarity = {events[:, 1:].max(0).tolist()}; "
            f"expected x and y from 0 to {size - 1}, and polarities 0 or 1"
        )
