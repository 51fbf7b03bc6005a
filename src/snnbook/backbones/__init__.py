"""Networks written once and built with an activation factory: ``nn.ReLU`` gives the ANN, a neuron the SNN.

A backbone is an ordinary module that never mentions time; its parts have the same names everywhere, see
:class:`snnbook.backbones.backbone.Backbone`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial

from torch import nn

from snnbook import neurons
from snnbook.backbones.backbone import Backbone
from snnbook.backbones.convnet import ConvNet
from snnbook.backbones.exits import MultiExit
from snnbook.backbones.resnet import ResNet
from snnbook.backbones.vgg import VGG
from snnbook.errors import UserError
from snnbook.folding import SpikingNetwork, check_time_steps

BACKBONES: dict[str, Callable[..., nn.Module]] = {
    "resnet18": partial(ResNet, blocks=(2, 2, 2, 2)),
    "resnet34": partial(ResNet, blocks=(3, 4, 6, 3)),
    "resnet19": partial(ResNet, blocks=(3, 3, 2), multipliers=(2, 4, 8), strides=(1, 2, 2), hidden_head=True),
    "vgg16": VGG,
    "convnet": ConvNet,
}

__all__ = [
    "BACKBONES",
    "VGG",
    "Backbone",
    "ConvNet",
    "MultiExit",
    "NetworkConfig",
    "ResNet",
    "build",
    "build_ann",
    "build_snn",
]


@dataclass(frozen=True)
class NetworkConfig:
    """Which network to build (the section ``network`` of an experiment).

    Attributes:
        name: one of ``BACKBONES``.
        width: channels of the first stage; the papers' networks have 64.
        time_steps: T of the spiking network.
        neuron: one of ``snnbook.neurons.PRESETS``.
        neuron_options: changes to the preset, for instance ``{decay: 0.5}``.
    """

    name: str = "resnet18"
    width: int = 64
    time_steps: int = 4
    neuron: str = "joint_asnn"
    neuron_options: dict = field(default_factory=dict)

    def __post_init__(self):
        check_time_steps(self.time_steps)
        _lookup(self.name)


def _lookup(name: str) -> Callable[..., nn.Module]:
    if name not in BACKBONES:
        near = get_close_matches(name, BACKBONES, n=1) or list(BACKBONES)
        raise UserError(f"no network named {name!r}; did you mean {near[0]}? known: {', '.join(BACKBONES)}")
    return BACKBONES[name]


def build(
    name: str, num_classes: int, in_channels: int = 3, activation=nn.ReLU, width: int = 64
) -> nn.Module:
    """A backbone by name.

    Args:
        name: one of ``BACKBONES``.
        num_classes: outputs of the classifier.
        in_channels: channels of the images.
        activation: called once for each activation site; returns a module that keeps shapes.
        width: channels of the first stage.

    Raises:
        UserError: no such network; the message names the nearest.
    """
    return _lookup(name)(num_classes=num_classes, in_channels=in_channels, activation=activation, width=width)


def build_ann(config: NetworkConfig, num_classes: int, in_channels: int = 3) -> nn.Module:
    """The network of ``config`` with ReLU: images to logits ``[B, classes]``."""
    return build(config.name, num_classes, in_channels, nn.ReLU, config.width)


def build_snn(config: NetworkConfig, num_classes: int, in_channels: int = 3) -> SpikingNetwork:
    """The network of ``config`` with spiking neurons: images to logits ``[T, B, classes]``."""
    activation = partial(neurons.preset, config.neuron, **config.neuron_options)
    backbone = build(config.name, num_classes, in_channels, activation, config.width)
    return SpikingNetwork(backbone, config.time_steps)
