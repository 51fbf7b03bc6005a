"""The layers of VGG-9 and VGG-11 in plain snnTorch; its convolutions have the bias that torch gives them."""

from collections.abc import Callable

from torch import nn

from snnbook.backbones import NetworkConfig
from snnbook.backbones.vgg import POOL, STAGES


def vgg_layers(
    network: NetworkConfig, in_channels: int, num_classes: int, leaky: Callable[[], nn.Module]
) -> list[nn.Module]:
    layers, before, width = [], in_channels, network.width or 64
    for stage in ((1,), *STAGES[int(network.name.removeprefix("vgg"))]):
        for place, multiplier in enumerate(stage):
            if multiplier != POOL:
                after = multiplier * width
                layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), leaky()]
                before = after
            else:  # ahead of BatchNorm and neuron where it follows a convolution of its stage
                layers.insert(-2 if place else len(layers), nn.MaxPool2d(2))
    return [*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, num_classes)]
