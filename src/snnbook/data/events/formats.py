"""Files of events: formats that a few lines of NumPy read.

Each reader takes the file's bytes and returns, in the file's order, columns t, x (from the left), y (from the top)
and polarity (1 is ON); and the sensor's width and height, None where the file does not tell.
"""

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

TIMES_UP = 240  # the row that N-MNIST's camera writes when its clock ran over
CLOCK = 2**13  # microseconds that this stands for
HEADER = 28  # bytes before each packet of AEDAT 3.1
POLARITY = 1  # the type of packets that hold events; special events, frames and inertial data have others
CHIP = rb"AEChip:\s*\S*?([A-Za-z0-9]+)\s*$"  # the last part of its class in jAER
TEXT = rb"[\t\r\n -~]*"  # no recording, where times are small and their first bytes 0
SENSORS = {"DVS128": (128, 128)}  # by the chip's name in the header


class Columns(NamedTuple):
    """What a file holds, in the file's order."""

    t: NDArray[np.int64]
    x: NDArray[np.int64]
    y: NDArray[np.int64]
    polarity: NDArray[np.int64]
    sensor: tuple[int, int] | None


class FormatError(ValueError):
    """What is wrong with a file, for the end of a line that names it."""


def nmnist(content: bytes) -> Columns:
    """N-MNIST and N-Caltech101 (Orchard et al. 2015): 40 bits an event.

    8 bits x, 8 bits y, 1 bit polarity, 23 bits time in microseconds, the largest part first.  Row 240 is no event:
    the camera's clock ran over, and all times that follow are 2^13 us later.
    """
    if len(content) % 5:
        raise FormatError(f"{len(content)} bytes are no multiple of 5, an event's length")
    if len(content) >= 100 and re.fullmatch(TEXT, content[:1000]):
        raise FormatError("it is text")
    raw = np.frombuffer(content, np.uint8).reshape(-1, 5).astype(np.int64)
    x, y, high, middle, low = raw.T
    marker = y == TIMES_UP
    t = ((high & 127) << 16 | middle << 8 | low) + CLOCK * np.cumsum(marker)
    event = ~marker
    return Columns(t[event], x[event], y[event], high[event] >> 7, None)


def aedat2(content: bytes) -> Columns:
    """AEDAT 2.0 of a DVS128 (jAER; CIFAR10-DVS): address and time, 32 bits each, the largest part first.

    Bit 0 of the address is the polarity, and this camera sends 0 for ON; bits 1-7 are the column, counted from the
    right, bits 8-14 the row, counted from below: jAER's ``DVS128.java``, its MATLAB scripts and libcaer's
    ``dvs128.c`` turn all three round, though iniVation's page on the format says that 1 is ON.  Bit 15 marks what
    came from outside, no event.
    """
    header, body = _split(content)
    chip = _chip(header, CHIP)
    if chip not in (None, "DVS128"):
        raise FormatError(f"AEDAT 2.0 of a {chip}; expected a DVS128")
    if len(body) % 8:
        raise FormatError(f"{len(body)} bytes behind its header are no multiple of 8, an event's length")
    address, t = np.frombuffer(body, ">u4").reshape(-1, 2).astype(np.int64).T
    if (address >> 16).any():
        raise FormatError("addresses with bits that a DVS128 has not")
    t, event = unwrapped(t), (address >> 15) == 0
    columns = (t, 127 - (address >> 1 & 127), 127 - (address >> 8 & 127), 1 - (address & 1))
    return Columns(*(column[event] for column in columns), SENSORS["DVS128"])


def aedat3(content: bytes) -> Columns:
    """AEDAT 3.1 (cAER; DVS128 Gesture): packets with headers of 28 bytes, the smallest part first.

    Only packets of polarity events hold events, and of these the ones that are marked valid: bit 0 of the first
    word, then 1 bit polarity, 15 bits y, 15 bits x.  The times' 31 bits go on in the header's overflow counter.
    """
    header, body = _split(content)
    parts, place = [np.empty((3, 0), np.int64)], 0
    while place < len(body):
        kind, _ = np.frombuffer(_take(body, place, 4), "<i2")
        size, _, overflow, capacity, number, _ = np.frombuffer(_take(body, place + 4, 24), "<i4").tolist()
        if min(size, capacity, number, overflow) < 0 or number > capacity or (kind == POLARITY and size < 8):
            raise FormatError(f"the packet at byte {place} behind its header makes no sense")
        inside = _take(body, place + HEADER, size * capacity)
        place += HEADER + size * capacity
        if kind == POLARITY and number:
            words = np.frombuffer(inside, np.uint8).reshape(capacity, size)[:number, :8]
            data, t = np.ascontiguousarray(words).view("<u4").astype(np.int64).T
            parts.append(np.stack([data, t & (2**31 - 1), np.full(number, overflow)])[:, (data & 1) == 1])
    data, t, overflow = np.concatenate(parts, axis=1)
    sensor = SENSORS.get(_chip(header, rb"Source \d+:\s*([A-Za-z0-9]+)") or "")
    return Columns(t + (overflow << 31), data >> 17 & 0x7FFF, data >> 2 & 0x7FFF, data >> 1 & 1, sensor)


def is_davis(content: bytes) -> bool:
    """AEDAT 2.0 of a camera of the DAVIS family, whose addresses have another layout."""
    if not content.startswith(b"#!AER-DAT2.0"):
        return False
    chip = _chip(_split(content)[0], CHIP)
    return chip is not None and chip.lower().startswith("davis")


def aedat(content: bytes) -> Columns:
    """The version that the first line names."""
    version = re.match(rb"#!AER-DAT(\d+\.\d+)", content)
    found = version[1].decode() if version else "unknown"
    if found not in ("2.0", "3.1"):
        raise FormatError(f"AEDAT of version {found}; expected 2.0 or 3.1")
    return (aedat2 if found == "2.0" else aedat3)(content)


def unwrapped(t: NDArray[np.int64], bits: int = 32) -> NDArray[np.int64]:
    """Times of a clock of so many bits that began again at 0, so that they go on."""
    return t + (np.cumsum(np.diff(t, prepend=t[:1]) < -(2 ** (bits - 1))) << bits)


def _split(content: bytes) -> tuple[bytes, bytes]:
    """Lines that begin with ``#``, and the bytes behind them."""
    place = 0
    while content[place : place + 1] == b"#":
        end = content.find(b"\n", place)
        if end < 0:
            raise FormatError("its header does not end")
        line, place = content[place:end], end + 1
        if line.startswith((b"#!END-HEADER", b"#End Of ASCII Header")):
            break  # the first event may begin with a #, too
    return content[:place], content[place:]


def _chip(header: bytes, pattern: bytes) -> str | None:
    found = re.search(pattern, header, re.MULTILINE)
    return found[1].decode() if found else None


def _take(body: bytes, start: int, count: int) -> bytes:
    found = body[start : start + count]
    if len(found) < count:
        raise FormatError(f"it ends within a packet, {count - len(found)} bytes too early")
    return found
