"""NeuroBench's harness beside our counts: equal where the rules are, and its traps avoided."""

import pytest
import torch
from torch import nn

from export_cases import images, layers, network
from snnbook import LIF, NetworkConfig, UserError, build_snn
from snnbook.analysis import by_neurobench
from snnbook.folding import SpikingNetwork

LABELS = torch.zeros(16, dtype=torch.long)


def lived_in(name, **options):
    torch.manual_seed(0)
    made = build_snn(NetworkConfig(name, width=4, time_steps=3, **options), 10, 3)
    for _ in range(3):
        made(torch.randn(8, 3, 16, 16))
    return made


@pytest.mark.parametrize("frames", [False, True])
@pytest.mark.parametrize("name", ["convnet", "vgg11"])
def test_operations_and_sparsity_are_ours(name, frames):
    pytest.importorskip("neurobench", reason="needs the extra neurobench")
    x = torch.randn(3, 16, 3, 16, 16) if frames else torch.rand(16, 3, 16, 16)
    found = by_neurobench(lived_in(name), x, LABELS)
    assert found.neurobench == pytest.approx(found.ours, rel=1e-6)
    assert 0 < found.ours["activation_sparsity"] < 1 and found.ours["accumulates"] > 0


def test_a_relu_fires_in_neither():
    pytest.importorskip("neurobench", reason="needs the extra neurobench")
    torch.manual_seed(0)
    parts = nn.Conv2d(3, 4, 3), LIF(), nn.Flatten(), nn.Linear(784, 8), nn.ReLU(), nn.Linear(8, 10)
    found = by_neurobench(SpikingNetwork(nn.Sequential(*parts), 3), 2 * torch.rand(16, 3, 16, 16), LABELS)
    assert found.neurobench["activation_sparsity"] == pytest.approx(found.ours["activation_sparsity"])


def test_sums_of_spikes_are_multiplied_there_and_added_here():
    pytest.importorskip("neurobench", reason="needs the extra neurobench")
    config = dict(options={"blocks": (1, 1), "multipliers": (1, 2), "strides": (1, 2)})
    made = lived_in("resnet18", **config)
    for m in made.modules():  # a network of two blocks, joined behind their neurons
        if type(m).__name__ == "BasicBlock":
            from snnbook.backbones import SEWBlock

            m.__class__, m.connect = SEWBlock, "add"
    found = by_neurobench(made, torch.rand(16, 3, 16, 16), LABELS)
    assert found.neurobench["dense"] == pytest.approx(found.ours["dense"])
    assert found.neurobench["multiply_accumulates"] > found.ours["multiply_accumulates"]


def test_the_same_twice_and_nothing_left_behind():
    pytest.importorskip("neurobench", reason="needs the extra neurobench")
    made, x = lived_in("convnet"), torch.rand(16, 3, 16, 16)
    assert by_neurobench(made, x, LABELS) == by_neurobench(made, x, LABELS)
    assert made.training and not any(m._forward_hooks or m._forward_pre_hooks for m in made.modules())


@pytest.mark.parametrize(
    ("x", "labels"),
    [
        (torch.rand(5, 4, 2, 6, 6), torch.zeros(3)),
        (torch.rand(5, 4, 2, 6, 6), torch.zeros(4, 1)),
        (torch.rand(4, 4, 2, 6, 6), torch.zeros(4)),
        (torch.rand(5, 4, 2, 6, 6).double(), torch.zeros(4)),
        (torch.rand(4, 36), torch.zeros(4)),
        (images(), None),
    ],
)
def test_bad_input_is_one_line(x, labels):
    with pytest.raises(UserError) as error:
        by_neurobench(network(layers(LIF)), x, labels)
    assert "\n" not in str(error.value)
