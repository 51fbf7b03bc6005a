"""ResNet for small images (He et al. 2016; Guo et al. 2023, Sec. 4.2): 3x3 stem, no max-pooling, four stages."""

from math import prod

from torch import Tensor, nn

from snnbook.backbones.backbone import Backbone, init_convolutions


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut; the second activation comes after the addition."""

    def __init__(self, in_channels: int, channels: int, stride: int, activation):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.act1 = activation()
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.act2 = activation()
        self.shortcut = nn.Identity()
        if stride != 1 or in_channels != channels:
            # A strided 1x1 convolution reads every second pixel.  Reading them first is the same, and spares
            # us a heap corruption in torch 2.15's CPU backward pass (channels-last, few channels, odd batches).
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(1, stride),
                nn.Conv2d(in_channels, channels, 1, bias=False),
                nn.BatchNorm2d(channels),
            )

    def forward(self, x: Tensor) -> Tensor:
        y = self.act1(self.bn1(self.conv1(x)))
        return self.act2(self.bn2(self.conv2(y)) + self.shortcut(x))


class ResNet(Backbone):
    """ResNet-18 (``blocks=(2, 2, 2, 2)``), ResNet-34 (``(3, 4, 6, 3)``) and the ResNet-19 of TET.

    Args:
        num_classes: outputs of the classifier.
        in_channels: channels of the images.
        activation: factory of activation modules.
        width: channels of the stem.
        blocks: basic blocks in each stage.
        multipliers: width of each stage, in stems.
        strides: how much each stage shrinks the map.
        hidden_head: put ``4 * width`` hidden units with an activation before the classifier.

    Shape: ``[N, in_channels, H, W]`` to ``[N, num_classes]``; H and W multiples of the product of strides.
    """

    def __init__(
        self,
        num_classes,
        in_channels=3,
        activation=nn.ReLU,
        width=64,
        blocks=(2, 2, 2, 2),
        multipliers=(1, 2, 4, 8),
        strides=(1, 2, 2, 2),
        hidden_head=False,
    ):
        super().__init__()
        self.channels = tuple(width * m for m in multipliers)
        self.reductions = tuple(prod(strides[i + 1 :]) for i in range(len(strides)))
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, width, 3, 1, 1, bias=False),
            nn.BatchNorm2d(width),
        )
        self.encode = activation()
        inputs = (width, *self.channels[:-1])
        self.stages = nn.ModuleList(
            nn.Sequential(
                BasicBlock(before, after, stride, activation),
                *(BasicBlock(after, after, 1, activation) for _ in range(count - 1)),
            )
            for before, after, stride, count in zip(inputs, self.channels, strides, blocks, strict=True)
        )
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(self.channels[-1], num_classes)
        if hidden_head:
            hidden = nn.Linear(self.channels[-1], 4 * width)
            self.head = nn.Sequential(hidden, activation(), nn.Linear(4 * width, num_classes))
        init_convolutions(self)
