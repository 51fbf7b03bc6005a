"""Networks for spike trains: feed-forward and recurrent, read out at every step."""

import numpy as np
import pytest
import torch
from torch import nn

from bad_input import one_line
from snnbook import analysis, data, folding, neurons, trainers
from snnbook.backbones import Dense, NetworkConfig, build_ann, build_snn
from snnbook.backbones.dense import Recurrent
from snnbook.deploy import fold_batchnorm
from snnbook.trainers.loop.fit import fit
from snnbook.trainers.loop.recipe import Recipe

RECURRENT = NetworkConfig("recurrent", width=8, time_steps=6, neuron="tet", neuron_options={"threshold": 0.2})


def loop(current, weights, neuron):
    """One step after another, from the paper's equation."""
    u, s, spikes = 0.0, torch.zeros_like(current[0]), []
    for c in current:
        heard = c + s @ weights.T
        u = neuron.decay * u + ((1 - neuron.decay) * heard if neuron.scale_input else heard)
        s = (u > neuron.threshold).float()
        u = u * (1 - s)
        spikes.append(s)
    return torch.stack(spikes)


@pytest.mark.parametrize("scale_input", [False, True])
def test_neurons_hear_what_their_layer_fired_a_step_ago(scale_input):
    torch.manual_seed(0)
    layer = Recurrent(5, lambda: neurons.LIF(0.7, 0.4, time_steps=9, scale_input=scale_input))
    current = torch.randn(9, 3, 5)
    found = layer(current.flatten(0, 1)[:, :, None, None]).unflatten(0, (9, 3))[..., 0, 0]
    expected = loop(current, layer.recurrence.weight[..., 0, 0].detach(), layer.neurons)
    assert torch.equal(found, expected) and 0 < found.mean() < 1
    with torch.no_grad():
        layer.recurrence.weight.zero_()
    alone = layer.neurons(current.flatten(0, 1))
    assert torch.equal(layer(current.flatten(0, 1)[..., None, None])[..., 0, 0], alone)
    assert not torch.equal(alone.unflatten(0, (9, 3)), expected)


def test_its_gradient_is_the_loop_s():
    torch.manual_seed(0)
    sigmoid = {"name": "sigmoid", "k": 2}
    layer = Recurrent(3, lambda: neurons.preset("tet", time_steps=4, surrogate=sigmoid, smooth=True)).double()
    x = torch.randn(8, 3, 1, 1, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda x, w: torch.func.functional_call(layer, {"recurrence.weight": w}, x),
        (x, layer.recurrence.weight),
    )


def test_a_moment_hears_none_that_follow():
    torch.manual_seed(0)
    network = build_snn(RECURRENT, 4, 7).eval()
    frames = torch.rand(6, 3, 7, 1, 1) * 2
    later = frames.clone()
    later[4:] = later[4:].flip(2)
    a, b = network(frames), network(later)
    assert a.shape == (6, 3, 4) and torch.equal(a[:4], b[:4]) and not torch.equal(a[4:], b[4:])


def test_a_still_vector_is_the_same_frames():
    torch.manual_seed(0)
    network = build_snn(RECURRENT, 4, 7).eval()
    still = torch.rand(3, 7, 1, 1) * 2
    assert all(0 < spikes.mean() < 1 for spikes in network.features(still))
    torch.testing.assert_close(network(still), network(still.expand(6, -1, -1, -1, -1)))
    assert build_ann(RECURRENT, 4, 7)(still).shape == (3, 4)


@pytest.mark.parametrize(("name", "extra"), [("dense", 0), ("recurrent", 2 * 16 * 16)])
def test_parameters_are_those_of_the_layers(name, extra):
    network = build_snn(NetworkConfig(name, width=16, time_steps=2, options={"depth": 3}), 20, 70)
    hidden = 70 * 16 + 2 * 16 * 16 + 3 * 2 * 16
    assert sum(p.numel() for p in network.parameters()) == hidden + extra + 16 * 20 + 20
    assert [f.shape[2] for f in network.features(torch.rand(5, 70, 1, 1))] == [16, 16, 16]
    one_line(lambda: NetworkConfig(name, options={"depth": 0}), "depth")
    one_line(lambda: Dense(20, recurrent=1), "recurrent is 1")


@pytest.mark.parametrize("name", ["dense", "recurrent"])
@pytest.mark.parametrize("method", ["direct", "tet"])
def test_spike_trains_are_learned_measured_and_folded(name, method):
    """Two words: the same spikes, but in another order of channels over time."""
    draw = np.random.default_rng(0)
    labels = np.arange(40) % 2
    trains = np.zeros((40, 6, 12, 1, 1), np.uint8)
    for train, label in zip(trains, labels, strict=True):
        for step in range(6):
            channel = 2 * (step if label else 5 - step) + draw.integers(2)
            train[step, channel] = 255
    found = data.Dataset.from_tensors(trains, labels, trains[:10], labels[:10])
    torch.manual_seed(0)
    config = NetworkConfig(name, width=16, time_steps=6, neuron="tet")
    built = trainers.build_method(method, trainers.METHODS[method].Config(), config, found)
    recipe = Recipe(epochs=12, batch_size=10, learning_rate=0.02, augment=(), test_every=12)
    assert fit(built, found, recipe, seed=0, progress=False).accuracy["snn"][-1] >= 90
    images, _ = next(data.test_batches(found, 10))
    built.eval()
    before = built.network(images)
    seen = analysis.observe(built.backbones()["snn"], lambda: built.predict(images), 10)
    assert 0 < seen.mean_rate < 1 and ("stages.0.2.recurrence" in seen.layers) == (name == "recurrent")
    torch.testing.assert_close(fold_batchnorm(built.network)(images), before)
    assert folding.neurons(built.network).keys() and isinstance(built.network.backbone.head, nn.Linear)
