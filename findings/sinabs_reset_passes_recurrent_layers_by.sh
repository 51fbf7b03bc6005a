#!/usr/bin/env bash
# sinabs.reset_states(model) resets no recurrent layer, and nothing at all if the model is a layer itself.
#
# Guess:   (written down first, after a look at the source) it resets every layer with a state, wherever it is.
# Seen:    it goes down to layers without children; a recurrent layer has one, rec_connect, so that it is taken for a container and left
#          as it is, in a network whose other layers are reset.  Evaluated twice with a reset before each, the same data give
#          two outputs, and the first batch's end decides the second's start; with layer.reset_states() of each they are
#          equal.  A single layer handed to it is not reset either, nor one that holds any child.  sinabs.zero_grad(model) walks
#          the same way.  Network.reset_states() is right.  No warning (in training torch complains of a graph used twice).
# With:    sinabs 3.1.3, torch 2.13.0
# Matters: test scores of recurrent networks depend on the order and size of the batches although the loop resets.  Instead: for
#          layer in model.modules(): if isinstance(layer, sl.StatefulLayer): layer.reset_states().
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

import sinabs
import sinabs.layers as sl
import torch
from torch import nn


def everything(model):
    for layer in model.modules():
        if isinstance(layer, sl.StatefulLayer):
            layer.reset_states()


def loop(recurrent, reset):
    """Spikes of the same batch, evaluated twice, and the layers' largest potentials after the last reset."""
    torch.manual_seed(0)
    options = {"tau_mem": 30.0, "spike_threshold": 1.0, "norm_input": False}
    hidden = sl.LIFRecurrent(rec_connect=nn.Linear(30, 30, bias=False), **options) if recurrent else sl.LIF(**options)
    model = nn.Sequential(nn.Linear(20, 30), hidden, nn.Linear(30, 10), sl.LIF(**options))
    data, found = torch.rand(8, 20, 20), []
    with torch.no_grad():
        for _ in range(2):
            reset(model)
            found.append(model(data))
        reset(model)
    left = [float(model[number].v_mem.abs().max()) for number in (1, 3)]
    return found, left


for recurrent in (False, True):
    for reset in (sinabs.reset_states, everything):
        (first, second), left = loop(recurrent, reset)
        print(f"{'recurrent' if recurrent else 'plain'} hidden layer, {'sinabs.reset_states' if reset is not everything else 'each layer reset'}: "
              f"{int(first.sum())} and {int(second.sum())} spikes for the same batch; potentials left after a reset {left[0]:.2f}, {left[1]:.2f}")
        right = reset is everything or not recurrent
        assert torch.equal(first, second) == right and (left[0] == 0) == right and left[1] == 0

layer = sl.IAF(spike_threshold=1.0)
with torch.no_grad():
    layer(torch.rand(2, 10, 4) / 20)
    sinabs.reset_states(layer)
print(f"a layer by itself: potential {float(layer.v_mem.max()):.2f} after sinabs.reset_states(layer)")
assert layer.v_mem.max() > 0
print("as described above")
PYTHON
