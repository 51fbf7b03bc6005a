#!/usr/bin/env bash
# rockpool's torch neurons remember one state for a batch, that of its first sample: at the next call every sample goes on from it.
#
# Guess:   (written down first) a module keeps the state of each sample, so that a recording given in pieces is the recording.
# Seen:    a module's potential, current and last spikes have no batch axis, nor has the state that a call returns.  At the end of
#          a call they are set from sample 0, at the next they are copied to all samples.  Of a batch of four recordings given
#          in two pieces the first comes out as in one piece, of the others 6 to 17 % of the spikes' entries differ; alone (a
#          batch of one) each is exact.  In the usual loop over a test set, where nothing is reset, the same recordings
#          behind a batch in two orders give two outputs, as all start from the end of its first recording.  The source has it
#          in LIFTorch, LIFNeuronTorch, aLIFTorch, ExpSynTorch and RateTorch.  No warning.
# With:    rockpool 3.1.0, torch 2.13.0
# Matters: streaming a batch, truncated backpropagation in time, and scores that depend on the order of the test set.
#          Instead: whole recordings and reset_state() before each batch; pieces with a batch of one.
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
    "$python" -m pip install -qq --disable-pip-version-check rockpool==3.1.0 torch==2.13.0 numpy==2.4.6 scipy
fi
"$python" -W ignore - <<'PYTHON'
from importlib.metadata import version

print(*(f"{name} {version(name)}" for name in ("rockpool", "torch")))

import torch
from rockpool.nn.modules import ExpSynTorch, LIFNeuronTorch, LIFTorch

BATCH, STEPS, SIZE = 4, 40, 8
torch.manual_seed(0)
recordings = torch.rand(BATCH, STEPS, SIZE) ** 2
MODULES = {
    "LIFTorch": lambda: LIFTorch(SIZE, tau_mem=0.01, tau_syn=0.005, dt=1e-3),
    "LIFNeuronTorch": lambda: LIFNeuronTorch(SIZE, tau_mem=0.01, dt=1e-3),
    "ExpSynTorch": lambda: ExpSynTorch(SIZE, tau=0.01, dt=1e-3),
}


def run(module, data, piece):
    return torch.cat([module(data[:, start : start + piece])[0] for start in range(0, STEPS, piece)], 1)


with torch.no_grad():
    for name, make in MODULES.items():
        whole, pieces = run(make(), recordings, STEPS), run(make(), recordings, STEPS // 2)
        differ = [round(float((w - p).abs().gt(1e-5).float().mean()), 3) for w, p in zip(whole, pieces)]
        alone = torch.cat([run(make(), recordings[i : i + 1], STEPS // 2) for i in range(BATCH)])
        print(f"{name}: entries that differ in two pieces, by sample {differ}; one by one all are right: {torch.allclose(alone, whole, atol=1e-5)}")
        assert differ[0] == 0 and min(differ[1:]) > 0 and torch.allclose(alone, whole, atol=1e-5)

    outputs = []
    for order in ([0, 1], [1, 0]):
        module = MODULES["LIFTorch"]()
        module(recordings[order])
        print("LIFTorch, its potential after a batch:", tuple(module.vmem.shape), end="; ")
        outputs.append(module(recordings[2:])[0])
    print(f"the same two recordings behind a batch in two orders: {[int(o.sum()) for o in outputs]} spikes")
    assert not torch.equal(*outputs)
    module.reset_state()
    assert torch.equal(module(recordings[2:])[0], MODULES["LIFTorch"]()(recordings[2:])[0])
print("as described above")
PYTHON
