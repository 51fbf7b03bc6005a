#!/usr/bin/env bash
# tonic's RandomDropPixel and DropPixel on frames write into the frames that they are given: behind a
# MemoryCachedDataset each epoch drops more, until nothing is left.
#
# Guess:   (written down first) transforms leave what they are given as it was, so that a cached recording is the
#          same in each epoch, and RandomDropPixel(p=0.1) drops a tenth of the pixels in each.
# Seen:    events are filtered into a new array, frames are set to zero in place, and the cache hands out the
#          frames themselves.  With p = 0.1 the 1st epoch has 90 % of the events, the 10th 35 % and the 20th 12 %,
#          as 0.9 to the power of the epoch; what is dropped is the same pixels in all later epochs, and p = 0.5
#          has nothing left after ten.  A test set that shares the cache is as empty, and DropPixel of a hot pixel
#          for one experiment is there in the next.  RandomFlipLR and the others copy; with a DiskCachedDataset,
#          or before the frames, on events, all is right.  No warning.
# With:    tonic 1.7.0, numpy 2.4.6
# Matters: augmenting behind the cache is what the cache's transform is for.  The network sees less from epoch to
#          epoch, and training that gets worse after some epochs is taken for too large a learning rate, or for
#          too much augmentation.  Instead: a copy first, Compose([np.copy, RandomDropPixel(0.1)]).
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
    "${UV:-uv}" pip install -q -p "$python" tonic==1.7.0 numpy==2.4.6 h5py==3.16.0
fi
"$python" -W ignore - 2>&1 <<'PYTHON'
from importlib.metadata import version

print(*(f"{name} {version(name)}" for name in ("tonic", "numpy")))

import numpy as np
from tonic import DiskCachedDataset, MemoryCachedDataset
from tonic.transforms import Compose, DropPixel, RandomDropPixel, RandomFlipLR, ToFrame

SENSOR, EPOCHS = (32, 32, 2), 20


def recording(seed, number=20000):
    rng = np.random.default_rng(seed)
    events = np.zeros(number, dtype=[("x", "i2"), ("y", "i2"), ("p", "i1"), ("t", "i8")])
    events["x"], events["y"], events["p"] = (
        rng.integers(0, 32, number),
        rng.integers(0, 32, number),
        rng.integers(0, 2, number),
    )
    events["t"] = np.sort(rng.integers(0, 100_000, number))
    return events


class Recordings:
    """eight recordings, as frames or as events"""

    def __init__(self, transform=None):
        self.transform = transform or (lambda events: events)

    def __len__(self):
        return 8

    def __getitem__(self, index):
        if index >= 8:
            raise IndexError
        return self.transform(recording(index)), index


frames = ToFrame(SENSOR, n_time_bins=10)
whole = sum(frames(recording(k)).sum() for k in range(8))


def epochs(data):
    """the part of the events that is there, epoch by epoch"""
    return [float(sum(data[k][0].sum() for k in range(8)) / whole) for _ in range(EPOCHS)]


np.random.seed(0)
found = {
    "MemoryCachedDataset, p=0.1": epochs(
        MemoryCachedDataset(Recordings(frames), transform=RandomDropPixel(p=0.1))
    ),
    "MemoryCachedDataset, p=0.5": epochs(
        MemoryCachedDataset(Recordings(frames), transform=RandomDropPixel(p=0.5))
    ),
    "a copy first, p=0.1": epochs(
        MemoryCachedDataset(Recordings(frames), transform=Compose([np.copy, RandomDropPixel(p=0.1)]))
    ),
    "DiskCachedDataset, p=0.1": epochs(
        DiskCachedDataset(Recordings(frames), cache_path="cache", transform=RandomDropPixel(p=0.1))
    ),
    "events in the cache, p=0.1": epochs(
        MemoryCachedDataset(Recordings(), transform=Compose([RandomDropPixel(p=0.1, sensor_size=SENSOR), frames]))
    ),
}
for name, part in found.items():
    print(f"{name}: epochs 1, 2, 10, 20 have", *(f"{part[k - 1]:.1%}" for k in (1, 2, 10, 20)), "of the events")
for name, part in found.items():
    p = 0.5 if "0.5" in name else 0.1
    for epoch, there in enumerate(part, 1):
        expected = (1 - p) ** epoch if name.startswith("MemoryCachedDataset") else 1 - p
        assert abs(there - expected) < 0.06, (name, epoch)
assert found["MemoryCachedDataset, p=0.5"][9] < 0.01

# one cache, two experiments
cached = MemoryCachedDataset(Recordings(frames))
first = cached[0][0].copy()
hidden = DropPixel(coordinates=[(5, 7)])(cached[0][0])
again = cached[0][0]
print(
    f"DropPixel of (5, 7): the cache had {first[..., 7, 5].sum()} events there, and has {again[..., 7, 5].sum()}"
)
assert first[..., 7, 5].sum() > 0 == again[..., 7, 5].sum()
flipped = RandomFlipLR(SENSOR, p=1.0)
events = recording(0)
kept = events.copy()
flipped(events)
assert np.array_equal(events, kept)
print("as described above")
PYTHON
