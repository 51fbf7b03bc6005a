"""Wide ResNet (Zagoruyko & Komodakis 2016): residual blocks that normalize and activate before they convolve."""

from torch import Tensor, nn

from snnbook.backbones.backbone import Backbone, conv_bn, init_convolutions
from snnbook.errors import UserError


class PreActivationBlock(nn.Module):
    """BatchNorm, activation and a 3x3 convolution, twice; nothing follows the addition.

    Where the shape changes, the shortcut is a 1x1 convolution of the activated input, not of the input.

    Args:
        in_channels, channels, stride: of the block.
        activation: factory of activation modules.
        activated: the input comes normalized and activated already.
    """

    def __init__(self, in_channels: int, channels: int, stride: int, activation, activated: bool = False):
        super().__init__()
        normalize = nn.Sequential(nn.BatchNorm2d(in_channels), activation())
        self.activate = nn.Identity() if activated else normalize
        self.residual = nn.Sequential(
            *conv_bn(in_channels, channels, 3, stride),
            activation(),
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
        )
        self.projection = None
        if in_channels != channels:
            # Instead of a strided 1x1 convolution: see resnet.shortcut.
            self.projection = nn.Sequential(
                nn.AvgPool2d(1, stride), nn.Conv2d(in_channels, channels, 1, bias=False)
            )

    def forward(self, x: Tensor) -> Tensor:
        activated = self.activate(x)
        shortcut = x if self.projection is None else self.projection(activated)
        return self.residual(activated) + shortcut


class WideResNet(Backbone):
    """WRN-``depth``-``widen_factor``: three stages of (depth - 4) / 6 blocks, k times as wide as a thin ResNet.

    Both paths of the first block begin with one BatchNorm and activation.  They are the stem's BatchNorm and
    ``encode`` here, which changes neither function nor parameters.  The stages put out sums, which can be
    negative; the last BatchNorm and activation belong to ``pool``.

    Args:
        num_classes: outputs of the classifier.
        in_channels: channels of the images.
        activation: factory of activation modules.
        width: channels of the stem; the stages have k, 2k and 4k times as many.
        depth: 6n + 4 for n blocks a stage.
        widen_factor: k, at least 2 (at 1 the first shortcut would bypass the first activation).

    Shape: ``[N, in_channels, H, W]`` to ``[N, num_classes]``; H and W multiples of 4.

    Raises:
        UserError: a depth or a factor that makes no such network.
    """

    reductions = (4, 2, 1)

    def __init__(self, num_classes, in_channels=3, activation=nn.ReLU, width=16, depth=28, widen_factor=4):
        super().__init__(
            num_classes=num_classes,
            in_channels=in_channels,
            width=width,
            depth=depth,
            widen_factor=widen_factor,
        )
        if depth < 10 or (depth - 4) % 6:
            raise UserError(
                f"a Wide ResNet of depth {depth} does not exist; expected 6n + 4, such as 16, 28 or 40"
            )
        self.channels = tuple(width * widen_factor * m for m in (1, 2, 4))
        self.stem = conv_bn(in_channels, width)
        self.encode = activation()
        inputs, count = (width, *self.channels[:-1]), (depth - 4) // 6
        self.stages = nn.ModuleList(
            nn.Sequential(
                PreActivationBlock(before, after, stride, activation, activated=before == width),
                *(PreActivationBlock(after, after, 1, activation) for _ in range(count - 1)),
            )
            for before, after, stride in zip(inputs, self.channels, (1, 2, 2), strict=True)
        )
        last = self.channels[-1]
        self.pool = nn.Sequential(nn.BatchNorm2d(last), activation(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(last, num_classes)
        init_convolutions(self)
