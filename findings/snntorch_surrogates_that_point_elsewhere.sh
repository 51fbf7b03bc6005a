#!/usr/bin/env bash
# Two of snnTorch's surrogate gradients are no gradients towards the threshold: triangular has the wrong sign above it,
# spike_rate_escape its peak at twice the threshold.
#
# Guess:   (written down first) every surrogate is positive with its peak at the threshold; triangular is the triangle of the papers.
# Seen:    triangular's derivative is +1 below the threshold, however far, and -1 at and above it.  A neuron that fires too much is
#          pushed further up: asked for silence, it ends with a larger weight and fires in every step, where atan and
#          fast_sigmoid silence it.  spike_rate_escape computes exp(-|u - 1|) of a potential from which the threshold has been
#          taken already: 9.2 at the threshold, and its peak, 25, at a potential of 2 for a threshold of 1.  (Both stand in the
#          doc strings' formulas, the second with U for the potential itself.)  No warning.
# With:    snntorch 1.0.0, torch 2.13.0
# Matters: comparisons of surrogates: one cannot lower rates, the other learns from neurons that are far above the threshold.
#          Instead: atan, fast_sigmoid, or custom_surrogate with relu(1 - |u|) for the triangle.
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
    "$python" -m pip install -qq --disable-pip-version-check torch==2.13.0 numpy==2.4.6
    "$python" -m pip install -qq --disable-pip-version-check --no-deps snntorch==1.0.0
fi
"$python" -W ignore - <<'PYTHON'
from importlib.metadata import version

print(*(f"{name} {version(name)}" for name in ("snntorch", "torch")))

import snntorch
import torch
from snntorch import surrogate

SURROGATES = {
    "atan": surrogate.atan(),
    "fast_sigmoid": surrogate.fast_sigmoid(),
    "triangular": surrogate.triangular(),
    "spike_rate_escape": surrogate.spike_rate_escape(),
}


def derivative(spike_grad, potentials):
    """Of the spike by the input, in one step of a neuron with threshold 1."""
    x = torch.tensor(potentials, requires_grad=True)
    neuron = snntorch.Leaky(beta=0.0, spike_grad=spike_grad)
    neuron(x, torch.zeros_like(x))[0].sum().backward()
    return [round(float(g), 3) for g in x.grad]


def trained(spike_grad, weight, rate, steps=10):
    """A neuron's weight and rate after 200 steps towards a rate; its input is 1."""
    weight = torch.tensor([weight], requires_grad=True)
    for _ in range(200):
        neuron, potential, spikes = snntorch.Leaky(beta=0.0, spike_grad=spike_grad, reset_mechanism="none"), torch.zeros(1), []
        for _ in range(steps):
            spike, potential = neuron(weight * torch.ones(1), potential)
            spikes.append(spike)
        mean = torch.stack(spikes).mean()
        (gradient,) = torch.autograd.grad((mean - rate) ** 2, weight)
        with torch.no_grad():
            weight -= 0.05 * gradient
    return round(float(weight), 2), float(mean)


POTENTIALS = [-1.0, 0.0, 0.5, 0.9, 1.0, 1.1, 1.5, 2.0, 3.0]
slopes, end = {}, {}
print("potential", POTENTIALS, "threshold 1")
for name, spike_grad in SURROGATES.items():
    slopes[name] = derivative(spike_grad, POTENTIALS)
    end[name] = trained(spike_grad, 1.2, 0.0)
    print(f"{name}: derivative {slopes[name]}; from weight 1.2, asked for silence: weight {end[name][0]}, rate {end[name][1]:g}")
for name in ("atan", "fast_sigmoid"):
    assert max(slopes[name]) == slopes[name][4] and min(slopes[name]) >= 0
    assert end[name][1] == 0
assert slopes["triangular"] == [1.0] * 4 + [-1.0] * 5
assert end["triangular"][1] == 1 and end["triangular"][0] > 5
assert max(slopes["spike_rate_escape"]) == slopes["spike_rate_escape"][7] > 2.5 * slopes["spike_rate_escape"][4]
print("as described above")
PYTHON
