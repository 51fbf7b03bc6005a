"""What tests of time share: a network of a user's own, and images for it."""

import torch
from torch import nn

from snnbook import neurons


def lif():
    return neurons.preset("tet")


def stack(*first):
    """A user's own network: some layers, a neuron, more layers, another neuron, a classifier."""
    torch.manual_seed(0)
    layers = nn.Sequential(
        *first,
        nn.Conv2d(2, 4, 3),
        nn.BatchNorm2d(4),
        lif(),
        nn.Conv2d(4, 4, 3, bias=False),
        nn.BatchNorm2d(4),
        lif(),
        nn.Flatten(),
        nn.Linear(4 * 4 * 4, 3),
    ).eval()
    for layer in layers:
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.constant_(layer.weight, 2.0)  # so that no layer is silent
    return layers


def images(batch=4, seed=0):
    return torch.randn(batch, 2, 8, 8, generator=torch.Generator().manual_seed(seed)) * 3


def by_frames(network, x):
    """The same answer without the shortcut: every layer sees every step."""
    return network(x.expand(network.time_steps, *x.shape))


def close(got, expected):
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)
