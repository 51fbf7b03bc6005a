"""Files of ours that another tool changed: what it changed is read, and nothing else is another."""

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from torch import nn

from export_cases import TARGETS, Branches, images, layers, network, neurons
from snnbook import LIF
from snnbook.deploy import from_nir, to_nir

nir = pytest.importorskip("nir", reason="needs the extra deploy")
RANDOM = settings(deadline=None, max_examples=12, derandomize=True, phases=[Phase.generate])


def test_numbers_that_another_tool_changed_are_read_as_they_are():
    graph = to_nir(network(layers(lambda: LIF(0.5, 1.0))), images()).graph
    lif_node = graph.nodes["2"]
    lif_node.tau = lif_node.tau * 2  # decay 0.75, and the current halved
    neuron = from_nir(graph).network.backbone.layers["2"]
    assert neuron.decay == pytest.approx(0.75) and neuron.threshold == pytest.approx(2.0)


@pytest.mark.parametrize("target", TARGETS)
@RANDOM
@given(
    kind=st.sampled_from(["lif", "if", "scaled"]),
    shape=st.sampled_from(["layers", "max", "branches"]),
    factor=st.sampled_from([0.8, 1.25]),
    which=st.integers(0, 2),
)
def test_a_threshold_that_another_tool_changed_is_all_that_changes(target, kind, shape, factor, which):
    neuron = neurons(0.5, 0.4, True)[kind]
    make = {
        "layers": lambda: layers(neuron),
        "max": lambda: layers(neuron, nn.MaxPool2d),
        "branches": lambda: Branches(neuron),
    }[shape]
    torch.manual_seed(0)
    made, x = network(make()), images()
    changed = [m for m in made.modules() if hasattr(m, "dynamics")][which % (2 + (shape == "branches"))]
    graph = to_nir(made, x, target).graph
    (name,) = [name for name, m in made.backbone.named_modules() if m is changed]
    graph.nodes[name].v_threshold = graph.nodes[name].v_threshold * factor
    before = made(x)
    changed.threshold *= factor
    wrong = (from_nir(graph).network(x) - made(x)).abs().amax(-1) > 1e-3
    assert wrong.float().mean() < 0.1 and not torch.allclose(made(x), before)


@pytest.mark.parametrize("target", [None, "snntorch", "spikingjelly"])
@pytest.mark.parametrize("kind", ["lif", "if", "scaled"])
def test_a_resistance_that_another_tool_changed_is_read(target, kind):
    made, x = network(layers(neurons(0.5, 0.4, True)[kind])), images()
    graph = to_nir(made, x, target).graph
    for node in graph.nodes.values():
        if hasattr(node, "v_threshold"):
            node.r = node.r * 2
            made.backbone[2].threshold = made.backbone[6].threshold = 0.2
    wrong = (from_nir(graph).network(x) - made(x)).abs().amax(-1) > 1e-3
    assert wrong.float().mean() < 0.1


@pytest.mark.parametrize("target", [None, "norse"])
def test_a_layer_that_another_tool_put_in_between(target):
    """The weights' factor is then not the neuron's alone; both are as they stand."""
    made, x = network(layers(neurons(0.5, 0.4, True)["scaled" if target is None else "lif"])), images()
    graph = to_nir(made, x, target).graph
    ones = nir.Affine(np.eye(8), np.zeros(8))
    edges = [edge for edge in graph.edges if edge != ("5", "6")] + [("5", "new"), ("new", "6")]
    wider = nir.NIRGraph(graph.nodes | {"new": ones}, edges, metadata=graph.metadata, type_check=False)
    torch.testing.assert_close(from_nir(wider).network(x), made(x), rtol=1e-4, atol=1e-5)
