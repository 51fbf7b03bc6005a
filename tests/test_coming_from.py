"""What the page on other libraries calls equal is: spikes or values, and gradients."""

import re

import pytest
import torch

from snnbook import files

pytest.importorskip("snntorch")
activation = pytest.importorskip("spikingjelly.activation_based")

T, B = 12, 6
IMPORTS, *CELLS = re.findall(
    r"^```python\n(.*?)^```$", (files.root() / "book/coming-from.md").read_text(), re.M | re.S
)


def ran(cell):
    torch.manual_seed(0)
    names = {"outputs": torch.randn(T, B, 10, requires_grad=True), "labels": torch.arange(B)}
    names["images"] = torch.randn(B, 1, 8, 8, requires_grad=True)
    exec(IMPORTS + cell, names)
    return names


def spikes(neuron, current):
    """Of a neuron of any of the three libraries, ``[T, B, n]`` from a current of that shape."""
    if hasattr(neuron, "reset_mem"):  # snnTorch's
        memory, found = neuron.reset_mem(), []
        for now in current:
            spike, memory = neuron(now, memory)
            found.append(spike)
        return torch.stack(found)
    if hasattr(neuron, "step_mode"):  # SpikingJelly's
        activation.functional.set_step_mode(neuron, "m")
        return neuron(current)
    neuron.time_steps = T
    return neuron(current.flatten(0, 1)).unflatten(0, (T, B))


def is_of_neurons(cell):
    return cell.startswith(("theirs = snntorch", "theirs = neuron", "class"))


def named(cell):
    return re.sub(r"\W+", "-", cell)[-80:]


@pytest.mark.parametrize("cell", [cell for cell in CELLS if is_of_neurons(cell)], ids=named)
def test_neurons_have_the_same_spikes_and_gradients(cell):
    names, found = ran(cell), []
    pair, weights = (names["theirs"], names["ours"]), torch.randn(T, B, 50)
    for neuron in pair:
        torch.manual_seed(1)
        current = (1.5 * torch.randn(T, B, 50)).requires_grad_()
        fired = spikes(neuron, current)
        (weights * fired).sum().backward()
        found.append((fired.detach(), current.grad))
    (theirs, their_gradient), (ours, our_gradient) = found
    assert 0.005 < ours.mean() < 0.5  # neither silent nor always firing
    assert torch.equal(theirs, ours)
    torch.testing.assert_close(their_gradient, our_gradient, rtol=1e-5, atol=1e-5)
    for one, other in zip(*(neuron.parameters() for neuron in pair), strict=True):  # of opposite sign
        torch.testing.assert_close(one.grad.flatten(), -other.grad.flatten(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cell", [cell for cell in CELLS if not is_of_neurons(cell)], ids=named)
def test_losses_and_networks_have_the_same_values_and_gradients(cell):
    names = ran(cell)
    ours, theirs = names["ours"], names["theirs"].reshape(names["ours"].shape)  # snnTorch's loss has an axis
    torch.testing.assert_close(theirs, ours, rtol=1e-5, atol=1e-5)
    network, weights = names.get("network"), torch.randn(ours.shape)
    leaves = [names["images"], *network.parameters()] if network else [names["outputs"]]
    pairs = zip(*(torch.autograd.grad((weights * x).sum(), leaves) for x in (theirs, ours)), strict=True)
    for one, other in pairs:
        assert other.any()
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_what_has_no_counterpart_has_none():
    """snnTorch's default reset and ours by subtraction fire otherwise where a neuron leaks."""
    names = ran("theirs = snntorch.Leaky(beta=0.5)\n")
    neuron = names["snnbook"].LIF(decay=0.5, surrogate=names["snnbook"].ATan(2.0), reset="soft")
    current = 1.5 * torch.randn(T, B, 50)
    with torch.no_grad():
        assert not torch.equal(spikes(names["theirs"], current), spikes(neuron, current))
