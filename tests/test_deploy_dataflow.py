"""The flow of data: whatever is proven is folded, and the rest is named."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import parametrizations

from deploy_cases import check, lived_in
from snnbook.deploy import batchnorms_left, fold_batchnorm


class Net(nn.Module):
    """One way to put two convolutions and two BatchNorms together."""

    def __init__(self, flow=None):
        super().__init__()
        self.a, self.b = nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 2, 3, padding=1)
        self.n, self.m = nn.BatchNorm2d(2), nn.BatchNorm2d(2)
        self.mean, self.padded = nn.AvgPool2d(2), nn.AvgPool2d(2, padding=1)
        self.flow = flow

    def forward(self, x, extra=None):
        return self.flow(self, x)


class Gate(nn.Module):
    def __init__(self, inner, hidden=False):
        super().__init__()
        self.inner = [inner] if hidden else inner
        self.hidden = hidden

    def forward(self, x):
        inner = self.inner[0] if self.hidden else self.inner
        return inner(x) if x.sum() > 0 else x


def with_gate(hidden):
    net = Net(lambda s, x: s.n(s.a(x)) + s.gate(x) + s.m(s.b(x)))
    net.gate = Gate(net.a, hidden)
    return net


def aliased():
    net = Net(lambda s, x: s.twin(s.same(x)) + s.m(s.b(x)))
    net.same, net.twin = net.a, net.n
    return net


def listed():
    net = Net(lambda s, x: s.order[1](s.order[0](x)) + s.m(s.b(x)))
    net.order = [net.a, net.n]
    return net


def tied():
    net = Net(lambda s, x: s.n(s.a(x)) + s.m(s.b(x)))
    net.a.weight = net.b.weight
    return net


def changed(change, flow=lambda s, x: s.n(s.a(x)) + s.m(s.b(x))):
    net = Net(flow)
    change(net)
    return net


FLOWS = {
    # what is called twice
    "n(a(x)) + n(a(2x))": ("", Net(lambda s, x: s.n(s.a(x)) + s.n(s.a(2 * x)) + s.m(s.b(x)))),
    "n(a(x)) + m(a(x))": ("nm", Net(lambda s, x: s.n(s.a(x)) + s.m(s.a(x)) + s.b(x))),
    "n(a(x)) + n(b(x))": ("nm", Net(lambda s, x: s.n(s.a(x)) + s.n(s.b(x)) + s.m(s.b(x)).mean())),
    "a(n(a(x)))": ("n", Net(lambda s, x: s.a(s.n(s.a(x))) + s.m(s.b(x)))),
    "n(n(a(x)))": ("n", Net(lambda s, x: s.n(s.n(s.a(x))) + s.m(s.b(x)))),
    "m(n(a(x)))": ("", Net(lambda s, x: s.m(s.n(s.a(x))))),
    "m(n(x)) before": ("nm", Net(lambda s, x: s.b(s.m(s.n(x))) + s.a(x))),
    # what others read
    "y = a(x); n(y) + y": ("n", Net(lambda s, x: (lambda y: s.n(y) + y)(s.a(x)) + s.m(s.b(x)))),
    "F.conv2d(x, a.weight)": (
        "n",
        Net(lambda s, x: s.n(s.a(x)) + F.conv2d(x, s.a.weight, padding=1) + s.m(s.b(x))),
    ),
    "a.weight, raw": (
        "n",
        Net(lambda s, x: s.n(s.a(x)) + F.conv2d(x, s.a._parameters["weight"], padding=1) + s.m(s.b(x))),
    ),
    "a.weight, by hand": (
        "n",
        Net(lambda s, x: s.n(s.a(x)) * s.a._parameters["weight"].mean() + s.m(s.b(x))),
    ),
    "a.weight, detached": (
        "n",
        Net(lambda s, x: s.n(s.a(x)) + x * dict(s.named_parameters())["a.weight"].data.sum() + s.m(s.b(x))),
    ),
    "n.running_mean": ("n", Net(lambda s, x: s.n(s.a(x)) + s.n.running_mean.sum() + s.m(s.b(x)))),
    "n.num_features": ("", Net(lambda s, x: s.n(s.a(x)) * s.n.num_features + s.m(s.b(x)))),
    "a.forward": ("n", Net(lambda s, x: s.n(s.a.forward(x)) + s.m(s.b(x)))),
    # what is not seen
    "a gate": ("n", with_gate(False)),
    "a gate with a list": ("n", with_gate(True)),
    "two names": ("", aliased()),
    "a list": ("", listed()),
    "tied weights": ("", tied()),
    "never called": ("n", Net(lambda s, x: s.a(x) + s.m(s.b(x)))),
    "isinstance": ("n", Net(lambda s, x: (x if torch.is_tensor(x) else s.n(s.a(x))) + s.m(s.b(x)))),
    "cat, shapes": (
        "",
        Net(lambda s, x: torch.cat([s.n(s.a(x)), s.m(s.b(x))], 1).view(x.shape[0], 2, -1).mean(1)),
    ),
    "control flow": ("nm", Net(lambda s, x: s.n(s.a(x)) if x.sum() > 0 else s.m(s.b(x)))),
    # what layers are
    "hook on a": ("n", changed(lambda s: s.a.register_forward_hook(lambda m, i, o: o + 1))),
    "hook on n": ("n", changed(lambda s: s.n.register_forward_pre_hook(lambda m, i: (i[0] + 1,)))),
    "forward of a": ("n", changed(lambda s: setattr(s.a, "forward", lambda x: x + 1))),
    "hook on the network": ("nm", changed(lambda s: s.register_forward_hook(lambda m, i, o: o + 1))),
    "no statistics": ("n", changed(lambda s: setattr(s, "n", nn.BatchNorm2d(2, track_running_stats=False)))),
    "always training": ("n", changed(lambda s: setattr(s.n, "train", lambda mode=True: s.n))),
    "weight norm": ("n", changed(lambda s: parametrizations.weight_norm(s.a))),
    "means between": ("", Net(lambda s, x: s.n(s.mean(s.a(x))) + s.m(s.b(x)).mean())),
    "means with zeros": ("n", Net(lambda s, x: s.n(s.padded(s.a(x))) + s.m(s.b(x)).mean())),
    "ReLU between": ("n", Net(lambda s, x: s.n(s.a(x).relu()) + s.m(s.b(x)))),
}


@pytest.mark.parametrize("case", FLOWS)
def test_what_is_proven_is_folded_and_the_rest_is_named(case):
    torch.manual_seed(0)
    left, network = FLOWS[case]
    assert "".join(sorted(check(network.double(), torch.randn(4, 2, 6, 6, dtype=torch.float64)))) == "".join(
        sorted(left)
    )


def test_means_over_channels_are_no_means_over_positions():
    """What ``AvgPool3d`` makes of four axes: the second is a position."""
    network = nn.Sequential(nn.Conv2d(2, 3, 3), nn.AvgPool3d((2, 1, 1), 1), nn.BatchNorm2d(2)).double()
    left = check(network, torch.randn(4, 2, 6, 6, dtype=torch.float64))
    assert left == {"2": "reads means over other axes than those of 0"}


def test_reasons_name_what_is_in_the_way():
    reasons = {case: " ".join(batchnorms_left(network).values()) for case, (_, network) in FLOWS.items()}
    assert reasons["n(a(x)) + m(a(x))"] == "is not alone to read a is not alone to read a"
    assert "cannot trace (TraceError: symbolically traced variables" in reasons["control flow"]
    assert reasons["a gate"].startswith(
        "a, which it reads, stands in gate (Gate), which torch.fx cannot trace"
    )
    assert reasons["F.conv2d(x, a.weight)"] == (
        "a, which it reads, has weights that are set or read elsewhere, too"
    )
    assert reasons["hook on n"] == "has hooks or a forward of its own"
    assert reasons["m(n(x)) before"] == (
        "reads the input, which is none of Conv2d, ConvTranspose2d "
        "reads n (BatchNorm2d), which is none of Conv2d, "
        "ConvTranspose2d"
    )


def test_arguments_that_a_network_need_not_be_given():
    class Two(Net):
        def forward(self, x, y, *, scale, swap=False):
            x = self.n(self.a(x))
            return scale * (self.m(self.b(y)) if swap else self.m(x + y))

    x = torch.randn(2, 4, 2, 5, 5, dtype=torch.float64)
    network = lived_in(Two().double().eval())
    assert batchnorms_left(network).keys() == {"m"}
    torch.testing.assert_close(fold_batchnorm(network)(*x, scale=2), network(*x, scale=2))


class Drawn(nn.Module):
    """A network of a few layers that may share weights, called in an order that is drawn."""

    def __init__(self, steps, shared):
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(2, 2, 3, padding=1, bias=i % 2 > 0) for i in range(3))
        self.norms = nn.ModuleList(nn.BatchNorm2d(2, affine=i != 1) for i in range(4))
        if shared:
            self.convs[0].weight = self.convs[2].weight
        self.gate, self.drop, self.mean = Gate(self.convs[1], hidden=True), nn.Dropout(), nn.AvgPool2d(1)
        self.steps = steps

    def forward(self, x):
        values = [x]
        for kind, which, at in self.steps:
            x = values[at % len(values) - 1] if at % 3 == 0 else values[-1]
            y = {
                "conv": lambda x, i: self.convs[i % 3](x),
                "norm": lambda x, i: self.norms[i](x),
                "relu": lambda x, i: x.relu(),
                "add": lambda x, i: x + values[i % len(values)],
                "drop": lambda x, i: self.drop(x),
                "mean": lambda x, i: self.mean(x),
                "weight": lambda x, i: F.conv2d(x, self.convs[i % 3].weight, padding=1),
                "gate": lambda x, i: self.gate(x),
            }[kind](x, which)
            values.append(y)
        return values[-1]


KINDS = [
    "conv",
    "conv",
    "conv",
    "norm",
    "norm",
    "norm",
    "norm",
    "relu",
    "add",
    "drop",
    "mean",
    "weight",
    "gate",
]
STEPS = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 3), st.integers(0, 8)), max_size=12)


@settings(deadline=None, max_examples=150)
@given(STEPS, st.booleans())
@example([("conv", 0, 1), ("norm", 0, 1), ("conv", 0, 1), ("norm", 0, 1)], True)
@example([("conv", 0, 1), ("norm", 0, 1), ("norm", 1, 1), ("norm", 2, 0)], True)
def test_any_network(steps, shared):
    torch.manual_seed(0)
    check(Drawn(steps, shared).double(), torch.randn(2, 2, 4, 4, dtype=torch.float64))
