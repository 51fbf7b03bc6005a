"""TET's networks: counts from the papers, ResNet-34 against torchvision's, SEW's connections."""

import pytest
import torch
import torchvision
from torch import nn

from snnbook import neurons
from snnbook.backbones import NetworkConfig, SEWBlock, build_backbone, build_snn
from snnbook.errors import UserError


def count(network):
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(
    ("name", "in_channels", "expected"),
    [("vggsnn", 2, 9_271_498), ("snn5", 3, 2_253_098), ("resnet19", 3, 12_630_858)],
)
def test_parameters(name, in_channels, expected):
    """With the biases of the public code's convolutions, which BatchNorm takes away again and we leave out."""
    network = build_backbone(name, 10, in_channels)
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    biases = 0 if name == "resnet19" else sum(m.num_features for m in norms)
    assert count(network) + biases == expected


def test_a_wider_stem_of_resnet19_spares_the_first_shortcut():
    wide = build_backbone("resnet19", 10, stem=128)
    assert wide.stem[0].out_channels == 128
    assert isinstance(wide.stages[0][0].shortcut, nn.Identity)
    assert not isinstance(build_backbone("resnet19", 10).stages[0][0].shortcut, nn.Identity)


def test_vggsnn_with_strides_is_as_large_and_receives_spikes_alone():
    strided = build_snn(NetworkConfig("vggsnn", width=8, neuron="tet", options={"pool": "stride"}), 10, 2)
    assert count(strided) == count(build_backbone("vggsnn", 10, 2, width=8))
    features = strided.features(2 * torch.randn(2, 2, 48, 48))
    assert [f.shape[-1] for f in features] == [48, 24, 12, 6, 3]
    assert all(set(f.unique().tolist()) <= {0.0, 1.0} for f in features)


def test_averaged_spikes_are_quarters():
    features = build_snn(NetworkConfig("snn5", width=4, neuron="tet"), 10).features(
        2 * torch.randn(2, 3, 32, 32)
    )
    assert [f.shape[-1] for f in features] == [32, 16, 8, 4, 2]
    assert set(features[1].unique().tolist()) <= {0, 0.25, 0.5, 0.75, 1}


def test_resnet34_for_large_images_is_torchvisions():
    """The same function once it has torchvision's weights: parts in the same order, of other names."""
    theirs = torchvision.models.resnet34(num_classes=10).eval()
    ours = build_backbone("spiking_resnet34", 10).eval()
    ours.load_state_dict(dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True)))
    assert count(ours) == count(theirs)
    images = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(ours(images), theirs(images), atol=1e-4, rtol=1e-4)
    assert count(build_backbone("sew_resnet34", 1000)) == 21_797_672


@pytest.mark.parametrize(
    ("connect", "table"), [("add", [0, 1, 1, 2]), ("and", [0, 0, 0, 1]), ("iand", [0, 1, 0, 0])]
)
def test_connections_of_sew(connect, table):
    """The truth table over block output A and shortcut S: (0, 0), (0, 1), (1, 0), (1, 1)."""
    block = SEWBlock(1, 1, 1, nn.Identity, connect=connect).eval()
    with torch.no_grad():
        for conv, bn in ((block.conv1, block.bn1), (block.conv2, block.bn2)):
            conv.weight.zero_()
            bn.bias.zero_()
    found = []
    for a in (0.0, 1.0):
        block.bn2.bias.data.fill_(a)
        for s in (0.0, 1.0):
            found.append(block(torch.full((1, 1, 3, 3), s))[0, 0, 1, 1].item())
    assert found == table


@pytest.mark.parametrize("decay", [0.5, 1.0])  # LIF and IF
@pytest.mark.parametrize("connect", ["add", "and", "iand"])
def test_sew_trains(connect, decay):
    torch.manual_seed(0)
    config = NetworkConfig(
        "sew_resnet34", 8, {"connect": connect}, 2, neuron="tet", neuron_options={"decay": decay}
    )
    network = build_snn(config, 10)
    outputs = network(2 * torch.randn(2, 3, 32, 32))
    assert outputs.shape == (2, 2, 10)
    outputs.square().sum().backward()
    assert network.backbone.stages[0][1].conv1.weight.grad is not None
    top = max(float(f.detach().max()) for f in network.features(torch.randn(2, 3, 32, 32)))
    assert top > 1 if connect == "add" else top <= 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: NetworkConfig("resnet18", options={"stm": 128}), "has no option 'stm'"),
        (lambda: build_backbone("vggsnn", 10, pool="max"), "expected one of average, stride"),
        (lambda: build_backbone("sew_resnet34", 10, connect="or"), "expected one of add, and, iand"),
        (lambda: NetworkConfig(neuron_options={"threshhold": 1}), "a neuron has no setting 'threshhold'"),
        (lambda: neurons.preset("tet", surrogate={"name": "sigmod"}), "no surrogate 'sigmod'"),
        (
            lambda: neurons.preset("tet", surrogate={"name": "sigmoid", "slope": 1}),
            "has no parameter 'slope'",
        ),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(UserError, match=message):
        make()
