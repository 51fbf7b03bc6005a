#!/usr/bin/env bash
# BindsNET's ann_to_snn(data=...) scales no weight at all of a network of linear layers, and makes another network of
# one with convolutions.
#
# Guess:   (written down first, after a look at the source) with data, no ReLU gives more than 1 on it, and the outputs
#          are the old ones divided by one number, so that the class chosen is the same.
# Seen:    the branch for linear layers never notes the layer that is to be scaled.  Linear, ReLU, Linear, ReLU, Linear
#          comes back with its weights bit for bit: ReLUs up to 5 and 6.6 become neurons that fire at most once a step.
#          Without data there is a warning that nothing is scaled; with data nothing is scaled either, without one, and
#          the spiking network chooses the original's class for 87 % of the data, for all of it when scaled by hand.
#          Behind convolutions the first linear layer scales the last convolution again (its weights by 1, its bias by
#          the factor a second time), and its own weights not at all: the network, still without a spike, chooses
#          another class for 15 % of the data.
# With:    bindsnet 0.3.4, torch 2.13.0
# Matters: "conversion costs accuracy, more steps are needed" is what one expects to read, so nobody looks for the
#          cause.  Instead: compare the weights, or the outputs of data_based_normalization, with the original's.
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
"$python" - <<'PYTHON'
import copy
import sys
import warnings
from importlib.metadata import version
from unittest.mock import MagicMock

print(*(f"{name} {version(name)}" for name in ("bindsnet", "torch")))

# What the package imports for its plots, data sets and games, none of which is used here.
for name in ("torchvision", "torchvision.utils", "torchvision.datasets", "torchvision.transforms", "ale_py", "cv2",
             "gymnasium", "gymnasium.wrappers", "tensorboardX", "pandas", "skimage", "skimage.transform", "sklearn",
             "sklearn.linear_model"):
    sys.modules[name] = MagicMock()

import torch
from torch import nn

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from bindsnet.conversion import ann_to_snn, data_based_normalization

STEPS = 500
torch.manual_seed(0)
torch.set_grad_enabled(False)


def values(network, data):
    """The greatest value behind each ReLU, and the output."""
    greatest = []
    for layer in network:
        if isinstance(layer, nn.Linear):
            data = data.flatten(1)
        data = layer(data)
        if isinstance(layer, nn.ReLU):
            greatest.append(round(float(data.max()), 2))
    return greatest, data


def scaled_by_hand(network, data):
    """A layer's weights times the scale before it by the one behind it, its bias by the one behind it."""
    network, (greatest, _) = copy.deepcopy(network), values(network, data)
    scales = [1.0, *greatest, 1.0]
    layers = [layer for layer in network if not isinstance(layer, nn.ReLU)]
    for layer, before, behind in zip(layers, scales, scales[1:]):
        layer.weight.mul_(before / behind)
        layer.bias.div_(behind)
    return network


def compare(title, network, data):
    greatest, output = values(network, data)
    scaled = data_based_normalization(copy.deepcopy(network), data, percentile=100)
    equal = all(torch.equal(a, b) for a, b in zip(network.parameters(), scaled.parameters()))
    print(f"{title}: ReLUs up to {greatest}")
    for who, made in (("by BindsNET", scaled), ("by hand", scaled_by_hand(network, data))):
        behind, other = values(made, data)
        same = float((other.argmax(1) == output.argmax(1)).float().mean())
        print(f"    scaled {who}: ReLUs up to {behind}, the same class for {same:.1%}")
        if who == "by hand":
            assert same > 0.99 and max(behind) <= 1.01
        else:
            seen = same
    print(f"    BindsNET's weights and biases are the original's: {equal}")
    return equal, seen


def spiking(network, inputs, **arguments):
    """The share of the data for which the spiking network chooses the class of the original; and what is warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made = ann_to_snn(network, input_shape=(inputs.shape[1],), **arguments)
    made.run({"Input": inputs.repeat(STEPS, 1, 1)}, time=STEPS)
    chosen = made.layers[list(made.layers)[-1]].summed.argmax(1)
    said = [str(w.message) for w in caught if "scaled" in str(w.message)]
    return float((chosen == values(network, inputs)[1].argmax(1)).float().mean()), said


data = torch.rand(200, 1, 12, 12)
flat = data.flatten(1)
mlp = nn.Sequential(nn.Linear(144, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
for parameter in mlp.parameters():
    parameter.mul_(4)
cnn = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Linear(512, 10))
for parameter in cnn.parameters():
    parameter.mul_(3)

equal, _ = compare("linear layers", mlp, flat)
assert equal
share, said = spiking(mlp, flat)
print(f"    as a spiking network without data: the same class for {share:.1%}, warnings {said}")
with_data, silent = spiking(mlp, flat, data=flat, percentile=100)
print(f"    with data:                         the same class for {with_data:.1%}, warnings {silent}")
right, _ = spiking(scaled_by_hand(mlp, flat), flat)
print(f"    scaled by hand, without data:      the same class for {right:.1%}")
assert share == with_data and said and not silent and right > with_data + 0.05

equal, same = compare("convolutions and a linear layer", cnn, data)
assert not equal and same < 0.95
print("as described above")
PYTHON
