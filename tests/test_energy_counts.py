"""Synaptic operations against a loop over every tap, and rules of counting against each other."""

from functools import cache
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from snnbook import NetworkConfig, analysis, build_ann, build_snn, neurons
from snnbook.analysis.energy import Constants, energy_of_computation
from snnbook.folding import SpikingNetwork

IMAGES = 3
FEW = settings(max_examples=25, deadline=None)


def read(length, out, kernel, stride, padding, dilation, transposed):
    """Inputs along one axis, once for each tap that reads one."""
    moving, fixed = (length, out) if transposed else (out, length)
    for place, tap in product(range(moving), range(kernel)):
        other = place * stride + tap * dilation - padding
        if 0 <= other < fixed:
            yield place if transposed else other


def taps(layer, x):
    """Operations of a pass, by a loop over all taps: all, and those with an input that is not zero."""
    if isinstance(layer, nn.Linear):
        return x.numel() * layer.out_features, int((x != 0).sum()) * layer.out_features
    axes = (
        x.shape[2:],
        layer.forward(x).shape[2:],
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.dilation,
    )
    dense = effective = 0
    for place in product(*(list(read(*axis, layer.transposed)) for axis in zip(*axes, strict=True))):
        values = x[(slice(None), slice(None), *place)]  # [N, C], each for all outputs of its group
        dense += values.numel() * (layer.out_channels // layer.groups)
        effective += int((values != 0).sum()) * (layer.out_channels // layer.groups)
    return dense, effective


def watched(layer, x):
    return analysis.observe(nn.Sequential(layer), lambda: layer(x), len(x)).layers["0"]


def spikes(*shape, share=0.3):
    return (torch.rand(shape) < share).float()


@st.composite
def convolutions(draw):
    axes, groups, few = draw(st.integers(1, 2)), draw(st.integers(1, 3)), st.integers(1, 3)
    kinds = ((nn.Conv1d, nn.ConvTranspose1d), (nn.Conv2d, nn.ConvTranspose2d))
    kernel, stride, dilation = (tuple(draw(few) for _ in range(axes)) for _ in range(3))
    padding = tuple(draw(st.integers(0, d * (k - 1))) for d, k in zip(dilation, kernel, strict=True))
    options = dict(kernel_size=kernel, stride=stride, padding=padding, dilation=dilation, groups=groups)
    kind = draw(st.sampled_from(kinds[axes - 1]))
    layer = kind(groups * draw(few), groups * draw(few), bias=draw(st.booleans()), **options)
    space = [d * (k - 1) + 1 + draw(st.integers(0, 4)) for d, k in zip(dilation, kernel, strict=True)]
    return layer, spikes(2, layer.in_channels, *space, share=draw(st.floats(0, 1)))


@FEW
@given(convolutions(), st.booleans())
def test_a_convolution_counts_taps_that_read_an_input(drawn, real):
    layer, x = drawn
    x = x * (1 + torch.rand_like(x)) if real else x
    seen, positions = watched(layer, x), x if layer.transposed else layer(x)
    assert (2 * seen.dense, 2 * seen.effective) == taps(layer, x)
    assert 2 * seen.padded == layer.weight.numel() * positions[:, 0].numel() >= 2 * seen.dense
    assert seen.binary == bool(((x == 0) | (x == 1)).all())


@pytest.mark.parametrize("mode", ["zeros", "circular", "reflect", "replicate"])
@pytest.mark.filterwarnings("ignore:Using padding")  # torch copies what it pads unevenly
@pytest.mark.parametrize("padding", ["same", "valid", 1])
def test_padding_that_repeats_inputs_reads_them(mode, padding):
    layer = nn.Conv2d(2, 3, 2, padding=padding, padding_mode=mode)
    x = torch.ones(1, 2, 5, 5)
    seen = watched(layer, x)
    assert seen.effective == seen.dense
    assert (seen.dense == seen.padded) == (mode != "zeros" or padding == "valid")


@FEW
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.booleans())
def test_a_linear_layer_counts_inputs_that_are_not_zero(inputs, outputs, positions, real):
    layer, x = nn.Linear(inputs, outputs), spikes(5, positions, inputs)
    x = 0.3 * x if real else x
    seen = watched(layer, x)
    assert (5 * seen.dense, 5 * seen.effective) == pytest.approx(taps(layer, x))


@FEW
@given(st.integers(1, 4), st.sampled_from([nn.AvgPool2d, nn.MaxPool2d]), st.integers(0, 99))
def test_behind_a_pooling_each_spike_is_added_or_each_fraction_multiplied(window, pooling, seed):
    torch.manual_seed(seed)
    x = spikes(2, 3, 4 * window, 4 * window)
    layer, pooled = nn.Conv2d(3, 2, 3, padding=1), pooling(window)(x)
    network = nn.Sequential(nn.Conv2d(3, 3, 1), neurons.preset("tet", time_steps=1), layer)
    network[1].register_forward_hook(lambda *_: pooled)
    seen = analysis.observe(network, lambda: network(x), 2)
    seen.layers.pop("0")
    multiplied, folded = (energy_of_computation(seen, pooled=way) for way in ("multiply", "fold"))
    _, effective = taps(layer, pooled)
    if bool(((pooled == 0) | (pooled == 1)).all()):
        assert (multiplied.accumulates, multiplied.multiply_accumulates) == (effective / 2, 0)
    else:
        assert (multiplied.accumulates, multiplied.multiply_accumulates) == (0, effective / 2)
        apart = sum(taps(layer, (pooled * window**2 > n - 0.5).float())[1] for n in range(1, window**2 + 1))
        assert (folded.accumulates, folded.multiply_accumulates) == (pytest.approx(apart / 2), 0)


def settled(build, name="convnet", width=8, time_steps=4, size=16):
    """A network whose BatchNorm knows its images, so that neurons fire, and those images."""
    torch.manual_seed(0)
    network = build(NetworkConfig(name, width=width, time_steps=time_steps, neuron="joint_asnn"), 10)
    images = torch.rand(IMAGES, 3, size, size)
    with torch.no_grad():
        for _ in range(20):
            network.train()(images)
    return network.eval(), images


def seen_of(network, images):
    return analysis.observe(getattr(network, "backbone", network), lambda: network(images), len(images))


def looped(network, images):
    """Accumulates and multiply-accumulates an image of a whole network, by the loop over taps."""
    counts = {True: 0, False: 0}

    def hook(layer, inputs, output):
        (x,) = inputs
        counts[bool(((x == 0) | (x == 1)).all())] += taps(layer, x)[1]

    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    handles = [m.register_forward_hook(hook) for m in layers]
    with torch.no_grad():
        network(images)
    for handle in handles:
        handle.remove()
    return counts[True] / len(images), counts[False] / len(images)


@pytest.mark.parametrize(
    ("build", "name", "width"),
    [
        (build_snn, "convnet", 8),
        (build_ann, "convnet", 8),
        (build_snn, "resnet18", 4),
        (build_snn, "vgg16", 2),
    ],
)
def test_a_network_s_operations_are_those_of_the_loop(build, name, width):
    network, images = settled(build, name, width)
    found = seen_of(network, images)
    cost = energy_of_computation(found)
    counts = (cost.accumulates, cost.multiply_accumulates)
    assert counts == pytest.approx(looped(network, images), rel=1e-12)
    rule = analysis.by_every_rule(found)["NeuroBench 2.3"]
    assert counts == (rule.accumulates, rule.multiply_accumulates)
    assert (counts[0] > 0) == (build is build_snn)


@pytest.mark.parametrize("build", [build_snn, build_ann])
@pytest.mark.parametrize(("name", "width"), [("convnet", 8), ("resnet18", 4), ("vgg16", 2)])
def test_neurobench_itself_counts_the_same(build, name, width):
    workload = pytest.importorskip("neurobench.metrics.workload")  # no part of our environment
    network, images = settled(build, name, width)
    cost = energy_of_computation(seen_of(network, images))
    model = pytest.importorskip("neurobench.models").TorchModel(network)
    model.register_hooks()
    with torch.no_grad():
        theirs = workload.SynapticOperations()(model, model(images), (images, None))
    model.cleanup_hooks()
    expected = theirs["Effective_ACs"], theirs["Effective_MACs"]
    assert (cost.accumulates, cost.multiply_accumulates) == pytest.approx(expected, rel=1e-12)


def test_a_still_image_passes_the_stem_once_and_zeros_into_the_head_are_free():
    """The convnet of width 8 at T = 4, by hand: 3x3 taps on a 16x16 map read (3 * 16 - 2)^2 inputs."""
    network, images = settled(build_snn)
    found = seen_of(network, images)
    stem, *_, head = found.layers.values()
    assert stem.dense == stem.effective == 3 * 8 * 46**2
    assert stem.padded == 3 * 8 * 9 * 256
    assert (head.dense, head.effective) == (4 * 128 * 10, 4 * 128 * 10 * head.used)
    assert 0 < head.used < 1
    again = found.every_step().layers
    for name, layer in found.layers.items():
        assert not again[name].still
        assert again[name].effective == layer.effective * (4 if layer is stem else 1)
    assert found.every_step() == found.every_step().every_step()


def test_what_does_not_stand_still_is_not_counted_again():
    """A layer of a neuron to itself runs T - 1 times, and frames pass the stem at each step."""
    torch.manual_seed(0)
    network = build_snn(NetworkConfig("recurrent", width=8, time_steps=4), 3, 1).eval()
    images = torch.rand(2, 1, 4, 4)
    for x in (images, images.expand(4, *images.shape)):
        found = analysis.observe(network, lambda x=x: network(x), 2)
        again = found.every_step()
        moved = [name for name in found.layers if again.layers[name].dense != found.layers[name].dense]
        assert moved == ([next(iter(found.layers))] if x is images else [])
    assert again == found


@FEW
@given(st.integers(1, 5), st.integers(0, 99))
def test_counting_the_stem_once_is_counting_it_every_time_divided_by_t(time_steps, seed):
    """Still images, and the same images as frames, which pass all layers at each step."""
    torch.manual_seed(seed)
    network = build_snn(NetworkConfig("convnet", width=2, time_steps=time_steps), 3).train()
    images = torch.rand(2, 3, 8, 8)
    frames = images.expand(time_steps, *images.shape)
    still, moving = (
        analysis.observe(network.backbone, lambda x=x: network(x), 2).every_step() for x in (images, frames)
    )
    stem = next(iter(still.layers))
    assert still.layers[stem].effective == moving.layers[stem].effective
    assert still.time_steps == moving.time_steps == time_steps
    once = seen_of(network, images).layers[stem]
    assert once.effective == still.layers[stem].effective / time_steps


@cache
def averaging():
    """A network that pools by the average, as it was seen."""
    return seen_of(*settled(build_snn, "vgg16", width=2))


@FEW
@given(st.floats(0, 10), st.floats(0, 10), st.floats(0, 10), st.sampled_from(["multiply", "fold"]))
def test_energy_is_linear_in_the_constants(accumulate, multiply_accumulate, factor, pooled):
    def energy(a, m):
        return energy_of_computation(averaging(), Constants(a, m), pooled).joules

    whole = energy(accumulate, multiply_accumulate)
    assert whole == pytest.approx(energy(accumulate, 0) + energy(0, multiply_accumulate))
    assert energy(factor * accumulate, factor * multiply_accumulate) == pytest.approx(factor * whole)
    cost = energy_of_computation(averaging(), Constants(1, 0), pooled)
    assert cost.joules == pytest.approx(1e-12 * cost.accumulates)


def test_rules_differ_where_they_are_said_to():
    """Zeros, padding, averages and the stem: each rule beside the one it differs from in one of them."""
    rules = analysis.by_every_rule(averaging())
    ours, paper, neurobench, jelly, syops = rules.values()
    assert ours == neurobench
    assert jelly.accumulates == ours.accumulates and jelly.multiply_accumulates > ours.multiply_accumulates
    assert syops.multiply_accumulates == jelly.multiply_accumulates and syops.accumulates > jelly.accumulates
    stem = next(iter(averaging().layers.values()))
    assert paper.multiply_accumulates == 4 * stem.padded
    others = list(averaging().layers.values())[1:]
    assert paper.accumulates == pytest.approx(sum(layer.padded * layer.used for layer in others))
    assert paper.joules == pytest.approx(1e-12 * (0.9 * paper.accumulates + 5.5 * paper.multiply_accumulates))


def test_what_a_counter_sees_does_not_disturb_it():
    """Half precision, inference mode, a silent layer, one neuron in two places, and weights it does not know."""

    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(4, 4), nn.Linear(4, 2)
            self.neuron = neurons.preset("tet")
            self.own = nn.Parameter(torch.rand(2, 2))

        def forward(self, x):
            return self.last(self.neuron(self.first(self.neuron(x.flatten(1))))) @ self.own

    network, images = SpikingNetwork(Twice(), 3), torch.full((2, 4, 1, 1), 9.0)
    state = torch.get_rng_state()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        found = analysis.observe(network.backbone, lambda: network(images), 2)
    assert torch.equal(state, torch.get_rng_state())
    assert (found.time_steps, found.uncounted) == (3, ("",))
    assert found.layers["first"].effective == 3 * 16
    network.backbone.first.weight.data.fill_(-1)
    silent = analysis.observe(network.backbone, lambda: network(images), 2).layers["last"]
    assert (silent.effective, silent.level, silent.binary) == (0, 0.0, True)
