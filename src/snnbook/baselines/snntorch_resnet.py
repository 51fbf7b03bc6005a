"""ResNet-18 in plain snnTorch, written the way its tutorials write networks.

Neurons keep their state between calls, so the whole network is called once a time step in a Python loop, and
BatchNorm sees each step by itself.  The image passes the stem again at every step although it never changes.
Neuron constants are those of the network it is compared with; the surrogate is snnTorch's default.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snnbook.backbones import NetworkConfig
from snnbook.errors import UserError
from snnbook.neurons import preset


@dataclass(frozen=True)
class SnnTorchConfig:
    """Nothing to set: the network's section says all."""


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
    """ResNet-18 in snnTorch, trained with cross-entropy of the mean readout.

    Raises:
        UserError: a network other than ``resnet18``.
    """

    Config = SnnTorchConfig

    def __init__(self, config, network: NetworkConfig, num_classes: int, in_channels: int = 3):
        super().__init__()
        if network.name != "resnet18":
            raise UserError(
                f"the snnTorch baseline is written for resnet18, not {network.name}; set network.name"
            )
        import snntorch as snn  # takes seconds to import, and other methods do not need it
        from snntorch import surrogate

        neuron = preset(network.neuron, **network.neuron_options)

        def leaky():
            return snn.Leaky(
                beta=neuron.decay,
                threshold=neuron.dynamics.threshold,
                reset_mechanism="zero",
                spike_grad=surrogate.atan(),
                init_hidden=True,
            )

        self.num_steps = network.time_steps
        widths = [network.width * 2**i for i in range(4)]
        self.net = nn.Sequential(
            nn.Conv2d(in_channels, widths[0], 3, 1, 1, bias=False),
            nn.BatchNorm2d(widths[0]),
            leaky(),
            *(
                block
                for before, after, stride in zip([widths[0], *widths], widths, (1, 2, 2, 2), strict=False)
                for block in (Block(before, after, stride, leaky), Block(after, after, 1, leaky))
            ),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(widths[-1], num_classes),
        )

    def outputs(self, images: Tensor) -> Tensor:
        """``[T, B, classes]``: the network called T times on the same images."""
        # snntorch.utils.reset looks at direct children only (snntorch#438); these neurons are nested.
        for module in self.net.modules():
            if hasattr(module, "reset_mem"):
                module.reset_mem()
        return torch.stack([self.net(images) for _ in range(self.num_steps)])

    def forward(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        return {"ce": F.cross_entropy(self.outputs(images).mean(0), labels)}

    def predict(self, images: Tensor) -> dict[str, Tensor]:
        return {"snn": self.outputs(images).mean(0)}

    def backbones(self) -> dict[str, nn.Module]:
        return {"snn": self.net}
