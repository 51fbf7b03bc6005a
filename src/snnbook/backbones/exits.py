"""Exits: classifiers after each stage of a backbone (Guo et al. 2023, Sec. 4.2)."""

from torch import Tensor, nn

from snnbook.backbones.backbone import conv_bn, init_convolutions
from snnbook.errors import UserError


class Exit(nn.Module):
    """An exit: an optional adaptor, global average pooling, and a linear layer.

    Shape: ``[N, C, H, W]`` to logits ``[N, classes]`` and the pooled features ``[N, C']`` they come from.
    """

    def __init__(self, adaptor: nn.Module, channels: int, num_classes: int):
        super().__init__()
        self.adaptor = adaptor
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        pooled = self.pool(self.adaptor(x))
        return self.head(pooled), pooled


def bottleneck(in_channels: int, channels: int, reduction: int, activation) -> nn.Sequential:
    """The public code's adaptor: down to a quarter, one strided patch convolution, up to ``channels``."""
    middle = channels // 4

    adaptor = nn.Sequential(
        *conv_bn(in_channels, middle, 1),
        activation(),
        *conv_bn(middle, middle, reduction, reduction, padding=0),
        activation(),
        *conv_bn(middle, channels, 1),
        activation(),
    )
    init_convolutions(adaptor)
    return adaptor


class MultiExit(nn.Module):
    """A backbone with an exit after each of its stages; the last is its own classifier.

    Args:
        backbone: any of ``snnbook.backbones``.
        kind: ``"linear"`` (pooling and a linear layer, as the paper says), ``"bottleneck"`` (with the adaptor
            of the public code at all exits but the last) or ``"last"`` (the backbone's own classifier alone).
        num_classes: outputs of each exit.
        activation: factory of activation modules, the backbone's.

    Shape: images to ``(logits, features)``: a list each, from the first exit to the last, ``[N, classes]`` and
    ``[N, C]``.

    Raises:
        UserError: an unknown kind, or a backbone without stages.
    """

    def __init__(self, backbone: nn.Module, kind: str, num_classes: int, activation=nn.ReLU):
        super().__init__()
        if kind not in ("linear", "bottleneck", "last"):
            raise UserError(f"exits are {kind!r}; expected 'linear', 'bottleneck' or 'last'")
        if not backbone.channels:
            raise UserError(
                f"{type(backbone).__name__} has no stages to put exits behind; take another network"
            )
        self.backbone = backbone
        self.exits = nn.ModuleList()
        for channels, reduction in zip(backbone.channels[:-1], backbone.reductions[:-1], strict=True):
            if kind == "linear":
                self.exits.append(Exit(nn.Identity(), channels, num_classes))
            elif kind == "bottleneck":
                adaptor = bottleneck(channels, backbone.channels[-1], reduction, activation)
                self.exits.append(Exit(adaptor, backbone.channels[-1], num_classes))

    @property
    def encode(self) -> nn.Module:
        return self.backbone.encode

    @property
    def heads(self) -> list[nn.Linear]:
        """The classifiers, from the first exit to the last; of a head of several layers its last one."""
        own = [layer for layer in self.backbone.head.modules() if isinstance(layer, nn.Linear)]
        return [*(e.head for e in self.exits), own[-1]]

    def forward(self, x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        _, *stages = self.backbone.features(x)
        # torch 2.8 compiles no zip of unequal lengths.
        pairs = [exit_(y) for exit_, y in zip(self.exits, stages[: len(self.exits)], strict=True)]
        pooled = self.backbone.pool(stages[-1])
        pairs.append((self.backbone.head(pooled), pooled))
        logits, features = zip(*pairs, strict=True)
        return list(logits), list(features)
