#!/usr/bin/env bash
# BindsNET's Network.run writes into the tensors that it is given: the next network gets what the last one left of them.
#
# Guess:   (written down first, after a look at the source) run and reset_state_variables leave the input as it was; a
#          tensor run again gives the same spikes; "unclamp" acts on the one run that it is given to.
# Seen:    each layer gets a view of the caller's tensor and works in place.  LIFNodes puts a zero wherever one of its
#          neurons was refractory: three networks with refractory periods of 10, 5 and 0 steps, driven by one tensor of
#          currents, give 60, 60 and 60 spikes, with a copy each 60, 81 and 134.  Input layers keep the view as their
#          spikes: unclamp (silence half of the inputs for one run) empties these inputs in the data, so that the
#          "intact" run afterwards is the lesioned one; and reset_state_variables empties the data's last step, one step
#          more for each length of run.  The same network on the same tensor repeats itself exactly, so that a check for
#          reproducibility finds nothing.  No warning; the documentation of run does not say so.
# With:    bindsnet 0.3.4, torch 2.13.0
# Matters: a sweep over refractory periods is flat, and its result depends on the order; a lesion stays for all later
#          runs, the control too; spikes encoded once and kept for all epochs are worn down.  Instead: give .clone().
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
    "$python" -m pip install -qq --disable-pip-version-check torch==2.13.0 numpy==2.4.6 scipy tqdm matplotlib
    "$python" -m pip install -qq --disable-pip-version-check --no-deps bindsnet==0.3.4
fi
"$python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version
from unittest.mock import MagicMock

print(*(f"{name} {version(name)}" for name in ("bindsnet", "torch")))

# What the package imports for its plots, data sets and games, none of which is used here.
for name in ("torchvision", "torchvision.utils", "torchvision.datasets", "torchvision.transforms", "ale_py", "cv2",
             "gymnasium", "gymnasium.wrappers", "tensorboardX", "pandas", "skimage", "skimage.transform", "sklearn",
             "sklearn.linear_model"):
    sys.modules[name] = MagicMock()

import torch
from bindsnet.network import Network
from bindsnet.network.monitors import Monitor
from bindsnet.network.nodes import Input, LIFNodes
from bindsnet.network.topology import Connection

STEPS = 100
torch.manual_seed(0)


def network(weights=None, refrac=5):
    """LIF neurons alone, or behind an input layer."""
    made = Network(dt=1.0, learning=False)
    neurons = LIFNodes(10, refrac=refrac)
    made.add_layer(neurons, "Y")
    made.add_monitor(Monitor(neurons, ["s"], time=STEPS), "Y")
    if weights is not None:
        inputs = Input(len(weights))
        made.add_layer(inputs, "X")
        made.add_connection(Connection(inputs, neurons, w=weights), "X", "Y")
    return made


def spikes(made, time=STEPS, **arguments):
    made.run(time=time, **arguments)
    count = int(made.monitors["Y"].get("s").sum())
    made.reset_state_variables()
    return count


print("1. a sweep over the refractory period, driven by currents")
currents = torch.rand(STEPS, 10) * 4
PERIODS = (10, 5, 0)
right = [spikes(network(refrac=period), inputs={"Y": currents.clone()}) for period in PERIODS]
shared = currents.clone()
down = [spikes(network(refrac=period), inputs={"Y": shared}) for period in PERIODS]
shared = currents.clone()
up = [spikes(network(refrac=period), inputs={"Y": shared}) for period in PERIODS[::-1]][::-1]
print(f"   periods {PERIODS}: a copy each {right}, one tensor {down}, one tensor from 0 to 10 {up}")
print(f"   of the currents in the tensor, {float((shared == 0).float().mean()):.0%} are now zero")
assert right[0] < right[1] < right[2] and len(set(down)) == 1 and up != down

print("2. half of the inputs silenced for one run")
data = torch.bernoulli(torch.full((STEPS, 20), 0.3)).bool()
weights, half = torch.rand(20, 10) * 4, torch.arange(20) < 10


def three_runs(give):
    made = network(weights)
    return [spikes(made, inputs={"X": give()}, **run) for run in ({}, {"unclamp": {"X": half}}, {})]


right = three_runs(data.clone)
shared = data.clone()
seen = three_runs(lambda: shared)
print(f"   intact, lesion, intact: a copy each {right}, one tensor {seen}")
print(f"   spikes in the data: {int(data.sum())} before, {int(shared.sum())} after")
assert right[0] == right[2] > right[1] and seen[2] < right[2]
assert not shared[:, half].any() and bool(data[:, half].any())

print("3. reset_state_variables after each run")
made, shared = network(weights), data.clone()
for time in (100, 90, 80):
    made.run(inputs={"X": shared}, time=time)
    assert bool(shared[time - 1].any())
    made.reset_state_variables()
empty = (shared != data).any(1).nonzero().flatten().tolist()
print(f"   after runs of 100, 90 and 80 steps these steps of the data are empty: {empty}")
assert empty == [79, 89, 99]

print("4. the same network, the same tensor, three times")
made, shared = network(), currents.clone()
same = [spikes(made, inputs={"Y": shared}) for _ in range(3)]
print(f"   {same}, though the tensor changed: {not torch.equal(shared, currents)}")
assert len(set(same)) == 1 and not torch.equal(shared, currents)
print("as described above")
PYTHON
