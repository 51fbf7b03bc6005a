"""What a neuron may be given: numbers, or parameters that are really trained; everything else in one line."""

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from bad_input import one_line
from kernel_cases import SURROGATES
from snnbook import neurons, surrogates
from snnbook.folding import SpikingNetwork
from snnbook.kernels import KERNELS, Dynamics, lif_autograd, lif_reference

SENSELESS = [
    float("nan"),
    float("inf"),
    -float("inf"),
    0,
    -1.0,
    True,
    "0.5",
    None,
    1j,
    [0.5],
    np.array([0.5]),
    np.float32("nan"),
    torch.tensor(0.5),
    torch.ones(3),
    nn.Parameter(torch.tensor(0.5)),
]


@pytest.mark.parametrize("value", SENSELESS, ids=repr)
def test_senseless_decays_and_thresholds(value):
    for name in ("decay", "threshold"):
        for kind in (neurons.LIF, neurons.PLIF):
            one_line(lambda kind=kind, name=name: kind(**{name: value}), f"{name} ", "expected")
            neuron = kind(learn_threshold=True)
            one_line(lambda neuron=neuron, name=name: setattr(neuron, name, value), f"{name} ", "expected")
        one_line(lambda name=name: neurons.preset("tet", **{name: value}), name)


def test_what_a_kind_of_neuron_is_cannot_be_set():
    one_line(lambda: neurons.IF(decay=0.5), "never leaks")
    one_line(lambda: neurons.PLIF(learn_decay=False), "always learns")
    one_line(lambda: setattr(neurons.IF(), "decay", 0.5), "never leaks")
    parameter = nn.Parameter(torch.tensor(0.5))
    for kind, name in ((neurons.PLIF, "decay"), (neurons.LIF, "threshold")):
        one_line(lambda kind=kind, name=name: setattr(kind(), name, parameter), f"learn_{name}=True")


@pytest.mark.parametrize("value", [x for x in SENSELESS if not isinstance(x, torch.Tensor)], ids=repr)
@pytest.mark.parametrize("kind", surrogates.BUILT_IN)
def test_senseless_surrogates(kind, value):
    for name in kind.__dataclass_fields__:
        one_line(lambda name=name: kind(**{name: value}), name, kind.__name__, "finite number above 0")
    one_line(lambda: kind(torch.tensor(1.0)), "finite number above 0")


@pytest.mark.parametrize(
    "kind", [surrogates.Rectangle, surrogates.Triangle, surrogates.DSpike, surrogates.ATan]
)
@pytest.mark.parametrize("value", [1e-300, 1e300])
def test_surrogates_whose_derivative_no_number_holds(kind, value):
    if kind is surrogates.DSpike and value < 1:
        assert float(kind(value).derivative(torch.zeros(1))) == 1  # the rectangle that it tends to
    else:
        one_line(lambda: kind(value), "slope", "extreme")


@pytest.mark.parametrize(
    ("wrong", "part"),
    [
        (dict(reset="none"), "expected 'hard'"),
        (dict(reset=None), "expected 'hard'"),
        (dict(strict="no"), "strict"),
        (dict(detach_reset=1), "detach_reset"),
        (dict(smooth=None), "smooth"),
        (dict(learn_decay="yes"), "learn_decay"),
        (dict(learn_threshold=0), "learn_threshold"),
        (dict(scale_input=2), "scale_input"),
        (dict(surrogate=surrogates.Triangle), "Triangle()"),
        (dict(surrogate="triangle"), "Triangle()"),
        (dict(surrogate=None), "Triangle()"),
        (dict(decay=1, learn_decay=True), "in (0, 1)"),
        (dict(decay=1, scale_input=True), "leaves no input"),
        (dict(decay=1.5), "in (0, 1]"),
        (dict(decay=1e-60, learn_decay=True), "learned from there"),
        (dict(decay=1 - 1e-12, learn_decay=True), "learned from there"),
        (dict(threshold=1e-60, learn_threshold=True), "learned from there"),
        (
            dict(threshold=0.5, surrogate=surrogates.RelativeTriangle(), learn_threshold=True),
            "Triangle(0.5)",
        ),
    ],
    ids=str,
)
def test_other_senseless_arguments(wrong, part):
    one_line(lambda: neurons.LIF(**wrong), part)
    one_line(lambda: neurons.preset("tet", **wrong), part)


def test_a_current_needs_a_leading_axis_and_a_point():
    one_line(lambda: neurons.LIF()(torch.tensor(1.0)), "leading axis")
    one_line(lambda: neurons.LIF()(torch.ones(2, dtype=torch.bool)), ".float()")


@pytest.mark.parametrize("number", [np.float32, np.float64, np.int64, float, int])
def test_numbers_of_any_kind(number):
    neuron = neurons.LIF(decay=number(1), threshold=number(2), surrogate=surrogates.Triangle(number(3)))
    assert [type(x) for x in (neuron.decay, neuron.threshold, neuron.dynamics.surrogate.gamma)] == [float] * 3
    assert str(neuron.dynamics.surrogate) == "Triangle(gamma=3.0)"
    assert hash(neuron.dynamics.surrogate) == hash(surrogates.Triangle(3.0))


def run(neuron, current):
    """Spikes, and gradients of a loss that is not linear, by name."""
    leaf = current.clone().requires_grad_()
    spikes = neuron(leaf)
    weight = torch.randn(spikes.shape, generator=torch.Generator().manual_seed(1), dtype=spikes.dtype)
    (weight * spikes).sum().sin().backward()
    return spikes.detach(), {"current": leaf.grad, **{k: p.grad for k, p in neuron.named_parameters()}}


OPTIONS = [
    dict(reset=reset, detach_reset=detach, strict=strict)
    for reset in ("hard", "soft")
    for detach in (True, False)
    for strict in (True, False)
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("kernel", [k for k in KERNELS if k != "triton"])
def test_a_learned_threshold_has_autograds_gradient(options, kernel, monkeypatch):
    """Whatever kernel is asked for; the recurrence is written out here once more."""
    monkeypatch.setenv("SNNBOOK_KERNEL", kernel)
    torch.manual_seed(0)
    current = torch.randn(5 * 6, 7).double()
    surrogate = surrogates.ATan()
    neuron = neurons.LIF(0.6, 0.4, surrogate, time_steps=5, learn_decay=True, learn_threshold=True, **options)
    neuron = neuron.double()
    neuron.decay, neuron.threshold = 0.6, 0.4
    spikes, found = run(neuron, current)

    w, v = (torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (math.log(1.5), math.log(0.4)))
    c = current.clone().requires_grad_()
    u, expected = 0, []
    for step in c.unflatten(0, (5, 6)):
        u = torch.sigmoid(w) * u + step
        s = surrogates.spike(u - v.exp(), surrogate, options["strict"])
        expected.append(s)
        fired = s.detach() if options["detach_reset"] else s
        u = u * (1 - fired) if options["reset"] == "hard" else u - v.exp() * fired
    expected = torch.cat(expected)
    weight = torch.randn(spikes.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    (weight * expected).sum().sin().backward()
    assert torch.equal(spikes, expected)
    for name, leaf in {"current": c, "w": w, "v": v}.items():
        torch.testing.assert_close(found[name], leaf.grad)
        assert leaf.grad.abs().max() > 1e-6


def test_a_learned_threshold_of_a_smooth_neuron_passes_finite_differences():
    neuron = neurons.LIF(
        0.6, 0.4, surrogates.Sigmoid(3.0), smooth=True, time_steps=4, learn_threshold=True, learn_decay=True
    ).double()
    current = torch.randn(8, 3, dtype=torch.float64, requires_grad=True)

    def value(c, w, v):
        return torch.func.functional_call(neuron, {"w": w, "v": v}, (c,))

    assert torch.autograd.gradcheck(value, (current, neuron.w, neuron.v))


@pytest.mark.parametrize("kernel", [k for k in KERNELS if k != "triton"])
def test_a_kernel_given_a_tensor_threshold_does_not_drop_its_gradient(kernel):
    current, threshold = torch.randn(4, 50), torch.tensor(0.4, requires_grad=True)
    KERNELS[kernel](current, Dynamics(threshold, surrogates.ATan()), 0.5).sum().backward()
    assert threshold.grad.abs() > 1e-3
    one_line(lambda: Dynamics(torch.ones(3)), "one number for the whole layer")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["decay", "threshold"])
def test_what_is_learned_is_trained_saved_and_set(name):
    torch.manual_seed(0)
    neuron = neurons.preset("tet", time_steps=4, learn_decay=True, learn_threshold=True)
    optimizer = torch.optim.SGD(neuron.parameters(), lr=0.05)
    current = torch.rand(40, 20)
    before = getattr(neuron, name).item()
    for _ in range(5):
        optimizer.zero_grad()
        (neuron(current).mean() - 0.9).square().mul(50).backward()
        optimizer.step()
    assert getattr(neuron, name).item() != before
    assert neuron.decay > 0.5 and neuron.threshold < 1.0  # both make more spikes
    twin = neurons.preset("tet", time_steps=4, learn_decay=True, learn_threshold=True)
    twin.load_state_dict(neuron.state_dict())
    assert torch.equal(twin(current), neuron(current))
    known = {id(p) for group in optimizer.param_groups for p in group["params"]}
    setattr(neuron, name, 0.3)
    assert getattr(neuron, name).item() == pytest.approx(0.3)
    assert {id(p) for p in neuron.parameters()} == known
    assert f"{name}=0.3" in repr(neuron)


def test_plain_neurons_have_no_parameters_and_their_numbers_may_be_set():
    neuron = neurons.LIF(time_steps=2)
    assert not neuron.state_dict()
    neuron.threshold, neuron.decay = 0.25, 0.75
    assert (neuron.dynamics.threshold, neuron.threshold, neuron.decay) == (0.25, 0.25, 0.75)
    assert torch.equal(neuron(torch.full((2, 1), 0.3)), torch.ones(2, 1))


@given(decay=st.floats(0.05, 0.95), seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_scaled_input_is_the_equation_of_fang(decay, seed):
    """u[t] = u[t-1] + (c[t] - u[t-1]) / tau; gradients of the decay go both ways."""
    current = 4 * torch.randn(6, 50, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    plif = neurons.PLIF(decay, scale_input=True, surrogate=surrogates.ATan(), time_steps=6).double()
    plif.decay = decay
    spikes, found = run(plif, current)
    w = torch.tensor(math.log(decay / (1 - decay)), dtype=torch.float64, requires_grad=True)
    u, expected = torch.zeros(50), []
    for c in current:
        u = u + torch.sigmoid(-w) * (c - u)  # 1 / tau
        expected.append(surrogates.spike(u - 1, surrogates.ATan()))
        u = u * (1 - expected[-1])
    expected = torch.stack(expected)
    weight = torch.randn(spikes.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    (weight * expected).sum().sin().backward()
    assert torch.equal(spikes, expected)
    torch.testing.assert_close(found["w"], w.grad)


def test_scaled_input_equals_spikingjelly():
    jelly = pytest.importorskip("spikingjelly.activation_based.neuron")
    current = 3 * torch.randn(20, 100, generator=torch.Generator().manual_seed(0))
    theirs = jelly.ParametricLIFNode(init_tau=4.0, v_reset=0.0, step_mode="m")
    ours = neurons.PLIF(0.75, scale_input=True, strict=False, time_steps=20)
    assert (theirs(current) == ours(current)).float().mean() > 0.999  # rounding differs


@pytest.mark.parametrize("kernel", [k for k in KERNELS if k != "triton"])
def test_the_decays_gradient_has_the_precision_of_the_current(kernel, monkeypatch):
    monkeypatch.setenv("SNNBOOK_KERNEL", kernel)
    if kernel == "compiled":
        module = __import__("sys").modules["snnbook.kernels.compiled"]
        monkeypatch.setattr(module, "_compiled", lambda body, *_: body)
    torch.manual_seed(0)
    current = torch.randn(6, 4000, dtype=torch.float64)
    found = []
    for computed_by in (lif_reference, KERNELS[kernel]):
        decay = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
        computed_by(current, Dynamics(0.5, surrogates.ATan()), decay).sum().backward()
        found.append(decay.grad)
    torch.testing.assert_close(found[1], found[0], rtol=1e-13, atol=0)
    # And a number is as exact as the current is.
    assert torch.equal(KERNELS[kernel](current, Dynamics(), 0.1), lif_reference(current, Dynamics(), 0.1))


def test_a_float64_number_stays_one_in_compiled_networks():
    torch._dynamo.reset()
    neuron = neurons.LIF(0.1, 1.0, surrogates.ATan(), time_steps=3)
    current = torch.randn(3, 200, dtype=torch.float64)
    compiled = torch.compile(neuron, backend="aot_eager", fullgraph=True)
    for got, want in zip(run(compiled, current)[1].values(), run(neuron, current)[1].values(), strict=True):
        torch.testing.assert_close(got, want, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize(
    "options",
    [
        dict(learn_threshold=True),
        dict(learn_threshold=True, learn_decay=True, reset="soft"),
        dict(scale_input=True),
    ],
    ids=str,
)
def test_new_neurons_compile_to_one_graph(options):
    torch._dynamo.reset()
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Conv2d(2, 3, 3), neurons.LIF(surrogate=surrogates.ATan(), **options), nn.Flatten()
    )
    network = SpikingNetwork(layers, 3)
    x = torch.randn(2, 2, 5, 5)
    found = []
    for f in (network, torch.compile(copy.deepcopy(network), backend="aot_eager", fullgraph=True)):
        f(x).square().sum().backward()
        found.append([p.grad for p in f.parameters()])
    for got, want in zip(*found, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("surrogate", SURROGATES, ids=str)
def test_a_surrogate_of_a_built_in_one_keeps_its_own_derivative(surrogate):
    """A subclass of Rectangle is no Rectangle to a fast path that knows its shape."""

    class Half(type(surrogate)):
        def derivative(self, x):
            return super().derivative(x) / 2

    half = Half(**vars(surrogate))
    current = torch.randn(1, 100)
    slopes = []
    for kernel in (lif_reference, lif_autograd):
        for s in (surrogate, half):
            leaf = current.clone().requires_grad_()
            kernel(leaf, Dynamics(0.5, s), 0.5).sum().backward()
            slopes.append(leaf.grad)
    torch.testing.assert_close(slopes[1], slopes[0] / 2)
    torch.testing.assert_close(slopes[3], slopes[2] / 2)
