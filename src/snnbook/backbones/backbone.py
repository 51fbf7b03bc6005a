"""What all backbones have in common."""

from collections.abc import MutableMapping
from typing import Any

from torch import Tensor, nn

from snnbook.backbones.convolution import with_small_maps
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
        self.register_load_state_dict_pre_hook(_take_in_biases)

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

    The convolution has no bias, since the BatchNorm would take it away again.

    Args:
        in_channels, channels: of the convolution.
        kernel, stride: of the convolution.
        padding: of the convolution; None for half a kernel, which keeps the map (or divides it by ``stride``).
        bias: whether one is drawn all the same, so that a seed gives what it gives a network with biases.

    Shape: ``[N, in_channels, H, W]`` to ``[N, channels, H', W']``.
    """
    padding = kernel // 2 if padding is None else padding
    convolution = nn.Conv2d(in_channels, channels, kernel, stride, padding, bias=bias)
    convolution.bias = None
    with_small_maps(convolution)
    norm = nn.BatchNorm2d(channels)
    norm.follows = (convolution,)  # in a tuple, so that it is no part of the BatchNorm
    return nn.Sequential(convolution, norm)


def take_in_biases(network: nn.Module, state: MutableMapping[str, Tensor], prefix: str = "") -> None:
    """Let weights made with biases before BatchNorm fit ``network``, which has none there.

    ``norm(conv + b)`` with running mean ``m`` is ``norm(conv)`` with ``m - b`` in evaluation, and with any mean in
    training.

    Args:
        network: holds what :func:`conv_bn` made.
        state: its weights by name; loses biases that ``network`` has not, and their running means are replaced.
        prefix: of the network's names in ``state``.
    """
    names = {module: prefix + name for name, module in network.named_modules()}
    for norm, name in names.items():
        for convolution in vars(norm).get("follows", ()):
            if convolution.bias is not None:  # somebody gave it one of its own
                continue
            bias, mean = f"{names.get(convolution)}.bias", f"{name}.running_mean"
            if bias in state and mean in state and state[bias].shape == state[mean].shape:
                state[mean] = state[mean] - state.pop(bias)


def _take_in_biases(network: nn.Module, state: MutableMapping[str, Tensor], prefix: str, *_) -> None:
    take_in_biases(network, state, prefix)


def init_convolutions(module: nn.Module) -> None:
    """Kaiming-normal convolutions (fan out, ReLU gain), as the public code of Joint A-SNN."""
    for m in module.modules():
        if isinstance(m, nn.Conv2d):
            nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
