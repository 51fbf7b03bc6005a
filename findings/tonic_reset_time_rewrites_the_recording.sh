#!/usr/bin/env bash
# tonic's SliceByTime(reset_time=True) writes into the recording that it slices, shifts overlapping windows twice, and SlicedDataset ignores it.
#
# Guess:   (written down first, after a look at the source) each slice starts at time 0, or a window's fraction after it; the recording stays as it was; a
#          SlicedDataset with this slicer gives such slices.
# Seen:    slices are views, so the recording itself is changed: of 1000 events of one per us in windows of 100 us, 800 have new
#          times, all between 0 and 99.  Cutting it again gives one slice with all 900 and eight empty ones.  With an overlap of 50 each event
#          lies in two windows and is shifted in both, by whole windows instead of strides: the second slice runs from -200
#          to -1, the fourth from -500 to -301.  A recording whose clock does not begin at 0 keeps its beginning: slices start
#          at 500000.  SlicedDataset calls another method, and gives times as if reset_time were not there.  No warning.
# With:    tonic 1.7.0, numpy 2.4.6
# Matters: a recording held in memory (a list, a MemoryCachedDataset) is spoilt from the first look on: the second epoch trains on other
#          slices than the first.  ToFrame(start_time=0, end_time=100), for which it is meant, drops what lies outside.
#          Instead: slice without it, copy each slice, and subtract start + number * stride.
#
# Runs in a temporary folder.  FINDINGS_VENV=<a venv, or its python, with these packages> skips the installation.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export OMP_NUM_THREADS=1
python=${FINDINGS_VENV:-}
if [ -d "$python" ]; then
    python=$python/bin/python
fi
if [ -z "$python" ]; then
    "${UV:-uv}" venv -q --python 3.11 venv
    python=$work/venv/bin/python
    "${UV:-uv}" pip install -q -p "$python" tonic==1.7.0 numpy==2.4.6
fi
"$python" -W ignore - <<'PYTHON'
from importlib.metadata import version

print(*(f"{name} {version(name)}" for name in ("tonic", "numpy")))

import numpy as np
from tonic import MemoryCachedDataset, SlicedDataset
from tonic.slicers import SliceByTime
from tonic.transforms import ToFrame


def recording(begins=0):
    events = np.zeros(1000, dtype=[("t", np.int64), ("x", np.int16), ("y", np.int16), ("p", bool)])
    events["t"] = begins + np.arange(1000)
    return events


def spans(slices):
    return [(int(events["t"].min()), int(events["t"].max())) if len(events) else "empty" for events in slices]


once = SliceByTime(time_window=100, reset_time=True)
events = recording()
slices, _ = once.slice(events, 0)
print("windows of 100 us:             ", spans(slices))
assert spans(slices) == [(0, 99)] * 9
changed = int((events["t"] != recording()["t"]).sum())
again, _ = once.slice(events, 0)
print(f"of the recording's 1000 times {changed} have changed; cut again, slices hold", [len(events) for events in again])
assert changed == 800 and [len(events) for events in again] == [900] + [0] * 8

overlap, _ = SliceByTime(time_window=100, overlap=50, reset_time=True).slice(recording(), 0)
print("with an overlap of 50 us:      ", spans(overlap)[:5])
assert spans(overlap)[:3] == [(-50, 49), (-200, -1), (-350, -151)]
late, _ = once.slice(recording(500_000), 0)
print("a clock that begins at 500 ms: ", spans(late)[:3])
assert spans(late) == [(500_000, 500_099)] * 9

data = SlicedDataset([(recording(), 0)], slicer=once)
print("from a SlicedDataset:          ", spans(data[number][0] for number in range(3)))
assert spans(data[number][0] for number in range(3)) == [(0, 99), (100, 199), (200, 299)]

cached = MemoryCachedDataset([(recording(), 0)])
frames = ToFrame(sensor_size=(1, 1, 2), time_window=10, start_time=0, end_time=100)
for epoch in (1, 2):
    events, label = cached[0]
    slices, _ = once.slice(events, label)
    counts = [int(frames(events).sum()) if len(events) else 0 for events in slices]
    print(f"epoch {epoch} of a recording in memory, events in each slice's frames:", counts)
assert counts[1:] == [0] * 8
print("as described above")
PYTHON
