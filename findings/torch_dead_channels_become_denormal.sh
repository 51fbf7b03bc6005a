#!/usr/bin/env bash
# Adam with weight decay drives the weights of dead spiking channels into denormal numbers, where they stay.
#
# Guess:   (before the cause was looked for) epochs that take longer and longer are a busy machine's: every step
#          multiplies as many numbers.  What decays ends at zero.
# Seen:    a surrogate of bounded support leaves a channel that never fires the gradient of weight decay alone.
#          Its weights shrink by a factor of about 200 in 100 steps, are denormal after some 1,700, and then hardly
#          move any more: none becomes zero.  A convolution with them took 8 times as long as with zeros in their
#          places on an Intel Xeon (AVX-512), one thread.
#          torch.set_flush_denormal(True) makes it fast again, but in the calling thread alone: OpenMP threads that
#          have begun before go on as they were, and only those that begin afterwards inherit it.
# With:    torch 2.13.0, spikingjelly 2.0.0
# Matters: a training of a VGG on CIFAR-10 on such CPUs took more than twice as long in its last epochs as in its
#          first.  Instead: torch.set_flush_denormal(True) first of all in the process, or now and then zeros for
#          weights below 1e-30.
#
# Runs in a temporary folder.  FINDINGS_VENV=<a venv, or its python, with these packages> skips the installation.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export OMP_NUM_THREADS=2
python=${FINDINGS_VENV:-}
if [ -d "$python" ]; then
    python=$python/bin/python
fi
if [ -z "$python" ]; then
    python3.11 -m venv venv
    python=$work/venv/bin/python
    "$python" -m pip install -qq --disable-pip-version-check torch==2.13.0 numpy==2.4.6 loguru==0.7.3
    "$python" -m pip install -qq --disable-pip-version-check --no-deps spikingjelly==2.0.0
fi
"$python" -W ignore - <<'PYTHON'
import time
from importlib.metadata import version

print(*(f"{name} {version(name)}" for name in ("torch", "spikingjelly")))

import torch
import torch.nn.functional as F
from spikingjelly.activation_based import functional, neuron, surrogate
from torch import nn

LEAST = torch.finfo(torch.float32).tiny  # of the numbers that are not denormal


def layers(inputs):
    spikes = neuron.LIFNode(surrogate_function=surrogate.PiecewiseQuadratic())
    return nn.Conv2d(inputs, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), spikes


torch.set_num_threads(1)
torch.manual_seed(0)
network = nn.Sequential(*layers(3), *layers(32), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10))
with torch.no_grad():
    network[4].bias[:16] = -6  # half of the channels never fire
groups = [
    {"params": [p for p in network.parameters() if p.ndim > 1], "weight_decay": 5e-4},
    {"params": [p for p in network.parameters() if p.ndim == 1]},
]
optimizer = torch.optim.Adam(groups, lr=0.01)
images, labels = torch.rand(16, 3, 8, 8), torch.arange(16) % 10
dead = network[3].weight[:16]
for step in range(1, 2001):
    logits = sum(network(images) for _ in range(2))
    optimizer.zero_grad()
    F.cross_entropy(logits, labels).backward()
    optimizer.step()
    functional.reset_net(network)
    if step % 400 == 0:
        size = dead.detach().abs()
        print(f"step {step}: of {size.numel()} weights of dead channels {int((size < LEAST).sum())} denormal, "
              f"{int((size == 0).sum())} zero, median {float(size.median()):.1e}")
size = dead.detach().abs()
assert (size < LEAST).float().mean() > 0.5 and not (size == 0).any()

weights = network[3].weight.detach()
zeroed = torch.where(weights.abs() < LEAST, 0, weights)
spikes = (torch.rand(32, 32, 32, 32) < 0.2).float()


def seconds(weights):
    start = time.perf_counter()
    F.conv2d(spikes, weights, padding=1)
    return time.perf_counter() - start


ratio = min(seconds(weights) for _ in range(5)) / min(seconds(zeroed) for _ in range(5))
print(f"a convolution with these weights takes {ratio:.0f} times as long as with zeros in their places")

torch.set_num_threads(2)
images, tiny = torch.ones(16, 64, 16, 16), torch.full((64, 64, 3, 3), 1e-42)


def parts():  # the bits are looked at, since a comparison takes denormal numbers for zero, too, once it is told
    bits = F.conv2d(images, tiny, padding=1).flatten().view(torch.int32)
    return [bool(part.any()) for part in bits.chunk(2)]


before = parts()
assert torch.set_flush_denormal(True)
after = parts()
print(f"denormal numbers in the halves of a batch, one of each thread: {before}, flushed {after}")
assert before == [True, True] and after == [False, True]
print("as described above")
PYTHON
