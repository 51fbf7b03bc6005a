#!/usr/bin/env bash
# A tensor given to a layer as its decay or time constant stays the caller's: layers and networks built from one tensor train each other.
#
# Guess:   (written down first, after a look at the source) a layer starts from the values that it is given and keeps its own copy; the second network of a sweep
#          starts where the first one started.
# Seen:    snnTorch (beta, threshold), sinabs (tau_mem) and rockpool (tau_mem) wrap the tensor itself, or the numpy array's
#          memory.  Two layers of one network that got the same tensor are two parameters in one place: each step of the
#          optimizer moves it once for each of them, by both gradients.  A network built later from the same settings starts
#          from what the first has learned, and goes on moving the first one's.  It is so without
#          training, too: loading a checkpoint into one network changes the decay of the other.  No warning.  A number is safe.
# With:    snntorch 1.0.0, sinabs 3.1.3, rockpool 3.1.0, torch 2.13.0
# Matters: decays drawn once and used for all seeds, or for a student and its teacher, are the usual way to a fair comparison.  "Five
#          seeds" are then five stretches of one training of the decays, and the first network's score changes after the
#          fact.  Instead: give each layer tensor.clone().
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
    "${UV:-uv}" pip install -q -p "$python" torch==2.13.0 numpy==2.4.6 snntorch==1.0.0 scipy==1.17.1 h5py==3.16.0 pbr matplotlib
    "${UV:-uv}" pip install -q -p "$python" --no-deps sinabs==3.1.3 nir==1.0.8 nirtorch==2.6 rockpool==3.1.0
fi
"$python" -W ignore - <<'PYTHON'
from importlib.metadata import version

print(*(f"{name} {version(name)}" for name in ("snntorch", "sinabs", "rockpool", "torch")))

import numpy as np
import sinabs.layers as sl
import snntorch as snn
import torch
from rockpool.nn.modules import LIFTorch

WAYS = {
    "snnTorch beta": lambda value: snn.Leaky(beta=value, learn_beta=True).beta,
    "snnTorch threshold": lambda value: snn.Leaky(beta=0.9, threshold=value, learn_threshold=True).threshold,
    "sinabs tau_mem": lambda value: sl.LIF(tau_mem=value).tau_mem,
    "rockpool tau_mem": lambda value: LIFTorch(3, tau_mem=value).tau_mem,
}
for name, way in WAYS.items():
    given = torch.full((3,), 0.5)
    first, second = way(given), way(given)
    optimizer = torch.optim.SGD([second], lr=0.1)
    second.sum().backward()
    optimizer.step()
    print(f"{name}: after one step of the second layer alone: given {float(given[0]):.1f}, first {float(first[0]):.1f}, "
          f"second {float(second[0]):.1f}")
    assert first is not second and first.data_ptr() == second.data_ptr() == given.data_ptr()
    assert abs(float(first[0]) - 0.4) < 1e-6
    second.grad = None
    both = torch.optim.SGD([first, second], lr=0.1)
    (first + second).sum().backward()
    both.step()
    print(f"    and after one of both, whose gradients are 1 and 1, at a rate of 0.1: {float(first[0]):.1f}")
    assert abs(float(first[0]) - 0.2) < 1e-6

array = np.full(3, 0.5, dtype=np.float32)
snn.Leaky(beta=array, learn_beta=True).beta.data.fill_(0.7)
print("numpy array given to snnTorch, after its layer has learned:", array)
assert (array == np.float32(0.7)).all()

decays = torch.full((10,), 0.5)


def train(decays):
    """A small network; its decays before and after."""
    torch.manual_seed(0)
    weights, neurons = torch.nn.Linear(4, 10), snn.Leaky(beta=decays, learn_beta=True)
    start = neurons.beta.detach().clone()
    optimizer = torch.optim.Adam([*weights.parameters(), *neurons.parameters()], lr=0.01)
    sequence = torch.rand(20, 8, 4)
    for _ in range(20):
        mem, count = neurons.reset_mem(), 0
        for x in sequence:
            spikes, mem = neurons(weights(x), mem)
            count = count + spikes
        loss = ((count - 5) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return start, neurons.beta, float(loss)


runs = [train(decays) for _ in range(3)]
alone = [train(decays.new_full((10,), 0.5)) for _ in range(3)]
for name, found in (("one tensor for all", runs), ("a tensor each", alone)):
    print(f"the same training three times, {name}:", *(f"starts at {float(start.mean()):.3f}, loss {loss:.3f};" for start, _, loss in found))
assert not torch.equal(runs[0][0], runs[1][0]) and runs[0][2] != runs[1][2] and torch.equal(runs[0][1], runs[2][1])
assert torch.equal(alone[0][0], alone[1][0]) and alone[0][2] == alone[1][2] == alone[2][2]

settings = torch.full((3,), 0.9)
teacher, student = snn.Leaky(beta=settings), snn.Leaky(beta=settings)
student.load_state_dict({**student.state_dict(), "beta": torch.full((3,), 0.2)})
print("without training, a checkpoint with beta 0.2 loaded into the student: the teacher's beta is", teacher.beta.tolist())
assert torch.equal(teacher.beta, torch.full((3,), 0.2))
print("as described above")
PYTHON
