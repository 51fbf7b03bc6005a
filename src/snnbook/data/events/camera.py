"""An event camera of a few lines: the events of pixels that watch a video."""

import numpy as np
from numpy.typing import ArrayLike

from snnbook.checks import check_number
from snnbook.errors import UserError, one_line


def record(video: ArrayLike, times: ArrayLike, threshold: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The events of pixels that watch ``video``, where brightness goes in a straight line between two moments.

    Args:
        video: logarithm of the brightness, ``[K, ...]``: any number of pixels at K moments, K at least 1.
        times: of these moments in microseconds, ``[K]``, none before the one ahead of it.
        threshold: change of the logarithm that makes an event, above 0.

    Returns:
        Time, pixel (a place in the flattened ``[...]``) and polarity of each event, ``[M]`` each, in order of
        time.

    Raises:
        UserError: a threshold that is no number above 0, not one time a moment, times that fall, or what is no
            finite number, as the logarithm of no brightness.
    """
    check_number("threshold", threshold, 0, above=True)
    video, times = _numbers(video, "video"), _numbers(times, "times")
    if not video.ndim or times.shape != video.shape[:1] or not len(times):
        raise UserError(
            f"{times.size} times belong to {len(video) if video.ndim else 0} moments; "
            "expected times [K] and a video [K, ...], one time a moment"
        )
    if not np.isfinite(video).all():
        dark = "; add a ground brightness before the logarithm" if np.isneginf(video).any() else ""
        wrong = video[~np.isfinite(video)][0]
        raise UserError(f"video holds {wrong}; expected the logarithm of a brightness above 0{dark}")
    if not np.isfinite(times).all() or (np.diff(times) < 0).any():
        raise UserError(
            "times fall, or are no finite numbers; expected microseconds that rise; sort the moments"
        )
    video = video.reshape(len(video), -1)
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


def _numbers(value: ArrayLike, name: str) -> np.ndarray:
    try:
        return np.asarray(value, dtype=float)
    except (TypeError, ValueError) as error:
        raise UserError(f"{name} cannot become an array of numbers ({one_line(error)[:100]})") from None
