"""The bottleneck ResNet that SASTC's public code calls WRN-16-2."""

from torch import Tensor, nn

from snnbook.backbones.backbone import Backbone, conv_bn
from snnbook.backbones.resnet import shortcut


class BottleneckBlock(nn.Module):
    """1x1, 3x3 and 1x1 convolutions and a shortcut; the third activation comes after the addition."""

    def __init__(self, in_channels: int, inner: int, channels: int, stride: int, activation):
        super().__init__()
        self.residual = nn.Sequential(
            *conv_bn(in_channels, inner, 1),
            activation(),
            *conv_bn(inner, inner, 3, stride),
            activation(),
            *conv_bn(inner, channels, 1),
        )
        self.shortcut = shortcut(in_channels, channels, stride)
        self.act = activation()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.residual(x) + self.shortcut(x))


class BottleneckResNet(Backbone):
    """Two, one and one bottleneck blocks and a hidden layer (public code of SASTC; 30 times a WRN-16-2).

    Args:
        num_classes: outputs of the classifier.
        in_channels: channels of the images.
        activation: factory of activation modules.
        width: channels of the stem; the stages have 8, 16 and 32 times as many, the 3x3 convolutions inside
            them half of that, and the hidden layer before the classifier 4 times.

    Shape: ``[N, in_channels, H, W]`` to ``[N, num_classes]``; H and W multiples of 4.
    """

    reductions = (4, 2, 1)

    def __init__(self, num_classes, in_channels=3, activation=nn.ReLU, width=64):
        super().__init__(num_classes=num_classes, in_channels=in_channels, width=width)
        self.channels = (8 * width, 16 * width, 32 * width)
        a, b, c = self.channels
        self.stem = conv_bn(in_channels, width)
        self.encode = activation()
        self.stages = nn.ModuleList(
            [
                nn.Sequential(
                    BottleneckBlock(width, a // 2, a, 1, activation),
                    BottleneckBlock(a, a // 2, a, 1, activation),
                ),
                BottleneckBlock(a, b // 2, b, 2, activation),
                BottleneckBlock(b, c // 2, c, 2, activation),
            ]
        )
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        hidden = 4 * width
        self.head = nn.Sequential(nn.Linear(c, hidden), activation(), nn.Linear(hidden, num_classes))
