#!/usr/bin/env bash
# norse: cells with recurrence cut the reset out of the gradient, those without do not: the same spikes, 2 or 13 times the gradient.
#
# Guess:   (written down first) LIFCell and LIFRecurrentCell treat the reset alike, so that a recurrent cell whose recurrent weights are
#          zero is the cell without recurrence, gradient included.
# Seen:    potentials and spikes are the same, bit for bit.  In lif_step the spike that resets is detached, in
#          lif_feed_forward_step it is not, and no option says so: the gradient of the number of spikes by a constant input is 1.9
#          times as large in the recurrent cell.  lsnn_step detaches the spike that raises the threshold, too, and
#          lsnn_feed_forward_step does not: 12.6 times.
# With:    norse 1.1.0, torch 2.13.0
# Matters: "recurrence needs a smaller learning rate", or trains better, may be the missing reset term; the two ways to treat the reset
#          are themselves a subject of papers.  Instead: for a comparison, the recurrent cell with its weights held at zero.
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
    "$python" -m pip install -qq --disable-pip-version-check --no-deps norse==1.1.0 nir==1.0.8 nirtorch==2.6 h5py
fi
"$python" -W ignore - <<'PYTHON'
import math
from importlib.metadata import version

print(*(f"{name} {version(name)}" for name in ("norse", "torch")))

import norse.torch as norse
import torch

STEPS = 30
ONE, ZERO = torch.ones(1, 1), torch.zeros(1, 1)
CELLS = {
    "LIF": (norse.LIFCell(), norse.LIFRecurrentCell(1, 1, input_weights=ONE, recurrent_weights=ZERO)),
    "LSNN": (norse.LSNNCell(), norse.LSNNRecurrentCell(1, 1, input_weights=ONE, recurrent_weights=ZERO)),
}


def run(cell):
    """Spikes, potentials, and the gradient of the number of spikes by the input at each step."""
    current, state, spikes, potentials = torch.full((STEPS, 1, 1), 2.0, requires_grad=True), None, [], []
    for step in range(STEPS):
        spike, state = cell(current[step], state)
        spikes.append(spike)
        potentials.append(state.v)
    torch.stack(spikes).sum().backward()
    return torch.stack(spikes).detach(), torch.stack(potentials).detach(), current.grad.flatten()


for name, (plain, recurrent) in CELLS.items():
    (spikes, potentials, gradient), (spikes_r, potentials_r, gradient_r) = run(plain), run(recurrent)
    equal = torch.equal(spikes, spikes_r) and torch.equal(potentials, potentials_r)
    print(f"{name}: {spikes.sum():.0f} spikes and {spikes_r.sum():.0f}, potentials equal: {equal}; gradient in all "
          f"{gradient.sum():.3g} and, recurrent with weights of zero, {gradient_r.sum():.3g}")
    assert equal and spikes.sum() > 1
    assert abs(float(gradient_r.sum() / gradient.sum()) - 1) > 0.1
print("as described above")
PYTHON
