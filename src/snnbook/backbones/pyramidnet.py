"""PyramidNet (Han, Kim & Kim 2017): a residual network that widens a little at every block."""

from torch import Tensor, nn
from torch.nn.functional import pad

from snnbook.backbones.backbone import Backbone, conv_bn, init_convolutions
from snnbook.errors import UserError


class PyramidBlock(nn.Module):
    """Two 3x3 convolutions between three BatchNorms, one activation, and a shortcut without parameters.

    The shortcut averages 2x2 pixels where the block halves the map, and adds channels of zeros.
    """

    def __init__(self, in_channels: int, channels: int, stride: int, activation):
        super().__init__()
        self.residual = nn.Sequential(
            nn.BatchNorm2d(in_channels),
            *conv_bn(in_channels, channels, 3, stride),
            activation(),
            *conv_bn(channels, channels),
        )
        self.shortcut = nn.Identity() if stride == 1 else nn.AvgPool2d(stride)
        self.new_channels = channels - in_channels

    def forward(self, x: Tensor) -> Tensor:
        return self.residual(x) + pad(self.shortcut(x), (0, 0, 0, 0, 0, self.new_channels))


class PyramidNet(Backbone):
    """PyramidNet-20 with alpha 200: nine blocks from 16 to 216 channels, in three stages.

    The public code of SASTC has no activation behind the stem; here ``encode`` is one, in the ANN too, so that
    both networks are one.  The stages put out sums, which can be negative; the last BatchNorm and activation
    belong to ``pool``.  The first convolution of a block sees normalized sums, never spikes: the spiking network
    multiplies there.

    Args:
        num_classes: outputs of the classifier.
        in_channels: channels of the images.
        activation: factory of activation modules.
        width: channels of the stem.
        depth: 6n + 2 for n blocks a stage.
        alpha: channels added over all blocks to a stem of 16; in proportion to other stems.

    Shape: ``[N, in_channels, H, W]`` to ``[N, num_classes]``; H and W multiples of 4.

    Raises:
        UserError: a depth or an alpha that makes no such network.
    """

    reductions = (4, 2, 1)

    def __init__(self, num_classes, in_channels=3, activation=nn.ReLU, width=16, depth=20, alpha=200):
        super().__init__(
            num_classes=num_classes, in_channels=in_channels, width=width, depth=depth, alpha=alpha
        )
        if depth < 8 or (depth - 2) % 6:
            raise UserError(
                f"a PyramidNet of depth {depth} does not exist; expected 6n + 2, such as 20, 38 or 110"
            )
        count = (depth - 2) // 6
        growth = alpha * width / 16
        widths = [round(width + growth * i / (3 * count)) for i in range(3 * count + 1)]
        self.channels = tuple(widths[count::count])
        self.stem = conv_bn(in_channels, width)
        self.encode = activation()
        strides = [2 if i in (count, 2 * count) else 1 for i in range(3 * count)]
        blocks = [
            PyramidBlock(before, after, stride, activation)
            for before, after, stride in zip(widths, widths[1:], strides, strict=False)
        ]
        self.stages = nn.ModuleList(nn.Sequential(*blocks[i : i + count]) for i in (0, count, 2 * count))
        last = self.channels[-1]
        self.pool = nn.Sequential(nn.BatchNorm2d(last), activation(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(last, num_classes)
        init_convolutions(self)
