#!/usr/bin/env bash
# sinabs' MembraneReset(reset_value=...) adds its value to the potential of every neuron at every step, spike or
# no spike.
#
# Guess:   (written down first, after a look at the source) a neuron that fires is set to reset_value, the others
#          are left alone, as its doc string says.
# Seen:    the potential of those that fired is set to zero, and then reset_value is added to all.  At -0.5 (reset
#          below rest) a LIF without any input sinks to -9.7 within 60 steps and an IAF to -30, and an input that
#          gives 4 spikes at 0 gives none, where it should give 3.  At 0.3 a neuron without any input fires 14
#          times. ALIF and the recurrent layers do the same.  Only the default, 0, is right.  No warning.
# With:    sinabs 3.1.3, torch 2.13.0
# Matters: a reset below rest becomes a current into all neurons at all times, which moves their rest by that
#          value over (1 - decay), 20 times the value here.  "A deeper reset silences the network" is what one
#          sees. Instead: a function of one's own as reset_fn (Reset below).
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
"$python" -W ignore - 2>&1 <<'PYTHON'
from importlib.metadata import version

print(*(f"{name} {version(name)}" for name in ("sinabs", "torch")))

import torch
from torch import nn

import sinabs.layers as sl
from sinabs.activation import MembraneReset, SingleSpike

STEPS = 60


class Reset:
    """what the words say: only those that fired are set"""

    def __init__(self, value):
        self.value = value

    def __call__(self, spikes, state, threshold):
        return state | {"v_mem": torch.where(spikes > 0, torch.full_like(spikes, self.value), state["v_mem"])}


def run(make, reset, current):
    layer = make(spike_fn=SingleSpike, reset_fn=reset, spike_threshold=torch.tensor(1.0), record_states=True)
    with torch.no_grad():
        spikes = layer(torch.full((1, STEPS, 1), current))
    return int(spikes.sum()), layer.recordings["v_mem"].flatten()


def recurrent():
    weights = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(weights.weight)
    return weights


LAYERS = {
    "LIF": lambda **options: sl.LIF(tau_mem=20.0, norm_input=False, **options),
    "IAF": lambda **options: sl.IAF(**options),
    "ALIF": lambda **options: sl.ALIF(tau_mem=20.0, tau_adapt=20.0, adapt_scale=0.0, norm_input=False, **options),
    "LIFRecurrent": lambda **options: sl.LIFRecurrent(
        tau_mem=20.0, norm_input=False, rec_connect=recurrent(), **options
    ),
}
found = {}
for name, make in LAYERS.items():
    for value in (0.0, -0.5, 0.3):
        for current in (0.1, 0.0):
            spikes, potential = run(make, MembraneReset(reset_value=value), current)
            right, expected = run(make, Reset(value), current)
            found[name, value, current] = spikes, right, float(potential[-1])
            print(
                f"{name}, reset to {value:g}, input {current:g}: {spikes} spikes, potential {potential[-1]:.2f};",
                f"set only where it fired: {right} spikes, {expected[-1]:.2f}",
            )
            if value == 0:
                assert torch.equal(potential, expected) and spikes == right
for name in LAYERS:
    assert found[name, 0.0, 0.1][0] > 2 and found[name, 0.0, 0.0][0] == 0
    # no input, no spike, and the potential goes where the value takes it
    assert found[name, -0.5, 0.0][:2] == (0, 0) and found[name, -0.5, 0.0][2] < -5
    assert found[name, -0.5, 0.1][0] == 0 < found[name, -0.5, 0.1][1]
    assert found[name, 0.3, 0.0][0] > 10 and found[name, 0.3, 0.0][1] == 0
print("as described above")
PYTHON
