"""A network drawn as layers and wires: what reads what, and what cannot be drawn."""

import pytest
import torch
from torch import nn

from export_cases import Branches, layers, network
from snnbook import IF, LIF, PLIF, NetworkConfig, SpikingNetwork, UserError, build_snn, folding
from snnbook.deploy import batchnorms_left, fold_batchnorm, to_fixed_point, to_nir, to_onnx, wiring


def drawn(backbone, shape=(2, 6, 6)):
    made = network(backbone, 3)
    return wiring.draw(made, wiring.sample_of(shape, made))


def test_layers_are_drawn_in_order_with_their_shapes():
    parts = drawn(layers(LIF, nn.MaxPool2d)).parts
    assert [part.name for part in parts.values()] == ["0", "2", "3", "4", "5", "6", "7"]
    assert [part.shape for part in parts.values()] == [
        (4, 6, 6),
        (4, 6, 6),
        (4, 3, 3),
        (36,),
        (8,),
        (8,),
        (5,),
    ]
    assert [name for name, part in parts.items() if part.spikes] == ["2", "3", "4", "6"]
    assert parts["5"].sources == ("4",) and parts["0"].sources == ("input",)


def test_sums_are_several_wires():
    drawing = drawn(Branches(LIF))
    assert set(drawing.parts["act"].sources) == {"conv", "encode"}
    (flat,) = [part for part in drawing.parts.values() if isinstance(part.layer, nn.Flatten)]
    assert set(flat.sources) == {"sewn", "act"}
    assert not flat.spikes  # 0, 1 and 2
    assert drawing.outputs == ("head",)


def test_a_drawing_computes_what_the_network_does():
    """Its parts, run in order with what they read added, give the network's output."""
    made, x = network(Branches(LIF), 1), torch.randn(1, 3, 2, 6, 6)
    values = {"input": x[0]}
    for name, part in wiring.draw(made, x).parts.items():
        if part.neuron:
            part.layer.time_steps = 1
        values[name] = part.layer(sum(values[source] for source in part.sources))
    torch.testing.assert_close(values["head"], made(x)[0])


def test_statistics_of_each_step_are_folded_for_evaluation():
    config = NetworkConfig("vgg11", width=4, time_steps=3, options={"batchnorm": "step"})
    made = build_snn(config, 10)
    for _ in range(2):
        made(torch.randn(4, 3, 16, 16))
    made.eval()
    assert not batchnorms_left(made)
    folded, x = fold_batchnorm(made), torch.randn(4, 3, 16, 16)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in folded.modules())
    torch.testing.assert_close(folded(x), made(x))


def test_batchnorm_is_folded_beside_learned_thresholds():
    made, x = network(layers(lambda: LIF(learn_threshold=True, learn_decay=True))), torch.rand(4, 2, 6, 6)
    assert not batchnorms_left(made)
    torch.testing.assert_close(fold_batchnorm(made)(x), made(x))


class Odd(nn.Module):
    def __init__(self, between, first=None):
        super().__init__()
        self.conv, self.lif, self.between = first or nn.Conv2d(2, 4, 3, padding=1), LIF(), between

    def forward(self, x):
        return self.between(self.lif(self.conv(x)))


class Called(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Gated(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.Conv2d(4, 1, 1)

    def forward(self, x):
        return x + self.one(x)


class Half(LIF):
    def forward(self, current, recurrence=None):
        return super().forward(0.5 * current, recurrence)


class Same(LIF):
    """A subclass that computes what its base does."""


class Doubled(SpikingNetwork):
    def forward(self, images):
        return 2 * super().forward(images)


def of_its_own(layer):
    plain = layer.forward
    layer.forward = lambda x: 2 * plain(x)
    return layer


def hooked(layer):
    layer.register_forward_hook(lambda module, inputs, output: 2 * output)
    return layer


def hooked_before(layer):
    layer.register_forward_pre_hook(lambda module, inputs: 2 * inputs[0])
    return layer


CHANGES = [of_its_own, hooked, hooked_before]
LAYERS = {
    "conv": lambda: nn.Conv2d(2, 4, 3, padding=1),
    "norm": lambda: nn.BatchNorm2d(4),
    "neuron": LIF,
    "dropout": nn.Dropout,
    "spikes": lambda: nn.MaxPool2d(1),
    "pool": lambda: nn.AvgPool2d(2),
    "flat": nn.Flatten,
    "linear": lambda: nn.Linear(36, 8),
    "learned": PLIF,
    "never leaks": IF,
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("place", range(len(LAYERS)), ids=LAYERS)
def test_a_layer_that_does_more_than_its_kind_is_told(change, place):
    made = [make() for make in LAYERS.values()]
    change(made[place])
    with pytest.raises(UserError, match=rf"\b{place}[ ,][^\n]*(hooks|forward of its own)[^\n]*$"):
        drawn(nn.Sequential(*made))


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("whole", ["network", "backbone"])
def test_a_whole_that_does_more_than_its_parts_is_told(change, whole):
    made = network(layers(LIF), 3)
    change(made if whole == "network" else made.backbone)
    with pytest.raises(UserError, match=rf"{whole} .*cannot be written: it has"):
        wiring.draw(made, torch.rand(3, 4, 2, 6, 6))


def test_only_a_class_with_a_forward_of_its_own_is_told():
    assert any(part.neuron for part in drawn(layers(Same)).parts.values())
    with pytest.raises(UserError, match=r"2 \(Half\) cannot be written: it has a forward of its own"):
        drawn(layers(Half))
    with pytest.raises(UserError, match=r"the network \(Doubled\) cannot be written"):
        wiring.draw(Doubled(layers(LIF), 3), torch.rand(3, 4, 2, 6, 6))


class Own(nn.Module):
    """A neuron written with the tools that the library has for that."""

    def forward(self, x):
        u, spikes = 0, []
        for current in folding.unfold_current(x, None):
            u = u / 2 + current
            spikes.append((u > 1).to(x.dtype))
            u = u * (1 - spikes[-1])
        return folding.fold(torch.stack(spikes))


class OwnBackbone(Own):
    def __init__(self):
        super().__init__()
        self.lif = LIF()

    def forward(self, x):
        return super().forward(self.lif(x))


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.both, self.lif = nn.Bilinear(6, 6, 2), LIF()

    def forward(self, x):
        return self.both(x, self.lif(x))


class Plain(nn.Conv2d):
    """No layer of torch's own, so that it is read as what it does."""


REFUSED = {
    "between is Own": Odd(Own()),
    "between.0 is Own": Odd(nn.Sequential(Own())),
    "the backbone is OwnBackbone": OwnBackbone(),
    "between.both is Bilinear": Odd(Twice()),
    "computes with conv.weight": Odd(nn.Identity(), Plain(2, 4, 3)),
    "is smooth": nn.Sequential(nn.Conv2d(2, 4, 3), LIF(smooth=True)),
    "max-pooling of something else": nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(2, 4, 3), LIF()),
    "unequal windows": Odd(nn.AdaptiveAvgPool2d(4)),
    "beyond the border": Odd(nn.AvgPool2d(4, ceil_mode=True)),
    "another number": Odd(nn.AvgPool2d(2, divisor_override=3)),
    "another kind than zeros": Odd(nn.Identity(), nn.Conv2d(2, 4, 3, padding=1, padding_mode="circular")),
    "one side more": Odd(nn.Identity(), nn.Conv2d(2, 4, 2, padding="same")),
    "the last axis": Odd(nn.Linear(6, 3)),
    "keeps some axes": Odd(nn.Flatten(2)),
    "is Softmax": Odd(nn.Softmax(1)),
    "is ReLU": Odd(nn.ReLU()),
    "does mul()": Odd(Called(lambda x: x * x)),
    "does relu()": Odd(Called(torch.relu)),
    "does getitem()": Odd(Called(lambda x: x[:, :1])),
    "broadcasting": Odd(Gated()),
    "to itself": Odd(Called(lambda x: x + x)),
    "several tensors": Odd(Called(lambda x: (x, x))),
    "cannot read": Odd(Called(lambda x: x if x.sum() > 0 else -x)),
    "cannot be folded": nn.Sequential(nn.BatchNorm2d(2), nn.Conv2d(2, 4, 3), LIF()),
    "no spiking neurons": nn.Sequential(nn.Conv2d(2, 4, 3)),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_cannot_be_drawn_is_told_in_one_line(reason):
    with pytest.raises(UserError) as error:
        drawn(REFUSED[reason])
    assert reason in str(error.value)
    assert "\n" not in str(error.value) and len(str(error.value)) < 400


def test_recurrent_weights_are_refused():
    made = build_snn(NetworkConfig("recurrent", width=4, time_steps=2), 5, 2)
    with pytest.raises(UserError, match="recurrent weights"):
        wiring.draw(made, torch.rand(2, 3, 2, 1, 1))


@pytest.mark.parametrize("given", [nn.Linear(2, 2), None, "resnet", layers(LIF)])
def test_only_spiking_networks_are_drawn(given):
    with pytest.raises(UserError, match="SpikingNetwork"):
        wiring.checked_network(given)


def test_a_method_is_told_where_its_network_is():
    from snnbook import Direct

    method = Direct(Direct.Config(), NetworkConfig("convnet", width=4), 5, 2)
    with pytest.raises(UserError, match=r"network in \."):
        wiring.checked_network(method)


def test_half_precision_is_refused():
    with pytest.raises(UserError, match=r"float32"):
        wiring.checked_network(network(layers(LIF)).double())


@pytest.mark.parametrize(
    "sample", [None, (2, 6), (2, 6, 0), (2.0, 6, 6), torch.rand(2, 6), torch.ones(1, 2, 6, 6).int(), "x"]
)
def test_samples_that_are_none(sample):
    with pytest.raises(UserError, match="sample is"):
        wiring.sample_of(sample, network(layers(LIF)))


@pytest.mark.parametrize("shape", [(2, 60, 60), (2, 9, 6), (2, 1, 1), (3, 6, 6)])
@pytest.mark.parametrize("export", [to_nir, to_fixed_point, to_onnx])
def test_images_that_the_network_does_not_take(export, shape):
    made = network(layers(LIF, nn.MaxPool2d), 3)
    for sample in (shape, torch.rand(4, *shape)):
        with pytest.raises(UserError, match=r"^(the network fails at a sample|images have 3)[^\n]*$"):
            export(made, sample)


def test_batchnorm_behind_a_linear_layer_is_drawn():
    made = drawn(nn.Sequential(nn.Flatten(), nn.Linear(72, 8), nn.BatchNorm1d(8), LIF()))
    assert [part.name for part in made.parts.values()] == ["0", "1", "3"]


def test_drawing_leaves_the_network_as_it_was():
    made = SpikingNetwork(layers(LIF), 3).train()
    made.backbone[1].eval()
    before = {name: x.clone() for name, x in made.state_dict().items()}
    modes = [m.training for m in made.modules()]
    wiring.draw(made, torch.rand(3, 4, 2, 6, 6))
    wiring.spikes_of(made, torch.rand(3, 4, 2, 6, 6))
    assert modes == [m.training for m in made.modules()]
    assert all(torch.equal(x, before[name]) for name, x in made.state_dict().items())
    assert not any(m._forward_hooks for m in made.modules())
