#!/usr/bin/env bash
# SpikingJelly's LIAFNode in step mode "m" is an ordinary LIFNode, and so is every subclass of LIFNode, IFNode and
# ParametricLIFNode that redefines the single step alone.
#
# Guess:   (written down first) step by step and multi-step give the same for every neuron; a subclass that defines
#          single_step_functional_forward, as BaseNode's doc string tells it to, is obeyed in both modes.
# Seen:    the three classes have a multi-step function of their own, which does not call the single step, and
#          which subclasses inherit.  LIAFNode, whose output is an activation of the potential and no spike, is
#          right step by step (0.75, 1.125, 0.75 ...); in step mode "m" it puts out 0, 1, 0, 1, whatever the
#          activation: of random inputs 42 to 100 % of the outputs differ, and an activation with a parameter gets
#          no gradient.  With store_v_seq=True, which is there to look at the potential, "m" is right.  A subclass
#          of the user's whose single step doubles the spikes doubles them in "s" and not in "m".  The library's
#          ILIFNode is right in both.  A subclass of LIFNode that redefines neuronal_charge, as for older versions,
#          is ignored in both modes (BaseNode's doc string names SimpleBaseNode for that).  No warning.
# With:    spikingjelly 2.0.0, torch 2.13.0
# Matters: "m" is the mode for training.  A table of neuron models has a plain LIF in the new model's row, a
#          network trained in "m" is another one when it is run step by step, and the result changes with an option
#          of monitoring.  Instead: define multi_step_functional_forward as Base below does, and compare the modes.
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
    "${UV:-uv}" pip install -q -p "$python" torch==2.13.0 numpy==2.4.6 loguru==0.7.3
    "${UV:-uv}" pip install -q -p "$python" --no-deps spikingjelly==2.0.0
fi
"$python" -W ignore - <<'PYTHON'
from importlib.metadata import version

print(*(f"{name} {version(name)}" for name in ("spikingjelly", "torch")))

import torch
from spikingjelly.activation_based import base, neuron
from torch import nn

STEPS = 8
torch.manual_seed(0)
random = torch.rand(STEPS, 16, 10) * 3
constant = torch.full((STEPS, 1, 1), 1.5)


def by_step(make, data):
    net = make()
    return torch.stack([net(step) for step in data])


def multi(make, data):
    net = make()
    net.step_mode = "m"
    return net(data)


def told(name, make):
    """the share of outputs that differ between the modes"""
    one, many = by_step(make, random), multi(make, random)
    off = float((one != many).float().mean())
    print(f"{name}: {off:.0%} of the outputs differ between step by step and multi-step")
    return off


def liaf(act, threshold_related, **options):
    return lambda: neuron.LIAFNode(act, threshold_related, **options)


for run in (by_step, multi):
    outputs = [round(float(y), 3) for y in run(liaf(torch.relu, False), constant)]
    print(f"LIAFNode(relu) of a constant 1.5, {run.__name__}: {outputs}")
for act, related in ((torch.relu, False), (torch.relu, True), (torch.sigmoid, False)):
    assert told(f"LIAFNode({act.__name__}, {related})", liaf(act, related)) > 0.3
    plain = multi(neuron.LIFNode, random)
    assert (multi(liaf(act, related), random) == plain).all() and (by_step(neuron.LIFNode, random) == plain).all()
    assert set(plain.unique().tolist()) == {0.0, 1.0}
    watched = liaf(act, related, store_v_seq=True)
    assert torch.allclose(multi(watched, random), by_step(liaf(act, related), random))
print("    multi-step they are LIFNode bit for bit; with store_v_seq=True they are right")

slopes = [nn.PReLU(), nn.PReLU()]
leaf = random.clone().requires_grad_(True)
by_step(liaf(slopes[0], False), leaf - 1.5).sum().backward()
multi(liaf(slopes[1], False), leaf - 1.5).sum().backward()
grads = [slope.weight.grad for slope in slopes]
print(f"gradient of PReLU's slope: step by step {float(grads[0]):.1f}, multi-step {grads[1]}")
assert grads[0].abs() > 1 and grads[1] is None


def doubled(parent):
    class Doubled(parent):
        def single_step_functional_forward(self, inputs, states, **kwargs):
            (spike,), states = super().single_step_functional_forward(inputs, states, **kwargs)
            return (2 * spike,), states

    return Doubled


class Base(doubled(neuron.LIFNode)):
    multi_step_functional_forward = base.MemoryModule.multi_step_functional_forward


for parent in (neuron.LIFNode, neuron.IFNode, neuron.ParametricLIFNode):
    one, many = (float(run(doubled(parent), random).max()) for run in (by_step, multi))
    print(f"{parent.__name__}, spikes doubled by a subclass: up to {one:.0f} step by step, {many:.0f} multi-step")
    assert (one, many) == (2, 1)
assert told("the same with MemoryModule's multi-step function", Base) == 0
assert float(multi(Base, random).max()) == 2
assert told("ILIFNode", neuron.ILIFNode) == 0


class Older(neuron.LIFNode):
    def neuronal_charge(self, x):
        raise RuntimeError("called")


for run in (by_step, multi):
    assert (run(Older, random) == run(neuron.LIFNode, random)).all()
print("neuronal_charge of a subclass of LIFNode is not called in either mode")
print("as described above")
PYTHON
