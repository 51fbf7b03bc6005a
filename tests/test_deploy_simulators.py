"""Exports run by the libraries themselves, and those libraries' own exports read: `make simulators` has all."""

import contextlib
import io

import pytest
import torch
from torch import nn

from export_cases import Branches, images, layers, network, neurons
from snnbook import IF, LIF, NetworkConfig, build_snn
from snnbook.deploy import from_nir, simulators, to_nir
from snnbook.deploy.targets import TARGETS

pytest.importorskip("nir", reason="needs the extra deploy")
LIBRARIES = [
    pytest.param(name, marks=pytest.mark.skipif(not simulators.installed(name), reason=f"{name} is not here"))
    for name in TARGETS
]


@pytest.mark.parametrize("kind", ["lif", "if", "plif", "learned"])
@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("target", LIBRARIES)
def test_random_decays_and_both_strictnesses_spike_for_spike(target, strict, kind):
    drawn = torch.Generator().manual_seed(len(kind) + strict)
    for seed in range(3):
        decay, threshold = torch.rand(2, generator=drawn).mul(0.9).add(0.05).tolist()
        for make in (lambda n: layers(n, nn.MaxPool2d), layers, Branches):
            made = network(make(neurons(decay, threshold, strict)[kind]), seed=seed)
            out = to_nir(made, images(seed=seed), target)
            assert out.by.startswith(target) and out.differing == 0 and out.spikes > 0
            assert torch.equal(from_nir(out.graph).network(images()), made(images()))


@pytest.mark.parametrize("target", LIBRARIES)
@pytest.mark.parametrize("name", ["convnet", "vgg16", "resnet18", "resnet19", "sew_resnet34", "dense"])
def test_networks_of_the_book(name, target):
    torch.manual_seed(0)
    size = 32 if name == "sew_resnet34" else 16
    config = NetworkConfig(name, width=4, time_steps=3, neuron="tet", neuron_options={"decay": 0.61})
    made = build_snn(config, 10, 3)
    for _ in range(3):
        made(2 * torch.randn(8, 3, size, size))
    out = to_nir(made, 2 * torch.randn(4, 3, size, size), target)
    assert out.by.startswith(target) and out.differing == 0 and out.spikes > 100 and out.outputs < 1e-3


@pytest.mark.parametrize("target", LIBRARIES)
@pytest.mark.parametrize("strict", [True, False])
def test_ties_are_decided_by_the_threshold_that_is_written(target, strict):
    """On a grid potentials equal the threshold often.  norse's own sum rounds otherwise, and it is said."""
    made = network(layers(lambda: LIF(0.5, 1.0, strict=strict), head=False))
    made.backbone[1] = nn.Identity()
    with torch.no_grad():
        for p in made.parameters():
            p.copy_((p * 4).round() / 4)
    x = (images() * 2).round() / 2
    out = to_nir(made, x, target)
    assert out.differing == 0 or target == "norse"
    other = network(layers(lambda: LIF(0.5, 1.0, strict=not strict), head=False))
    other.backbone[1] = nn.Identity()
    other.load_state_dict(made.state_dict())
    assert not torch.equal(other(x), made(x))  # strictness matters here


def agree(source, graph, step, x):
    """The library's own network, called step by step, and what is read of its export."""
    with torch.no_grad():
        theirs = torch.stack([step(frame) for frame in x])
        read = from_nir(graph, len(x), source)
    assert torch.equal(read.network(x), theirs) and theirs.sum() > 20 and read.assumed


def test_an_export_of_snntorch_is_read():
    snn = pytest.importorskip("snntorch")
    pytest.importorskip("nirtorch")
    from snntorch.export_nir import export_to_nir

    def leaky(n, beta, threshold):
        options = dict(reset_mechanism="zero", init_hidden=True, reset_delay=False)
        return snn.Leaky(beta=torch.full((n,), beta), threshold=torch.full((n,), threshold), **options)

    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.Flatten(), nn.Linear(108, 20), leaky(20, 0.8, 0.3))
    net.extend([nn.Linear(20, 5, bias=False), leaky(5, 0.6, 0.2)])
    with contextlib.redirect_stdout(io.StringIO()):
        graph = export_to_nir(net, torch.rand(1, 2, 6, 6), ignore_dims=[0])
    for m in net.modules():
        if isinstance(m, snn.Leaky):
            m.reset_mem()
    agree("snntorch", graph, net, 2 * torch.randn(20, 4, 2, 6, 6))


@pytest.mark.parametrize("decay_input", [True, False])
def test_an_export_of_spikingjelly_is_read(decay_input):
    pytest.importorskip("spikingjelly")
    pytest.importorskip("nirtorch")
    from spikingjelly.activation_based import functional, layer, neuron, nir_exchange

    torch.manual_seed(0)
    first = neuron.LIFNode(tau=2.5, decay_input=decay_input, v_threshold=0.3)
    net = nn.Sequential(layer.Conv2d(2, 3, 3, padding=1), first, layer.AvgPool2d(2), layer.Flatten())
    net.extend([layer.Linear(27, 5), neuron.IFNode(v_threshold=0.5)])
    net[4].bias.data += 0.5
    graph = nir_exchange.export_to_nir(net, torch.rand(1, 2, 6, 6))
    functional.reset_net(net)
    agree("spikingjelly", graph, net, 8 * torch.randn(20, 4, 2, 6, 6))


def test_an_export_of_norse_is_read():
    norse = pytest.importorskip("norse.torch")

    def box(tau, threshold):
        return norse.LIFBoxCell(
            norse.LIFBoxParameters(tau_mem_inv=torch.tensor(1 / tau), v_th=torch.tensor(threshold))
        )

    torch.manual_seed(0)
    net = norse.SequentialState(nn.Linear(6, 8), box(3e-3, 0.3), nn.Linear(8, 5), box(5e-3, 0.1))
    graph, state = norse.to_nir(net, torch.rand(1, 6)), [None]

    def step(frame):
        output, state[0] = net(frame.flatten(1), state[0])
        return output

    agree("norse", graph, step, 3 * torch.randn(20, 4, 6, 1, 1))


@pytest.mark.parametrize("target", LIBRARIES)
def test_one_graph_is_read_in_four_ways(target):
    """What was written for another library, or for none, is read without a word, and otherwise."""
    made = network(layers(lambda: LIF(0.9, 1.0), head=False))
    ours, differ = made(images()), {}
    for other in (None, *TARGETS):
        with contextlib.suppress(Exception):  # some do not load
            graph = to_nir(made, images(), other).graph
            differ[other] = int((simulators.run(graph, target, images())[0] != ours).sum())
    assert differ[target] == 0
    assert any(differ.get(other, 1) for other in ("norse", "sinabs") if other != target)


def test_a_neuron_that_never_leaks_is_none_of_its_cousins():
    made = network(layers(IF, head=False))
    for name in TARGETS:
        if simulators.installed(name):
            assert to_nir(made, images(), name).differing == 0
