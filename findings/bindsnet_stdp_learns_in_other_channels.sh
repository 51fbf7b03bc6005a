#!/usr/bin/env bash
# BindsNET's STDP on one- and three-dimensional convolutions and on all local connections mixes up input channels
# and positions; on two-dimensional convolutions it does not.
#
# Guess:   (written down first, after a look at the source) a weight changes by the spikes that it passes on: if
#          only channel 0 of two fires, the weights of channel 1 stay as they are, and the change is that of the
#          same connection written as a dense one.
# Seen:    the spikes are unfolded to [channel, position, kernel] and then merely reshaped to [position, channel x
#          kernel], which is something else as soon as there are two channels.  One step of PostPre is 59 % (3D)
#          and 91 % (1D) off for convolutions and 122 to 139 % for local connections; in a run in which only
#          channel 0 fires, the weights of channel 1 move as much as those of channel 0.  What a connection
#          computes from its weights is right, and so are Conv2dConnection (unfolded by torch) and any connection
#          of one channel.  WeightDependentPostPre and Hebbian have the same lines.  All sizes fit: no error, no
#          warning.
# With:    bindsnet 0.3.4, torch 2.13.0
# Matters: ON and OFF events, colours, or a second layer behind one with several filters: filters learn from
#          spikes that they never saw, at places that are not theirs.  The weights move, and stay in bounds.
#          Instead: one channel, Conv2dConnection with a height of 1, or a rule of one's own.
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
    "${UV:-uv}" pip install -q -p "$python" torch==2.13.0 numpy==2.4.6 scipy tqdm matplotlib
    "${UV:-uv}" pip install -q -p "$python" --no-deps bindsnet==0.3.4
fi
"$python" -W ignore - 2>&1 <<'PYTHON'
import itertools
import sys
from importlib.metadata import version
from unittest.mock import MagicMock

print(*(f"{name} {version(name)}" for name in ("bindsnet", "torch")))

# What the package imports for its plots, data sets and games, none of which is used here.
for name in (
    "torchvision",
    "torchvision.utils",
    "torchvision.datasets",
    "torchvision.transforms",
    "ale_py",
    "cv2",
    "gymnasium",
    "gymnasium.wrappers",
    "tensorboardX",
    "pandas",
    "skimage",
    "skimage.transform",
    "sklearn",
    "sklearn.linear_model",
):
    sys.modules[name] = MagicMock()

import torch
from bindsnet.learning import PostPre
from bindsnet.network import Network
from bindsnet.network.nodes import Input, LIFNodes
from bindsnet.network import topology

SIDE, KERNEL, FILTERS, STEPS = 6, 3, 2, 100
OUT = SIDE - KERNEL + 1
BEFORE, AFTER = 0.01, 0.02  # learning rates of spikes before and behind the synapse


def made(kind, dims, channels):
    """an input of some channels, and neurons behind one connection that learns"""
    torch.manual_seed(0)
    net = Network(dt=1.0)
    source = Input(shape=(channels, *[SIDE] * dims), traces=True)
    target = LIFNodes(shape=(FILTERS, *[OUT] * dims), traces=True)
    size = KERNEL if dims == 1 else (KERNEL,) * dims
    options = {"kernel_size": size, "update_rule": PostPre, "nu": (BEFORE, AFTER), "wmin": 0.0, "wmax": 10.0}
    if kind == "Local":
        stride = 1 if dims == 1 else (1,) * dims
        connection = getattr(topology, f"LocalConnection{dims}D")(
            source, target, stride=stride, n_filters=FILTERS, **options
        )
    else:
        if dims > 1:
            options |= {"stride": (1,) * dims, "padding": (0,) * dims}
        connection = getattr(topology, f"Conv{dims}dConnection")(source, target, **options)
    connection.w.data.fill_(3.0)
    net.add_layer(source, "X")
    net.add_layer(target, "Y")
    net.add_connection(connection, "X", "Y")
    return net, source, target, connection


def places(dims):
    return itertools.product(range(OUT), repeat=dims)


def right(kind, dims, channels, source, target):
    """the rule, written out: each output's patch of the input"""
    x, s = source.x[0], source.s[0].float()
    change = []
    for f in range(FILTERS):
        each = []
        for place in places(dims):
            patch = (slice(None), *[slice(p, p + KERNEL) for p in place])
            y, fired = target.x[(0, f, *place)], target.s[(0, f, *place)].float()
            each.append(AFTER * x[patch] * fired - BEFORE * s[patch] * y)
        change.append(torch.stack(each))
    change = torch.stack(change)  # [filter, place, channel, kernel ...]
    if kind == "Conv":
        return change.sum(1)
    # w of a local connection: [channel, filter x place, kernel]
    return change.flatten(3).permute(2, 0, 1, 3).flatten(1, 2)


for kind, dims in (("Conv", 1), ("Conv", 2), ("Conv", 3), ("Local", 1), ("Local", 2), ("Local", 3)):
    for channels in (1, 2):
        net, source, target, connection = made(kind, dims, channels)
        # one step of the rule, against the rule written out
        generator = torch.Generator().manual_seed(1)
        for nodes in (source, target):
            nodes.s = torch.rand(nodes.s.shape, generator=generator) < 0.3
            nodes.x = torch.rand(nodes.x.shape, generator=generator)
        start = connection.w.clone()
        connection.update_rule.update()
        change, wanted = connection.w - start, right(kind, dims, channels, source, target)
        off = float((change - wanted).norm() / wanted.norm())
        # a run in which only channel 0 fires
        net, source, target, connection = made(kind, dims, channels)
        spikes = (torch.rand(STEPS, 1, *source.shape, generator=generator) < 0.1).byte()
        spikes[:, :, 1:] = 0
        start = connection.w.clone()
        net.run({"X": spikes}, time=STEPS)
        moved = (connection.w - start).abs()
        by_channel = moved.sum([d for d in range(moved.dim()) if d != (1 if kind == "Conv" else 0)])
        name = type(connection).__name__
        print(
            f"{name}, {channels} channel(s): one step is {off:.0%} off; only channel 0 fires: weights moved by",
            [round(float(m), 2) for m in by_channel],
        )
        wrong = channels > 1 and (kind, dims) != ("Conv", 2)
        assert by_channel[0] > 0
        assert off > 0.3 if wrong else off < 1e-3, (name, channels, off)
        if channels > 1:
            assert (float(by_channel[1]) > 0.1 * float(by_channel[0])) == wrong, name
print("as described above")
PYTHON
