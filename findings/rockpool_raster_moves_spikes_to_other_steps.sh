#!/usr/bin/env bash
# rockpool's TSEvent.raster(dt) puts spikes that lie on the grid of dt into the step before, and by default loses
# those that meet there.
#
# Guess:   (written down first) a spike at k * dt is in row k; all spikes are in the raster.
# Seen:    rows are cut by a floor of time / dt in floating point.  Spikes at 0.1, 0.3, 0.6 and 0.7 s with dt = 0.1
#          are in rows 1, 2, 5 and 6.  A spike at every step of a second at 1 ms is right from time 0; the same
#          train in a window that begins at 1 s has two spikes in a third of its rows and none in another, and the
#          default raster, which is boolean, keeps 668 of 1000.  At 5 or 10 ms it keeps 946 of 1000 from time 0,
#          too.  Of random spikes (one in ten) at 1 ms from 1 s on a third are one step early or lost, and the
#          count stays within 5 %.  Only where two spikes of a channel meet a line advises a smaller dt.
#          from_raster places spikes in the middle of a step, so that the round trip raster, series, raster is
#          exact.
# With:    rockpool 3.1.0, numpy 2.4.6
# Matters: simulated spikes, recordings with a clock of milliseconds and spike times read from another library lie
#          on such a grid; windows cut from a long recording begin anywhere.  Channels shift against each other by
#          a step, in each window in other places: coincidences and latencies are gone.  Instead: add dt / 2 to the
#          times first.
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
    "${UV:-uv}" pip install -q -p "$python" rockpool==3.1.0 numpy==2.4.6 scipy==1.17.1
fi
"$python" -W ignore - 2>&1 <<'PYTHON'
from importlib.metadata import version

print(*(f"{name} {version(name)}" for name in ("rockpool", "numpy")))

import numpy as np
from rockpool.timeseries import TSEvent


def series(times, channels, start, stop, number):
    return TSEvent(times, channels, t_start=start, t_stop=stop, num_channels=number)


four = series([0.1, 0.3, 0.6, 0.7], [0] * 4, 0.0, 1.0, 1).raster(0.1)[:, 0]
print("spikes at 0.1, 0.3, 0.6, 0.7 s, dt 0.1: rows", np.flatnonzero(four).tolist())
assert np.flatnonzero(four).tolist() == [1, 2, 5, 6]

kept = {}
for start in (0.0, 1.0):
    for dt in (1e-3, 5e-3, 1e-2):
        times, none = np.arange(1000) * dt, np.zeros(1000, int)
        # one long recording from 0, and its window from start on
        window = series(start + times, none, start, start + 1000 * dt, 1)
        counts, plain = window.raster(dt, add_events=True)[:1000, 0], window.raster(dt)[:1000, 0]
        middle = series(start + times + dt / 2, none, start, start + 1000 * dt, 1).raster(dt)[:1000, 0]
        kept[start, dt] = int(plain.sum())
        print(f"a spike a step, {1e3 * dt:g} ms, from {start:g} s on: {(counts == 0).sum()} rows without, {(counts == 2).sum()} with two;",
              f"the default raster keeps {kept[start, dt]} of 1000, and {int(middle.sum())} with dt / 2 added")
        assert middle.sum() == 1000
assert kept[0.0, 1e-3] == 1000 and kept[1.0, 1e-3] < 700 and all(kept[0.0, dt] < 960 for dt in (5e-3, 1e-2))

spikes = np.random.default_rng(0).random((1000, 20)) < 0.1
steps, channels = np.nonzero(spikes)
raster = series(1.0 + steps * 1e-3, channels, 1.0, 2.0, 20).raster(1e-3)[:1000]
gone = int((spikes & ~raster).sum())
print(f"random spikes, 1 ms, from 1 s on: {spikes.sum()} given, {raster.sum()} in the raster, {gone} not in their own row")
assert gone > 0.3 * spikes.sum() and raster.sum() > 0.95 * spikes.sum()
moved = np.argwhere(raster & ~spikes)
assert len(moved) and all(spikes[row + 1, channel] for row, channel in moved)
print(f"    each of the {len(moved)} spikes that are in the raster alone belongs to the row behind")
again = TSEvent.from_raster(spikes.astype(int), dt=1e-3).raster(1e-3)
print("from_raster and raster: exact", bool(np.array_equal(again, spikes)))
assert np.array_equal(again, spikes)
print("as described above")
PYTHON
