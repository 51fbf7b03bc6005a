"""What a type checker sees of neurons, networks, data and losses.  `make typecheck` reads it; nothing runs it."""

from typing import assert_type

import torch
from torch import Tensor, nn

from snnbook import losses
from snnbook.backbones import NetworkConfig, build_ann, build_snn
from snnbook.errors import UserError
from snnbook.files import HeldError
from snnbook.folding import SpikingNetwork, fold, unfold
from snnbook.neurons import IF, LIF, PLIF, preset
from snnbook.surrogates import Sigmoid, spike

neurons: list[LIF] = [LIF(decay=0.25, surrogate=Sigmoid(4.0), time_steps=2), IF(), PLIF(), preset("tet")]
LIF(decay="0.25")  # type: ignore[arg-type]
LIF(leak=0.25)  # type: ignore[call-arg]

config = NetworkConfig("resnet18", width=8, time_steps=2)
assert_type(build_snn(config, 10), SpikingNetwork)
assert_type(build_ann(config, num_classes=10), nn.Module)
NetworkConfig(width="wide")  # type: ignore[arg-type]
config.width = 4  # type: ignore[misc]

x = torch.rand(2, 4, 10)
assert_type(fold(x), Tensor)
assert_type(unfold(fold(x), time_steps=2), Tensor)
assert_type(spike(x, Sigmoid(4.0)), Tensor)
assert_type(losses.tet(x, torch.arange(4), lam=0.05), Tensor)

failure: UserError = HeldError("held")
