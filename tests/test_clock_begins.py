"""Where time begins: static images give what the same frames give, or one line says why not."""

import copy

import pytest
import torch
from torch import nn

from bad_input import one_line
from clock_cases import by_frames, close, images, lif, stack
from snnbook.backbones import MultiExit, build_backbone
from snnbook.folding import SpikingNetwork


class Skip(nn.Module):
    """A branch around the first neuron."""

    def __init__(self, how):
        super().__init__()
        self.conv, self.first, self.head, self.how = nn.Conv2d(2, 2, 1), lif(), nn.Linear(128, 3), how
        self.fork = nn.Identity()

    def forward(self, x):
        x = self.fork(self.conv(x))
        s = self.first(x)
        if self.how == "add":
            y = s + x
        elif self.how == "cat":
            y = torch.cat([s, x], 1)[:, :2]
        else:
            y = torch.cat([s, x])
        return self.head(y.flatten(1))


@pytest.mark.parametrize("how", ["add", "cat", "rows"])
def test_a_branch_around_the_first_neuron(how):
    torch.manual_seed(0)
    backbone = Skip(how)
    one_line(lambda: SpikingNetwork(backbone, 3)(images()), "rows")
    if how != "rows":
        named = SpikingNetwork(backbone, 3, encode="fork")
        close(named(images()), by_frames(named, images()))
        close(named(images(1)), by_frames(named, images(1)))


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.encode, self.head = nn.Conv2d(2, 2, 1), lif(), nn.Linear(128, 3)

    def forward(self, x):
        return self.head(self.encode(self.stem(self.encode(self.stem(x)))).flatten(1))


class Twins(Shared):
    def forward(self, x):
        return self.head((self.encode(self.stem(x)) + self.encode(2 * self.stem(x))).flatten(1))


class Silent(Shared):
    """No neuron on the way to the output."""

    def forward(self, x):
        return self.head(self.stem(x).flatten(1))


@pytest.mark.parametrize("kind", [Shared, Silent])
@pytest.mark.parametrize("first", ["neuron", "relu", "missing", "none"])
def test_whatever_encode_is_static_images_equal_frames(kind, first):
    torch.manual_seed(0)
    backbone = kind()
    if first == "relu":
        backbone.encode = nn.ReLU()
    elif first == "missing":
        encode = backbone.encode
        del backbone.encode
        backbone.other = encode
        object.__setattr__(backbone, "encode", encode)  # an attribute all the same
    elif first == "none":
        backbone.forward = lambda x: backbone.head(lif_late(backbone.stem(x)).flatten(1))
        lif_late = backbone.encode
        backbone.__dict__.pop("encode", None)
    network = SpikingNetwork(backbone, 4)
    close(network(images()), by_frames(network, images()))


class Tokens(nn.Module):
    """Takes B from what stands still, and time for space afterwards, as transformers are written."""

    def __init__(self, late=None):
        super().__init__()
        self.stem, self.lif, self.late = nn.Conv2d(2, 3, 1), lif(), late

    def forward(self, x):
        batch = len(x)
        y = self.lif(self.stem(x)).reshape(batch, -1, 3, 8, 8).mean(1)
        return y if self.late is None else self.late(y).repeat(3, 1, 1, 1)


def test_images_and_times_are_not_mixed():
    """B rows behind the first neuron may be anything: the still image once more, or time taken for space."""
    torch.manual_seed(0)
    for backbone in (Tokens(), Tokens(lif()), Twins()):
        network = SpikingNetwork(backbone, 3)
        one_line(lambda network=network: network(images()), "keep the leading axis", "encode=name")
    for found in (lambda y: [y], lambda y: {"logits": (y, y)}):  # nor in what holds several
        network = SpikingNetwork(Tokens(), 3)
        network.backbone.register_forward_hook(lambda layer, inputs, y, found=found: found(y))
        one_line(lambda network=network: network(images()), "keep the leading axis")
    parted = SpikingNetwork(Twins(), 3, encode="stem")
    close(parted(images()), by_frames(parted, images()))


def test_an_encoder_of_your_own_is_named():
    class Noise(nn.Module):
        def forward(self, x):
            self.seen = len(x)
            return x + torch.randn(len(x), 1, 1, 1)

    network = SpikingNetwork(stack(Noise()), 3, encode="0")
    y = network(images())
    assert network.backbone[0].seen == 12
    assert not torch.equal(y[0], y[1])
    with_exits = MultiExit(build_backbone("resnet18", 10, 2, lif, width=4), "linear", 10, lif)
    named = SpikingNetwork(with_exits, 2, encode="backbone.encode")
    assert [x.shape for x in named.run(with_exits, images())[0]] == [(2, 4, 10)] * 4
    for wrong in ("nosuch", "", 3):
        one_line(lambda wrong=wrong: SpikingNetwork(stack(), 2, encode=wrong), "encode is", "it has 0, 1")


@pytest.mark.parametrize("count", [1, 2])
def test_a_layer_before_which_images_are_repeated_may_write_into_them(count):
    torch.manual_seed(0)
    network = SpikingNetwork(stack(nn.Sequential(nn.ReLU(inplace=True))), 3, encode="0").eval()
    x = images(count)
    before = x.clone()
    with torch.no_grad():
        close(network(x), network(torch.stack([x, x, x])))
    assert torch.equal(x, before)


def test_the_last_network_around_a_backbone_says_where_time_begins():
    class Seen(nn.Module):
        def forward(self, x):
            self.rows = len(x)
            return x

    backbone = stack(Seen())
    expected = SpikingNetwork(backbone, 3)(images())
    SpikingNetwork(backbone, 3, encode="0")
    again = SpikingNetwork(copy.deepcopy(backbone), 3)
    close(again(images()), expected)
    assert again.backbone[0].rows == 4  # once, not at each step


class Rows(nn.Module):
    def __init__(self, change):
        super().__init__()
        self.change = change

    def forward(self, x):
        return self.change(x)


@pytest.mark.parametrize(
    "change",
    [
        lambda x: torch.cat([x, x]),  # at T = 2 as many rows as time would have
        lambda x: x.repeat(3, 1, 1, 1),
        lambda x: x[:1],
        lambda x: x[:0],
        lambda x: x[0, 0, 0, 0],
    ],
)
@pytest.mark.parametrize("place", ["before", "between"])
def test_layers_that_change_the_leading_axis_are_noticed(change, place):
    layers = stack()
    layers.insert(0 if place == "before" else 3, Rows(change))
    if place == "before":
        layers[1].forward = lambda x: nn.functional.conv2d(x, layers[1].weight) if x.dim() else x
        layers[2] = nn.Identity()
    else:
        layers[4].forward = lambda x: nn.functional.conv2d(x, layers[4].weight) if x.dim() else x
        layers[5] = nn.Identity()
    one_line(
        lambda: SpikingNetwork(layers, 2)(images()), "leading axis" if change(images()).dim() == 0 else "rows"
    )
