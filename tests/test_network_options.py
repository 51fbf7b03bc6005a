"""The networks' own settings are refused when they are read, not when the network is built."""

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn

from bad_input import one_line
from snnbook import backbones
from snnbook.backbones import BACKBONES, NetworkConfig, ResNet, build_ann
from snnbook.errors import UserError
from snnbook.trainers.distillation import DistillationConfig


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("resnet18", {"block": "SEWBlock"}, "no option 'block'"),
        ("resnet18", {"init": "fan_outt"}, "init is 'fan_outt'; expected one of fan_out, torch"),
        ("resnet18", {"init": ["fan_out"]}, "init is ['fan_out']"),
        ("resnet18", {"stem": 0}, "stem is 0; expected a whole number from 1"),
        ("resnet18", {"stem": "64"}, "stem is '64'"),
        ("resnet18", {"stem": True}, "stem is True"),
        ("resnet18", {"blocks": [2, 2, 2]}, "3 blocks, 4 multipliers, 4 strides"),
        ("resnet18", {"blocks": 2}, "blocks is 2; expected a list"),
        ("resnet18", {"blocks": [2, 2, 2, 0]}, "blocks is 0"),
        ("resnet18", {"blocks": [2, 2, 2, 10**9]}, "blocks is 1000000000"),
        ("resnet18", {"strides": [1, 2, 2, 2.0]}, "strides is 2.0"),
        ("resnet18", {"multipliers": [1, 2, 4, -8]}, "multipliers is -8"),
        ("resnet18", {"multipliers": [1, 2, 4, 60_000]}, "parameters takes"),
        ("resnet18", {"hidden_head": "yes"}, "hidden_head is 'yes'; expected true or false"),
        ("resnet18", {"large_images": 1}, "large_images is 1"),
        ("sew_resnet34", {"connect": "or"}, "connect is 'or'"),
        ("sew_resnet34", {"connect": {}}, "connect is {}"),
        ("vggsnn", {"pool": None}, "pool is None"),
        ("vgg16", {"depth": 12}, "no VGG of depth 12"),
        ("vgg16", {"depth": [11]}, "depth is [11]"),
        ("wrn16_2", {"depth": 17}, "depth 17 does not exist"),
        ("wrn16_2", {"depth": 10**12 + 2}, "depth is 1000000000002"),
        ("wrn16_2", {"widen_factor": 1}, "widen_factor is 1"),
        ("wrn16_2", {"widen_factor": 60_000}, "parameters takes"),
        ("pyramidnet20", {"alpha": float("nan")}, "alpha is nan"),
        ("pyramidnet20", {"alpha": "200"}, "alpha is '200'"),
        ("pyramidnet20", {"alpha": -1}, "alpha is -1"),
        ("convnet", {1: 2}, "no option 1"),
    ],
)
def test_an_option_is_refused_when_it_is_read(name, options, words):
    one_line(lambda: NetworkConfig(name, options=options), words)
    one_line(
        lambda: DistillationConfig(teacher={"name": name, "options": options}), "method.teacher: ", words
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"width": 0}, "width is 0"),
        ({"width": -8}, "width is -8"),
        ({"width": 10**9}, "width is 1000000000"),
        ({"width": 60_000}, "parameters takes"),
        ({"width": 2.0}, "width is 2.0"),
        ({"time_steps": 10**19}, "time_steps is 1"),
        ({"time_steps": 10**5000}, "time_steps is "),
        ({"time_steps": 100_000}, "network.time_steps is 100000; expected at most"),
        ({"neuron_options": {1: 2}}, "network.neuron_options: 1 is no setting"),
        ({"neuron_options": {"time_steps": 3}}, "network.time_steps"),
        ({"neuron_options": {"surrogate": {1: 2}}}, "surrogate is {1: 2}"),
        ({"neuron_options": {"surrogate": {}}}, "no surrogate ''"),
        ({"neuron_options": {"surrogate": "sigmoid"}}, "surrogate is 'sigmoid'"),
        ({"neuron_options": {"surrogate": {"name": "sigmoid", "k": [1]}}}, "k of Sigmoid is [1]"),
        ({"neuron_options": {"surrogate": {"name": ["sigmoid"]}}}, "no surrogate ['sigmoid']"),
        ({"neuron_options": {"decay": "0.5"}}, "decay is '0.5'"),
    ],
)
def test_a_setting_of_a_network_is_refused_when_it_is_read(changes, words):
    one_line(lambda: NetworkConfig(**changes), words)


NUMBERS = st.integers(-2, 12) | st.floats() | st.sampled_from([10**9, 2**70, 16, 60_000])
VALUES = st.none() | st.booleans() | NUMBERS | st.text(max_size=3) | st.lists(NUMBERS, max_size=5)
VALUES |= st.sampled_from(
    ["fan_out", "torch", "add", "iand", "stride", [1, 1], [1, 1, 1], [2, 2, 2, 2], {}, {"a": 1}]
)
OPTIONS = [key for key in backbones.options.KINDS if key not in ("num_classes", "in_channels", "width")]


@given(
    name=st.sampled_from([*BACKBONES]),
    options=st.dictionaries(st.sampled_from([*OPTIONS, "block"]), VALUES, max_size=2),
    width=st.none() | st.sampled_from([1, 4, 16]),
)
@example("resnet18", {"blocks": [1], "multipliers": [1], "strides": [1]}, 4)
@settings(deadline=None, max_examples=150)
def test_what_is_taken_can_be_built(name, options, width):
    try:
        config = NetworkConfig(name, width, options)
    except UserError as error:
        assert len(str(error)) < 400
        return
    with torch.device("meta"):
        assert isinstance(build_ann(config, 10), nn.Module)


@pytest.mark.parametrize(
    "call",
    [
        lambda: ResNet(10, init="fan_outt"),
        lambda: ResNet(0),
        lambda: ResNet(10, in_channels=2.5),
        lambda: ResNet(10, width="8"),
        lambda: backbones.VGG(10, width=-1),
        lambda: backbones.VGGSNN(10, width=0),
        lambda: backbones.SNN5(10, width=None),
        lambda: backbones.ConvNet("10"),
        lambda: backbones.build_backbone(["resnet18"], 10),
        lambda: backbones.build_backbone("wrn16_2", True),
    ],
)
def test_networks_themselves_refuse_too(call):
    one_line(call)


def test_reading_settings_draws_nothing():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    backbones._parameters.cache_clear()
    NetworkConfig("resnet18", 8, {"stem": 4})
    assert torch.equal(before, torch.get_rng_state())
