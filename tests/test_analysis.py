"""Operations, firing rates and energies, against networks small enough to count by hand and the paper's tables."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from snnbook import analysis, neurons
from snnbook.analysis.config import AnalysisConfig
from snnbook.analysis.energy import TABLE_5, Constants, energy_of_computation, energy_of_data_movement
from snnbook.analysis.firing import Observation
from snnbook.backbones import NetworkConfig
from snnbook.data import DataConfig, Dataset, load
from snnbook.deploy.wiring import sample_of
from snnbook.errors import UserError
from snnbook.folding import SpikingNetwork
from snnbook.trainers import METHODS, Direct, build_method


def test_observation_by_hand():
    """Two neurons, the first always fires and the second never; then a layer that they feed."""
    first = nn.Linear(1, 2, bias=False)
    last = nn.Linear(2, 3, bias=False)
    with torch.no_grad():
        first.weight.copy_(torch.tensor([[1.0], [-1.0]]))
    lif = neurons.preset("joint_asnn", time_steps=4)
    network = SpikingNetwork(nn.Sequential(nn.Flatten(), first, lif, last), time_steps=4)
    images = torch.full((5, 1, 1, 1), 2.3741)
    seen = analysis.observe(network.backbone, lambda: network(images), len(images))
    assert seen.time_steps == 4
    assert seen.activations == 2
    assert seen.spikes == 4
    assert seen.rates == {"2": 0.5}
    stem, last = seen.layers["1"], seen.layers["3"]
    assert (stem.dense, stem.effective, stem.still, stem.binary) == (2, 2, True, False)  # once, not T times
    assert (last.dense, last.effective, last.still, last.binary) == (4 * 6, 4 * 3, False, True)
    assert (last.used, last.level, last.window, last.spikes) == (0.5, 1.0, 1, 4 * 3)
    cost = energy_of_computation(seen)
    assert (cost.accumulates, cost.multiply_accumulates) == (4 * 3, 2)
    assert cost.joules == pytest.approx((0.9 * 12 + 4.6 * 2) * 1e-12)
    assert energy_of_computation(seen.every_step()).multiply_accumulates == 4 * 2
    assert energy_of_computation(seen.unskipped()).accumulates == 4 * 6
    assert energy_of_data_movement(seen).volume == 2 * 4 * 2 * 4 + 4 / 8


class Twice(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x, x)


def small():
    torch.manual_seed(0)
    layers = [
        nn.Conv2d(1, 4, 3),
        neurons.LIF(),
        nn.Conv2d(4, 4, 1, bias=False),
        nn.Flatten(),
        nn.Linear(144, 2),
    ]
    images, labels = torch.rand(8, 1, 8, 8), torch.arange(8) % 2
    network = SpikingNetwork(nn.Sequential(*layers), 2)
    return Direct(Direct.Config(), network), Dataset.from_tensors(images, labels, images, labels)


@pytest.mark.parametrize(
    "change",
    [
        parametrizations.spectral_norm,
        parametrizations.weight_norm,
        lambda layer: prune.l1_unstructured(layer, "weight", 0.5),
    ],
    ids=["spectral", "weight", "pruned"],
)
def test_a_weight_made_of_others_counts_once(change):
    method, data = small()
    expected = analysis.measure(method, data)["snn"]
    change(method.network.backbone[4])
    found = analysis.measure(method, data)["snn"]
    assert found["parameters"] == expected["parameters"] and "uncounted" not in found


def test_parametrized_weights_of_another_kind_are_their_layers():
    method, data = small()
    own = nn.Bilinear(144, 144, 2)
    parametrizations.weight_norm(own)
    method.network.backbone[4] = Twice(own)
    assert analysis.measure(method, data)["snn"]["uncounted"] == ["4.layer"]


def test_a_default_device_moves_nothing():
    method, data = small()
    asked = AnalysisConfig(time_steps=(1, 2), landscape=5)

    def found():
        images = sample_of((1, 8, 8), method.network)
        return analysis.measure(method, data, asked)["snn"], images.device.type

    expected = found()
    with torch.device("meta"):
        assert found() == expected


def test_a_relu_beside_the_neurons_is_an_activation_that_never_fires():
    layers = nn.Flatten(), nn.ReLU(), neurons.preset("tet"), nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2)
    network = SpikingNetwork(nn.Sequential(*layers), 3)
    images = torch.tensor([0.1, 0.2, 0.3, 5.0]).view(1, 1, 2, 2)
    seen = analysis.observe(network.backbone, lambda: network(images), 1)
    assert (seen.rates, seen.spikes, seen.mean_rate) == ({"2": 0.25}, 3, 0.25)
    assert seen.activations * 3 == 4 + 3 * 4 + 3 * 6
    relu = nn.Sequential(nn.ReLU())
    ann = analysis.observe(relu, lambda: relu(images), 1)
    assert (ann.rates, ann.mean_rate, ann.activations) == ({}, 0, 4)


@pytest.mark.parametrize("least", [1e-3, 1e-4, 1e-7])
def test_small_numbers_are_no_spikes(least):
    layer = nn.Linear(3, 2)
    network = SpikingNetwork(nn.Sequential(nn.Flatten(), layer, neurons.preset("tet")), 1)
    images = least * torch.tensor([0.3, 0.5, 0.9]).view(1, 1, 1, 3)
    seen = analysis.observe(network.backbone, lambda: network(images), 1)
    assert seen.layers["1"].window is None
    for pooled in ("multiply", "fold"):
        assert energy_of_computation(seen, pooled=pooled).multiply_accumulates == 6


def test_tables_of_the_paper_once_units_are_put_right():
    """Table 5 in microjoules, not millijoules, as printed and as its text says; Table 6's factor of eight."""

    def printed(additions, multiplications):  # an addition and a multiplication are one multiply-accumulate
        return 1e6 * TABLE_5.joules(additions - multiplications, multiplications)

    table5 = [printed(*millions) for millions in ((187e6, 187e6), (73.4e6, 3.52e6), (142e6, 8.8e6))]
    assert table5 == pytest.approx((1030, 82.2, 168), rel=2e-3)
    assert table5[0] / table5[1] == pytest.approx(12.5, abs=0.05)
    ann = Constants().joules(0, 187e6)
    apart, inside = (Constants().joules(additions, 3.52e6) for additions in (73.4e6, 73.4e6 - 3.52e6))
    # Whether the additions of its first layer are among its 73.4 M, the paper does not say.
    assert (ann / apart, ann / inside) == pytest.approx((10.5, 10.9), abs=0.05)
    ann = Observation({}, activations=6.234 * 2**20 / 8, rates={}, spikes=0, time_steps=1)
    moved = energy_of_data_movement(ann)
    assert 1e6 * moved.least == pytest.approx(8 * 1.022, rel=2e-3)
    assert 1e6 * moved.most == pytest.approx(8 * 10.22, rel=2e-3)


@pytest.mark.parametrize("name", ["joint", "snntorch"])
def test_measure_of_a_method(name):
    data = load(DataConfig(name="digits", size=8, train_per_class=5, test_limit=50), None)
    method = build_method(
        name, METHODS[name].Config(), NetworkConfig("resnet18", width=4, time_steps=3), data
    )
    result = analysis.measure(method, data)
    snn = result["snn"]
    assert snn["time_steps"] == 3
    assert 0 < snn["firing_rate"] < 1
    assert len(snn["firing_rates"]) == 17
    assert snn["multiply_accumulates"] < snn["accumulates"]
    assert snn["energy_uj"] < snn["energy_paper_uj"] < 5.5 / 4.6 * snn["energy_uj"]
    assert snn["energy_uj"] < snn["energy_dense_uj"]
    repeats = name == "snntorch"  # passes its stem at each step; ours does once
    assert (snn["energy_every_step_uj"] == snn["energy_uj"]) == repeats
    if name == "joint":
        ann = result["ann"]
        assert ann["accumulates"] == 0
        assert ann["energy_paper_uj"] == pytest.approx(5.5 / 4.6 * ann["energy_uj"])
        assert ann["energy_every_step_uj"] == ann["energy_uj"] < ann["energy_dense_uj"]
        assert "firing_rate" not in ann
        assert ann["parameters"] == snn["parameters"]
        # Potentials move at each of three steps, and spikes besides.
        assert 3 * ann["movement_mb"] < snn["movement_mb"] < 3.1 * ann["movement_mb"]
    least, most = 1.25 * snn["movement_mb"], 12.5 * snn["movement_mb"]  # 10 and 100 pJ for 8 bytes
    assert (snn["movement_least_uj"], snn["movement_most_uj"]) == pytest.approx((least, most))


def rebuilt(values, kernel=1):
    """What is seen of the layer behind neurons that put out ``values``, averaged over windows of ``kernel``."""
    network = nn.Sequential(
        nn.Conv2d(1, 1, 1), neurons.preset("tet"), nn.AvgPool2d(kernel), nn.Conv2d(1, 2, 1, bias=False)
    )
    network[0].weight.data.fill_(1)
    network[0].bias.data.zero_()
    network[1].register_forward_hook(lambda module, inputs, output: values)  # for instance SEW's sums
    return analysis.observe(network, lambda: network(3.3 * torch.rand_like(values)), len(values))


def test_sums_of_spikes_are_added_one_by_one():
    """Two spikes at once are two additions, and no multiplication (SEW-ResNet's ADD)."""
    seen = rebuilt(torch.tensor([0.0, 1.0, 2.0, 3.0]).view(1, 1, 2, 2))
    layer = seen.layers["3"]
    assert (layer.binary, layer.level, layer.window, layer.spikes) == (False, None, 1, 12)
    cost = energy_of_computation(replace(seen, layers={"last": layer}))
    assert (cost.accumulates, cost.multiply_accumulates) == (12, 0)


def test_averaged_spikes_are_multiplied_or_folded():
    spikes = torch.tensor([[1.0, 0, 1, 1], [1, 1, 0, 0]]).repeat(2, 1).view(1, 1, 4, 4)
    seen = rebuilt(spikes, kernel=2)
    layer = seen.layers["3"]
    assert (layer.binary, layer.window) == (False, 4)
    assert layer.spikes == pytest.approx(2 * spikes.sum().item())
    network = replace(seen, layers={"last": layer})
    multiplied, folded = (energy_of_computation(network, pooled=way) for way in ("multiply", "fold"))
    assert (multiplied.accumulates, multiplied.multiply_accumulates) == (0, 8)
    # Each of the 10 spikes reaches both outputs once.
    assert (folded.accumulates, folded.multiply_accumulates) == (pytest.approx(20), 0)
    with pytest.raises(UserError, match="expected 'multiply' or 'fold'"):
        energy_of_computation(network, pooled="drop")
