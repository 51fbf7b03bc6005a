"""Diagrams say the shapes and numbers that the library has, in words that nothing covers."""

import re

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.patches import Rectangle
from torch import nn

from diagram_cases import can_be_read_on_white, nothing_is_covered_or_cut, shapes, words
from snnbook import JointASNN, JointConfig, NetworkConfig, losses, neurons, plots
from snnbook.errors import UserError
from snnbook.factorized import Factors
from snnbook.plots.diagrams.reset import derivatives
from snnbook.trainers.calibration import LayerAttention

T, B = 4, 6


def layers(channels=16, time_steps=T):
    lif = neurons.preset("tet", time_steps=time_steps)
    return nn.Sequential(nn.Conv2d(1, channels, 3, padding=1), nn.BatchNorm2d(channels), lif)


def joint(exits="linear", name="resnet18"):
    config = JointConfig(factorize="none", exits=exits)
    return JointASNN(config, NetworkConfig(name, width=8, time_steps=T), 10, 1)


def features(steps=2, students=2, teachers=3):
    student = [(torch.rand(steps, 8, 4 * 2**i, 8 >> i, 8 >> i) > 0.5).float() for i in range(students)]
    teacher = [torch.rand(8, 6 * 2**j, 8 >> j, 8 >> j) for j in range(teachers)]
    return student, teacher, LayerAttention(8, students, teachers, 2)(student, teacher)


def parted(*shape, full=False):
    factors = Factors(torch.randn(*shape), full)
    factors.spectrum_snn.data.mul_(torch.linspace(-1, 1, factors.spectrum_snn.shape[1]))
    return factors


DIAGRAMS = {
    "time": lambda: plots.time_folded(layers(), torch.rand(B, 1, 8, 8), T),
    "long time": lambda: plots.time_folded(layers(128, 9), torch.rand(B, 1, 32, 32), 9),
    "reset": lambda: plots.gradient_at_reset(neurons.preset("tet"), torch.tensor([0.8, 0.9, 1.4])),
    "soft reset": lambda: plots.gradient_at_reset(
        neurons.LIF(reset="soft"), torch.tensor([0.8, 1.3, 0.3, 0.7])
    ),
    "moments": lambda: plots.loss_at_every_moment(torch.randn(2, B, 10), torch.zeros(B, dtype=torch.long)),
    "many moments": lambda: plots.loss_at_every_moment(
        torch.randn(8, B, 1000), torch.zeros(B, dtype=torch.long)
    ),
    "exits": lambda: plots.network_with_exits(joint().ann, joint().snn, torch.rand(B, 1, 16, 16)),
    "last exit": lambda: plots.network_with_exits(
        joint("last").ann, joint("last").snn, torch.rand(B, 1, 16, 16)
    ),
    "factors": lambda: plots.shared_factors(parted(6, 4, 3, 3)),
    "full factors": lambda: plots.shared_factors(parted(512, 256, 3, 3, full=True)),
    "linear factors": lambda: plots.shared_factors(parted(10, 64)),
    "attention": lambda: plots.attention_between_layers(*features()),
    "wide attention": lambda: plots.attention_between_layers(*features(4, 4, 4)),
}


@pytest.fixture(scope="module", params=DIAGRAMS)
def figure(request):
    before, open_figures = dict(plt.rcParams), plt.get_fignums()
    torch.manual_seed(0)
    drawn = DIAGRAMS[request.param]()
    drawn.canvas.draw()
    assert plt.get_fignums() == open_figures and dict(plt.rcParams) == before
    return drawn


def test_no_word_is_covered_or_cut(figure):
    nothing_is_covered_or_cut(figure)


def test_words_can_be_read_on_white(figure):
    can_be_read_on_white(figure)


@settings(deadline=None, max_examples=8)
@given(
    channels=st.integers(1, 128), batch=st.integers(1, 9), steps=st.integers(1, 9), side=st.integers(1, 32)
)
def test_folded_time_has_the_layers_shapes_and_leaves_them_alone(channels, batch, steps, side):
    network, images = layers(channels, steps), torch.rand(batch, 1, side, side)
    before = {name: x.clone() for name, x in network.state_dict().items()}
    figure = plots.time_folded(network, images, steps)
    assert network.training and all(torch.equal(x, before[name]) for name, x in network.state_dict().items())
    columns = min(steps, 4) - (steps > 4)
    out = network.eval()(images.repeat(steps, 1, 1, 1)).shape
    assert out == (steps * batch, channels, side, side)
    expected = [(batch, 1, side, side)] * columns + [(batch, *out[1:])] * columns  # once a step
    expected += [(steps * batch, 1, side, side)] + [tuple(out)] * 3 + [(steps, batch, *out[1:])]
    assert sorted(shapes(figure, T=steps, B=batch)) == sorted(expected)


@pytest.mark.parametrize("exits", ["linear", "bottleneck", "last"])
def test_exits_have_the_networks_shapes(exits):
    method, images = joint(exits), torch.rand(B, 1, 16, 16)
    before = {name: x.clone() for name, x in method.state_dict().items()}
    found = shapes(plots.network_with_exits(method.ann, method.snn, images), T=T, B=B)
    assert all(torch.equal(x, before[name]) for name, x in method.state_dict().items())
    with torch.no_grad():
        ann = [*method.ann.backbone.features(images), *method.ann(images)[0], images]
        snn = method.snn.run(method.snn.backbone.backbone.features, images)
        snn = [x.flatten(0, 1) for x in snn] + method.snn_outputs(images)[0] + [images]
    assert sorted(found) == sorted(tuple(x.shape) for x in (*ann, *snn))


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("weight", [(6, 4, 3, 3), (4, 6, 3, 3), (5, 5, 1, 1), (10, 64)])
def test_factors_have_the_layers_shapes(weight, full):
    factors = parted(*weight, full=full)
    out, in_ = weight[:2]
    positions = weight[2] ** 2 if len(weight) == 4 else 1
    figure = plots.shared_factors(factors)
    text = words(figure).pop()
    rank = int(re.search(r"r = (\d+)", text).group(1))
    assert rank == min(out, in_)
    named = {"k": positions**0.5, "r": rank, "out": out, "in_": in_}
    said = [
        tuple(int(eval(part.replace("in", "in_"), {}, named)) for part in shape.split(","))
        for shape in re.findall(r"\[(k[^\]]*)\]", text)
    ]
    parts = [factors.u, factors.v, factors.spectrum_ann]
    assert said == [tuple(x.shape) for x in parts]
    drawn = [s for w in words(figure) if w != text for s in re.findall(r"\[[\d, ]+\]", w)]
    tensors = [*parts, factors.spectrum_snn, *factors.compose()]
    assert sorted(drawn) == sorted(str(list(x.shape)) for x in tensors)


def test_bars_are_the_singular_values_of_the_middle_position():
    factors = parted(6, 4, 3, 3)
    figure = plots.shared_factors(factors)
    bars = [p.get_height() for p in figure.axes[0].patches if isinstance(p, Rectangle)]
    values = torch.cat([factors.spectrum_ann[4], factors.spectrum_snn[4]]).detach().numpy()
    np.testing.assert_allclose(bars, 0.6 * values / (values.max() - values.min()), rtol=1e-5)


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_attention_has_the_layers_shapes_and_the_methods_numbers(steps):
    student, teacher, attention = features(steps)
    figure = plots.attention_between_layers(student, teacher, attention)
    rows = [(t, i) for t in sorted({0, steps - 1}) for i in range(2)]
    expected = [student[i][t].shape for t, i in rows] + [x.shape for x in teacher]
    assert sorted(shapes(figure, B=8)) == sorted(map(tuple, expected))
    said = [re.search(r"α = ([\d., ]+)", w).group(1).split(", ") for w in words(figure) if "α = " in w]
    mean = attention.mean(1)
    assert sorted(said) == sorted([f"{x:.2f}" for x in mean[t, i].tolist()] for t, i in rows)


@pytest.mark.parametrize("steps", [1, 2, 4, 7])
def test_moments_have_the_losses_of_the_library(steps):
    outputs, labels = torch.randn(steps, B, 10), torch.arange(B)
    figure = plots.loss_at_every_moment(outputs, labels)
    text = " ".join(words(figure))
    assert f"CE with y {losses.sdt(outputs, labels):.3f}" in text.replace("\n", " ")
    assert f"mean over t {losses.every_moment(outputs, labels):.3f}" in text.replace("\n", " ")
    shown = range(steps) if steps <= 4 else (0, 1, steps - 1)
    for t in shown:
        assert f"{nn.functional.cross_entropy(outputs[t], labels):.3f}" in text
    assert set(shapes(figure, B=B)) == {(B, 10)}


@settings(deadline=None, max_examples=15)
@given(
    current=st.lists(st.floats(-1, 3), min_size=2, max_size=4),
    reset=st.sampled_from(["hard", "soft"]),
    decay=st.floats(0.1, 1),
)
def test_products_of_the_arrows_are_the_gradient(current, reset, decay):
    neuron = neurons.LIF(decay=decay, reset=reset)
    current = torch.tensor(current, dtype=torch.float64)
    steps = derivatives(neuron, current)
    for detach in (False, True):
        arriving, back = [], 0.0
        for t, (_, d) in reversed(list(enumerate(steps))):
            through = (float(t == len(steps) - 1) + (0 if detach else back * d["reset"])) * d["g"]
            arriving.insert(0, through + back * d["keep"])
            back = arriving[0] * d["beta"]
        x = current.clone().requires_grad_()
        twin = neurons.LIF(decay=decay, reset=reset, detach_reset=detach, time_steps=len(current))
        (slope,) = torch.autograd.grad(twin(x)[-1], x)
        torch.testing.assert_close(torch.tensor(arriving, dtype=torch.float64), slope)


def test_what_does_not_fit_is_refused():
    student, teacher, attention = features()
    with pytest.raises(UserError, match=r"expected \[2, 8, 2, 3\]"):
        plots.attention_between_layers(student, teacher, attention[:, :, :1])
    for wrong in (torch.ones(1), torch.ones(5), torch.ones(2, 2)):
        with pytest.raises(UserError, match="T from 2 to 4"):
            plots.gradient_at_reset(neurons.LIF(), wrong)
