#!/usr/bin/env bash
# norse's recurrent cells with given weights, and any cell with a time constant to learn: what was given is not in parameters() or state_dict.
#
# Guess:   (written down first, after a look at the source) input_weights and recurrent_weights become the cell's parameters, as the random ones do that it makes
#          itself; LIFParameters(tau_mem_inv=nn.Parameter(...)) is how a time constant is learned.
# Seen:    given tensors stay plain attributes.  The cell has no parameters and an empty state_dict: an optimizer over the network
#          leaves them as they are, a checkpoint does not hold them (strict loading succeeds, and the new network keeps its
#          own weights), .double() and .to() pass them by.  The caller's recurrent tensor is changed all the same: its diagonal is
#          set to 0, and it now asks for a gradient, which the network's zero_grad() never clears.  A Parameter inside
#          LIFParameters, a tuple, is found by nobody either, in LIFCell, LIF and LIFRecurrentCell: it gets a gradient and stays.
# With:    norse 1.1.0, torch 2.13.0
# Matters: "pretrained weights, fine-tuned" were never tuned, nor saved; "learned time constants" never moved.  Instead: wrap the weights in
#          nn.Parameter before they are given, and register the time constants: cell.register_parameter("tau_mem_inv", ...).
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
    "${UV:-uv}" pip install -q -p "$python" torch==2.13.0 numpy==2.4.6 norse==1.1.0
fi
"$python" -W ignore - <<'PYTHON'
from importlib.metadata import version

print(*(f"{name} {version(name)}" for name in ("norse", "torch")))

import norse.torch as norse
import torch
from torch import nn

INPUTS, HIDDEN = 20, 30


def network(cell=norse.LIFRecurrentCell, given=True, seed=0, **options):
    torch.manual_seed(seed)
    if given:
        options |= {"input_weights": torch.randn(HIDDEN, INPUTS) / 4, "recurrent_weights": torch.randn(HIDDEN, HIDDEN) / 8}
    made = nn.ModuleDict({"cell": cell(INPUTS, HIDDEN, **options), "readout": nn.Linear(HIDDEN, 2)})
    return made, options.get("recurrent_weights")


torch.manual_seed(1)
sequence = (torch.rand(50, 8, INPUTS) < 0.3).float()


def forward(made):
    state, total = None, 0
    for x in sequence:
        spikes, state = made["cell"](x, state)
        total = total + made["readout"](spikes)
    return total


for given in (False, True):
    made, handed = network(given=given)
    names = [name for name, _ in made.named_parameters()]
    before = made["cell"].input_weights.detach().clone()
    optimizer = torch.optim.Adam(made.parameters(), lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        (forward(made) ** 2).mean().backward()
        optimizer.step()
    moved = float((made["cell"].input_weights - before).abs().max())
    copy, _ = network(given=given, seed=5)
    loaded = copy.load_state_dict(made.state_dict())
    with torch.no_grad():
        off = float((forward(made) - forward(copy)).abs().max())
    print(f"weights {'given' if given else 'its own'}: parameters {names};")
    print(f"    three steps move the input's weights by {moved:.3f}; a checkpoint's copy ({loaded}) is off by {off:.2f}")
    assert (moved == 0) == given and (off > 0.1) == given
    assert (names == ["readout.weight", "readout.bias"]) == given

made.zero_grad()
print(f"the caller's recurrent tensor: diagonal {float(handed.detach().diag().abs().max())}, requires_grad {handed.requires_grad}")
print(f"    after network.zero_grad() its gradient is {float(handed.grad.abs().max()):.3f}, after .double() it is {made.double()['cell'].recurrent_weights.dtype}")
assert handed.requires_grad and not handed.detach().diag().any() and made["cell"].recurrent_weights.dtype == torch.float32
assert handed.grad.abs().max() > 0
wrapped = norse.LIFRecurrentCell(
    INPUTS, HIDDEN, input_weights=nn.Parameter(torch.randn(HIDDEN, INPUTS)), recurrent_weights=nn.Parameter(torch.randn(HIDDEN, HIDDEN))
)
print("wrapped in nn.Parameter by the caller, they are in its state_dict:", list(wrapped.state_dict()))
assert list(wrapped.state_dict()) == ["input_weights", "recurrent_weights"]

for name, build in {
    "LIFCell": lambda p: norse.LIFCell(p=p),
    "LIF": lambda p: norse.LIF(p=p),
    "LIFRecurrentCell": lambda p: norse.LIFRecurrentCell(INPUTS, INPUTS, p=p),
}.items():
    torch.manual_seed(0)
    rate = nn.Parameter(torch.tensor(100.0))
    cell = build(norse.LIFParameters(tau_mem_inv=rate, alpha=torch.tensor(10.0)))
    spikes = 0
    if name == "LIF":
        spikes = cell(sequence)[0]
    else:
        state = None
        for x in sequence:
            z, state = cell(x, state)
            spikes = spikes + z
    spikes.sum().backward()
    mine = any(parameter is rate for parameter in cell.parameters())
    saved = [key for key in cell.state_dict() if "tau" in key]
    print(f"{name} with tau_mem_inv=nn.Parameter: gradient {float(rate.grad):.2f}, among its parameters {mine}, in its state_dict {bool(saved)}")
    assert not mine and not saved and rate.grad != 0
    cell.register_parameter("tau_mem_inv", rate)
    assert any(parameter is rate for parameter in cell.parameters()) and "tau_mem_inv" in cell.state_dict()
print("as described above")
PYTHON
