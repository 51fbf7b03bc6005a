#!/usr/bin/env bash
# nirtorch.load, which norse and sinabs read NIR with, runs a graph depth first: where branches join, it adds what is
# there so far, and puts out what ran last.
#
# Expected (a follow-up, no recorded guess): a node runs when all that it reads has been computed.
# Seen:    1 + 2 * 1 by two wires that meet is 3 or 2, as the edges are listed: in one order the sum runs before the
#          doubling, and the doubling, which runs last, is the output. norse and sinabs do so without a word;
#          nirtorch.nir_to_torch, which snnTorch and SpikingJelly use, is right in either order.
# With:    norse 1.1.0, sinabs 3.1.3, nir 1.0.8, nirtorch 2.6, torch 2.13.0
# Matters: every residual network. Sorted topologically by hand (network.execution_order), they run right.
#
# Runs in a temporary folder.  FINDINGS_VENV=<a python with these packages> skips the installation.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export OMP_NUM_THREADS=1
python=${FINDINGS_VENV:-}
if [ -z "$python" ]; then
    python3.11 -m venv venv
    python=$work/venv/bin/python
    "$python" -m pip install -qq --disable-pip-version-check torch==2.13.0 numpy==2.4.6
    "$python" -m pip install -qq --disable-pip-version-check h5py==3.16.0 pbr matplotlib
    "$python" -m pip install -qq --disable-pip-version-check --no-deps nir==1.0.8 nirtorch==2.6 norse==1.1.0 sinabs==3.1.3
fi
"$python" -W ignore - <<'EOF'
PACKAGES = ("norse", "sinabs", "nir", "nirtorch", "torch")
from importlib.metadata import version

print(*(f"{p} {version(p)}" for p in PACKAGES))

import logging

import nir
import nirtorch
import norse.torch as norse
import numpy as np
import sinabs.nir
import torch

logging.disable(logging.WARNING)


def affine(factor):
    return nir.Affine(factor * np.eye(1, dtype=np.float32), np.zeros(1, np.float32))


def graph(edges):
    nodes = {"input": nir.Input(np.array([1])), "same": affine(1), "twice": affine(2), "sum": affine(1),
             "output": nir.Output(np.array([1]))}
    return nir.NIRGraph(nodes, [("input", "same"), *edges, ("sum", "output")], type_check=False)


def first(x):
    return float((x[0] if isinstance(x, tuple) else x).detach())


LOADERS = {
    "norse": norse.from_nir,
    "sinabs": lambda g: sinabs.nir.from_nir(g, batch_size=1),
    "nirtorch.nir_to_torch": lambda g: nirtorch.nir_to_torch(g, {nir.Affine: exact}),
}


def exact(node):
    layer = torch.nn.Linear(1, 1)
    layer.weight.data, layer.bias.data = torch.from_numpy(node.weight), torch.from_numpy(node.bias)
    return layer


around = [("same", "sum"), ("same", "twice"), ("twice", "sum")]
through = [("same", "twice"), ("twice", "sum"), ("same", "sum")]
seen = {}
for name, load in LOADERS.items():
    for order, edges in (("the short way first", around), ("the long way first", through)):
        seen[name, order] = first(load(graph(edges))(torch.ones(1, 1)))
        print(f"{name}: 1 + 2 * 1, edges with {order}: {seen[name, order]:g}")
for name in ("norse", "sinabs"):
    assert {seen[name, "the short way first"], seen[name, "the long way first"]} != {3.0}
assert seen["nirtorch.nir_to_torch", "the short way first"] == seen["nirtorch.nir_to_torch", "the long way first"] == 3
fixed = norse.from_nir(graph(around))
fixed.execution_order.sort(key=lambda node: ["input", "same", "twice", "sum", "output"].index(node.name))
print(f"norse with its order put right: {first(fixed(torch.ones(1, 1))):g}")
assert first(fixed(torch.ones(1, 1))) == 3
EOF
