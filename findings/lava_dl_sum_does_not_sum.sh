#!/usr/bin/env bash
# lava-dl (slayer.io.Event): binning_mode="SUM" does not sum, and a bin's events are those around its start, not those after it.
#
# Guess:   (written down first, after a look at the source) SUM adds up the events of a pixel and bin; event t goes to bin
#          floor(t / sampling_time); all events of the recording are in the tensor.
# Seen:    SUM adds through an index that names an entry several times, which numpy and torch carry out once: seven events of a
#          pixel in a bin give 1/sampling_time, as one does, and as the default mode OR does.  Graded events that meet are
#          lost but for one, too.  Bins are cut by rounding, numpy's, to the even number at a half: with sampling_time=10 bin 0
#          holds times 0 to 5, half a bin, and the events of the last half bin fall off the tensor that holds the recording's
#          length.  No warning.
# With:    lava-dl 0.6.0, numpy 2.4.6, torch 2.13.0
# Matters: whoever bins coarsely to save steps and takes SUM to keep the counts trains on binary frames, and latencies are half a bin
#          late against any other tool's.  Instead: np.add.at on floor(t / sampling_time), or tonic's frames.
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
    python3.11 -m venv venv
    python=$work/venv/bin/python
    "$python" -m pip install -qq --disable-pip-version-check torch==2.13.0 numpy==2.4.6 matplotlib
    "$python" -m pip install -qq --disable-pip-version-check --no-deps lava-dl==0.6.0
fi
"$python" -W ignore - <<'PYTHON'
import importlib.util
from importlib.metadata import distribution, version

print(*(f"{name} {version(name)}" for name in ("lava-dl", "numpy", "torch")))

import numpy as np
import torch

# lava.lib.dl.slayer.io by itself: the package around it imports the simulator, which this needs not.
path = distribution("lava-dl").locate_file("lava/lib/dl/slayer/io.py")
spec = importlib.util.spec_from_file_location("slayer_io", path)
io = importlib.util.module_from_spec(spec)
spec.loader.exec_module(io)


def fill(times, mode, bins, width, empty=np.zeros, payload=None):
    """A recording of one pixel in bins of a width."""
    times = np.asarray(times, dtype=float)
    zeros = np.zeros(len(times), dtype=int)
    event = io.Event(zeros, zeros, zeros, times, payload)
    frames = event.fill_tensor(empty((1, 1, 1, bins)), sampling_time=width, binning_mode=mode)
    return [float(f) for f in frames.flatten()]


seven = [100, 101, 102, 103, 104, 105, 106]
for empty in (np.zeros, torch.zeros):
    several = {mode: fill(seven, mode, 20, 20.0, empty)[5] for mode in ("OR", "SUM")}
    single = fill(seven[:1], "SUM", 20, 20.0, empty)[5]
    print(f"{empty.__module__}: seven events in a bin of 20: {several}; one event: {single}")
    assert several["SUM"] == several["OR"] == single
graded = fill([5, 5, 5], "SUM", 20, 1.0, payload=np.array([1.0, 2.0, 4.0]))[5]
print("graded events 1, 2 and 4 of one pixel and time:", graded)
assert graded == 4

into = [next((b for b, value in enumerate(fill([t], "OR", 10, 10.0)) if value), None) for t in range(100)]
print("with bins of 10, the times that go to bin 0:", [t for t, b in enumerate(into) if b == 0],
      "to bin 1:", [t for t, b in enumerate(into) if b == 1], "to none of 10:", [t for t, b in enumerate(into) if b is None])
assert into[:15] == [0] * 6 + [1] * 9 and into[95] is None and into[99] is None
print("as described above")
PYTHON
