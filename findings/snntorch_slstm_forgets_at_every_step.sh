#!/usr/bin/env bash
# snnTorch's SLSTM has a memory only if it has as many inputs as outputs; else its state is set to zero before each step.
#
# Guess:   (written down first, after a look at the source) syn and mem go from step to step as c and h of nn.LSTMCell do, whatever the sizes; a strong input
#          makes it fire.
# Seen:    the state is compared with the input's shape, not with its own, and replaced by zeros if they differ: also a state that
#          the caller hands over, also with init_hidden=True.  SLSTM(20, 50) equals, to the bit, an nn.LSTMCell that starts at
#          zero at each step; SLSTM(50, 50) equals one that goes on.  Of 20 inputs to 50 the recurrent weights get a gradient of
#          exactly 0, and the last output has none by the first input.  SConv2dLSTM, of the same family, remembers.  And at the
#          default threshold of 1 no SLSTM ever fires, as mem = o tanh(c) stays below 1; no warning for either.
# With:    snntorch 1.0.0, torch 2.13.0
# Matters: it is the neuron for long memory, nearly always used with other numbers of inputs than of outputs, and its documentation's
#          example is so.  It trains, on each step by itself, and is taken for an LSTM in comparisons.  0.9.4 does the same.  Instead: nn.Linear(20,
#          50) before an SLSTM(50, 50), and a threshold well below 1.
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
    "${UV:-uv}" pip install -q -p "$python" torch==2.13.0 numpy==2.4.6 snntorch==1.0.0
fi
"$python" -W ignore - <<'PYTHON'
from importlib.metadata import version

print(*(f"{name} {version(name)}" for name in ("snntorch", "torch")))

import snntorch as snn
import torch

STEPS, HIDDEN = 30, 50


def differences(inputs, init_hidden):
    """Largest difference of the potential to torch's LSTM cell: one that goes on, and one that starts anew at each step."""
    torch.manual_seed(0)
    layer = snn.SLSTM(inputs, HIDDEN, init_hidden=init_hidden, output=init_hidden)
    reference = torch.nn.LSTMCell(inputs, HIDDEN)
    reference.load_state_dict(layer.lstm_cell.state_dict())
    sequence = torch.randn(STEPS, 4, inputs)
    syn = mem = h = c = torch.zeros(4, HIDDEN)
    goes_on = anew = 0.0
    with torch.no_grad():
        for x in sequence:
            _, syn, mem = layer(x) if init_hidden else layer(x, syn, mem)
            h, c = reference(x, (h, c))
            goes_on = max(goes_on, float((mem - h).abs().max()))
            anew = max(anew, float((mem - reference(x)[0]).abs().max()))
    return goes_on, anew


def gradients(inputs):
    """Sizes of the gradient of the last potential: by the recurrent weights, and by the first step's input."""
    torch.manual_seed(0)
    layer = snn.SLSTM(inputs, HIDDEN)
    sequence = torch.randn(STEPS, 4, inputs, requires_grad=True)
    syn = mem = torch.zeros(4, HIDDEN)
    for x in sequence:
        _, syn, mem = layer(x, syn, mem)
    mem.sum().backward()
    return float(layer.lstm_cell.weight_hh.grad.abs().max()), float(sequence.grad[0].abs().max())


for inputs in (20, HIDDEN):
    for init_hidden in (False, True):
        goes_on, anew = differences(inputs, init_hidden)
        print(f"{inputs} inputs, {HIDDEN} hidden, init_hidden={init_hidden}: from an LSTM cell that goes on {goes_on:.3f}, "
              f"from one that starts anew at each step {anew:.3f}")
        assert (goes_on == 0) == (inputs == HIDDEN) and (anew == 0) == (inputs != HIDDEN)
    found = gradients(inputs)
    print(f"    gradient by the recurrent weights {found[0]:.2g}, by the first of {STEPS} inputs {found[1]:.2g}")
    assert (found == (0.0, 0.0)) == (inputs != HIDDEN)

torch.manual_seed(0)
convolution = snn.SConv2dLSTM(1, 4, 3)
images = torch.randn(5, 2, 1, 8, 8)
with torch.no_grad():
    syn, mem = convolution.reset_mem()
    for x in images:
        _, syn, mem = convolution(x, syn, mem)
    _, _, first = convolution(images[-1], torch.zeros_like(syn), torch.zeros_like(mem))
print(f"SConv2dLSTM from 1 channel to 4: what went before moves the last potential by up to {float((mem - first).abs().max()):.3f}")
assert (mem - first).abs().max() > 0.01

with torch.no_grad():
    strong = snn.SLSTM(HIDDEN, HIDDEN)
    spikes = sum(float(strong(100 * torch.randn(64, HIDDEN))[0].sum()) for _ in range(STEPS))
print(f"spikes of {HIDDEN} neurons in {STEPS} steps of 64 very strong inputs, at the default threshold: {spikes:.0f}")
assert spikes == 0
print("as described above")
PYTHON
