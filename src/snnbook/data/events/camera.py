"""An event camera of a few lines: the events of pixels that watch a video."""

import numpy as np

from snnbook.errors import UserError


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
