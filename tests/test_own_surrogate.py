"""A surrogate of one's own: any neuron takes it, on every kernel, with the gradient it asks for."""

import importlib
import os
import subprocess
import sys
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from bad_input import one_line
from kernel_cases import SURROGATES, run
from snnbook import kernels, neurons, surrogates
from snnbook.folding import SpikingNetwork
from snnbook.kernels import KERNELS, Dynamics, lif_reference
from snnbook.surrogates import Surrogate

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
NAMES = ["triton"] if INTERPRETED else ["reference", "autograd", "compiled"]


@dataclass(frozen=True)
class Tent(Surrogate):
    """With a parameter and a smooth step, as the built-in ones."""

    width: float = 1.0

    def derivative(self, x):
        return (1 - x.abs() / self.width).clamp(min=0)

    def smooth(self, x):
        return self.width * surrogates.Triangle(1.0).smooth(x / self.width)


class Plain(Surrogate):
    """The least there can be."""

    def derivative(self, x):
        return torch.exp(-x.abs())


class Constant(Surrogate):
    """A number, not a tensor."""

    def derivative(self, x):
        return 0.5


class Untraceable(Surrogate):
    """What no compiler can read: NumPy, a decision by value, a state of its own."""

    def __init__(self):
        self.calls = []

    def derivative(self, x):
        self.calls.append(float(x.detach().mean()))
        if self.calls[-1] > 1e9:
            return x
        return torch.from_numpy(1 / (1 + x.detach().double().numpy() ** 2)).to(x.dtype)


@dataclass
class Unhashable(Surrogate):
    k: float = 2.0

    def derivative(self, x):
        return 1 / (1 + (self.k * x) ** 2)


class BySlopeOfAnother(Surrogate):
    """Calls autograd inside."""

    def derivative(self, x):
        with torch.enable_grad():
            y = x.detach().requires_grad_()
            (slope,) = torch.autograd.grad(torch.sigmoid(4 * y).sum(), y)
        return slope


OWN = [Tent(0.7), Plain(), Constant(), Untraceable(), Unhashable(), BySlopeOfAnother()]


def by_hand(current, surrogate, weight, hard):
    """Backpropagation through time, as chapter 2 writes it; threshold and decay 0.5."""
    h, s, u = [], [], torch.zeros_like(current[0])
    for c in current:
        h.append(0.5 * u + c)
        s.append((h[-1] > 0.5).to(c.dtype))
        u = h[-1] * (1 - s[-1]) if hard else h[-1] - 0.5 * s[-1]
    a, result = torch.zeros_like(current[0]), []
    for t in reversed(range(len(current))):
        slope = surrogate.derivative(h[t] - 0.5)
        moved = weight[t] - a * (h[t] if hard else 0.5)
        d = moved * slope + (a * (1 - s[t]) if hard else a)
        result.append(d)
        a = 0.5 * d
    return torch.stack(s), torch.stack(result[::-1])


@pytest.mark.parametrize("surrogate", OWN, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("hard", [True, False])
@pytest.mark.parametrize("kernel", NAMES)
def test_every_kernel_takes_it(kernel, hard, surrogate):
    torch.manual_seed(0)
    current, weight = torch.randn(4, 60), torch.randn(4, 60)
    spikes, gradient, _ = run(
        KERNELS[kernel], current, Dynamics(0.5, surrogate, hard_reset=hard), 0.5, weight
    )
    expected = by_hand(current, surrogate, weight, hard)
    assert torch.equal(spikes, expected[0])
    torch.testing.assert_close(gradient, expected[1], rtol=1e-5, atol=1e-6)


@pytest.mark.skipif(not INTERPRETED, reason="the triton kernel runs in the interpreter")
def test_half_precision_keeps_a_float32_potential():
    current = torch.randn(4, 500).to(torch.bfloat16)
    spikes = KERNELS["triton"](current, Dynamics(0.5, Plain()), 0.37)
    assert spikes.dtype == torch.bfloat16
    assert torch.equal(spikes.float(), lif_reference(current.float(), Dynamics(0.5, Plain()), 0.37))


@pytest.mark.parametrize("surrogate", OWN, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("kernel", NAMES)
def test_a_network_trains_with_it(kernel, surrogate, monkeypatch):
    monkeypatch.setenv("SNNBOOK_KERNEL", kernel)
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(1, 3, 3), neurons.preset("tet", surrogate=surrogate), nn.Flatten())
    network = SpikingNetwork(layers, 3)
    network(3 * torch.randn(2, 1, 5, 5)).mean(0).square().sum().backward()
    assert all(p.grad.abs().max() > 0 for p in network.parameters())


@pytest.mark.parametrize("surrogate", [Tent(0.7), Plain(), Unhashable()], ids=lambda s: type(s).__name__)
@pytest.mark.skipif(INTERPRETED, reason="the interpreter changes nothing here")
def test_compiled_networks_trace_it(surrogate):
    torch._dynamo.reset()
    neuron = neurons.LIF(surrogate=surrogate, time_steps=3)
    compiled = torch.compile(neuron, backend="aot_eager", fullgraph=True)
    current = torch.randn(6, 20)
    results = []
    for f in (neuron, compiled):
        leaf = current.clone().requires_grad_()
        (f(2 * leaf) ** 2).sum().backward()
        results.append(leaf.grad)
    torch.testing.assert_close(*results)


@pytest.mark.skipif(INTERPRETED, reason="the interpreter changes nothing here")
def test_what_cannot_be_traced_runs_outside_the_graph():
    torch._dynamo.reset()
    torch.manual_seed(0)
    neuron = neurons.LIF(surrogate=Untraceable(), time_steps=3)
    current = torch.randn(6, 20)
    results = []
    for f in (neuron, torch.compile(neuron, backend="aot_eager")):
        leaf = current.clone().requires_grad_()
        (f(2 * leaf) ** 2).sum().backward()
        results.append(leaf.grad)
    torch.testing.assert_close(*results)


def test_smooth_needs_a_smooth_step():
    for surrogate in (Plain(), Constant(), Untraceable()):
        for make in (neurons.LIF, neurons.PLIF, neurons.IF):
            one_line(
                lambda make=make, s=surrogate: make(surrogate=s, smooth=True),
                type(surrogate).__name__,
                "smooth(x)",
            )
        one_line(lambda s=surrogate: Dynamics(surrogate=s, smooth=True), "smooth(x)")
        one_line(lambda s=surrogate: s.smooth(torch.zeros(1)), "smooth(x)")
    smooth = neurons.LIF(surrogate=Tent(0.7), smooth=True, time_steps=3).double()
    assert torch.autograd.gradcheck(smooth, torch.randn(6, 3, dtype=torch.float64, requires_grad=True))


def test_a_surrogate_needs_a_derivative():
    class Nothing(Surrogate):
        pass

    class NotOne:
        def derivative(self, x):
            return x

    one_line(lambda: neurons.LIF(surrogate=Nothing()), "Nothing has no derivative(x)")
    one_line(lambda: Nothing().derivative(torch.zeros(1)), "Nothing has no derivative(x)")
    for wrong in (NotOne(), Plain, lambda x: x, "plain", None, 1.0):
        one_line(lambda wrong=wrong: neurons.LIF(surrogate=wrong), "subclass of snnbook.surrogates.Surrogate")


def test_a_spike_is_of_a_tensor_and_a_surrogate():
    for x in ([1.0], 1.0, None):
        one_line(lambda x=x: surrogates.spike(x, surrogates.Triangle()), "x is", "expected a tensor")
    for surrogate in (3, None, surrogates.Triangle, torch.relu):
        one_line(
            lambda surrogate=surrogate: surrogates.spike(torch.ones(2), surrogate),
            "surrogate is",
            "Triangle()",
        )


def test_built_in_ones_are_values():
    for surrogate in SURROGATES:
        assert isinstance(surrogate, Surrogate) and type(surrogate) in surrogates.BUILT_IN
        again = type(surrogate)(**vars(surrogate))
        assert again == surrogate and hash(again) == hash(surrogate)
        assert repr(again) == str(surrogate) == repr(surrogate)
        named = surrogates.named(type(surrogate).__name__.lower(), **vars(surrogate))
        assert named == surrogate
        with pytest.raises(AttributeError):
            surrogate.k = 3
    assert str(surrogates.Rectangle(1.0)) == "Rectangle(width=1.0)"
    for wrong in ("nosuch", 3, None, ["sigmoid"]):
        one_line(lambda wrong=wrong: surrogates.named(wrong), "expected one of rectangle")


def test_the_kernels_package_chooses_it_by_itself(monkeypatch):
    """Without any variable set, on this machine's devices."""
    monkeypatch.delenv("SNNBOOK_KERNEL", raising=False)
    current = torch.randn(3, 10, requires_grad=True)
    kernels.lif(current, Dynamics(0.5, Constant()), 0.5)[2].sum().backward()
    assert current.grad[2].eq(0.5).all()


@pytest.mark.skipif(
    INTERPRETED or not importlib.import_module("snnbook.kernels.triton").INSTALLED,
    reason="needs triton; this is the interpreter already",
)
def test_the_triton_kernel_in_the_interpreter():
    environment = os.environ | {"TRITON_INTERPRET": "1", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", __file__]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
