#!/usr/bin/env bash
# sinabs: a threshold given as a Parameter is frozen without a word, and unfrozen it learns through the reset alone, or not at all.
#
# Guess:   (written down first, for all libraries) a threshold that is a Parameter gets the gradient of its spikes: fewer if it rises.
# Seen:    LIF and IAF make a new Parameter of it, with requires_grad=False, so that spike_threshold=nn.Parameter(...) is in
#          parameters() and stays as it is.  network.requires_grad_(True), the usual line after a frozen phase, makes every
#          threshold trainable, those given as numbers, too.  The gradient that then comes has the reset's part only, as the
#          spike function passes the threshold none: 57 % of that of an equal gain before the neuron.  With MembraneReset there
#          is none at all (None), and a silent neuron's is 0, so that its threshold cannot fall.  No warning.
# With:    sinabs 3.1.3, torch 2.13.0
# Matters: "learned thresholds" that did not learn; and thresholds that drift after unfreezing.  Instead: leave the threshold at 1 and
#          learn a gain before the neuron; name what to unfreeze.
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
    "$python" -m pip install -qq --disable-pip-version-check torch==2.13.0 numpy==2.4.6 pbr matplotlib
    "$python" -m pip install -qq --disable-pip-version-check --no-deps sinabs==3.1.3 nir==1.0.4 nirtorch==2.0.2 h5py
fi
"$python" -W ignore - <<'PYTHON'
from importlib.metadata import version

print(*(f"{name} {version(name)}" for name in ("sinabs", "torch")))

import sinabs.layers as sl
import torch
from sinabs.activation import MembraneReset, MembraneSubtract, SingleSpike
from torch import nn

torch.manual_seed(0)
current = 0.4 * torch.rand(8, 50, 20)


def neuron(reset, threshold=1.0, kind=sl.LIF):
    options = {"tau_mem": 10.0, "norm_input": False} if kind is sl.LIF else {}
    return kind(spike_threshold=nn.Parameter(torch.tensor(threshold)), reset_fn=reset, spike_fn=SingleSpike, **options)


for kind in (sl.LIF, sl.IAF):
    made = neuron(MembraneSubtract(), kind=kind)
    print(f"{kind.__name__}: in parameters() {'spike_threshold' in dict(made.named_parameters())}, "
          f"requires_grad {made.spike_threshold.requires_grad}")
    assert "spike_threshold" in dict(made.named_parameters()) and not made.spike_threshold.requires_grad


def gradient(reset, threshold=1.0):
    """Of the number of spikes by the threshold, once it is unfrozen."""
    made = neuron(reset, threshold).requires_grad_(True)
    spikes = made(current).sum()
    spikes.backward()
    found = made.spike_threshold.grad
    return int(spikes), None if found is None else float(found)


def outside(threshold=1.0):
    """The same neuron, its threshold as the gain of its input: spikes for u / threshold above 1."""
    gain = torch.tensor(threshold, requires_grad=True)
    spikes = neuron(MembraneSubtract())(current / gain).sum()
    spikes.backward()
    return int(spikes), float(gain.grad)


subtract, reset, silent, reference = gradient(MembraneSubtract()), gradient(MembraneReset()), gradient(MembraneSubtract(), 3.9), outside()
print(f"unfrozen, (spikes, gradient): subtract {subtract}, reset to zero {reset}, a silent one {silent}; "
      f"as a gain before the neuron {reference}, a silent one {outside(3.9)}")
assert subtract[0] == reference[0] and 0.3 < subtract[1] / reference[1] < 0.9
assert reset[0] > 0 and reset[1] is None
assert silent == (0, 0.0) and outside(3.9)[0] == 0 and outside(3.9)[1] < 0
print("as described above")
PYTHON
