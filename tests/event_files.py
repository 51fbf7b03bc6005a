"""Event files written from the descriptions of their formats, apart from the library's readers."""

import struct

import numpy as np

DVS128 = (
    b"#!AER-DAT2.0\r\n# This is a raw AE data file - do not edit\r\n# Timestamps tick is 1 us\r\n"
    b"# AEChip: ch.unizh.ini.jaer.chip.retina.DVS128\r\n#End Of ASCII Header\r\n"
)
GESTURE = (
    b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n"
    b"#Start-Time: 2016-04-12 10:00:00 (TZ+0200)\r\n#!END-HEADER\r\n"
)


def made(count=60, sensor=(34, 34), span=300_000, seed=0, start=0):
    """Rows t, x, y, polarity."""
    draw = np.random.default_rng(seed)
    t = start + np.sort(draw.integers(0, span, count))
    x, y = (draw.integers(0, side, count) for side in sensor)
    return np.stack([t, x, y, draw.integers(0, 2, count)], axis=1)


def nmnist(rows):
    """40 bits an event; where the clock passes a multiple of 2^13, row 240 says so, and it goes on from 0."""
    body, passed = bytearray(), 0
    for t, x, y, p in rows.tolist():
        while t >= (passed + 1) * 8192:
            body += bytes([0, 240, 0, 0, 0])
            passed += 1
        t -= passed * 8192
        body += bytes([x, y, p << 7 | t >> 16, t >> 8 & 255, t & 255])
    return bytes(body)


def aedat2(rows, header=DVS128):
    """The camera sends 0 for ON, and counts columns from the right and rows from below."""
    places = ((127 - y) << 8 | (127 - x) << 1 | 1 - p for _, x, y, p in rows.tolist())
    body = (
        struct.pack(">II", place, t % 2**32) for place, t in zip(places, rows[:, 0].tolist(), strict=True)
    )
    return header + b"".join(body)


def aedat3(rows, block=7, header=GESTURE):
    """Packets of ``block`` events; before each a packet of a special event, and in each an invalid event."""
    content = bytearray(header)
    for start in range(0, len(rows), block):
        for high in sorted({int(t) >> 31 for t in rows[start : start + block, 0]}):
            chosen = [row for row in rows[start : start + block].tolist() if row[0] >> 31 == high]
            content += struct.pack("<hhiiiiii", 0, 1, 8, 4, high, 1, 1, 1) + struct.pack("<II", 1 | 2 << 1, 5)
            events = [
                struct.pack("<II", x << 17 | y << 2 | p << 1 | 1, t & 0x7FFFFFFF) for t, x, y, p in chosen
            ]
            events.append(struct.pack("<II", 3 << 17, chosen[-1][0] & 0x7FFFFFFF))
            sizes = (8, 4, high, len(events), len(events), len(chosen))
            content += struct.pack("<hhiiiiii", 1, 1, *sizes) + b"".join(events)
    return bytes(content)


def dat(rows, sensor=(346, 260)):
    head = b"%% Data file containing CD events.\n%% Version 2\n%% Width %d\n%% Height %d\n" % sensor
    body = (struct.pack("<II", t % 2**32, x | y << 14 | p << 28) for t, x, y, p in rows.tolist())
    return head + bytes([0x0C, 8]) + b"".join(body)


def evt2(rows, geometry=b"% geometry 346x260\n"):
    """Words of 32 bits: 4 bits type, then the time's high part (type 8), or 6 bits of time, 11 x, 11 y."""
    words, high = [], None
    for t, x, y, p in rows.tolist():
        if t >> 6 != high:
            high = t >> 6
            words.append(8 << 28 | high)
        words.append(p << 28 | (t & 63) << 22 | x << 11 | y)
    return b"% evt 2.0\n% format EVT2\n" + geometry + b"% end\n" + struct.pack(f"<{len(words)}I", *words)


def evt3(rows, geometry=b"% geometry 346x260\n"):
    """Words of 16 bits: 4 bits type; time in two halves of 12 bits (types 8 and 6), y (0), x with polarity (2)."""
    words = []
    for t, x, y, p in rows.tolist():
        words += [8 << 12 | t >> 12 & 4095, 6 << 12 | t & 4095, y, 2 << 12 | p << 11 | x]
    return b"% evt 3.0\n% format EVT3\n" + geometry + b"% end\n" + struct.pack(f"<{len(words)}H", *words)
