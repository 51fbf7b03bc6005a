#!/usr/bin/env bash
# eventcv and Prophesee's EVT 2.1 (64 bits a word, a bit for each of 32 neighbours): it is read as EVT 2, without a word.
# Expected (a follow-up, no recorded guess): its message for other encodings says "this reader handles EVT2 and EVT3", so
#   a header of EVT 2.1 is refused as one of EVT 4 is.
# Seen: EVT 4 is refused; EVT 2.1 comes back as events of EVT 2, each half of a word for one: few of them were written, with
#   columns beyond the sensor, and times that go back.
# Versions: eventcv 1.0.8, numpy 2.4.6.
# Why it matters: Prophesee's embedded kits and converters write EVT 2.1 under the same ending, .raw, as the others.
#   Sorted, it looks like a recording, and a network trains on it.
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
  "$PY" -m pip install -q --disable-pip-version-check eventcv==1.0.8 numpy==2.4.6
fi
cd "$T"
"$PY" -W ignore - <<'PYTHON'
import struct
from importlib.metadata import version

import eventcv
import numpy as np

print("versions:", {name: version(name) for name in ("eventcv", "numpy")})
W, H = 346, 260


def header(number, name):
    lines = [f"evt {number}", f"format {name};height={H};width={W}", f"geometry {W}x{H}", "end"]
    return "".join(f"% {line}\n" for line in lines).encode()


def read(head, words, name):
    with open(name, "wb") as file:
        file.write(head + struct.pack(f"<{len(words)}Q", *words))
    return eventcv.load(name, time_unit="us", sensor_size=(2**14, 2**14)).numpy().astype(np.int64)  # x, y, t, p


rng = np.random.default_rng(0)
n = 500
t = 4096 + np.sort(rng.integers(0, 500_000, n))
x, y, p = rng.integers(0, W, n), rng.integers(0, H, n), rng.integers(0, 2, n)
words, high = [], None
for ti, xi, yi, pi in zip(t.tolist(), x.tolist(), y.tolist(), p.tolist()):
    if ti >> 6 != high:  # type 8: the time's high part
        high = ti >> 6
        words.append(8 << 60 | high << 32)
    # Type 0 or 1, the polarity: 6 bits of time, 11 x (of the first of 32 neighbours), 11 y, a bit for each neighbour.
    words.append(pi << 60 | (ti & 63) << 54 | (xi // 32 * 32) << 43 | yi << 32 | 1 << xi % 32)

try:
    read(header("4.0", "EVT4"), words, "four.raw")
except Exception as error:
    print("EVT 4:", str(error)[:90])
else:
    raise SystemExit("EVT 4 is read")
found = read(header("2.1", "EVT21"), words, "new.raw")
written = set(zip(x.tolist(), y.tolist(), t.tolist(), p.tolist()))
right = sum(tuple(row) in written for row in found.tolist())
back = int((np.diff(found[:, 2]) < 0).sum())
print(f"EVT 2.1: {n} events written, {len(found)} read, {right} of them written; times go back {back} times")
print(f"columns up to {found[:, 0].max()} on a sensor of {W}")
assert len(found) != n and right < n and back > 0
print("as described above")
PYTHON
