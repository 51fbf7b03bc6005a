"""Layers may have any names: no export takes one for something of its own, or for another layer's."""

from collections import OrderedDict

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn

from export_cases import TARGETS, images, layers, network
from snnbook import LIF
from snnbook.deploy import from_nir, to_fixed_point, to_nir
from snnbook.deploy.names import free

nir = pytest.importorskip("nir", reason="needs the extra deploy")
NAMES = ["logits", "output", "output_", "input", "input_", "values", "keys", "update", "pop", "items"]
NAMES += [
    "vector",
    "vector_",
    "2",
    "pool",
    "pool_fires",
    "pool_fires_2",
    "pool_scale",
    "values_2",
    "output_2",
]


class Named(nn.Module):
    """Layers one after another, by name."""

    def __init__(self, names):
        super().__init__()
        made = layers(lambda: LIF(0.8, scale_input=True), nn.MaxPool2d)
        self.names = names
        for name, layer in zip(names, made, strict=True):
            self.add_module(name, layer)

    def forward(self, x):
        for name in self.names:
            x = getattr(self, name)(x)
        return x


@settings(deadline=None, max_examples=15, derandomize=True)
@given(
    names=st.permutations(NAMES),
    target=st.sampled_from(TARGETS),
)
@example(names=["0", "1", "2", "pool", "4", "5", "pool_fires", "logits"], target="norse")
@example(names=["0", "1", "2", "pool", "4", "5", "pool_fires", "pool_fires_2"], target="norse")
def test_any_names_go_out_and_come_back(names, target):
    made, x = network(Named(names[:8])), images()
    plain = network(layers(lambda: LIF(0.8, scale_input=True), nn.MaxPool2d))
    plain.load_state_dict(dict(zip(plain.state_dict(), made.state_dict().values(), strict=True)))
    out, expected = to_nir(made, x, target), to_nir(plain, x, target)
    assert out.differing == expected.differing and out.outputs == expected.outputs
    back, theirs = from_nir(out.graph).network, from_nir(expected.graph).network
    assert torch.equal(back(x), theirs(x))
    whole, other = to_fixed_point(made, x), to_fixed_point(plain, x)
    assert whole.differing == other.differing and torch.equal(whole.network(x), other.network(x))


def test_a_container_within_another():
    inner = nn.Sequential(OrderedDict(values=nn.Conv2d(2, 2, 1), b_c=LIF()))
    made = network(nn.Sequential(OrderedDict(a=inner, a_values=nn.Conv2d(2, 2, 1), a_b=nn.Sequential())))
    made.backbone.a_b.add_module("c", LIF())
    out = to_nir(made, images())
    assert out.differing == 0 and torch.equal(from_nir(out.graph).network(images()), made(images()))
    assert to_fixed_point(made, images()).spikes == out.spikes


def affine(factor):
    return nir.Affine(factor * np.eye(3), np.zeros(3))


def neuron():
    return nir.LIF(*(np.full(3, x) for x in (2e-4, 2.0, 0.0, 1.0, 0.0)))


@pytest.mark.parametrize("names", [("a.b", "a_b", "keys"), ("input", "output", ""), ("a_b", "a", "values")])
def test_graphs_of_others_with_any_names(names):
    """Three weights in a row, the second of them in a graph inside the graph."""
    first, second, third = names
    vector = np.array([3])
    doors = {"input": nir.Input(vector), "b": affine(2.0), "output": nir.Output(vector)}
    inside = nir.NIRGraph(doors, [("input", "b"), ("b", "output")], type_check=False)
    nodes = {"in": nir.Input(vector), first: affine(3.0), second: inside, third: affine(5.0)}
    nodes |= {"lif": neuron(), "head": affine(0.5), "out": nir.Output(vector)}
    graph = nir.NIRGraph(nodes, [*zip(list(nodes)[:-1], list(nodes)[1:], strict=True)], type_check=False)
    x = torch.tensor([0.03, 0.04, 0.2])  # of which 30 are 0.9, 1.2 and 6
    fired = from_nir(graph).network(x.view(1, 3, 1, 1))
    assert fired.flatten().tolist() == [0.0, 0.5, 0.5]


@given(st.lists(st.sampled_from([*NAMES, "", "a.b", "a_b", "a.b_2"]), max_size=20))
def test_free_names_are_names_of_modules_and_different(names):
    holder = nn.ModuleDict()
    for name in names:
        holder[free(name, holder)] = nn.Identity()
    assert len(holder) == len(names)
    assert free("conv") == "conv"
