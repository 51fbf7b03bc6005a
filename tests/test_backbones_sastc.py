"""The teachers and students of SASTC: parameter counts, feature maps, gradients, and a WRN written another way."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from snnbook import folding, neurons
from snnbook.backbones.bottleneck_resnet import BottleneckResNet
from snnbook.backbones.plain import StridedVGG
from snnbook.backbones.pyramidnet import PyramidNet
from snnbook.backbones.resnet import ResNet
from snnbook.backbones.vgg import VGG
from snnbook.backbones.wide_resnet import WideResNet
from snnbook.errors import UserError
from snnbook.folding import SpikingNetwork

STAGES = dict(multipliers=(2, 4, 8), strides=(1, 2, 2))
RESNET19 = partial(ResNet, blocks=(3, 3, 2), **STAGES)
NETWORKS = {
    "wrn16_2": partial(WideResNet, depth=16, widen_factor=2),
    "wrn28_4": partial(WideResNet, depth=28, widen_factor=4),
    "wrn40_2": partial(WideResNet, depth=40, widen_factor=2),
    "pyramidnet20": PyramidNet,
    "vgg9": partial(VGG, depth=9),
    "vgg11": partial(VGG, depth=11),
    "vgg13": partial(VGG, depth=13),
    "resnet32x4": partial(ResNet, width=32, blocks=(5, 5, 5), **STAGES),
    "resnet19_teacher": RESNET19,
    "sastc_resnet19": partial(RESNET19, hidden_head=True),
    "sastc_bottleneck16": BottleneckResNet,
    "sastc_vgg11": StridedVGG,
}
# Channels and side of each feature map at 32x32: behind the first activation, and of each stage.
FEATURES = {
    "wrn16_2": [(16, 32), (32, 32), (64, 16), (128, 8)],
    "wrn28_4": [(16, 32), (64, 32), (128, 16), (256, 8)],
    "wrn40_2": [(16, 32), (32, 32), (64, 16), (128, 8)],
    "pyramidnet20": [(16, 32), (83, 32), (149, 16), (216, 8)],
    "vgg9": [(64, 32), (128, 16), (256, 8), (512, 4), (512, 4)],
    "vgg11": [(64, 32), (128, 16), (256, 8), (512, 4), (512, 4)],
    "vgg13": [(64, 32), (64, 32), (128, 16), (256, 8), (512, 4), (512, 4)],
    "resnet32x4": [(32, 32), (64, 32), (128, 16), (256, 8)],
    "resnet19_teacher": [(64, 32), (128, 32), (256, 16), (512, 8)],
    "sastc_resnet19": [(64, 32), (128, 32), (256, 16), (512, 8)],
    "sastc_bottleneck16": [(64, 32), (512, 32), (1024, 16), (2048, 8)],
    "sastc_vgg11": [(64, 32), (128, 16), (256, 8), (512, 4), (512, 2)],
}
SPIKE = partial(neurons.preset, "sastc")
each_network = pytest.mark.parametrize("name", NETWORKS)


def narrow(name, activation=nn.ReLU):
    torch.manual_seed(0)
    return NETWORKS[name](10, activation=activation, width=4)


@pytest.mark.parametrize(
    ("name", "classes", "parameters"),
    [
        ("wrn16_2", 10, 691_674),
        ("wrn28_4", 10, 5_849_050),
        ("wrn40_2", 100, 2_255_156),
        ("pyramidnet20", 10, 2_933_675),
        ("vgg11", 100, 9_277_284),
        ("vgg13", 100, 9_462_180),
        ("resnet32x4", 100, 7_433_860),
        ("resnet19_teacher", 10, 12_502_090),
        ("sastc_resnet19", 10, 12_630_858),
        ("sastc_bottleneck16", 10, 20_524_618),
        ("sastc_vgg11", 10, 34_440_970),
    ],
)
def test_parameter_counts(name, classes, parameters):
    with torch.device("meta"):
        network = NETWORKS[name](classes)
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    # The biases of convolutions, which BatchNorm takes away again and we leave out.
    biases = sum(m.num_features for m in norms) if name in ("vgg11", "vgg13", "sastc_vgg11") else 0
    assert sum(p.numel() for p in network.parameters()) + biases == parameters


@each_network
def test_feature_maps_of_the_paper_networks(name):
    """On the meta device, which computes shapes alone and fails on a tensor made for another device."""
    with torch.device("meta"):
        network, images = NETWORKS[name](10), torch.randn(2, 3, 32, 32)
    features = network.features(images)
    assert [tuple(f.shape) for f in features] == [(2, c, side, side) for c, side in FEATURES[name]]
    assert network(images).shape == (2, 10)


@each_network
@pytest.mark.parametrize("size", [16, 32])
def test_ann_and_snn_have_the_same_shapes(name, size):
    images = torch.randn(2, 3, size, size)
    ann, snn = narrow(name), SpikingNetwork(narrow(name, SPIKE), time_steps=3)
    maps, spikes = ann.features(images), snn.features(images)
    assert [s.shape for s in spikes] == [(3, *m.shape) for m in maps]
    assert ann(images).shape == (2, 10)
    assert snn(images).shape == (3, 2, 10)
    assert set(spikes[0].unique().tolist()) == {0.0, 1.0}

    shapes = lambda network: {n: p.shape for n, p in network.state_dict().items()}  # noqa: E731
    assert shapes(ann) == shapes(snn.backbone)


@each_network
def test_channels_and_reductions_describe_the_stages(name):
    network = narrow(name)
    first, *stages = network.features(torch.randn(2, 3, 32, 32))
    assert first.shape[1:] == (4, 32, 32)
    assert network.channels == tuple(s.shape[1] for s in stages)
    assert network.reductions == tuple(s.shape[2] / stages[-1].shape[2] for s in stages)


@each_network
@pytest.mark.parametrize("activation", [nn.ReLU, SPIKE], ids=["ann", "snn"])
def test_gradients_reach_every_parameter(name, activation):
    """In evaluation: in training, a BatchNorm takes the gradient from every bias before it."""
    network, images = SpikingNetwork(narrow(name, activation), 2), torch.randn(8, 3, 32, 32)
    if activation is nn.ReLU:
        network = network.backbone
    for m in network.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.momentum = 1.0
        if isinstance(m, nn.Linear):
            nn.init.normal_(m.weight)  # or the hidden units of a fresh classifier stay below their threshold
    network(images)
    network.eval()(images).square().sum().backward()
    silent = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert silent == []


@each_network
def test_the_first_neuron_is_fed_by_the_stem_alone(name):
    snn, images = SpikingNetwork(narrow(name, SPIKE), 3).eval(), torch.randn(2, 3, 32, 32)
    assert next(iter(folding.neurons(snn))) == "backbone.encode"
    frames = images.expand(3, -1, -1, -1, -1)
    torch.testing.assert_close(snn(images), snn(frames))


def test_vgg16_keeps_its_keys():
    keys = list(VGG(10, width=4).state_dict())
    convolutions = [
        k for k in keys if k.endswith("weight") and k.replace("weight", "running_mean") not in keys
    ]
    at = {0: [0], 1: [1, 4], 2: [1, 4, 7], 3: [1, 4, 7, 11, 14, 17]}
    expected = [f"stages.{stage}.{i}.weight" for stage, places in at.items() for i in places]
    assert convolutions == ["stem.0.weight", *expected, "head.weight"]
    assert not any(k.endswith("bias") for k in keys if k.replace("bias", "weight") in convolutions[:-1])


@pytest.mark.parametrize("depth", [9, 11, 13, 16])
def test_only_vgg9_pools_ahead_of_its_neurons(depth):
    layers = [m for m in VGG(10, width=4, depth=depth).modules() if not list(m.children())]
    kinds = ["pool" if "Pool2d" in type(m).__name__ else type(m).__name__ for m in layers]
    before = {kinds[i - 1] for i, kind in enumerate(kinds[:-3]) if kind == "pool"}
    assert before == {"Conv2d" if depth == 9 else "ReLU"}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("depth", "factor"), [(10, 3), (16, 2), (28, 4)])
def test_wide_resnet_equals_the_plain_one(depth, factor, training):
    """The textbook order: a bare convolution first, then every block begins with its own BatchNorm and ReLU."""
    torch.manual_seed(0)
    network = WideResNet(10, width=4, depth=depth, widen_factor=factor).train(training)
    for m in network.modules():
        if isinstance(m, nn.BatchNorm2d):
            nn.init.uniform_(m.weight, 0.5, 1.5)
            nn.init.normal_(m.bias)
            nn.init.normal_(m.running_mean)
            nn.init.uniform_(m.running_var, 0.5, 1.5)
    # Parameters in the order in which a plain network would register and use them.
    state = {k: v.detach().clone() for k, v in network.state_dict().items()}
    norms = [k.removesuffix(".running_mean") for k in state if k.endswith("running_mean")]
    squares = iter([v for v in state.values() if v.dim() == 4 and v.shape[-1] == 3])
    points = iter([v for v in state.values() if v.dim() == 4 and v.shape[-1] == 1])
    norms = iter(norms)

    def activated(x):
        name = next(norms)
        mean, var, weight, bias = (
            state[f"{name}.{k}"] for k in ("running_mean", "running_var", "weight", "bias")
        )
        return F.relu(F.batch_norm(x, mean, var, weight, bias, training))

    images = torch.randn(4, 3, 16, 16)
    sums = []
    with torch.no_grad():
        x = F.conv2d(images, next(squares), padding=1)
        for stage in range(3):
            for block in range((depth - 4) // 6):
                stride = 2 if stage and not block else 1
                a = activated(x)
                y = activated(F.conv2d(a, next(squares), stride=stride, padding=1))
                y = F.conv2d(y, next(squares), padding=1)
                x = y + (x if block else F.conv2d(a, next(points), stride=stride))
            sums.append(x)
        logits = F.linear(activated(x).mean((2, 3)), state["head.weight"], state["head.bias"])
        assert not any([*norms, *squares, *points])  # all used

        _, *features = network.features(images)
        for ours, plain in zip(features, sums, strict=True):
            torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-4)
            assert ours.min() < 0
        torch.testing.assert_close(network(images), logits, rtol=1e-4, atol=1e-4)


def test_pyramid_shortcut_averages_pixels_and_adds_zero_channels():
    network = PyramidNet(10, width=4)
    block = network.stages[1][0]
    nn.init.zeros_(block.residual[-1].weight)  # silences the residual path
    x = torch.randn(2, network.channels[0], 8, 8)
    y = block(x)
    torch.testing.assert_close(y[:, : x.shape[1]], x.unfold(2, 2, 2).unfold(3, 2, 2).mean((-2, -1)))
    assert y.shape[1] > x.shape[1]
    assert not y[:, x.shape[1] :].any()


def test_pyramid_widens_by_the_paper_widths():
    widths = [block.residual[-1].num_features for stage in PyramidNet(10).stages for block in stage]
    assert widths == [38, 60, 83, 105, 127, 149, 172, 194, 216]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (partial(WideResNet, depth=27), "depth 27 does not exist; expected 6n \\+ 4"),
        (partial(WideResNet, depth=4), "depth 4 does not exist"),
        (partial(WideResNet, depth="28"), "depth is .28.; expected a whole number"),
        (partial(WideResNet, widen_factor=1), "widen_factor is 1; expected a whole number from 2"),
        (partial(WideResNet, widen_factor=2.0), "widen_factor is 2.0"),
        (partial(PyramidNet, depth=18), "depth 18 does not exist; expected 6n \\+ 2"),
        (partial(PyramidNet, depth=2), "depth 2 does not exist"),
        (partial(PyramidNet, alpha=-1), "alpha is -1; expected"),
        (partial(VGG, depth=12), "no VGG of depth 12; expected 9, 11, 13, 16"),
    ],
)
def test_networks_that_do_not_exist_are_refused_in_one_line(build, message):
    with pytest.raises(UserError, match=message) as error:
        build(10)
    assert "\n" not in str(error.value)
