#!/usr/bin/env bash
# spikingjelly's reader of AEDAT 3.1, DVS128-Gesture's format: events that the camera marked invalid come out as events.
# Expected (the guess, written down first): each polarity event carries a validity bit, and each packet says how many of
#   its events are valid; a reader returns those.
# Seen: all events come back, valid or not: of a packet of 1000 whose header says 900, 1000; nothing in the dictionary
#   tells them apart.  (Packets' timestamp overflows are added, as they should be.)
# Versions: spikingjelly 2.0.0, numpy 2.4.6.
# Why it matters: filters on the camera mark noise and refractory events invalid, and leave them in the file.
#
# Uses an existing environment if FINDINGS_VENV names one with these versions; else makes its own.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
if [ -n "${FINDINGS_VENV:-}" ]; then
  PY="$FINDINGS_VENV/bin/python"
else
  python3 -m venv "$T/venv"
  PY="$T/venv/bin/python"
  "$PY" -m pip install -q --disable-pip-version-check spikingjelly==2.0.0 numpy==2.4.6
fi
cd "$T"
"$PY" -W ignore - <<'PYTHON'
import struct
import sys
import types
from importlib.metadata import version

print("versions:", {name: version(name) for name in ("spikingjelly", "numpy")})
try:
    import torchaudio
except Exception as error:  # it refuses a torch built for another CUDA, and only speech needs it
    print("torchaudio does not import beside this torch:", type(error).__name__)
    sys.modules["torchaudio"] = types.ModuleType("torchaudio")

import numpy as np
from spikingjelly.datasets.utils import load_aedat_v3

HEADER = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n#!END-HEADER\r\n"
POLARITY, SIZE = 1, 8


def packet(times, x, y, polarity, valid):
    """A packet of polarity events, as the format's description has it: a header of 28 bytes, then 8 bytes an event."""
    data = valid | polarity << 1 | y << 2 | x << 17
    body = np.stack([data.astype("<u4"), times.astype("<u4")], 1).tobytes()
    return struct.pack("<hhiiiiii", POLARITY, 1, SIZE, 4, 0, len(data), len(data), int(valid.sum())) + body


rng = np.random.default_rng(0)
n = 1000
x, y, polarity = (rng.integers(0, top, n) for top in (128, 128, 2))
times = np.sort(rng.integers(0, 100_000, n))
valid = (np.arange(n) % 10 != 0).astype(int)
with open("invalid.aedat", "wb") as file:
    file.write(HEADER + packet(times, x, y, polarity, valid))
found = load_aedat_v3("invalid.aedat")
print(f"{n} events, {valid.sum()} of them valid: {len(found['t'])} come back, with {sorted(found)}")
assert len(found["t"]) == n and (found["x"] == x).all() and (found["y"] == y).all()
print("as described above")
PYTHON
