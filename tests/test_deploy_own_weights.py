"""Weights that are composed, parametrized or shared are written and rounded as a layer's own."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from export_cases import images, layers, network
from snnbook import LIF, SpikingNetwork, UserError
from snnbook.deploy import round_weights, to_fixed_point
from snnbook.deploy.own_weights import own_weights
from snnbook.deploy.wiring import draw
from snnbook.factorized import SharedFactors


def tied():
    twin, net = network(layers(LIF)), network(layers(LIF))
    SharedFactors(twin.backbone, net.backbone, linear=True)
    return net


def normed():
    net = network(layers(LIF, head=False))
    parametrizations.weight_norm(net.backbone[5])
    return net


def shared():
    convolutions = [nn.Conv2d(2, 2, 3, padding=1) for _ in range(2)]
    net = network(nn.Sequential(convolutions[0], LIF(), convolutions[1], LIF()))
    convolutions[1].weight = convolutions[0].weight
    return net


KINDS = pytest.mark.parametrize("make", [tied, normed, shared])


@KINDS
def test_each_weight_is_rounded_and_the_network_stays(make):
    net = make()
    before, rounded = net(images()), round_weights(net, 2)
    weighted = [m for m in rounded.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    for layer in weighted:  # of 2 bits: -s, 0 and s
        assert all(len(row.abs().unique()) <= 2 for row in layer.weight.flatten(1))
    assert len({id(layer.weight) for layer in weighted}) == len(weighted)
    assert torch.equal(net(images()), before)


@KINDS
def test_what_is_drawn_has_the_weights_of_the_network(make):
    net = make()
    own = own_weights(copy.deepcopy(net))
    assert torch.equal(own(images()), net(images()))
    for part in draw(net, images()).parts.values():
        assert not isinstance(part.layer, nn.Conv2d | nn.Linear) or "weight" in part.layer._parameters


@KINDS
def test_whole_numbers_of_such_weights(make):
    for layer in to_fixed_point(make(), images()).network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            levels = 127 * layer.weight / layer.weight.abs().max()
            assert (levels - levels.round()).abs().max() < 1e-3


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize(
    "kind",
    [nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d],
)
def test_every_convolution_is_rounded_by_its_outputs(kind, groups):
    """Each output's levels, found by what it does to images of a single pixel and channel."""
    torch.manual_seed(0)
    layer = kind(4, 6, 3, groups=groups, bias=False)
    net = SpikingNetwork(nn.Sequential(nn.Conv2d(2, 4, 3), LIF(), layer), 2).eval()
    rounded, before = round_weights(net, 3).backbone[2], layer.weight.clone()
    axes = int(kind.__name__[-2])
    pixels = torch.eye(4).reshape(4, 4, *[1] * axes)
    if not layer.transposed:
        pixels = nn.functional.pad(pixels, [2, 2] * axes)
    plain, made = (m(pixels).detach().transpose(0, 1).flatten(1) for m in (layer, rounded))
    largest = plain.abs().amax(1, keepdim=True)
    torch.testing.assert_close(made, (plain / largest * 3).round() / 3 * largest)
    assert torch.equal(layer.weight, before)


@pytest.mark.parametrize("layer", [nn.Bilinear(3, 3, 2), nn.MultiheadAttention(4, 2), nn.GRU(3, 3)])
def test_weights_that_are_not_rounded_are_told(layer):
    net = SpikingNetwork(nn.Sequential(nn.Conv2d(2, 4, 3), LIF(), layer), 2)
    with pytest.raises(UserError, match=rf"^backbone\.2 is {type(layer).__name__}, whose[^\n]*$"):
        round_weights(net)


def test_a_weight_that_a_hook_computes_is_told_in_one_line():
    net = SpikingNetwork(nn.Sequential(nn.Conv2d(2, 4, 3), LIF()), 5).eval()
    prune.l1_unstructured(net.backbone[0], "weight", 0.5)
    with torch.no_grad():
        net(images())
    with pytest.raises(UserError, match=r"^backbone\.0\.weight is computed by a hook[^\n]*$"):
        round_weights(net)
    prune.remove(net.backbone[0], "weight")
    assert round_weights(net)
