"""VGG-11 in plain snnTorch, written the way its tutorials write networks."""

from collections.abc import Callable

from torch import nn

from snnbook.backbones import NetworkConfig
from snnbook.backbones.vgg import POOL, STAGES
from snnbook.baselines.snntorch_resnet import SnnTorchResNet


class SnnTorchVGG(SnnTorchResNet):
    """VGG-11 in snnTorch; its convolutions have the bias that torch gives them.

    Raises:
        UserError: another network than ``vgg11``.
    """

    known = ("vgg11",)

    def layers(
        self, network: NetworkConfig, in_channels: int, num_classes: int, leaky: Callable[[], nn.Module]
    ) -> list[nn.Module]:
        layers, before, width = [], in_channels, network.width or 64
        for multiplier in (1, *(m for stage in STAGES[11] for m in stage)):
            if multiplier == POOL:
                layers.append(nn.MaxPool2d(2))
                continue
            after = multiplier * width
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), leaky()]
            before = after
        return [*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, num_classes)]
