#!/usr/bin/env bash
# norse's receptive fields: a network that loads a checkpoint goes on with the fields that it was built with, and
# temporal scales up to max_scale start there and go the other way.
#
# Guess:   (written down first, after a look at the source) load_state_dict gives the network that was saved;
#          scales run from min_scale to max_scale.
# Seen:    the fields are computed from their parameters when the module is built, and again only behind a
#          backward pass.  load_state_dict puts the trained parameters in place ("All keys matched"), they read
#          back as trained, and the convolution runs with the initial ones: the output is, bit for bit, that of
#          the network before training, however often it is called.  So for SpatialReceptiveField2d,
#          SampledSpatialReceptiveField2d and ParameterizedSpatialReceptiveField2d, and so with copy_ in place of
#          loading (averaged weights).  Temporal scales with max_scale: an exponent has the wrong sign, so that 4
#          scales from 1 to 16 are 16, 10, 6.3, 4 instead of 1, 1.6, 2.5, 4 (roots of 1 to 16), and 5 from 1 to
#          100 are 100 to 10 instead of 1 to 10.  Without max_scale they are right.  No warning.
# With:    norse 1.1.0, torch 2.13.0
# Matters: trained receptive fields are evaluated untrained, beside all other layers, which are loaded: the scores
#          are somewhat lower than in training.  Instead: has_updated = True on the module after loading; c, or
#          time_constants, in place of max_scale.
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
    "${UV:-uv}" pip install -q -p "$python" norse==1.1.0 torch==2.13.0 numpy==2.4.6
fi
"$python" -W ignore - 2>&1 <<'PYTHON'
from importlib.metadata import version

print(*(f"{name} {version(name)}" for name in ("norse", "torch")))

import torch
import norse.torch as norse
from norse.torch.functional.receptive_field import temporal_scale_distribution

SIZE = 9
SCALES, ANGLES, RATIOS = torch.tensor([1.0, 2.0]), torch.tensor([0.3]), torch.tensor([0.5, 0.8])
MAKE = {
    "SpatialReceptiveField2d": lambda: norse.SpatialReceptiveField2d(
        1, SIZE, torch.tensor([[1.0, 0.2, 0.5, 0.0, 0.0], [2.0, 0.5, 0.8, 0.0, 0.0]]), domain=4.0
    ),
    "SampledSpatialReceptiveField2d": lambda: norse.SampledSpatialReceptiveField2d(
        1, SIZE, SCALES.clone(), ANGLES.clone(), RATIOS.clone(), [(0, 0)], domain=4.0
    ),
    "ParameterizedSpatialReceptiveField2d": lambda: norse.ParameterizedSpatialReceptiveField2d(
        1, SIZE, SCALES.clone(), ANGLES.clone(), RATIOS.clone(), [(0, 0)], domain=4.0
    ),
}


def train(module, data, steps=20):
    optimizer = torch.optim.Adam(module.parameters(), lr=0.02)
    for _ in range(steps):
        optimizer.zero_grad()
        (-module(data).square().mean()).backward()
        optimizer.step()


torch.manual_seed(0)
data = torch.randn(4, 1, 16, 16)
for name, make in MAKE.items():
    trained = make()
    before = trained(data).detach()
    train(trained, data)
    with torch.no_grad():
        after = trained(data)
    loaded = make()
    message = loaded.load_state_dict(trained.state_dict())
    same = all(torch.equal(a, b) for a, b in zip(loaded.parameters(), trained.parameters()))
    with torch.no_grad():
        outputs = [loaded(data) for _ in range(3)]
    moved = float((after - before).norm() / before.norm())
    print(
        f"{name}: training moves the output by {moved:.0%}; {message}, parameters equal: {same},",
        f"output that of the trained one: {torch.allclose(outputs[-1], after)},",
        f"of the untrained one: {torch.equal(outputs[-1], before)}",
    )
    assert moved > 0.05 and same
    assert all(torch.equal(output, before) for output in outputs)
    copied = make()
    with torch.no_grad():
        for own, given in zip(copied.parameters(), trained.parameters()):
            own.copy_(given)
        assert torch.equal(copied(data), before)
    # told by hand, it is the one that was saved
    loaded.has_updated = True
    with torch.no_grad():
        assert torch.allclose(loaded(data), after, atol=1e-6)

scales = {
    (4, 1.0, 16.0): [16.0, 10.08, 6.35, 4.0],
    (5, 1.0, 100.0): [100.0, 56.23, 31.62, 17.78, 10.0],
}
for (number, least, most), expected in scales.items():
    got = temporal_scale_distribution(number, min_scale=least, max_scale=most)
    print(f"{number} temporal scales from {least:g} to {most:g}:", [round(float(scale), 2) for scale in got])
    assert torch.allclose(got, torch.tensor(expected), atol=0.01)
plain = temporal_scale_distribution(5)
print("5 temporal scales without max_scale:", [round(float(scale), 2) for scale in plain])
assert torch.allclose(plain, torch.tensor([1.0, 1.414, 2.0, 2.828, 4.0]), atol=0.01)
field = norse.TemporalReceptiveField((1, 1), n_scales=4, min_scale=1, max_scale=16.0, dt=0.001)
steps = 1 / (0.001 * field.ps.detach().flatten())
print(
    "TemporalReceptiveField(n_scales=4, min_scale=1, max_scale=16), time constants in steps:",
    [round(float(s), 2) for s in steps],
)
assert torch.allclose(steps, torch.tensor(scales[4, 1.0, 16.0]), atol=0.01)
print("as described above")
PYTHON
