"""ResNet-18 and ResNet-19 in plain snnTorch, written the way its tutorials write networks.

Neurons keep their state between calls, so the whole network is called once a time step in a Python loop, and
BatchNorm sees each step by itself in training, while in evaluation all steps share its running statistics: another
network than was trained.  The image passes the stem again at every step although it never changes.  Neuron
constants are those of the network it is compared with; the surrogate is snnTorch's default.  With ``batchnorm:
step`` and this neuron's surrogate, reset and tie, networks of :mod:`snnbook.backbones` are the same, see the table
snntorch-gap.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from snnbook.backbones import NetworkConfig
from snnbook.checks import check_config, check_fields, whole
from snnbook.errors import UserError
from snnbook.losses import sdt
from snnbook.losses.shapes import as_labels, check_axes
from snnbook.neurons import preset


@dataclass(frozen=True)
class SnnTorchConfig:
    """``loss``: ``"mean"``, cross-entropy of the mean readout, or ``"ce_rate"``, snnTorch's own loss of that name.

    The latter is the mean of the cross-entropies of all steps: TET with lambda 0.
    """

    loss: str = "mean"

    def __post_init__(self):
        check_fields(self, "method", choices={"loss": ("mean", "ce_rate")})


# Blocks, widths in stems, and strides of each stage; ResNet-19 has a hidden layer before its classifier.
PLANS = {
    "resnet18": ((2, 2, 2, 2), (1, 2, 4, 8), (1, 2, 2, 2)),
    "resnet19": ((3, 3, 2), (2, 4, 8), (1, 2, 2)),
}


def atan(x: Tensor) -> Tensor:
    """``snntorch.surrogate.atan()``, which is a closure and cannot be pickled."""
    from snntorch.surrogate import ATan

    return ATan.apply(x, 2.0)


class Block(nn.Module):
    """A basic block whose activations are ``snn.Leaky`` neurons."""

    def __init__(self, in_channels, channels, stride, leaky):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.lif1 = leaky()
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.lif2 = leaky()
        self.shortcut = nn.Identity()
        if stride != 1 or in_channels != channels:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(1, stride),  # as in snnbook.backbones.resnet, for the same reason
                nn.Conv2d(in_channels, channels, 1, bias=False),
                nn.BatchNorm2d(channels),
            )

    def forward(self, x):
        y = self.lif1(self.bn1(self.conv1(x)))
        return self.lif2(self.bn2(self.conv2(y)) + self.shortcut(x))


class SnnTorchResNet(nn.Module):
    """A ResNet in snnTorch.

    Raises:
        UserError: another method's settings, or a network other than those of ``PLANS``.
    """

    Config = SnnTorchConfig
    known = tuple(PLANS)

    def __init__(self, config, network: NetworkConfig, num_classes: int, in_channels: int = 3):
        super().__init__()
        check_config(config, self.Config)
        check_config(network, NetworkConfig)
        num_classes, in_channels = whole(num_classes, "num_classes", 1), whole(in_channels, "in_channels", 1)
        if network.name not in self.known or network.options:
            raise UserError(
                f"the snnTorch baseline is written for {' and '.join(self.known)} without options, not for "
                f"{network.name} {network.options or ''}; set network.name"
            )
        import snntorch as snn  # takes seconds to import, and other methods do not need it
        import snntorch.functional as SF

        self.ce_rate_loss = SF.ce_rate_loss() if config.loss == "ce_rate" else None

        neuron = preset(network.neuron, **network.neuron_options)

        def leaky():
            return snn.Leaky(
                beta=neuron.decay,
                threshold=neuron.dynamics.threshold,
                reset_mechanism="zero",
                spike_grad=atan,
                init_hidden=True,
            )

        self.num_steps = network.time_steps
        self.net = nn.Sequential(*self.layers(network, in_channels, num_classes, leaky))

    def layers(
        self, network: NetworkConfig, in_channels: int, num_classes: int, leaky: Callable[[], nn.Module]
    ) -> list[nn.Module]:
        stem = network.width or 64
        layers = [nn.Conv2d(in_channels, stem, 3, 1, 1, bias=False), nn.BatchNorm2d(stem), leaky()]
        before = stem
        for blocks, multiplier, stride in zip(*PLANS[network.name], strict=True):
            after = multiplier * stem
            layers.append(Block(before, after, stride, leaky))
            layers += [Block(after, after, 1, leaky) for _ in range(blocks - 1)]
            before = after
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        if network.name == "resnet19":
            layers += [nn.Linear(before, 4 * stem), leaky()]
            before = 4 * stem
        return [*layers, nn.Linear(before, num_classes)]

    def outputs(self, images: Tensor) -> Tensor:
        """``[T, B, classes]``: the network called T times on the same images, or on each step's frames."""
        steps = images if images.dim() == 5 else images.expand(self.num_steps, *images.shape)
        self.reset()
        outputs = torch.stack([self.net(x) for x in steps])
        self.reset()  # or a copy would take the graph of this pass along
        return outputs

    def reset(self) -> None:
        # snntorch.utils.reset looks at direct children only (snntorch#438); these neurons are nested.
        for module in self.net.modules():
            if hasattr(module, "reset_mem"):
                module.reset_mem()

    def forward(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        outputs = self.outputs(images)
        if self.ce_rate_loss is not None:
            labels = as_labels(labels, check_axes(("outputs", outputs, "T B classes")))
            return {"ce": self.ce_rate_loss(outputs, labels).squeeze()}
        return {"ce": sdt(outputs, labels)}

    def predict(self, images: Tensor) -> dict[str, Tensor]:
        return {"snn": self.outputs(images).mean(0)}

    def backbones(self) -> dict[str, nn.Module]:
        return {"snn": self.net}
