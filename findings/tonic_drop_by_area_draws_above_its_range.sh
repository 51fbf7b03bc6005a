#!/usr/bin/env bash
# tonic's DropEventByArea with a range draws from the range's upper end to 1, a single number is a side and not an area, and
# DropEventByTime counts from time 0.
#
# Guess:   (written down first, after a look at the source) area_ratio=0.2 empties a fifth of the sensor; (0.05, 0.2) draws between the two;
#          DropEventByTime(0.5) drops half of an even recording, whenever it begins.
# Seen:    a range (low, high), documented as drawn in [min, max), goes through "low and high" into a draw with one bound: from high to
#          1, or from 0 to 1 if low is 0.  So (0.05, 0.2), meant to be mild, drops 40 % of the events on average, up to 98 %, and
#          more than half in a third of the draws; (0.3, 0.9) drops 89 %.  A single 0.2 is taken for both sides and drops 4 %, 0.5
#          a quarter.  DropEventByTime places its gap between time 0 and the last event: of 1 s that begins at 9 s on its clock
#          DropEventByTime(0.5) drops 10 %, as most of its gaps lie before the first event.  No warning.
# With:    tonic 1.7.0, numpy 2.4.6
# Matters: the augmentation's strength is tuned and reported by these numbers.  A range is ten times as strong as the fixed number
#          at its top.  Instead: draw the side's ratio yourself (the root of the area's), and TimeAlignment() first.
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
from tonic.transforms import Compose, DropEventByArea, DropEventByTime, TimeAlignment

SENSOR, EVENTS = (128, 128, 2), 4000


def recording(begins=0):
    """Even in time (1 s) and over the sensor."""
    rng = np.random.default_rng(0)
    events = np.zeros(EVENTS, dtype=[("t", np.int64), ("x", np.int16), ("y", np.int16), ("p", bool)])
    events["t"] = begins + np.arange(EVENTS) * 250
    for axis, size in zip("xyp", SENSOR):
        events[axis] = rng.integers(0, size, EVENTS)
    return events


def dropped(transform, events, draws=400):
    """The share of dropped events, in each of many draws."""
    np.random.seed(0)
    return np.array([1 - len(transform(events)) / EVENTS for _ in range(draws)])


events = recording()
seen = {}
for ratio in (0.2, 0.5, (0.05, 0.2), (0.0, 0.2), (0.3, 0.9)):
    share = dropped(DropEventByArea(SENSOR, ratio), events)
    seen[ratio] = share.mean(), share.max()
    print(f"DropEventByArea, area_ratio={ratio}: drops {share.mean():.1%} of the events on average, at least {share.min():.1%}, "
          f"at most {share.max():.1%}, more than half in {(share > 0.5).mean():.0%} of the draws")
assert 0.03 < seen[0.2][0] < 0.045 and 0.2 < seen[0.5][0] < 0.27
assert seen[0.05, 0.2][0] > 0.35 and seen[0.05, 0.2][1] > 0.9
assert 0.25 < seen[0.0, 0.2][0] < 0.4 and seen[0.3, 0.9][0] > 0.85

late = recording(9_000_000)
half = {name: dropped(transform, given).mean() for name, transform, given in (
    ("at 0 s", DropEventByTime(0.5), events),
    ("at 9 s", DropEventByTime(0.5), late),
    ("at 9 s, behind TimeAlignment", Compose([TimeAlignment(), DropEventByTime(0.5)]), late),
)}
for name, share in half.items():
    print(f"DropEventByTime(0.5), a recording of 1 s that begins {name}: drops {share:.1%}")
assert abs(half["at 0 s"] - 0.5) < 0.01 and abs(half["at 9 s, behind TimeAlignment"] - 0.5) < 0.01 and half["at 9 s"] < 0.3
print("as described above")
PYTHON
