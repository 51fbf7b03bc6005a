"""Backbones, folded time and exits: shapes, counts from the papers, and equality with a loop over time."""

import pytest
import torch
from torch import nn

from snnbook import folding, neurons
from snnbook.backbones import MultiExit, NetworkConfig, build_ann, build_backbone, build_snn
from snnbook.errors import UserError


def small(name="resnet18", time_steps=3):
    torch.manual_seed(0)
    return build_snn(NetworkConfig(name, width=8, time_steps=time_steps), 10, 3)


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "vgg16"])
@pytest.mark.parametrize("size", [32, 64])
def test_shapes(name, size):
    images = torch.randn(2, 3, size, size)
    snn = small(name)
    assert snn(images).shape == (3, 2, 10)
    assert [f.shape[2] for f in snn.features(images)] == [8, 8, 16, 32, 64]
    assert build_ann(NetworkConfig(name, width=8), 10)(images).shape == (2, 10)


def test_ann_and_snn_are_one_network():
    """Every parameter has the same name and shape in both; only the activations differ."""
    config = NetworkConfig("resnet18", width=8)
    shapes = lambda net: {n: p.shape for n, p in net.state_dict().items()}  # noqa: E731
    assert shapes(build_ann(config, 10)) == shapes(build_snn(config, 10).backbone)


@pytest.mark.parametrize(("name", "macs"), [("resnet18", 555_422_720)])
def test_multiply_accumulates_of_the_paper_network(name, macs):
    total = 0

    def count(layer, inputs, output):
        nonlocal total
        weight = layer.weight
        total += weight.numel() * (output[0, 0].numel() if output.dim() == 4 else 1)

    ann = build_backbone(name, 10)
    for layer in ann.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(count)
    ann(torch.randn(1, 3, 32, 32))
    assert total == macs


def test_folded_time_equals_a_loop_over_time():
    """In evaluation each layer treats steps alike, so running step by step with kept potentials must agree."""
    snn, images = small().eval(), torch.rand(2, 3, 16, 16)
    expected = snn(images)

    # The same network, one step at a time: each neuron sees the currents of all steps so far.
    seen = {}

    def step_by_step(neuron):
        def forward(current):
            seen.setdefault(neuron, []).append(current)
            neuron.time_steps = len(seen[neuron])
            spikes = type(neuron).forward(neuron, torch.cat(seen[neuron]))
            return folding.unfold(spikes, neuron.time_steps)[-1]

        return forward

    for neuron in folding.neurons(snn).values():
        neuron.forward = step_by_step(neuron)
    stepwise = torch.stack([snn.backbone(images) for _ in range(3)])
    torch.testing.assert_close(stepwise, expected)


def test_static_image_equals_the_same_frames():
    snn, images = small().eval(), torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(snn(images), snn(images.expand(3, -1, -1, -1, -1)))


def test_stem_is_computed_once_and_not_copied():
    snn, calls = small(), []
    snn.backbone.stem.register_forward_hook(lambda m, i, o: calls.append(len(o)))
    snn(torch.rand(2, 3, 16, 16))
    assert calls == [2]


def test_time_steps_change_on_a_trained_network_by_one_call():
    snn, images = small().eval(), torch.rand(2, 3, 16, 16)
    long = folding.set_time_steps(snn, 6)(images)
    assert long.shape == (6, 2, 10)
    torch.testing.assert_close(folding.set_time_steps(snn, 3)(images), long[:3])


def test_neurons_are_found_by_name():
    found = folding.neurons(small())
    assert len(found) == 17
    assert next(iter(found)) == "backbone.encode"


@pytest.mark.parametrize("name", ["resnet18", "vgg16"])
@pytest.mark.parametrize("kind", ["linear", "bottleneck", "last"])
def test_exits(name, kind):
    net = MultiExit(build_backbone(name, 10, width=8), kind, 10)
    logits, features = net(torch.randn(2, 3, 32, 32))
    assert len(logits) == len(features) == (1 if kind == "last" else 4)
    assert all(x.shape == (2, 10) for x in logits)
    widths = {"linear": [8, 16, 32, 64], "bottleneck": [64] * 4, "last": [64]}[kind]
    assert [x.shape[1] for x in features] == widths


def test_last_exit_is_the_network_itself():
    net = MultiExit(build_backbone("resnet18", 10, width=8), "linear", 10).eval()
    images = torch.randn(2, 3, 32, 32)
    assert torch.equal(net(images)[0][-1], net.backbone(images))


@pytest.mark.parametrize("time_steps", [0, -1, 2.0, True])
def test_senseless_time_steps_are_refused(time_steps):
    with pytest.raises(UserError, match="at least 1"):
        NetworkConfig(time_steps=time_steps)
    with pytest.raises(UserError, match="at least 1"):
        folding.set_time_steps(small(), time_steps)


def test_bad_input_is_refused():
    with pytest.raises(UserError, match="did you mean 'resnet18'"):
        build_backbone("resnet-18", 10)
    with pytest.raises(UserError, match="expected 'linear', 'bottleneck' or 'last'"):
        MultiExit(build_backbone("resnet18", 10, width=8), "gap", 10)
    with pytest.raises(UserError, match="frames have 2 steps but the network runs T = 3"):
        small()(torch.rand(2, 1, 3, 16, 16))


def test_gradients_reach_every_parameter():
    snn = small()
    neuron = next(iter(folding.neurons(snn).values()))
    assert isinstance(neuron, neurons.LIF)
    snn(torch.rand(4, 3, 16, 16)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in snn.parameters())
