"""The layers of ResNet-18 and ResNet-19 in plain snnTorch."""

from collections.abc import Callable

from torch import nn

from snnbook.backbones import NetworkConfig

# Blocks, widths in stems, and strides of each stage; ResNet-19 has a hidden layer before its classifier.
PLANS = {
    "resnet18": ((2, 2, 2, 2), (1, 2, 4, 8), (1, 2, 2, 2)),
    "resnet19": ((3, 3, 2), (2, 4, 8), (1, 2, 2)),
}


class Block(nn.Module):
    """A basic block whose activations are ``snn.Leaky`` neurons."""

    def __init__(self, in_channels, channels, stride, leaky):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.lif1 = leaky()
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.lif2 = leaky()
        self.shortcut = nn.Identity()
        if stride != 1 or in_channels != channels:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(1, stride),  # as in snnbook.backbones.resnet, for the same reason
                nn.Conv2d(in_channels, channels, 1, bias=False),
                nn.BatchNorm2d(channels),
            )

    def forward(self, x):
        y = self.lif1(self.bn1(self.conv1(x)))
        return self.lif2(self.bn2(self.conv2(y)) + self.shortcut(x))


def resnet_layers(
    network: NetworkConfig, in_channels: int, num_classes: int, leaky: Callable[[], nn.Module]
) -> list[nn.Module]:
    stem = network.width or 64
    layers = [nn.Conv2d(in_channels, stem, 3, 1, 1, bias=False), nn.BatchNorm2d(stem), leaky()]
    before = stem
    for blocks, multiplier, stride in zip(*PLANS[network.name], strict=True):
        after = multiplier * stem
        layers.append(Block(before, after, stride, leaky))
        layers += [Block(after, after, 1, leaky) for _ in range(blocks - 1)]
        before = after
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    if network.name == "resnet19":
        layers += [nn.Linear(before, 4 * stem), leaky()]
        before = 4 * stem
    return [*layers, nn.Linear(before, num_classes)]
