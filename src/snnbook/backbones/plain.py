"""Plain stacks of convolutions: SNN-5 and VGGSNN of TET (Deng et al. 2022, Sec. 5), the VGG-11 of SASTC's code."""

from torch import nn

from snnbook.backbones.backbone import Backbone, conv_bn, init_convolutions


class SNN5(Backbone):
    """16C3-64C5-AP2-128C5-AP2-256C5-AP2-512C3-AP2-FC, small enough for many runs (Deng et al. 2022, A.4).

    The paper gives the string alone; BatchNorm and an activation behind each convolution and "same" padding are
    our reading.

    Args:
        num_classes: outputs of the classifier.
        in_channels: channels of the images.
        activation: factory of activation modules.
        width: channels of the first convolution.

    Shape: ``[N, in_channels, H, W]`` to ``[N, num_classes]``.  The classifier reads 2x2 positions, what is left of
    32x32; other maps are pooled or repeated to that.
    """

    reductions = (8, 4, 2, 1)

    def __init__(self, num_classes, in_channels=3, activation=nn.ReLU, width=16):
        super().__init__(num_classes=num_classes, in_channels=in_channels, width=width)
        self.channels = tuple(width * m for m in (4, 8, 16, 32))
        self.stem = conv_bn(in_channels, width, bias=True)
        self.encode = activation()
        inputs = (width, *self.channels[:-1])
        self.stages = nn.ModuleList(
            nn.Sequential(*conv_bn(before, after, kernel, bias=True), activation(), nn.AvgPool2d(2))
            for before, after, kernel in zip(inputs, self.channels, (5, 5, 5, 3), strict=True)
        )
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self.head = nn.Linear(4 * self.channels[-1], num_classes)


def eight_layers(width: int, channels: tuple[int, ...], activation, strided: bool) -> nn.ModuleList:
    """The convolutions behind the first: one, then three pairs; each stage ends by halving the map."""
    stages, before = nn.ModuleList(), width
    for index, after in enumerate(channels):
        stage = []
        if index > 0:
            stage += [*conv_bn(before, after, bias=True), activation()]
            before = after
        stage += [*conv_bn(before, after, 3, 2 if strided else 1, bias=True), activation()]
        if not strided:
            stage.append(nn.AvgPool2d(2))
        stages.append(nn.Sequential(*stage))
        before = after
    return stages


class VGGSNN(Backbone):
    """64C3-128C3-AP2-256C3-256C3-AP2-512C3-512C3-AP2-512C3-512C3-AP2-FC (Deng et al. 2022, Sec. 5).

    Args:
        num_classes: outputs of the classifier.
        in_channels: channels of the frames; event frames have 2.
        activation: factory of activation modules.
        width: channels of the first convolution.
        pool: ``"average"``, or ``"stride"``: the second convolution of each pair has stride 2 instead, so that
            every layer receives spikes (the public code's default until August 2024).

    Shape: ``[N, in_channels, H, W]`` to ``[N, num_classes]``.  The classifier reads 3x3 positions, what is left of
    48x48; other maps are pooled or repeated to that.

    Raises:
        UserError: another ``pool``.
    """

    reductions = (8, 4, 2, 1)

    def __init__(self, num_classes, in_channels=2, activation=nn.ReLU, width=64, pool="average"):
        super().__init__(num_classes=num_classes, in_channels=in_channels, width=width, pool=pool)
        self.channels = tuple(width * m for m in (2, 4, 8, 8))
        self.stem = conv_bn(in_channels, width, bias=True)
        self.encode = activation()
        self.stages = eight_layers(width, self.channels, activation, strided=pool == "stride")
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(3), nn.Flatten())
        self.head = nn.Linear(9 * self.channels[-1], num_classes)
        init_convolutions(self)


class StridedVGG(Backbone):
    """The VGG-11 of SASTC's public code: VGGSNN with strides, and a linear classifier of three layers.

    Nothing stands between the three layers, so that they compute what one could; they hold 25 of its 34 million
    parameters.

    Args:
        num_classes: outputs of the classifier.
        in_channels: channels of the images.
        activation: factory of activation modules.
        width: channels of the first convolution; the linear layers have 64 times as many.

    Shape: ``[N, in_channels, H, W]`` to ``[N, num_classes]``.  The classifier reads 2x2 positions, what is left of
    32x32; other maps are pooled or repeated to that.
    """

    reductions = (8, 4, 2, 1)

    def __init__(self, num_classes, in_channels=3, activation=nn.ReLU, width=64):
        super().__init__(num_classes=num_classes, in_channels=in_channels, width=width)
        self.channels = tuple(width * m for m in (2, 4, 8, 8))
        self.stem = conv_bn(in_channels, width, bias=True)
        self.encode = activation()
        self.stages = eight_layers(width, self.channels, activation, strided=True)
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten())
        hidden = 64 * width
        self.head = nn.Sequential(
            nn.Linear(4 * self.channels[-1], hidden),
            nn.Linear(hidden, hidden),
            nn.Linear(hidden, num_classes),
        )
