"""Checks of chapter 4: deep networks and vanishing gradients."""

from functools import partial

import torch
from torch import nn

from snnbook import neurons
from snnbook.backbones.resnet import SEWBlock
from snnbook.course.comparing import (
    Wrong,
    call,
    choice,
    function,
    kind,
    number,
    parts,
)
from snnbook.surrogates import Rectangle, Triangle


def width_of_a_rectangle(answer):
    def factor(x, width, power=0.5, square=True):
        r = (x > 0).double().mean()
        g = Rectangle(width).derivative(x.double())
        return ((g.square() if square else g).mean() / (r * (1 - r))) ** power

    x = torch.randn(4000) - 0.7
    function(
        answer,
        factor,
        [(x, 1.0), (x, 1.7), (1.5 * x, 0.6)],
        wrong={
            "that is its square": partial(factor, power=1),
            "the slope enters squared": partial(factor, square=False),
            "the mean is of the slope's square, not the square of its mean": lambda x, width: (
                Rectangle(width).derivative(x).mean()
                / ((x > 0).float().mean() * (x <= 0).float().mean()).sqrt()
            ),
        },
        within=1e-3,
    )


def identity_by_a_hair(answer):
    identity, share = parts(answer, 2, "the answer")
    neuron = neurons.preset("tet", threshold=0.9, time_steps=50)
    spikes = (torch.rand(50, 8) < 0.3).float()
    choice(identity, torch.equal(neuron(spikes), spikes), (True, False), "the first")
    slope = Triangle().derivative(torch.tensor(1 - 0.9, dtype=torch.float64)).item()
    number(
        share,
        slope**16,
        what="the share",
        near=[
            (slope, "that is one block's share"),
            (1 - 16 * (1 - slope), "shares multiply; they do not add up"),
            (slope**32, "each block has two neurons, but its shortcut passes one of them"),
            (1 - slope**16, "that is what is lost"),
        ],
    )


def an_open_gate(answer):
    lif = partial(neurons.preset, "tet", time_steps=4)
    blocks = [SEWBlock(8, 8, 1, lif, connect="and") for _ in range(10)]
    net = nn.Sequential(*blocks)
    spikes = (torch.rand(4 * 16, 8, 6, 6) < 0.3).float()
    found = call(answer, net)
    if not isinstance(found, nn.Module):
        raise Wrong(f"your function returned {kind(found)}; expected the network")
    kept = [module for module in found.modules() if isinstance(module, SEWBlock)]
    if len(kept) != len(blocks) or any(a is not b for a, b in zip(kept, blocks, strict=True)):
        raise Wrong("those are not the blocks that your function was given; change their biases alone")
    out = found(spikes)
    share = out.detach().sum() / spikes.sum()
    if not share > 0.1:  # 0.8 a block
        raise Wrong(
            f"of a hundred spikes {100 * share:.0f} come through ten blocks: branches fire too seldom"
        )
    (torch.randn_like(out) * out).sum().backward()
    slopes = [block.bn2.weight.grad for block in blocks]
    if not any(slope is not None and slope.any() for slope in slopes):
        raise Wrong("the gates are open and no gradient comes back: where does the surrogate end?")


CHECKS = {
    "4.1": width_of_a_rectangle,
    "4.2": identity_by_a_hair,
    "4.3": an_open_gate,
}
