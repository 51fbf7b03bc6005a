"""One recording of an event camera, in whole numbers that nothing overflows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snnbook.checks import shown, whole
from snnbook.errors import UserError

RESTART = 1_000_000  # microseconds: going back by so many is no jitter, it is a clock that began anew


@dataclass(frozen=True, eq=False)
class Events:
    """The events of one recording, in order of time.

    Args:
        t: times in microseconds, ``[M]``, of any type of whole numbers.
        x, y: column from the left and row from the top, as the file has them.
        polarity: 0 and 1, false and true, or -1 and +1; OFF and ON each.
        sensor: its width and height in pixels; events carry no other trace of it.

    Attributes:
        t, x, y, polarity: int64 ``[M]``, polarity 0 or 1.

    Raises:
        UserError: no whole numbers, lengths that differ, events out of order or off the sensor, polarities that
            mix both ways to write OFF.
    """

    t: NDArray[np.int64]
    x: NDArray[np.int64]
    y: NDArray[np.int64]
    polarity: NDArray[np.int64]
    sensor: tuple[int, int]

    def __post_init__(self) -> None:
        object.__setattr__(self, "sensor", sensor_size(self.sensor))
        for name in ("t", "x", "y", "polarity"):
            object.__setattr__(self, name, _column(getattr(self, name), name))
        lengths = [len(column) for column in (self.t, self.x, self.y, self.polarity)]
        if len(set(lengths)) > 1:
            raise UserError(f"t, x, y, polarity have {lengths} entries; expected one of each an event")
        object.__setattr__(self, "polarity", _told_apart(self.polarity))
        back = np.flatnonzero(self.t[1:] < self.t[:-1])
        if len(back):
            step = int(self.t[back[0]]) - int(self.t[back[0] + 1])
            raise UserError(
                f"events are not in order of time: number {back[0] + 1} is {step:,} us before the one ahead of it "
                f"({len(back)} such steps); sort them, by Events.in_order or read(..., sort=True)"
            )
        self._check_places()

    @classmethod
    def of(cls, rows: ArrayLike, sensor: int | tuple[int, int]) -> "Events":
        """Those of an array ``[M, 4]`` of whole numbers, whose columns are t, x, y, polarity."""
        rows = np.asarray(rows)
        if rows.ndim != 2 or rows.shape[1] != 4 or rows.dtype.kind not in "iu":
            raise UserError(
                f"events are {rows.dtype} of shape {list(rows.shape)}; "
                "expected whole numbers [M, 4]: t, x, y, polarity"
            )
        return cls(*rows.T, sensor)

    @classmethod
    def in_order(
        cls, t: ArrayLike, x: ArrayLike, y: ArrayLike, polarity: ArrayLike, sensor: tuple[int, int]
    ) -> "Events":
        """As the class, sorted by time first; of one instant, each event keeps its place.

        Raises:
            UserError: times that go back by a second or more, where a clock began anew.
        """
        t = _column(t, "t")
        back = np.flatnonzero(t[:-1] - np.minimum(t[1:], t[:-1]) >= RESTART)
        if len(back):
            raise UserError(
                f"times go back from {t[back[0]]:,} to {t[back[0] + 1]:,} us at event {back[0] + 1}, as of a "
                "clock that began anew; sorting would mix two recordings; cut it in two there"
            )
        order = np.argsort(t, kind="stable")
        columns = (_column(column, name) for column, name in ((x, "x"), (y, "y"), (polarity, "polarity")))
        return cls(t[order], *(c[order] if len(c) == len(t) else c for c in columns), sensor)

    def __len__(self) -> int:
        return len(self.t)

    def between(self, start: int, stop: int) -> "Events":
        """Those with ``start <= t < stop``."""
        kept = slice(*np.searchsorted(self.t, (start, stop)))
        return Events(self.t[kept], self.x[kept], self.y[kept], self.polarity[kept], self.sensor)

    def rows(self) -> NDArray[np.int64]:
        """All of them as ``[M, 4]``: t, x, y, polarity."""
        return np.stack([self.t, self.x, self.y, self.polarity], axis=1)

    def _check_places(self) -> None:
        for name, values, size in zip("xy", (self.x, self.y), self.sensor, strict=True):
            if len(values) and not 0 <= values.min() <= values.max() < size:
                raise UserError(
                    f"{name} reaches from {values.min()} to {values.max()} on a sensor of "
                    f"{self.sensor[0]}x{self.sensor[1]}; expected {name} from 0 to {size - 1}; "
                    "is it another sensor?"
                )


def sensor_size(sensor: object) -> tuple[int, int]:
    """Width and height in pixels, from those two or from the side of a square sensor.

    Raises:
        UserError: they are no such numbers.
    """
    pair = sensor if isinstance(sensor, tuple | list | np.ndarray) else (sensor, sensor)
    if len(pair) != 2:
        raise UserError(f"sensor is {shown(sensor)}; expected its width and height, (346, 260) for instance")
    width, height = (whole(side, "a side of the sensor", 1) for side in pair)
    return width, height


def _column(values: ArrayLike, name: str) -> NDArray[np.int64]:
    found = np.asarray(values)
    if found.shape == (0,):  # of whatever type
        return found.astype(np.int64)
    if found.ndim != 1 or found.dtype.kind not in ("biu" if name == "polarity" else "iu"):
        hint = (
            "; seconds become microseconds by np.rint(1e6 * t).astype(int)" if found.dtype.kind == "f" else ""
        )
        raise UserError(
            f"{name} is {found.dtype} of shape {list(found.shape)}; expected whole numbers [M], one an event"
            f"{hint if name == 't' else ''}"
        )
    if found.dtype.kind == "u" and len(found) and found.max() > np.iinfo(np.int64).max:
        raise UserError(f"{name} reaches {found.max()}; expected less than 2**63")
    return found.astype(np.int64)


def _told_apart(polarity: NDArray[np.int64]) -> NDArray[np.int64]:
    """0 and 1, from them or from -1 and +1."""
    if not len(polarity):
        return polarity
    low, high = int(polarity.min()), int(polarity.max())
    if low < -1 or high > 1 or (low < 0 and (polarity == 0).any()):
        mixed = " with 0 among them" if low == -1 and high <= 1 else ""
        raise UserError(
            f"polarities reach from {low} to {high}{mixed}; expected polarities 0 or 1, or -1 and +1; "
            "say which are OFF and ON"
        )
    return (polarity > 0).astype(np.int64)
