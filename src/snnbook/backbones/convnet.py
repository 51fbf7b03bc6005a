"""The first network of the book: three convolutions, small enough to train while one watches."""

from torch import nn

from snnbook.backbones.backbone import Backbone, conv_bn


class ConvNet(Backbone):
    """Convolutions of 16, 32 and 64 channels (times ``width / 16``), each with BatchNorm and an activation.

    After the second and third, max-pooling halves the map (of spikes it makes spikes again); pooling to 2x2
    positions and a linear layer follow (chapter 3).

    Args:
        num_classes: outputs of the classifier.
        in_channels: channels of the images.
        activation: factory of activation modules.
        width: channels of the first convolution.

    Shape: ``[N, in_channels, H, W]`` to ``[N, num_classes]``; H and W of at least 8.
    """

    reductions = (2, 1)

    def __init__(self, num_classes, in_channels=3, activation=nn.ReLU, width=16):
        super().__init__(num_classes=num_classes, in_channels=in_channels, width=width)
        self.channels = (2 * width, 4 * width)
        self.stem = conv_bn(in_channels, width)
        self.encode = activation()
        self.stages = nn.ModuleList(
            nn.Sequential(*conv_bn(before, 2 * before), activation(), nn.MaxPool2d(2))
            for before in (width, 2 * width)
        )
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self.head = nn.Linear(4 * self.channels[-1], num_classes)
