"""What tests of folding share: that it changes no number and names what it leaves."""

import copy

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from snnbook.deploy import batchnorms_left, fold_batchnorm


def norms(network):
    return {name for name, m in network.named_modules() if isinstance(m, _BatchNorm)}


def lived_in(network):
    """Statistics and weights that are not those of a fresh BatchNorm."""
    for m in network.modules():
        if isinstance(m, _BatchNorm):
            for x in (m.weight, m.bias, m.running_mean, m.running_var):
                if x is not None:
                    x.data.uniform_(0.5, 2)
    return network


def check(network, *inputs):
    """Folding changes no number, and each BatchNorm is folded or named; returns the latter."""
    network = lived_in(network)
    before, state = network.training, {name: x.clone() for name, x in network.state_dict().items()}
    folded, left = fold_batchnorm(network), batchnorms_left(network)
    assert network.training == before
    assert all(torch.equal(x, state[name]) for name, x in network.state_dict().items())
    expected = copy.deepcopy(network).eval()(*inputs)
    torch.testing.assert_close(folded(*inputs), expected)
    assert norms(folded) == left.keys()
    assert all(reason and "\n" not in reason for reason in left.values())
    assert batchnorms_left(folded) == left
    return left
