#!/usr/bin/env bash
# tonic's CropTime(min=...) without a max takes the end of the first recording that it ever sees, and cuts all later ones there.
#
# Guess:   (written down first, after a look at the source) max=None is each recording's own end, so that only the beginning is cut off.
# Seen:    the end of the first recording is written into the transform, and stays.  With one of 100 ms first, those of 300 and 200 ms
#          end at 99.9 ms; in the other order all are whole.  So what a sample is depends on which sample was
#          drawn first: on shuffling, on the worker (each has a copy of the transform with an end of its own), and on whether
#          the transform has been tried on a sample before.  A test set that shares the transform ends where the training set's
#          first recording did.  No warning; print(transform) shows the number.
# With:    tonic 1.7.0, numpy 2.4.6
# Matters: cutting off a camera's first milliseconds is a common first step; recordings then lose up to nearly all of their events, in each
#          run others, and the same seed with another number of workers trains on other data.  Instead: max=float("inf").
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
import copy
from importlib.metadata import version

print(*(f"{name} {version(name)}" for name in ("tonic", "numpy")))

import numpy as np
from tonic.transforms import CropTime


def recording(length):
    """An event each 100 us."""
    events = np.zeros(length // 100, dtype=[("t", np.int64), ("x", np.int16), ("y", np.int16), ("p", bool)])
    events["t"] = np.arange(0, length, 100)
    return events


recordings = [recording(length) for length in (100_000, 300_000, 200_000)]
whole = [len(events) - 100 for events in recordings]
print("events after the first 10 ms:             ", whole)

transform = CropTime(min=10_000)
short_first = [len(transform(events)) for events in recordings]
print("the shortest recording first:             ", short_first, "and now it is", transform)
assert short_first == [900, 900, 900] and transform.max == 99_900

transform = CropTime(min=10_000)
long_first = [len(transform(recordings[number])) for number in (1, 2, 0)]
print("the longest first (300, 200, 100 ms):     ", long_first)
assert long_first == [2900, 1900, 900]

fresh = CropTime(min=10_000)
workers = [copy.deepcopy(fresh) for _ in range(2)]
order = [0, 1, 2, 1, 2, 0]  # of an epoch; batches of one go to the workers in turn
shares = [len(workers[place % 2](recordings[number])) for place, number in enumerate(order)]
alone = CropTime(min=10_000)
single = [len(alone(recordings[number])) for number in order]
print(f"the same epoch, order {order}, one worker:  {single}")
print(f"two workers, a copy of the transform each:   {shares}")
assert single != shares

right = CropTime(min=10_000, max=float("inf"))
assert [len(right(events)) for events in recordings] == whole
print("as described above")
PYTHON
