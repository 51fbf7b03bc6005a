"""VGG-16 for small images (Simonyan & Zisserman 2015, configuration D) in four stages (Guo et al. 2023, Sec. 4.4).

Average pooling, BatchNorm after each convolution and a single linear layer behind global pooling, as spiking
networks use it.  The fifth pooling of the original would only come before global pooling, which it equals.
"""

from torch import nn

from snnbook.backbones.backbone import Backbone, init_convolutions


def convolution(in_channels: int, channels: int, activation) -> list[nn.Module]:
    return [
        nn.Conv2d(in_channels, channels, 3, 1, 1, bias=False),
        nn.BatchNorm2d(channels),
        activation(),
    ]


class VGG(Backbone):
    """VGG-16: 13 convolutions of widths 64, 128, 256, 512, 512 (times ``width / 64``).

    The stages end with the 64-, 128-, 256- and last 512-channel block; each but the first begins by pooling.

    Args:
        num_classes: outputs of the classifier.
        in_channels: channels of the images.
        activation: factory of activation modules.
        width: channels of the first stage.

    Shape: ``[N, in_channels, H, W]`` to ``[N, num_classes]``; H and W multiples of 16.
    """

    reductions = (16, 8, 4, 1)

    def __init__(self, num_classes, in_channels=3, activation=nn.ReLU, width=64):
        super().__init__()
        self.channels = tuple(width * 2**i for i in range(4))
        a, b, c, d = self.channels
        self.stem = nn.Sequential(*convolution(in_channels, a, activation)[:2])
        self.encode = activation()
        pool = "pool"
        plan = ([a], [pool, b, b], [pool, c, c, c], [pool, d, d, d, pool, d, d, d])
        self.stages, before = nn.ModuleList(), a
        for widths in plan:
            stage = []
            for after in widths:
                if after == pool:
                    stage.append(nn.AvgPool2d(2))
                else:
                    stage += convolution(before, after, activation)
                    before = after
            self.stages.append(nn.Sequential(*stage))
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(d, num_classes)
        init_convolutions(self)
