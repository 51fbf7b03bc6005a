#!/usr/bin/env bash
# sinabs' normalize_weights, the step before a conversion, makes another network of one with biases: from the
# second layer on they are too large.
#
# Guess:   (written down first, after a look at the source) the network is the same up to a factor, so that its
#          classes are the same, and the spiking network gets better by it.
# Seen:    layer by layer weights and bias are divided by the layer's own largest output.  By then what the layer
#          reads has been divided already, so that its bias should be divided by both, and now outweighs its
#          inputs by the product of all factors before it.  (The paper that it names divides weights by the ratio
#          and biases by the layer's own, both of the original network.)  Four hidden layers, inputs up to 2: the
#          normalized network chooses the class of the trained one for 62 % of the data, accuracy 99 % becomes 61
#          %, and 60 % as a spiking network, which is at 99 % without the step, and with the step as the paper has
#          it.  With inputs up to 191, as pixels have: 100 % becomes 76 %.  Without biases it is exact.  No
#          warning.
# With:    sinabs 3.1.3, torch 2.13.0
# Matters: it has a tutorial, and its makers recommend it against a loss of accuracy in conversion.  The loss that
#          it brings is put down to conversion, and more steps and other percentiles are tried.  The network is
#          changed in place.  Instead: normed() below, or no biases; compare the outputs before and after.
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
from copy import deepcopy
from importlib.metadata import version

print(*(f"{name} {version(name)}" for name in ("sinabs", "torch")))

import numpy as np
import torch
from torch import nn

from sinabs.from_torch import from_model
from sinabs.utils import normalize_weights

STEPS, CLASSES, PERCENTILE = 50, 10, 99


def network(bias, depth=4):
    torch.manual_seed(0)
    layers, size = [], 20
    for _ in range(depth):
        layers += [nn.Linear(size, 60, bias=bias), nn.ReLU()]
        size = 60
    return nn.Sequential(*layers, nn.Linear(size, CLASSES, bias=bias))


def trained(bias, data, labels):
    net = network(bias)
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(100):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(data), labels).backward()
        optimizer.step()
    return net


def normed(net, data):
    """weights by the ratio of the largest outputs before and behind them, biases by the one behind"""
    net, before = deepcopy(net), 1.0
    with torch.no_grad():
        largest, x = [], data
        for layer in net:
            x = layer(x)
            if isinstance(layer, nn.ReLU):
                largest.append(float(np.percentile(x.numpy(), PERCENTILE)))
        for layer, behind in zip([layer for layer in net if isinstance(layer, nn.Linear)], [*largest, 1.0]):
            layer.weight *= before / behind
            if layer.bias is not None:
                layer.bias /= behind
            before = behind
    return net


def by_sinabs(net, data):
    net = deepcopy(net)
    relus = [name for name, layer in net.named_children() if isinstance(layer, nn.ReLU)]
    linears = [name for name, layer in net.named_children() if isinstance(layer, nn.Linear)][: len(relus)]
    normalize_weights(net, data, output_layers=relus, param_layers=linears, percentile=PERCENTILE)
    return net


def spiking(net, data):
    converted = from_model(net, num_timesteps=STEPS).spiking_model
    with torch.no_grad():
        out = converted(data.repeat_interleave(STEPS, 0))
    return out.unflatten(0, (len(data), STEPS)).sum(1)


torch.manual_seed(1)
centres = 1.5 * torch.rand(60, 20)
labels = torch.arange(60).repeat(20) % CLASSES
data = (centres.repeat(20, 1) + 0.15 * torch.randn(1200, 20)).clamp(min=0)
data, labels, test, wanted = data[:900], labels[:900], data[900:1100], labels[900:1100]

found = {}
for units, bias in ((1.0, True), (100.0, True), (100.0, False)):
    net = trained(bias, units * data, labels)
    with torch.no_grad():
        old = net(units * test)
        for name, changed in (
            ("as trained", net),
            ("normalize_weights", by_sinabs(net, units * data)),
            ("normed", normed(net, units * data)),
        ):
            out = changed(units * test)
            same = float((out.argmax(1) == old.argmax(1)).float().mean())
            scores = [float((x.argmax(1) == wanted).float().mean()) for x in (out, spiking(changed, units * test))]
            found[units, bias, name] = same, *scores
            print(
                f"inputs up to {float((units * test).max()):.0f}, {'with' if bias else 'without'} biases, {name}:",
                f"{same:.0%} of the classes as trained,",
                f"accuracy {scores[0]:.0%}, as a spiking network {scores[1]:.0%}",
                flush=True,
            )
for (units, bias, name), (same, *scores) in found.items():
    if bias and name == "normalize_weights":
        assert same < 0.9 and max(scores) < 0.9
    else:
        assert same > 0.98 and min(scores) > 0.97
print("as described above")
PYTHON
