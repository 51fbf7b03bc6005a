#!/usr/bin/env bash
# tonic's SlicedDataset(metadata_path=...) cuts by whatever cuts lie in that folder: another window length, another
# fold's recordings.
#
# Guess:   (written down first) what is kept belongs to a slicer and a data set; with another of either it is
#          noticed, and computed again.
# Seen:    a folder holds one file of indices, slice_metadata.h5, without the slicer or the recordings in it, and
#          it is read if it is there.  A sweep over windows of 100, 200 and 500 ms that names one folder gives
#          slices of 100 ms three times.  A second fold, or the test set, in the same folder is cut at the first
#          one's indices: of recordings of 1, 2, 3 and 4 s, the fold (4, 3) loses 4 of its 7 s behind the cuts of
#          (1, 2), and (1, 2) behind (4, 3) ends in 40 empty slices out of 70.  The length of the data set is the
#          first one's as well, so that a recording more is never seen.  One line says "Metadata read from"; no
#          error.
# With:    tonic 1.7.0, numpy 2.4.6
# Matters: slicing a large data set takes long, which is what the folder is for.  A flat curve over window lengths,
#          or recordings cut short in one fold, look like results.  Instead: a folder for each slicer, split and
#          list of recordings.
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
from pathlib import Path

print(*(f"{name} {version(name)}" for name in ("tonic", "numpy")))

import numpy as np
from tonic import SlicedDataset
from tonic.io import make_structured_array
from tonic.slicers import SliceByTime

MS = 1000


def recording(seconds):
    times = np.arange(1000 * seconds) * MS  # an event a ms
    return make_structured_array(times % 7, times % 5, times, times % 2)


class Recordings:
    def __init__(self, seconds):
        self.events = [recording(each) for each in seconds]

    def __len__(self):
        return len(self.events)

    def __getitem__(self, index):
        return self.events[index], index


def sliced(seconds, window, folder):
    if folder:
        Path(folder).mkdir(exist_ok=True)
    slices = SlicedDataset(Recordings(seconds), SliceByTime(window * MS, include_incomplete=True), metadata_path=folder)
    sizes = [len(slices[index][0]) for index in range(len(slices))]
    print(f"recordings of {seconds} s, windows of {window} ms, folder {folder}: {len(sizes)} slices of {sorted(set(sizes))} ms,",
          f"{sizes.count(0)} of them empty, {sum(sizes) / 1000:g} s in all")
    return sizes


for window in (100, 200, 500):
    alone, kept = sliced((1, 2), window, None), sliced((1, 2), window, "sweep")
    assert set(alone) == {window} and set(kept) == {100} and len(kept) == 30

assert sum(sliced((1, 2), 100, "first")) == 3000
behind = sliced((4, 3), 100, "first")
assert sum(behind) == 3000 and sum(sliced((4, 3), 100, None)) == 7000
assert sum(sliced((4, 3), 100, "other")) == 7000
behind = sliced((1, 2), 100, "other")
assert len(behind) == 70 and behind.count(0) == 40 and sum(behind) == 3000
assert len(sliced((1, 2, 5), 100, "first")) == 30
assert Path("first/slice_metadata.h5").exists()
print("as described above")
PYTHON
