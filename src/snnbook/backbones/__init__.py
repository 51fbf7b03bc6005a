"""Networks written once and built with an activation factory: ``nn.ReLU`` gives the ANN, a neuron the SNN.

A backbone is an ordinary module that never mentions time; its parts have the same names everywhere, see
:class:`snnbook.backbones.backbone.Backbone`.
"""

import inspect
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache, partial
from math import inf

import torch
from torch import nn

from snnbook import neurons, room
from snnbook.backbones import options
from snnbook.backbones.backbone import Backbone
from snnbook.backbones.batchnorm import STATISTICS, by_step
from snnbook.backbones.bottleneck_resnet import BottleneckResNet
from snnbook.backbones.convnet import ConvNet
from snnbook.backbones.dense import Dense
from snnbook.backbones.exits import MultiExit
from snnbook.backbones.plain import SNN5, VGGSNN, StridedVGG
from snnbook.backbones.pyramidnet import PyramidNet
from snnbook.backbones.resnet import ResNet, SEWBlock
from snnbook.backbones.vgg import VGG
from snnbook.backbones.wide_resnet import WideResNet
from snnbook.checks import check_choice, check_config, check_fields, nearest, shown, whole
from snnbook.errors import UserError, one_line
from snnbook.folding import SpikingNetwork, check_time_steps


def sew_resnet34(connect: str = "add", **options) -> ResNet:
    """SEW-ResNet34 for ImageNet (Fang et al. 2021b); ``connect`` as :class:`SEWBlock`'s."""
    return ResNet(blocks=(3, 4, 6, 3), large_images=True, block=partial(SEWBlock, connect=connect), **options)


# One hidden layer in the head of the SNN; the ANN of SASTC's public code has none.
RESNET19 = dict(blocks=(3, 3, 2), multipliers=(2, 4, 8), strides=(1, 2, 2))
SPIKING_RESNET19 = dict(**RESNET19, hidden_head=True, init="torch")

BACKBONES: dict[str, Callable[..., nn.Module]] = {
    "resnet18": partial(ResNet, blocks=(2, 2, 2, 2)),
    "resnet34": partial(ResNet, blocks=(3, 4, 6, 3)),
    "resnet19": partial(ResNet, **SPIKING_RESNET19),
    "resnet19_teacher": partial(ResNet, **RESNET19),
    "resnet32x4": partial(ResNet, width=32, blocks=(5, 5, 5), multipliers=(2, 4, 8), strides=(1, 2, 2)),
    "spiking_resnet18": partial(ResNet, blocks=(2, 2, 2, 2), large_images=True),
    "spiking_resnet34": partial(ResNet, blocks=(3, 4, 6, 3), large_images=True),
    "sew_resnet34": sew_resnet34,
    "vgg9": partial(VGG, depth=9),
    "vgg11": partial(VGG, depth=11),
    "vgg13": partial(VGG, depth=13),
    "vgg16": partial(VGG, depth=16),
    "vggsnn": VGGSNN,
    "snn5": SNN5,
    "wrn16_2": partial(WideResNet, depth=16, widen_factor=2),
    "wrn28_4": partial(WideResNet, depth=28, widen_factor=4),
    "wrn40_2": partial(WideResNet, depth=40, widen_factor=2),
    "pyramidnet20": PyramidNet,
    "convnet": ConvNet,
    "dense": Dense,
    "recurrent": partial(Dense, recurrent=True),
    # The students released with SASTC, under honest names (its "ResNet-18", "WRN-16-2" and "VGG-11").
    "sastc_resnet19": partial(ResNet, **SPIKING_RESNET19),
    "sastc_bottleneck16": BottleneckResNet,
    "sastc_vgg11": StridedVGG,
}

__all__ = [
    "BACKBONES",
    "SNN5",
    "VGG",
    "VGGSNN",
    "Backbone",
    "ConvNet",
    "Dense",
    "MultiExit",
    "NetworkConfig",
    "ResNet",
    "SEWBlock",
    "build_ann",
    "build_backbone",
    "build_snn",
]


MOST_STEPS = 10_000


@dataclass(frozen=True)
class NetworkConfig:
    """Which network to build (the section ``network`` of an experiment).

    Attributes:
        name: one of ``BACKBONES``.
        width: channels of the first convolution, which all others are multiples of; None for the paper's network.
        options: the network's own settings, for instance ``{stem: 128}`` for ResNet-19 or ``{connect: iand}`` for
            SEW-ResNet34; ``{batchnorm: step}`` for any.
        time_steps: T of the spiking network.
        neuron: one of ``snnbook.neurons.PRESETS``.
        neuron_options: changes to the preset, for instance ``{decay: 0.5}``.
    """

    name: str = "resnet18"
    width: int | None = None
    options: dict = field(default_factory=dict)
    time_steps: int = 4
    neuron: str = "joint_asnn"
    neuron_options: dict = field(default_factory=dict)

    def __post_init__(self):
        object.__setattr__(self, "time_steps", check_time_steps(self.time_steps))
        check_fields(self, "network", at_most={"time_steps": MOST_STEPS})
        if self.width is not None:
            options.count("network.width", self.width)
        _lookup(self.name)
        with _naming("network.options"):
            _check_options(self.name, self.options)
            if self.width is not None or self.options:
                _rehearse(self.name, self.width, self.options)
        neurons.preset(self.neuron)
        with _naming("network.neuron_options"):
            for key in self.neuron_options:
                if key == "time_steps" or not isinstance(key, str):
                    raise UserError(
                        f"{shown(key)} is no setting of a neuron here; time is network.time_steps"
                    )
            neurons.preset(self.neuron, **self.neuron_options)


@contextmanager
def _naming(setting: str) -> Iterator[None]:
    """Name ``setting`` in what the body refuses."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{setting}: {error}") from None


def _check_options(name: str, options: dict) -> None:
    parameters = inspect.signature(_lookup(name)).parameters
    common = ("num_classes", "in_channels", "activation", "width", "options", "block")
    known = [*(key for key in parameters if key not in common), "batchnorm"]
    for key in options:
        if key not in known:
            raise UserError(f"network {name} has no option {shown(key)}; it has {', '.join(known)}")


def _rehearse(name: str, width: int | None, options: dict) -> None:
    """Build the network without its memory, and refuse one whose weights this machine could not hold."""
    try:
        parameters = _parameters(name, width, json.dumps(options))
    except (TypeError, ValueError) as error:
        raise UserError(
            f"network.options is {shown(options)} ({error}); expected what JSON can write"
        ) from None
    what = f"network {name} with width {width}, options {shown(options)} and so {parameters:.1e} parameters"
    room.check(8 * parameters, room.at_hand(), what, advice="choose a smaller network")  # with gradients


@lru_cache(maxsize=256)
def _parameters(name: str, width: int | None, options: str) -> float:
    """How many a network has; without end if torch cannot count them."""
    try:
        with torch.device("meta"):
            network = build_backbone(name, 10, 3, nn.ReLU, width, **json.loads(options))
    except (RuntimeError, OverflowError):
        return inf
    return sum(parameter.numel() for parameter in network.parameters())


def _lookup(name: str) -> Callable[..., nn.Module]:
    if not isinstance(name, str) or name not in BACKBONES:
        raise UserError(f"no network named {shown(name)}; {nearest(name, BACKBONES)}")
    return BACKBONES[name]


def build_backbone(
    name: str,
    num_classes: int,
    in_channels: int = 3,
    activation=nn.ReLU,
    width: int | None = None,
    *,
    batchnorm: str = "joint",
    **options,
) -> nn.Module:
    """A backbone by name.

    Args:
        name: one of ``BACKBONES``.
        num_classes: outputs of the classifier, at least 1.
        in_channels: channels of the images, at least 1.
        activation: called once for each activation site; returns a module that keeps shapes.
        width: channels of the first convolution; None for the paper's network.
        batchnorm: statistics ``"joint"`` over time and batch, or of each ``"step"``; see
            :mod:`snnbook.backbones.batchnorm`.
        options: the network's own settings.

    Raises:
        UserError: no such network (the message names the nearest), an option it does not have, no activation, or
            classes or channels that are no such number.
    """
    _check_options(name, options)
    num_classes, in_channels = whole(num_classes, "num_classes", 1), whole(in_channels, "in_channels", 1)
    if width is not None:
        options["width"] = width
    check_choice("batchnorm", batchnorm, STATISTICS)
    made = partial(_activation, activation)
    network = _lookup(name)(num_classes=num_classes, in_channels=in_channels, activation=made, **options)
    return by_step(network) if batchnorm == "step" else network


def _activation(make: Callable[[], nn.Module]) -> nn.Module:
    try:
        module = make()
    except TypeError as error:
        raise UserError(
            f"activation is {shown(make)} ({one_line(error)[:80]}); expected what makes a module, as nn.ReLU does"
        ) from error
    if not isinstance(module, nn.Module):
        raise UserError(f"activation made {shown(module)}; expected a module, as nn.ReLU makes one")
    return module


def build_ann(config: NetworkConfig, num_classes: int, in_channels: int = 3) -> nn.Module:
    """The network of ``config`` with ReLU: images to logits ``[B, classes]``."""
    check_config(config, NetworkConfig)
    return build_backbone(config.name, num_classes, in_channels, nn.ReLU, config.width, **config.options)


def build_snn(config: NetworkConfig, num_classes: int, in_channels: int = 3) -> SpikingNetwork:
    """The network of ``config`` with spiking neurons: images to logits ``[T, B, classes]``."""
    check_config(config, NetworkConfig)
    activation = partial(neurons.preset, config.neuron, **config.neuron_options)
    backbone = build_backbone(
        config.name, num_classes, in_channels, activation, config.width, **config.options
    )
    return SpikingNetwork(backbone, config.time_steps)
