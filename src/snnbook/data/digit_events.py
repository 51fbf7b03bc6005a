"""The digits of scikit-learn before an event camera that moves: made here, the same on any machine.

N-MNIST (Orchard et al. 2015) was recorded so: a camera on a motor looks at a still digit and turns a little, three
times in 100 ms each, along a triangle.  Here the camera is a few lines of arithmetic.
"""

from itertools import pairwise

import numpy as np
import torch

from snnbook import room
from snnbook.data import events
from snnbook.data.dataset import Images
from snnbook.errors import UserError

LEGS = 3  # movements, along the sides of a triangle
MOMENTS = 20  # of each, at which the camera's view is computed
DURATION = 100_000  # of each, in microseconds
THRESHOLD = 0.3  # change of the logarithm of brightness that makes an event
DARK = 0.2  # brightness of the ground, where ink has 1 + DARK: no logarithm of zero
CHUNK = 256  # digits at a time; changes memory, not results


def times() -> np.ndarray:
    """Moments of the view in microseconds, ``[61]``: from 0 to 300 000."""
    return np.arange(LEGS * MOMENTS + 1) * (DURATION // MOMENTS)


def saccade(reach: float) -> np.ndarray:
    """How far the digit has moved, down and to the right, at each of :func:`times`: ``[61, 2]`` in pixels.

    To the right, back to the middle and down, and home again, a hundredth short of it: on the very spot where it
    began, each pixel would be whole thresholds from its memory, and all would send a last event at one instant.
    Each leg begins and ends at rest.
    """
    corners = reach * np.array([[0, 0], [0, 1], [1, 0.5], [0.01, 0]])
    s = np.arange(MOMENTS) / MOMENTS
    s = s * s * (3 - 2 * s)  # from 0 to 1, at rest at both ends
    legs = [a + s[:, None] * (b - a) for a, b in pairwise(corners)]
    return np.concatenate([*legs, corners[-1:]])


def view(digits: np.ndarray, path: np.ndarray) -> np.ndarray:
    """Logarithm of the brightness while digits move along ``path``.

    Args:
        digits: uint8 ``[N, h, w]``, ink is 255.
        path: ``[K, 2]``, shifts down and to the right in pixels, 0 or more; parts of a pixel are shared out to its
            neighbours (bilinear).

    Returns:
        ``[K, N, H, W]``, where the frame has room for the farthest shift.
    """
    margin = np.ceil(path.max(0)).astype(int) + 1
    ink = np.pad(digits / 255, ((0, 0), (0, margin[0]), (0, margin[1])))
    seen = np.empty((len(path), *ink.shape))
    for moment, shift in zip(seen, path, strict=True):
        whole = np.floor(shift).astype(int)
        part = shift - whole
        rows, columns = ((1 - part[0], part[0]), (1 - part[1], part[1]))
        moment[:] = sum(
            rows[i] * columns[j] * np.roll(ink, (whole[0] + i, whole[1] + j), axis=(1, 2))
            for i in (0, 1)
            for j in (0, 1)
        )
    # Rounded, since logarithms may differ in their last bit from machine to machine.
    return np.round(np.log(DARK + seen[:, :, :-1, :-1]), 6)


def record(digits: torch.Tensor, reach: int) -> list[np.ndarray]:
    """The events of each digit, ``[M, 4]`` each, see :mod:`snnbook.data.events`.

    Args:
        digits: uint8 ``[N, 1, h, w]``.
        reach: of the movement in pixels; the sensor has so many more a side.
    """
    found, path = [], saccade(reach)
    for chunk in digits[:, 0].split(CHUNK):
        seen = view(chunk.numpy(), path)
        t, pixel, polarity = events.record(seen, times(), THRESHOLD)
        digit, y, x = np.unravel_index(pixel, seen.shape[1:])
        order = np.argsort(digit, kind="stable")  # in order of time within a digit
        rows = np.stack([t, x, y, polarity], axis=1)[order]
        found += np.split(rows, np.cumsum(np.bincount(digit, minlength=len(chunk)))[:-1])
    return found


def reach(size: int) -> int:
    """How far a digit moves before a sensor of ``size`` pixels a side, of which it takes the rest.

    Raises:
        UserError: a sensor too small for a movement.
    """
    if size < 4:
        raise UserError(f"size is {size}; expected at least 4, so that a digit has room to move")
    return size // 4


def to_frames(digits: Images, size: int, frames: int, split_by: str, accumulate: str) -> Images:
    """Frames of ``digits``, uint8 ``[N, T, 2, size, size]``, cut by :func:`snnbook.data.events.to_frames`."""
    needed = (
        (2 * frames * len(digits.labels) + 8 * len(times()) * min(CHUNK, len(digits.labels))) * size * size
    )
    room.check(needed, room.at_hand(), "digit_events", advice="keep fewer digits, or smaller or fewer frames")
    cut = [
        events.as_bytes(events.to_frames(one, frames, size, split_by, accumulate))
        for one in record(digits.images, reach(size))
    ]
    return Images(torch.from_numpy(np.stack(cut)), digits.labels)
