"""What eventcv does not ask of a file: is it whole, does eventcv know its encoding, how long is its clock.

Of a file that ends within a word or a packet it gives the events before; one of EVT 2.1 it takes for EVT 2.
"""

import re
import struct
from pathlib import Path
from typing import BinaryIO, NamedTuple

from snnbook.data.events.formats import FormatError

WORDS = {"EVT2": 4, "EVT3": 2, ".dat": 8}  # bytes of one
CLOCKS = {"EVT2": 34, "EVT3": 24, ".dat": 32}  # bits of a time
# Types of events in a .dat file that are changes of brightness; others are triggers.
CHANGES = (0x00, 0x0C, 0x28)
VERSION = b"#!AER-DAT4.0\r\n"


class Header(NamedTuple):
    """What the top of a file tells.

    Attributes:
        sensor: its width and height, None if it does not tell.
        clock: bits of its times, which then begin again at 0; None for as many as are needed.
    """

    sensor: tuple[int, int] | None = None
    clock: int | None = None


def prophesee(path: Path) -> Header:
    """Of a ``.raw`` or ``.dat`` file, whose first lines begin with ``%``.

    Raises:
        FormatError: it has no such lines, ends within one or within a word, or is of another encoding.
    """
    lines = []
    with open(path, "rb") as content:
        while (line := _line(content)) is not None:
            lines.append(line)
            if line == "% end":
                break
        if not lines:
            raise FormatError("it has no header")
        text = "\n".join(lines)
        kind = _changes(content) if path.suffix.lower() == ".dat" else _encoding(text)
        left = path.stat().st_size - content.tell()
    if left % WORDS[kind]:
        raise FormatError(
            f"it ends within an event, which takes {WORDS[kind]} bytes: it is not all of the file"
        )
    sides = re.search(r"geometry\W+(\d+)x(\d+)", text)
    pair = sides.groups() if sides else [_number(text, side) for side in ("width", "height")]
    sensor = (int(pair[0]), int(pair[1])) if all(pair) else None
    return Header(sensor, CLOCKS[kind])


def aedat4(path: Path) -> Header:
    """Of an ``.aedat4`` file: packets, each behind the number of its bytes, up to a table, if there is one.

    Raises:
        FormatError: it ends before that.
    """
    with open(path, "rb") as content:
        size = content.seek(0, 2)
        content.seek(0)
        if content.read(len(VERSION)) != VERSION:
            raise FormatError("it does not begin as an AEDAT 4.0")
        (length,) = _numbers(content, "<I")
        head = content.read(length)
        place, table = content.tell(), _table(head) if len(head) == length else -1
        end = table if table >= 0 else size
        while 0 <= place < min(end, size):
            content.seek(place + 4)
            (packet,) = _numbers(content, "<I")
            place += 8 + packet
        if place != end or end > size or len(head) < length:
            raise FormatError("it ends within a packet: it is not all of the file")
    return Header()


def _line(content: BinaryIO) -> str | None:
    """The next line of a header, in lower case; None behind it, where the file then stands."""
    place = content.tell()
    line = content.readline(1000)
    if line.startswith(b"% ") and line.endswith(b"\n"):
        return line.decode("latin-1").rstrip().lower()
    content.seek(place)
    if line.startswith(b"% ") and len(line) < 1000:
        raise FormatError("it ends within its header: it is not all of the file")
    return None


def _encoding(text: str) -> str:
    found = set(re.findall(r"^% (?:evt |format evt)(\d\.?\d*)", text, re.MULTILINE))
    known = {"EVT2": {"2", "2.0"}, "EVT3": {"3", "3.0"}}
    kinds = [kind for kind, names in known.items() if found and found <= names]
    if not kinds:
        names = " and ".join(sorted(found)) or "none"
        raise FormatError(f"its header names the encoding EVT {names}; expected EVT 2 or EVT 3")
    return kinds[0]


def _changes(content: BinaryIO) -> str:
    kind, _ = _numbers(content, "BB")
    if kind not in CHANGES:
        raise FormatError(f"it holds events of type {kind:#04x}, no changes of brightness")
    return ".dat"


def _number(text: str, side: str) -> str | None:
    found = re.search(rf"\b{side}\W+(\d+)", text)
    return found and found[1]


def _numbers(content: BinaryIO, form: str) -> tuple[int, ...]:
    found = content.read(struct.calcsize(form))
    if len(found) < struct.calcsize(form):
        raise FormatError("it ends within its header: it is not all of the file")
    return struct.unpack(form, found)


def _table(head: bytes) -> int:
    """Where the table of packets begins, the second field of a flatbuffer; -1 where there is none yet."""
    try:
        (root,) = struct.unpack_from("<I", head)
        (back,) = struct.unpack_from("<i", head, root)
        _, _, _, field = struct.unpack_from("<4H", head, root - back)
        return struct.unpack_from("<q", head, root + field)[0] if field else -1
    except struct.error:
        raise FormatError("its header makes no sense") from None
