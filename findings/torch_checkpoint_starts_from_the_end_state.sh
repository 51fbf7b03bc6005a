#!/usr/bin/env bash
# torch.utils.checkpoint around neurons that keep their state: the recomputation starts where the forward pass ended, the gradient is wrong.
#
# Guess:   (written down first) torch notices that the recomputed values differ and raises, or the gradient is right.
# Seen:    torch compares number, shape and type of the tensors, not their values, and restores the random state, not the
#          modules'.  Output and loss are those without checkpoint, the weights' gradient is not: 41 % off for SpikingJelly called
#          step by step, 11 % in its multi-step mode with one call over all steps, 5 % for snnTorch (init_hidden), whose
#          potential is another one afterwards, too, as each step has run twice.  SpikingJelly's own memopt.checkpoint does
#          the same; memopt.checkpoint_module, or the potential as argument and result, is exact.  No warning.
# With:    torch 2.13.0, snntorch 1.0.0, spikingjelly 2.0.0
# Matters: checkpointing is the first remedy for the memory of many time steps; training goes on, worse, and the loss at the first
#          step is right.  Instead: checkpoint functions that take the state and return it, or set the state at their start.
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
    "$python" -m pip install -qq --disable-pip-version-check torch==2.13.0 numpy==2.4.6 loguru==0.7.3
    "$python" -m pip install -qq --disable-pip-version-check --no-deps snntorch==1.0.0 spikingjelly==2.0.0
fi
"$python" -W ignore - <<'PYTHON'
from importlib.metadata import version

print(*(f"{name} {version(name)}" for name in ("torch", "snntorch", "spikingjelly")))

import snntorch
import torch
from spikingjelly.activation_based import functional, memopt, neuron
from torch import nn
from torch.utils.checkpoint import checkpoint

STEPS = 20
torch.manual_seed(0)
data = torch.rand(STEPS, 4, 10)


def plain(function, *values):
    return function(*values)


def saving(function, *values):
    return checkpoint(function, *values, use_reentrant=False)


def snntorch_hidden(run):
    linear, neurons = nn.Linear(10, 20), snntorch.Leaky(beta=0.95, init_hidden=True)
    spikes = torch.stack([run(lambda x: neurons(linear(x)), step) for step in data])
    return linear, spikes, lambda: neurons.mem


def snntorch_explicit(run):
    linear, neurons = nn.Linear(10, 20), snntorch.Leaky(beta=0.95)
    potential, spikes = torch.zeros(4, 20), []
    for step in data:
        spike, potential = run(lambda x, u: neurons(linear(x), u), step, potential)
        spikes.append(spike)
    return linear, torch.stack(spikes), lambda: potential


def spikingjelly_memopt(whole):
    def network(run):
        model = nn.Sequential(nn.Linear(10, 20), neuron.LIFNode(tau=20.0, decay_input=False, step_mode="m"))
        linear, neurons = model
        if run is plain:
            return linear, model(data), lambda: neurons.v
        spikes = memopt.checkpoint_module(model)(data) if whole else memopt.checkpoint(model, data)
        return linear, spikes, lambda: neurons.v

    return network


def spikingjelly(step_mode):
    def network(run):
        linear, neurons = nn.Linear(10, 20), neuron.LIFNode(tau=20.0, decay_input=False)
        functional.set_step_mode(neurons, step_mode)
        spikes = run(lambda x: neurons(linear(x)), data) if step_mode == "m" else None
        if spikes is None:
            spikes = torch.stack([run(lambda x: neurons(linear(x)), step) for step in data])
        return linear, spikes, lambda: neurons.v

    return network


def measure(make, run):
    torch.manual_seed(1)
    linear, spikes, potential = make(run)
    loss = ((spikes.mean(0) - 0.1) ** 2).mean()
    loss.backward()
    return float(loss), linear.weight.grad, potential().detach().clone()


CASES = {
    "snnTorch, init_hidden": (snntorch_hidden, True),
    "SpikingJelly, single-step": (spikingjelly("s"), True),
    "SpikingJelly, multi-step": (spikingjelly("m"), True),
    "SpikingJelly's memopt.checkpoint": (spikingjelly_memopt(False), True),
    "SpikingJelly's memopt.checkpoint_module": (spikingjelly_memopt(True), False),
    "snnTorch, the potential passed along": (snntorch_explicit, False),
}
for name, (make, wrong) in CASES.items():
    (loss, gradient, potential), (loss_saving, gradient_saving, potential_saving) = (measure(make, run) for run in (plain, saving))
    error = float((gradient - gradient_saving).norm() / gradient.norm())
    print(f"{name}: loss {loss:.6f} and {loss_saving:.6f}, gradient off by {100 * error:.1f} %, "
          f"final potential by {float((potential - potential_saving).abs().max()):.3g}")
    assert loss == loss_saving
    assert error > 0.02 if wrong else torch.equal(gradient, gradient_saving)
print("as described above")
PYTHON
