"""Residual networks (He et al. 2016): for small images with a 3x3 stem, for large ones with 7x7 and max-pooling.

Two kinds of blocks.  In the basic block the shortcut is added before the second activation, so every map is
spikes.  In the block of SEW-ResNet (Fang et al. 2021b) it joins after the activation, so that a block can be the
identity; adding then gives whole numbers instead of spikes.
"""

from math import prod

from torch import Tensor, nn

from snnbook.backbones.backbone import Backbone, conv_bn, init_convolutions
from snnbook.backbones.options import check_options


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut; the second activation comes after the addition."""

    def __init__(self, in_channels: int, channels: int, stride: int, activation):
        super().__init__()
        self.conv1, self.bn1 = conv_bn(in_channels, channels, 3, stride)
        self.act1 = activation()
        self.conv2, self.bn2 = conv_bn(channels, channels)
        self.act2 = activation()
        self.shortcut = shortcut(in_channels, channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.act1(self.bn1(self.conv1(x)))
        return self.act2(self.bn2(self.conv2(y)) + self.shortcut(x))


class SEWBlock(BasicBlock):
    """Two 3x3 convolutions with an activation each, then joined with the shortcut (Fang et al. 2021b).

    Args:
        connect: how the block's spikes A and the shortcut's S join: ``"add"`` (A + S, whole numbers), ``"and"``
            (A S) or ``"iand"`` ((1 - A) S).
    """

    def __init__(self, in_channels, channels, stride, activation, connect="add"):
        super().__init__(in_channels, channels, stride, activation)
        check_options({"connect": connect})
        self.connect = connect
        if not isinstance(self.shortcut, nn.Identity):
            self.shortcut.append(activation())

    def forward(self, x: Tensor) -> Tensor:
        a = self.act2(self.bn2(self.conv2(self.act1(self.bn1(self.conv1(x))))))
        s = self.shortcut(x)
        if self.connect == "add":
            return a + s
        return a * s if self.connect == "and" else (1 - a) * s


def shortcut(in_channels: int, channels: int, stride: int) -> nn.Module:
    """The identity, or where the shape changes a 1x1 convolution with BatchNorm."""
    if stride == 1 and in_channels == channels:
        return nn.Identity()
    # A strided 1x1 convolution reads every second pixel.  Reading them first is the same, and spares us a heap
    # corruption in torch 2.15's CPU backward pass (channels-last, few channels, odd batches).
    return nn.Sequential(nn.AvgPool2d(1, stride), *conv_bn(in_channels, channels, 1))


class ResNet(Backbone):
    """ResNet-18 (``blocks=(2, 2, 2, 2)``), ResNet-34 (``(3, 4, 6, 3)``) and the ResNet-19 of TET.

    Args:
        num_classes: outputs of the classifier.
        in_channels: channels of the images.
        activation: factory of activation modules.
        width: the unit that all widths are multiples of.
        stem: channels of the first convolution; None for ``width``.
        blocks: residual blocks in each stage.
        multipliers: channels of each stage, in widths.
        strides: how much each stage shrinks the map.
        block: a residual block, :class:`BasicBlock` or :class:`SEWBlock`.
        large_images: ImageNet's stem: 7x7 with stride 2, and max-pooling behind the first activation.
        hidden_head: put ``4 * width`` hidden units with an activation before the classifier.
        init: ``"fan_out"`` (Kaiming normal) or ``"torch"`` (what torch draws by itself, as TET's code).

    Shape: ``[N, in_channels, H, W]`` to ``[N, num_classes]``.

    Raises:
        UserError: a setting of another type, out of range or of no known name.
    """

    def __init__(
        self,
        num_classes,
        in_channels=3,
        activation=nn.ReLU,
        width=64,
        stem=None,
        blocks=(2, 2, 2, 2),
        multipliers=(1, 2, 4, 8),
        strides=(1, 2, 2, 2),
        block=BasicBlock,
        large_images=False,
        hidden_head=False,
        init="fan_out",
    ):
        super().__init__(
            num_classes=num_classes,
            in_channels=in_channels,
            width=width,
            stem=stem,
            blocks=blocks,
            multipliers=multipliers,
            strides=strides,
            large_images=large_images,
            hidden_head=hidden_head,
            init=init,
        )
        stem = width if stem is None else stem
        self.channels = tuple(width * m for m in multipliers)
        self.reductions = tuple(prod(strides[i + 1 :]) for i in range(len(strides)))
        self.stem = conv_bn(in_channels, stem, 7, 2) if large_images else conv_bn(in_channels, stem)
        self.encode = activation()
        inputs = (stem, *self.channels[:-1])
        self.stages = nn.ModuleList(
            nn.Sequential(
                block(before, after, stride, activation),
                *(block(after, after, 1, activation) for _ in range(count - 1)),
            )
            for before, after, stride, count in zip(inputs, self.channels, strides, blocks, strict=True)
        )
        if large_images:
            self.stages[0].insert(0, nn.MaxPool2d(3, 2, 1))
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(self.channels[-1], num_classes)
        if hidden_head:
            hidden = nn.Linear(self.channels[-1], 4 * width)
            self.head = nn.Sequential(hidden, activation(), nn.Linear(4 * width, num_classes))
        if init == "fan_out":
            init_convolutions(self)
