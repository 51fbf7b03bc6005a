"""Whatever a network is given, or built with, it is taken or refused in one line."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from bad_input import one_line
from snnbook.backbones import NetworkConfig, build_ann, build_backbone, build_snn
from snnbook.baselines.snntorch_network import SnnTorchConfig, SnnTorchNetwork
from snnbook.checks import check_number
from snnbook.errors import UserError
from snnbook.folding import SpikingNetwork
from snnbook.neurons import LIF

NET = build_snn(NetworkConfig("resnet18", width=4, time_steps=2), 4)
GOOD = torch.rand(2, 3, 8, 8)
ODD = [
    None,
    "x",
    "",
    [],
    {},
    [1],
    float("nan"),
    -1,
    0,
    2.5,
    10**400,
    object(),
    torch.ones(2),
    1j,
    b"x",
    nn.ReLU(),
    type,
]


@pytest.mark.parametrize(
    ("images", "says"),
    [
        (GOOD.double(), "images are float64"),
        (GOOD.half(), "images are float16"),
        (GOOD.byte(), "images are uint8"),
        (GOOD.long(), "images are int64"),
        (GOOD.bool(), "images are bool"),
        (GOOD.to(torch.complex64), "images are complex64"),
        (GOOD.to("meta"), "images are on meta"),
        (GOOD.to_sparse(), "images are sparse"),
        (GOOD[:, :1], "images have 1 channels, the network is built for 3"),
        (GOOD.repeat(1, 2, 1, 1), "images have 6 channels"),
        (GOOD[..., :0], "which is empty"),
        (GOOD.numpy(), "images are ndarray"),
        (torch.rand(3, 2, 3, 8, 8), "frames have 3 steps"),
    ],
)
def test_images_that_no_network_takes(images, says):
    one_line(lambda: NET(images), says)


@pytest.mark.parametrize("shape", [(7, 2, 3, 8, 8), (3, 8, 8)], ids=["frames", "axes"])
def test_snntorch_s_network_takes_what_ours_takes(shape):
    network = SnnTorchNetwork(SnnTorchConfig(), NetworkConfig("vgg9", width=4, time_steps=2), 4)
    says = "7 steps but the network runs T = 2; set network.time_steps" if len(shape) == 5 else "have shape"
    one_line(lambda: network.predict(torch.rand(shape)), says)


@given(
    shape=st.lists(st.integers(0, 4), max_size=6),
    kind=st.sampled_from([torch.float32, torch.float64, torch.int32, torch.bool, torch.uint8]),
)
@settings(deadline=None, max_examples=80)
def test_images_of_any_shape_and_type(shape, kind):
    try:
        logits = NET(torch.zeros(shape, dtype=kind))
    except UserError as error:
        assert len(str(error)) < 400 and "\n" not in str(error)
    else:
        assert logits.shape[:1] == (2,) and logits.shape[2:] == (4,)


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_networks_are_built_of_what_they_should(odd):
    for build in (build_ann, build_snn):
        one_line(lambda build=build: build(odd, 4), "config is")
    one_line(lambda: build_backbone("resnet18", 4, activation=odd, width=4), "activation")
    if not isinstance(odd, nn.Module):
        one_line(lambda: build_backbone("resnet18", 4, activation=lambda: odd, width=4), "activation made")
    one_line(lambda: SpikingNetwork(nn.Sequential(LIF()), odd), "time_steps is")
    if odd is not None:
        one_line(lambda: SpikingNetwork(nn.Sequential(LIF()), 2, encode=odd), "encode is")


@pytest.mark.parametrize("value", [10**400, -(10**400), np.float64("inf"), float("nan")])
def test_numbers_beyond_a_float_are_not_finite(value):
    one_line(lambda: check_number("x", value), "expected a finite number")
    one_line(lambda: LIF(threshold=value), "threshold is")


def test_an_error_of_the_network_itself_stays_what_it_is():
    class Broken(nn.Module):
        def forward(self, x):
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        SpikingNetwork(Broken(), 2)(GOOD)
