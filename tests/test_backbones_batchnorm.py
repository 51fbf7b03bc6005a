"""BatchNorm as a loop over time has it, held to the loop itself: snnTorch's network, with our weights."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from bad_input import one_line
from snnbook.backbones import BACKBONES, NetworkConfig, build_ann, build_backbone, build_snn
from snnbook.backbones.batchnorm import StepBatchNorm2d
from snnbook.baselines.snntorch_network import SnnTorchConfig, SnnTorchNetwork
from snnbook.folding import SpikingNetwork
from snnbook.neurons import preset

# All that snnTorch's baseline has other than ours.
AS_SNNTORCH = {"surrogate": {"name": "atan"}, "strict": True, "detach_reset": True}


def loop(norm, x, steps):
    return torch.cat([norm(step) for step in x.chunk(steps)])


@given(seed=st.integers(0, 99), steps=st.integers(1, 4), train=st.booleans())
@settings(deadline=None, max_examples=20)
def test_it_is_torchs_layer_called_in_a_loop(seed, steps, train):
    torch.manual_seed(seed)
    ours = StepBatchNorm2d(3).train(train)
    theirs = nn.BatchNorm2d(3).train(train)
    nn.init.uniform_(ours.weight)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(steps * 4, 3, 5, 5) * torch.arange(1, steps * 4 + 1)[:, None, None, None]
    inputs, found = [x.clone().requires_grad_() for _ in range(2)], []
    network = SpikingNetwork(nn.Sequential(ours, nn.Identity()), steps)
    y = network(inputs[0].unflatten(0, (steps, 4)) if steps > 1 else inputs[0][None]).flatten(0, 1)
    pairs = zip((ours, theirs), inputs, (y, loop(theirs, inputs[1], steps)), strict=True)
    for norm, leaf, output in pairs:
        (output.tanh() * torch.arange(5.0)).sum().backward()
        found.append([output, leaf.grad, norm.weight.grad, *norm.buffers()])
    torch.testing.assert_close(*found)


def test_evaluation_brings_back_what_training_took_away():
    """A mean that rises over the steps is gone in training, and there in evaluation; joint statistics keep it."""
    x = torch.arange(4.0).view(4, 1, 1, 1, 1) + torch.randn(4, 64, 2, 4, 4)
    means = {}
    for kind in (nn.BatchNorm2d, StepBatchNorm2d):
        network = SpikingNetwork(nn.Sequential(kind(2)), 4)
        for _ in range(100):
            network(x)
        means[kind] = [network(x).mean((1, 2, 3, 4)), network.eval()(x).mean((1, 2, 3, 4))]
    torch.testing.assert_close(*means[nn.BatchNorm2d], atol=0.05, rtol=0)
    trained, tested = means[StepBatchNorm2d]
    assert trained.abs().max() < 1e-3 and tested[0] < -1.4 and tested[3] > 1.2


def test_without_running_statistics_evaluation_goes_by_step_too():
    network = SpikingNetwork(nn.Sequential(StepBatchNorm2d(2, track_running_stats=False)), 3)
    x = torch.arange(3.0).view(3, 1, 1, 1, 1) + torch.randn(3, 8, 2, 4, 4)
    assert torch.equal(network.eval()(x), network.train()(x))


@pytest.mark.parametrize("still", [True, False], ids=["static", "frames"])
def test_with_it_and_the_other_differences_our_network_is_snntorchs(still):
    """The same logits, loss, gradients and running statistics, in training; the same logits in evaluation."""
    torch.manual_seed(0)
    network = NetworkConfig("resnet18", 4, time_steps=3)
    theirs = SnnTorchNetwork(SnnTorchConfig(), network, 10, 1)
    ours = build_snn(
        NetworkConfig("resnet18", 4, {"batchnorm": "step"}, 3, neuron_options=AS_SNNTORCH), 10, 1
    )
    layers(ours).load_state_dict(layers(theirs).state_dict())
    images = torch.rand(3, 8, 1, 16, 16).add(0.5)
    images = images[0] if still else images
    wish = torch.randn(3, 8, 10)
    found = []
    for method, outputs in ((ours, ours), (theirs, theirs.outputs)):
        method.train()
        method.zero_grad()
        logits = outputs(images)
        (logits * wish).sum().backward()
        state = layers(method).state_dict()
        gradients = [p.grad for p in method.parameters()]
        with torch.no_grad():
            tested = (method.eval() and outputs)(images)
        found.append([logits, gradients, {name: x.clone() for name, x in state.items()}, tested])
    torch.testing.assert_close(*found, rtol=1e-3, atol=1e-4)
    assert found[0][0].std() > 0.01


def layers(network):
    """Those with weights, in the order in which they are called."""
    return nn.ModuleList(
        m for m in network.modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d | nn.Linear)
    )


@pytest.mark.parametrize("name", BACKBONES)
def test_every_backbone_has_it_with_the_same_names_and_weights(name):
    networks = []
    for options in ({}, {"batchnorm": "step"}):
        torch.manual_seed(0)
        networks.append(build_ann(NetworkConfig(name, 4, options), 10, 3))
    joint, step = networks
    assert not [m for m in joint.modules() if type(m) is StepBatchNorm2d]
    assert not [m for m in step.modules() if type(m) is nn.BatchNorm2d]
    torch.testing.assert_close(joint.state_dict(), step.state_dict(), rtol=0, atol=0)
    x = torch.rand(4, 3, 32, 32)
    assert torch.equal(joint(x), step(x))  # without time


def test_a_copy_keeps_its_kind():
    network = build_backbone("convnet", 10, activation=lambda: preset("tet"), width=4, batchnorm="step")
    assert type(copy.deepcopy(network).stem[1]) is StepBatchNorm2d


def test_other_statistics_are_refused():
    one_line(
        lambda: NetworkConfig(options={"batchnorm": "time"}),
        "batchnorm is 'time'; expected one of joint, step",
    )
    one_line(lambda: build_backbone("resnet18", 10, batchnorm=None), "batchnorm is None")
