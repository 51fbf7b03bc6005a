#!/usr/bin/env bash
# sinabs' recurrent layers keep the potential between calls and forget the spikes: called one step at a time they are not recurrent.
#
# Guess:   (written down first) the state that a layer keeps is all of its state: one call over T steps equals two over the
#          halves, or T over a step each, as it does for the layers without recurrence.
# Seen:    at each call the recurrent input starts at zero; the last step's spikes are not among the buffers.  In pieces of 20 of
#          40 steps 11 to 17 % of the entries differ, and in pieces of one step LIFRecurrent, IAFRecurrent and ALIFRecurrent equal the
#          same layer with all recurrent weights at zero, exactly; in training those weights get no gradient.  sl.LIF in pieces
#          is exact.  No warning.
# With:    sinabs 3.1.3, torch 2.13.0
# Matters: a network trained on whole sequences is another one in a stream, in a loop over time, in a closed loop with an agent
#          or in truncated backpropagation, just where a recurrent network is wanted.  Instead: whole sequences in one call,
#          or the recurrence outside, as a layer's weights on the spikes that you kept.
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
from torch import nn

BATCH, STEPS, SIZE = 3, 40, 20
torch.manual_seed(0)
spikes_in = (torch.rand(BATCH, STEPS, SIZE) < 0.3).float()


def recurrence(scale):
    torch.manual_seed(1)
    weights = nn.Linear(SIZE, SIZE, bias=False)
    nn.init.normal_(weights.weight, 0, scale)
    return weights


LIF = {"tau_mem": 10.0, "norm_input": False}
RECURRENT = {
    "LIFRecurrent": lambda scale: sl.LIFRecurrent(rec_connect=recurrence(scale), **LIF),
    "IAFRecurrent": lambda scale: sl.IAFRecurrent(rec_connect=recurrence(scale)),
    "ALIFRecurrent": lambda scale: sl.ALIFRecurrent(rec_connect=recurrence(scale), tau_adapt=20.0, **LIF),
}


def run(layer, piece):
    """A layer, fresh, over all steps in pieces."""
    return torch.cat([layer(spikes_in[:, start : start + piece]) for start in range(0, STEPS, piece)], 1)


whole = run(sl.LIF(**LIF), STEPS)
for piece in (20, 1):
    assert torch.equal(run(sl.LIF(**LIF), piece), whole)
print("LIF, without recurrence: pieces of 20 or 1 steps give the spikes of one call")

for name, make in RECURRENT.items():
    whole, halves, steps = (run(make(0.4), piece).detach() for piece in (STEPS, 20, 1))
    none = run(make(0.0), STEPS).detach()
    differ = [round(float((other != whole).float().mean()), 3) for other in (halves, steps)]
    print(f"{name}: one call {whole.sum():.0f} spikes; entries that differ in pieces of 20 steps {differ[0]}, of 1 step "
          f"{differ[1]}; of 1 step equals weights of zero: {torch.equal(steps, none)}")
    assert torch.equal(steps, none) and not torch.equal(halves, whole) and not torch.equal(whole, none)

for piece in (STEPS, 1):
    layer = RECURRENT["LIFRecurrent"](0.4)
    run(layer, piece).sum().backward()
    gradient = layer.rec_connect.weight.grad
    size = 0.0 if gradient is None else float(gradient.norm())
    print(f"LIFRecurrent, gradient of the recurrent weights, pieces of {piece} steps: {size:.3g}")
    assert (size > 0) == (piece == STEPS)
print("the state it keeps:", [name for name, _ in layer.named_buffers()])
print("as described above")
PYTHON
