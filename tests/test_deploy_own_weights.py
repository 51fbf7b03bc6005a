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


def test_a_weight_that_a_hook_computes_is_told_in_one_line():
    net = SpikingNetwork(nn.Sequential(nn.Conv2d(2, 4, 3), LIF()), 5).eval()
    prune.l1_unstructured(net.backbone[0], "weight", 0.5)
    with torch.no_grad():
        net(images())
    with pytest.raises(UserError, match=r"^backbone\.0\.weight is computed by a hook[^\n]*$"):
        round_weights(net)
    prune.remove(net.backbone[0], "weight")
    assert round_weights(net)
