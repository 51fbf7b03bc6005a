"""VGG for small images (Simonyan & Zisserman 2015, configurations A, B and D), by stages.

BatchNorm after each convolution and a single linear layer behind global pooling, as these papers use it.  The
last pooling of the original would only come before global pooling, which it equals.
"""

from math import prod

from torch import nn

from snnbook.backbones.backbone import Backbone, conv_bn, init_convolutions
from snnbook.errors import UserError

POOL = "pool"

# Stages of each depth behind the first convolution: halve the map, or convolve to so many widths.  VGG-16 as in
# Guo et al. 2023, Sec. 4.4; VGG-11 and VGG-13 keep the last four convolutions on one map, as SASTC's teachers do.
# VGG-9 is the book's own, for training on a desk: it halves what a convolution puts out, ahead of BatchNorm and
# activation, so that its convolutions see twice the map and its neurons are a quarter.
STAGES = {
    9: ((2, POOL), (4, POOL, 4), (8, POOL), (8,)),
    11: ((POOL, 2), (POOL, 4, 4), (POOL, 8, 8), (8, 8)),
    13: ((1,), (POOL, 2, 2), (POOL, 4, 4), (POOL, 8, 8), (8, 8)),
    16: ((1,), (POOL, 2, 2), (POOL, 4, 4, 4), (POOL, 8, 8, 8, POOL, 8, 8, 8)),
}


class VGG(Backbone):
    """VGG-9, VGG-11, VGG-13 or VGG-16: convolutions of widths 64 to 512 (times ``width / 64``).

    VGG-16 pools by the average, VGG-11 and VGG-13 by the maximum, which keeps spikes spikes, and VGG-9 by the
    maximum of what its convolutions put out.

    Args:
        num_classes: outputs of the classifier.
        in_channels: channels of the images.
        activation: factory of activation modules.
        width: channels of the first convolution.
        depth: 9, 11, 13 or 16.

    Shape: ``[N, in_channels, H, W]`` to ``[N, num_classes]``; H and W multiples of 16 (VGG-16) or 8.

    Raises:
        UserError: another depth.
    """

    def __init__(self, num_classes, in_channels=3, activation=nn.ReLU, width=64, depth=16):
        super().__init__(num_classes=num_classes, in_channels=in_channels, width=width, depth=depth)
        if depth not in STAGES:
            raise UserError(f"no VGG of depth {depth}; expected {', '.join(map(str, STAGES))}")
        plan = STAGES[depth]
        bias, pooling = depth != 16, nn.AvgPool2d if depth == 16 else nn.MaxPool2d
        self.channels = tuple(width * [m for m in stage if m != POOL][-1] for stage in plan)
        self.reductions = tuple(
            prod(2 ** stage.count(POOL) for stage in plan[i + 1 :]) for i in range(len(plan))
        )
        self.stem = conv_bn(in_channels, width, bias=bias)
        self.encode = activation()
        self.stages, before = nn.ModuleList(), width
        for multipliers in plan:
            stage = []
            for place, m in enumerate(multipliers):
                if m != POOL:
                    stage += [*conv_bn(before, m * width, bias=bias), activation()]
                    before = m * width
                elif place and depth == 9:
                    stage.insert(-2, pooling(2))  # ahead of the BatchNorm and activation of the convolution
                else:
                    stage.append(pooling(2))
            self.stages.append(nn.Sequential(*stage))
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(before, num_classes)
        init_convolutions(self)
