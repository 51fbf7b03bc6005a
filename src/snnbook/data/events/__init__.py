"""Events, and the frames a network can take: what an event camera puts out, cut into T pieces of time.

A pixel of an event camera (dynamic vision sensor, DVS) measures no brightness.  It remembers the logarithm of the
brightness at its last event, and as soon as that has changed by a threshold it sends another: ON (1) for brighter,
OFF (0) for darker.  A recording is an array ``[M, 4]`` of whole numbers: time in microseconds, x (column, from the
left), y (row, from the top), polarity; in order of time.  :class:`Events` holds one and knows its sensor,
:func:`read` finds one in a file, :func:`to_frames` cuts either.
"""

from snnbook.data.events.camera import record
from snnbook.data.events.frames import (
    ACCUMULATIONS,
    LARGE,
    SPLITS,
    as_bytes,
    check_cut,
    cut,
    length,
    pad,
    to_frames,
    window,
)
from snnbook.data.events.reading import SUFFIXES, read
from snnbook.data.events.recording import Events

__all__ = [
    "ACCUMULATIONS",
    "LARGE",
    "SPLITS",
    "SUFFIXES",
    "Events",
    "as_bytes",
    "check_cut",
    "cut",
    "length",
    "pad",
    "read",
    "record",
    "to_frames",
    "window",
]
