#!/usr/bin/env bash
# sinabs: all IAF layers built without a threshold share one tensor, those of other networks and of later ones, too: loading a checkpoint
# into one network changes the threshold of all.
#
# Guess:   (written down first, after a look at the source) each layer has a threshold of its own, 1 by default.
# Seen:    the default is a tensor made once, with the class, and each layer wraps it without a copy.  load_state_dict writes in place:
#          a checkpoint with thresholds 0.5 and 2 for two layers gives both 2, another network in memory fires half as
#          often from then on, and sl.IAF() built afterwards starts at 2.  The same for threshold.data.mul_(), as in threshold
#          balancing, and for LIF, with a default of its own, and IAFSqueeze.  No warning.  A number given to the constructor, or a deep
#          copy, gives a layer its own; from_model() copies.
# With:    sinabs 3.1.3, torch 2.13.0
# Matters: a network is compared with a balanced or trained one in the same process: both then have the thresholds of the last,
#          and results depend on the order of the cells in a notebook.  Instead: spike_threshold=1.0 as a number at
#          each layer, or a new Parameter in place of the old one.
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
    "${UV:-uv}" pip install -q -p "$python" torch==2.13.0 numpy==2.4.6 scipy==1.17.1 h5py==3.16.0 pbr matplotlib
    "${UV:-uv}" pip install -q -p "$python" --no-deps sinabs==3.1.3 nir==1.0.8 nirtorch==2.6
fi
"$python" -W ignore - <<'PYTHON'
from importlib.metadata import version

print(*(f"{name} {version(name)}" for name in ("sinabs", "torch")))

import sinabs.layers as sl
import torch
from torch import nn


def network(**options):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(20, 30), sl.IAF(**options), nn.Linear(30, 10), sl.IAF(**options))


def thresholds(made):
    return [float(layer.spike_threshold.detach()) for layer in made.modules() if isinstance(layer, sl.StatefulLayer)]


torch.manual_seed(1)
data = 5 * torch.rand(8, 50, 20)


def spikes(made):
    for layer in made.modules():
        if isinstance(layer, sl.StatefulLayer):
            layer.reset_states()
    with torch.no_grad():
        return int(made[:2](data).sum())


weights = {name: value.clone() for name, value in network().state_dict().items() if "v_mem" not in name}
balanced = {**weights, "1.spike_threshold": torch.tensor(0.5), "3.spike_threshold": torch.tensor(2.0)}
for name, options in (("without a threshold", {}), ("with spike_threshold=1.0", {"spike_threshold": 1.0})):
    bystander, loaded = network(**options), network(**options)
    before = spikes(bystander)
    loaded.load_state_dict(balanced, strict=False)
    after, later = spikes(bystander), network(**options)
    print(f"layers built {name}: a checkpoint with 0.5 and 2 gives {thresholds(loaded)};")
    print(f"    a network that was there before has {thresholds(bystander)} and {after} spikes in its first layer ({before} before), one built later "
          f"{thresholds(later)}")
    if options:
        assert thresholds(loaded) == [0.5, 2.0] and thresholds(bystander) == thresholds(later) == [1.0, 1.0] and before == after
    else:
        assert thresholds(loaded) == thresholds(bystander) == thresholds(later) == [2.0, 2.0] and after < 0.7 * before
        loaded.load_state_dict(weights, strict=False)  # back to 1, for all

for name, make in {
    "LIF": lambda: sl.LIF(tau_mem=20.0),
    "IAFSqueeze": lambda: sl.IAFSqueeze(batch_size=1),
}.items():
    first, second = make(), make()
    first.spike_threshold.data.mul_(2)
    print(f"{name}: the first layer's threshold doubled, the second's is {float(second.spike_threshold)}, a third's is {float(make().spike_threshold)}")
    assert first.spike_threshold is not second.spike_threshold and float(second.spike_threshold) == float(make().spike_threshold) == 2
    first.spike_threshold.data.div_(2)
print("as described above")
PYTHON
