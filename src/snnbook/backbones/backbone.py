"""What all backbones have in common."""

from typing import Any

from torch import Tensor, nn

from snnbook.backbones.options import check_options


class Backbone(nn.Module):
    """A network in named parts, run one after another.

    A subclass sets ``stem`` (first convolution and BatchNorm), ``encode`` (the activation after it), ``stages``
    (a module list), ``channels`` (what each stage puts out), ``reductions`` (how many times larger its map is
    than the last one's), ``pool`` (to ``[N, features]``) and ``head`` (the classifier).

    Args:
        options: a subclass's own settings, checked here.

    Raises:
        UserError: one of another type or out of range.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__()
        check_options(options)

    def features(self, x: Tensor) -> list[Tensor]:
        """Outputs of the first activation and of each stage, ``[N, C, H, W]`` each."""
        features = [self.encode(self.stem(x))]
        for stage in self.stages:
            features.append(stage(features[-1]))
        return features

    def forward(self, x: Tensor) -> Tensor:
        """Images ``[N, C, H, W]`` to logits ``[N, classes]``."""
        return self.head(self.pool(self.features(x)[-1]))


def conv_bn(
    in_channels: int, channels: int, kernel: int = 3, stride: int = 1, padding: int | None = None, bias=False
) -> nn.Sequential:
    """A convolution and the BatchNorm behind it: a stem as it is, and unpacked a part of a block.

    Args:
        in_channels, channels: of the convolution.
        kernel, stride: of the convolution.
        padding: of the convolution; None for half a kernel, which keeps the map (or divides it by ``stride``).
        bias: whether the convolution has one, which the BatchNorm takes away again.

    Shape: ``[N, in_channels, H, W]`` to ``[N, channels, H', W']``.
    """
    padding = kernel // 2 if padding is None else padding
    return nn.Sequential(
        nn.Conv2d(in_channels, channels, kernel, stride, padding, bias=bias), nn.BatchNorm2d(channels)
    )


def init_convolutions(module: nn.Module) -> None:
    """Kaiming-normal convolutions (fan out, ReLU gain), as the public code of Joint A-SNN."""
    for m in module.modules():
        if isinstance(m, nn.Conv2d):
            nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
