#!/usr/bin/env bash
# sinabs' adaptive neuron (ALIF) with tau_syn has no synapse: at the default norm_input=True the current is gone within a step or two.
#
# Guess:   (written down first, after a look at the source) norm_input scales what reaches the potential, and the current decays by
#          exp(-1/tau_syn); so with adapt_scale=0, ALIF is LIF, whose doc string has the same words.
# Seen:    the normed current is written back into the state, in ALIF alone.  It shrinks by 1 - exp(-1/tau_mem) more at each step,
#          1/20 for tau_mem = 20: one input spike through a synapse of 10 steps raises LIF's potential for 14 steps, ALIF's
#          jumps once and falls from there; what arrives in all is a tenth.  tau_syn 2 or 50 gives nearly the same, and the
#          larger tau_mem, the more is lost.  Without tau_syn, or with norm_input=False, ALIF without adaptation equals LIF.
# With:    sinabs 3.1.3, torch 2.13.0
# Matters: "adaptation lowers the rate" is concluded from a network whose synapses went with it (18,935 spikes and, without any adaptation,
#          502); there is nothing for a trained tau_syn to change.  Instead: norm_input=False, and weights times 1 - exp(-1/tau_mem).
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
from sinabs.activation import SingleSpike

STEPS = 200
pulse = torch.zeros(1, STEPS, 1)
pulse[0, 0] = 1.0
torch.manual_seed(0)
spikes_in = (torch.rand(8, STEPS, 50) < 0.1).float()


def potential(kind, data, **options):
    """Potential and spikes of a layer; the adaptation of ALIF is switched off."""
    extra = {"tau_adapt": 50.0, "adapt_scale": 0.0} if kind is sl.ALIF else {}
    layer = kind(tau_mem=20.0, record_states=True, spike_fn=SingleSpike, **extra, **options)
    with torch.no_grad():
        spikes = layer(data)
    return layer.recordings["v_mem"], spikes


totals = {}
for tau in (2.0, 10.0, 50.0):
    for kind in (sl.LIF, sl.ALIF):
        course = potential(kind, pulse, tau_syn=tau)[0].flatten()
        totals[kind.__name__, tau] = float(course.sum())
        print(f"{kind.__name__}, tau_syn {tau:g}: one input spike, potential summed over time {course.sum():.3g}, "
              f"highest {course.max():.3g} in step {int(course.argmax())}")
        assert (int(course.argmax()) == 0) == (kind is sl.ALIF)
assert totals["LIF", 50.0] > 10 * totals["LIF", 2.0] and totals["ALIF", 50.0] < 2 * totals["ALIF", 2.0]
assert totals["LIF", 10.0] > 8 * totals["ALIF", 10.0]

for options in ({"tau_syn": 10.0}, {"tau_syn": 10.0, "norm_input": False}, {}):
    counts = [int(potential(kind, spikes_in * (6.0 if options.get("norm_input", True) else 0.3), **options)[1].sum())
              for kind in (sl.LIF, sl.ALIF)]
    print(f"noisy input, {options or 'no tau_syn'}: LIF {counts[0]} spikes, ALIF without adaptation {counts[1]}")
    assert (counts[0] == counts[1] > 0) == (options != {"tau_syn": 10.0})
print("as described above")
PYTHON
