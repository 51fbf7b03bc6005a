"""The kernels equal the reference, the reference equals other libraries, and traces are as worked out by hand."""

import shutil
import sys
import sysconfig
from pathlib import Path

import pytest
import snntorch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from snntorch import surrogate as snntorch_surrogate

from kernel_cases import SURROGATES, run
from snnbook import kernels, neurons, surrogates
from snnbook.errors import UserError
from snnbook.kernels import Dynamics, lif_autograd, lif_compiled, lif_reference

# The functions of the same names hide the modules.
lif_autograd_module = sys.modules["snnbook.kernels.autograd"]
lif_compiled_module = sys.modules["snnbook.kernels.compiled"]


@pytest.fixture
def bodies_as_they_are(monkeypatch):
    """The compiled kernel without a compiler: its expressions run one by one."""
    monkeypatch.setattr(lif_compiled_module, "_compiled", lambda body, *_: body)


@pytest.mark.parametrize("kernel", [lif_autograd, lif_compiled])
@pytest.mark.parametrize("surrogate", SURROGATES, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("hard_reset", [True, False])
@pytest.mark.parametrize("detach_reset", [True, False])
@pytest.mark.usefixtures("bodies_as_they_are")
def test_kernels_equal_the_reference(kernel, surrogate, strict, hard_reset, detach_reset):
    torch.manual_seed(0)
    current, weight = torch.randn(5, 3, 4, 6, 6), torch.randn(5, 3, 4, 6, 6)
    current = (current * 8).round() / 8  # some potentials meet the threshold exactly
    dynamics = Dynamics(0.5, surrogate, strict, hard_reset, detach_reset)
    decay = torch.tensor(0.37)
    expected = run(lif_reference, current, dynamics, decay, weight)
    got = run(kernel, current, dynamics, decay, weight)
    assert torch.equal(got[0], expected[0])
    assert 0.05 < got[0].mean() < 0.95
    torch.testing.assert_close(got[1], expected[1], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(got[2], expected[2], rtol=1e-4, atol=1e-4)


@given(
    time_steps=st.integers(1, 6),
    size=st.integers(1, 40),
    decay=st.floats(0.01, 1.0),
    threshold=st.floats(0.1, 2.0),
    seed=st.integers(0, 1000),
)
@settings(max_examples=40, deadline=None)
def test_autograd_kernel_equals_reference_for_any_constants(time_steps, size, decay, threshold, seed):
    generator = torch.Generator().manual_seed(seed)
    current = torch.randn(time_steps, size, generator=generator)
    dynamics = Dynamics(threshold, surrogates.Triangle(1.0))
    expected = run(lif_reference, current, dynamics, decay, current)
    got = run(lif_autograd, current, dynamics, decay, current)
    assert torch.equal(got[0], expected[0])
    torch.testing.assert_close(got[1], expected[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kernel", [lif_autograd, lif_compiled])
@pytest.mark.parametrize("layout", ["contiguous", "channels_last", "repeated", "gaps"])
@pytest.mark.usefixtures("bodies_as_they_are")
def test_memory_layouts_and_blocks(kernel, layout, monkeypatch):
    monkeypatch.setattr(lif_autograd_module, "BLOCK", 50)  # several uneven blocks
    torch.manual_seed(1)
    current = torch.randn(4, 2, 3, 5, 5)
    if layout == "channels_last":
        current = current.flatten(0, 1).to(memory_format=torch.channels_last).unflatten(0, (4, 2))
    elif layout == "repeated":
        current = current[:1].expand(4, -1, -1, -1, -1)
    elif layout == "gaps":
        current = torch.randn(4, 2, 3, 5, 10)[..., ::2]
    weight = torch.randn(4, 2, 3, 5, 5)
    grads = []
    for computed_by in (lif_reference, kernel):
        leaf, decay = current.detach().requires_grad_(), torch.tensor(0.5, requires_grad=True)
        spikes = computed_by(leaf, Dynamics(0.5), decay)
        (spikes * weight).sum().backward()
        grads.append((spikes, leaf.grad, decay.grad))
    assert torch.equal(grads[0][0], grads[1][0])
    torch.testing.assert_close(grads[0][1:], grads[1][1:], rtol=1e-4, atol=1e-5)
    assert layout != "channels_last" or grads[1][0].flatten(0, 1).is_contiguous(
        memory_format=torch.channels_last
    )


def test_bfloat16_spikes_equal_the_reference():
    current = torch.randn(4, 1000).to(torch.bfloat16)
    spikes = lif_autograd(current, Dynamics(0.5), 0.25)
    assert spikes.dtype == torch.bfloat16
    assert torch.equal(spikes, lif_reference(current, Dynamics(0.5), 0.25))


def test_torch_compile_keeps_one_graph():
    """Forward and backward are traced whole; the backend needs no C++ compiler."""
    lif, plif = neurons.preset("joint_asnn", time_steps=3), neurons.PLIF(0.5, time_steps=3)
    network = torch.nn.Sequential(torch.nn.Conv2d(2, 4, 3), lif, torch.nn.Conv2d(4, 4, 3), plif)
    x = torch.randn(6, 2, 8, 8)
    results = []
    for f in (network, torch.compile(network, backend="aot_eager", fullgraph=True)):
        network.zero_grad()
        y = f(x)
        y.square().sum().backward()
        results.append([y, *(p.grad.clone() for p in network.parameters())])
    for got, expected in zip(*results, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


HEADERS = Path(sysconfig.get_path("include"), "Python.h").is_file()


@pytest.mark.skipif(shutil.which("g++") is None or not HEADERS, reason="no C++ compiler, or no headers")
def test_compiled_bodies_equal_the_reference():
    torch.manual_seed(2)
    current, weight = torch.randn(3, 2, 5, 4, 4), torch.randn(3, 2, 5, 4, 4)
    expected = run(lif_reference, current, Dynamics(0.5), 0.25, weight)
    got = run(lif_compiled, current, Dynamics(0.5), 0.25, weight)
    assert torch.equal(got[0], expected[0])
    torch.testing.assert_close(got[1], expected[1], rtol=1e-5, atol=1e-6)


def test_kernel_saves_one_tensor_a_step():
    current = torch.randn(4, 1000, requires_grad=True)
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: saved.append(x.numel()) or x, lambda x: x):
        lif_autograd(current, Dynamics(), 0.5)
    assert saved == [4 * 1000]


@pytest.mark.parametrize(("current", "expected"), [(0.4, [0, 1] * 4), (0.375, [0] * 8)])
def test_trace_of_the_joint_asnn_neuron(current, expected):
    lif = neurons.preset("joint_asnn", time_steps=8)
    assert lif(torch.full((8, 1), current)).flatten().tolist() == expected


@pytest.mark.parametrize("name", ["tet", "sastc"])
@pytest.mark.parametrize(("current", "expected"), [(1.0, [0, 1] * 4), (0.7, [0, 1] * 4), (0.5, [0] * 8)])
def test_trace_of_the_other_papers_neurons(name, current, expected):
    """Decay and threshold of 1/2 and 1; at the threshold they are silent."""
    lif = neurons.preset(name, time_steps=8)
    assert lif(torch.full((8, 1), current)).flatten().tolist() == expected


@pytest.mark.parametrize("reset_delay", [True, False])
@pytest.mark.parametrize("kernel", ["reference", "autograd"])
def test_equals_snntorch(kernel, reset_delay, monkeypatch):
    """snnTorch detaches the reset when it delays it; spikes and gradients agree to the last bits."""
    monkeypatch.setenv("SNNBOOK_KERNEL", kernel)
    torch.manual_seed(0)
    current, weight = torch.randn(50, 200), torch.randn(50, 200)
    leaky = snntorch.Leaky(
        beta=0.5, reset_mechanism="zero", spike_grad=snntorch_surrogate.atan(2.0), reset_delay=reset_delay
    )
    ours = neurons.LIF(0.5, 1.0, surrogates.ATan(2.0), detach_reset=reset_delay, time_steps=50)

    def theirs(x):
        potential, spikes = leaky.reset_mem(), []
        for c in x:
            spike, potential = leaky(c, potential)
            spikes.append(spike)
        return torch.stack(spikes)

    results = []
    for f in (theirs, ours):
        x = current.clone().requires_grad_()
        spikes = f(x)
        (spikes * weight).sum().backward()
        results.append((spikes.detach(), x.grad))
    assert torch.equal(results[0][0], results[1][0])
    torch.testing.assert_close(results[0][1], results[1][1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("reset", ["hard", "soft"])
@pytest.mark.parametrize("detach", [True, False])
def test_equals_spikingjelly(reset, detach):
    jelly = pytest.importorskip("spikingjelly.activation_based")
    from spikingjelly.activation_based import neuron, surrogate

    del jelly
    torch.manual_seed(0)
    current, weight = torch.randn(50, 200), torch.randn(50, 200)
    theirs = neuron.LIFNode(
        tau=2.0,
        decay_input=False,
        v_reset=0.0 if reset == "hard" else None,
        detach_reset=detach,
        surrogate_function=surrogate.ATan(2.0),
        step_mode="m",
    )
    ours = neurons.LIF(
        0.5, 1.0, surrogates.ATan(2.0), strict=False, reset=reset, detach_reset=detach, time_steps=50
    )
    results = []
    for f in (theirs, ours):
        x = current.clone().requires_grad_()
        spikes = f(x)
        (spikes * weight).sum().backward()
        results.append((spikes.detach(), x.grad))
    assert torch.equal(results[0][0], results[1][0])
    torch.testing.assert_close(results[0][1], results[1][1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("surrogate", SURROGATES, ids=lambda s: type(s).__name__)
def test_surrogate_is_the_derivative_of_its_smooth_step(surrogate):
    x = torch.linspace(-1.9, 1.93, 400, dtype=torch.float64)
    h = 1e-6
    slope = (surrogate.smooth(x + h) - surrogate.smooth(x - h)) / (2 * h)
    torch.testing.assert_close(surrogate.derivative(x), slope, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("surrogate", SURROGATES, ids=lambda s: type(s).__name__)
def test_a_smooth_step_rises_from_zero_to_the_area_of_its_derivative(surrogate):
    area = 1.5 * 0.5 if isinstance(surrogate, surrogates.RelativeTriangle) else 1.0
    x = torch.tensor([-1e9, 0.0, 1e9], dtype=torch.float64)
    assert surrogate.smooth(x).tolist() == pytest.approx([0, area / 2, area], abs=1e-6)


@pytest.mark.parametrize(("dtype", "error"), [(torch.float32, 1e-5), (torch.bfloat16, 0.15)])
@pytest.mark.parametrize("k", [1.0, 10.0, 16.0])
def test_a_sigmoids_tails_are_alike_and_nowhere_zero(k, dtype, error):
    """Above the threshold ``s`` of ``s (1 - s)`` rounds to 1, and the slope would to 0."""
    x = torch.linspace(0, 20 / k, 41).to(dtype)
    right, left = (surrogates.Sigmoid(k).derivative(side) for side in (x, -x))
    assert torch.equal(right, left) and right.min() > 0
    exact = k / (4 * torch.cosh(k * x.double() / 2) ** 2)
    torch.testing.assert_close(right.double(), exact, rtol=error, atol=0)


def test_surrogate_values():
    x = torch.tensor([0.0, -0.5, 1.0, -1.0])
    assert surrogates.Triangle(1.0).derivative(x).tolist() == [1, 0.5, 0, 0]
    potentials = torch.tensor([0.5, 0.99, 1.01, -0.01])
    assert surrogates.Rectangle(1.0).derivative(potentials - 0.5).tolist() == [1, 1, 0, 0]
    # Both papers' triangles are one where threshold and width are 1.
    assert torch.equal(
        surrogates.RelativeTriangle(1.0, 1.0).derivative(x), surrogates.Triangle(1.0).derivative(x)
    )


def test_ties_fire_only_if_not_strict():
    at_threshold = torch.tensor([[1.0]])
    assert neurons.LIF(strict=True)(at_threshold).item() == 0
    assert neurons.LIF(strict=False)(at_threshold).item() == 1


def test_if_never_leaks_and_plif_learns_its_decay():
    current = torch.full((4, 1), 0.3)
    assert neurons.IF(time_steps=4)(current).flatten().tolist() == [0, 0, 0, 1]
    plif = neurons.PLIF(decay=0.5, time_steps=4)
    assert plif.decay.item() == pytest.approx(0.5)
    plif(torch.full((4, 10), 0.4)).sum().backward()
    assert plif.w.grad.item() > 0  # less leak, more spikes


@pytest.mark.parametrize("kind", [neurons.LIF, neurons.PLIF])
def test_shapes_alone_are_found_on_the_meta_device(kind):
    neuron, current = kind(time_steps=4).to("meta"), torch.zeros(8, 3, device="meta", requires_grad=True)
    spikes = neuron(current)
    spikes.sum().backward()
    assert spikes.is_meta and spikes.shape == current.grad.shape == (8, 3)
    assert repr(neuron).startswith(kind.__name__)
    assert all(p.grad.shape == p.shape for p in neuron.parameters())


@pytest.mark.parametrize(
    "wrong",
    [dict(decay=0.0), dict(decay=1.5), dict(threshold=0.0), dict(reset="none")],
)
def test_senseless_neurons_are_refused(wrong):
    with pytest.raises(UserError, match="expected"):
        neurons.LIF(**wrong)


def test_bad_input_is_refused():
    with pytest.raises(UserError, match=r"call \.float"):
        neurons.LIF()(torch.ones(2, 3, dtype=torch.long))
    with pytest.raises(UserError, match="multiple of T = 3"):
        neurons.LIF(time_steps=3)(torch.ones(4, 3))
    with pytest.raises(UserError, match="expected one of joint_asnn"):
        neurons.preset("tte")


def test_unknown_kernel_is_refused(monkeypatch):
    monkeypatch.setenv("SNNBOOK_KERNEL", "warp")
    with pytest.raises(UserError, match="expected one of reference, autograd"):
        kernels.kernel_name()


def test_the_kernel_is_chosen_by_device_and_type(monkeypatch):
    monkeypatch.delenv("SNNBOOK_KERNEL", raising=False)
    assert kernels.kernel_name("cpu") == kernels.kernel_name("cuda", torch.float64) == "autograd"
    assert kernels.kernel_name("cuda") == ("triton" if kernels.INSTALLED else "autograd")
    monkeypatch.setenv("SNNBOOK_KERNEL", "reference")
    assert kernels.kernel_name("cuda") == "reference"


def test_a_surrogate_in_thresholds_follows_the_neurons():
    neuron = neurons.LIF(threshold=0.5, surrogate=surrogates.RelativeTriangle(threshold=0.5))
    neuron.threshold = 1.0
    assert neuron.dynamics.surrogate == surrogates.RelativeTriangle(threshold=1.0)
