"""The VGG-11 of SASTC's public code: strides instead of pooling, three linear layers in a row."""

from torch import nn

from snnbook.backbones.backbone import Backbone
from snnbook.backbones.vgg import convolution


class StridedVGG(Backbone):
    """Eight 3x3 convolutions, every second one halving the map, and a linear classifier of three layers.

    Nothing stands between the three layers, so that they compute what one could; they hold 25 of its 34 million
    parameters.  Each stage ends with a strided convolution.

    Args:
        num_classes: outputs of the classifier.
        in_channels: channels of the images.
        activation: factory of activation modules.
        width: channels of the stem; the stages have 2, 4, 8 and 8 times as many, the linear layers 64 times.

    Shape: ``[N, in_channels, H, W]`` to ``[N, num_classes]``, any size; 2x2 positions, which 32x32 images leave,
    are what the classifier sees (other maps are averaged to it).
    """

    reductions = (8, 4, 2, 1)

    def __init__(self, num_classes, in_channels=3, activation=nn.ReLU, width=64):
        super().__init__()
        self.channels = (2 * width, 4 * width, 8 * width, 8 * width)
        a, b, c, d = self.channels
        self.stem = nn.Sequential(*convolution(in_channels, width, activation, bias=True)[:2])
        self.encode = activation()
        self.stages = nn.ModuleList([nn.Sequential(*convolution(width, a, activation, stride=2, bias=True))])
        for before, after in ((a, b), (b, c), (c, d)):
            self.stages.append(
                nn.Sequential(
                    *convolution(before, after, activation, bias=True),
                    *convolution(after, after, activation, stride=2, bias=True),
                )
            )
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten())
        hidden = 64 * width
        self.head = nn.Sequential(
            nn.Linear(4 * d, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, num_classes)
        )
