"""Networks in plain snnTorch, written the way its tutorials write them.

Neurons keep their state between calls, so the whole network is called once a time step in a Python loop, and
BatchNorm sees each step by itself in training, while in evaluation all steps share its running statistics: another
network than was trained.  The image passes the stem again at every step although it never changes.  Neuron
constants are those of the network it is compared with; the surrogate is snnTorch's default.  With ``batchnorm:
step`` and this neuron's surrogate, reset and tie, networks of :mod:`snnbook.backbones` are the same, see the table
snntorch-gap.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from snnbook.backbones import NetworkConfig
from snnbook.baselines.snntorch_resnet import resnet_layers
from snnbook.baselines.snntorch_vgg import vgg_layers
from snnbook.checks import check_config, check_fields, whole
from snnbook.errors import UserError
from snnbook.inputs import check_images
from snnbook.losses import mean_readout, sdt
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


OPTIONS = ("decay", "threshold")  # of a preset's settings, those that snnTorch's neurons have, too
# What puts their layers in order, by the network they are the twins of.
LAYERS = {
    "resnet18": resnet_layers,
    "resnet19": resnet_layers,
    "vgg9": vgg_layers,
    "vgg11": vgg_layers,
}


def atan(x: Tensor) -> Tensor:
    """``snntorch.surrogate.atan()``, which is a closure and cannot be pickled."""
    from snntorch.surrogate import ATan

    return ATan.apply(x, 2.0)


class SnnTorchNetwork(nn.Module):
    """A ResNet or VGG in snnTorch.

    Raises:
        UserError: another method's settings, or a network other than those of ``LAYERS``.
    """

    Config = SnnTorchConfig

    def __init__(self, config, network: NetworkConfig, num_classes: int, in_channels: int = 3):
        super().__init__()
        check_config(config, self.Config)
        check_config(network, NetworkConfig)
        self.config = config
        num_classes, in_channels = whole(num_classes, "num_classes", 1), whole(in_channels, "in_channels", 1)
        if network.name not in LAYERS or network.options:
            raise UserError(
                f"the snnTorch baseline is written for {', '.join(LAYERS)} without options, not for "
                f"{network.name} {network.options or ''}; set network.name"
            )
        if others := sorted({*network.neuron_options} - {*OPTIONS}):
            raise UserError(
                f"the snnTorch baseline's neurons take {' and '.join(OPTIONS)}, not {', '.join(others)}; "
                "leave it out of network.neuron_options"
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
        self.neuron = {"decay": neuron.decay, "threshold": neuron.dynamics.threshold}
        self.net = nn.Sequential(*LAYERS[network.name](network, in_channels, num_classes, leaky))

    def outputs(self, images: Tensor) -> Tensor:
        """``[T, B, classes]``: the network called T times on the same images, or on each step's frames.

        Raises:
            UserError: images of another number of axes, or frames of another number of steps.
        """
        check_images(images, self.num_steps, "set network.time_steps")
        steps = images if images.dim() == 5 else images.expand(self.num_steps, *images.shape)
        self.reset()
        outputs = torch.stack([self.net(x) for x in steps])
        self.reset()  # or a copy would take the graph of this pass along
        return outputs

    def extra_repr(self) -> str:
        return f"T={self.num_steps}, neuron={self.neuron}"  # which snnTorch's neurons do not say themselves

    def reset(self) -> None:
        # snntorch.utils.reset looks at direct children only (snntorch#438); these neurons are nested.
        for module in self.net.modules():
            if hasattr(module, "reset_mem"):
                module.reset_mem()

    def forward(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        outputs = self.outputs(images)
        if self.ce_rate_loss is not None:
            labels = as_labels(labels, check_axes(("outputs", outputs, "T B classes")), outputs)
            return {"ce": self.ce_rate_loss(outputs, labels).squeeze()}
        return {"ce": sdt(outputs, labels)}

    def predict(self, images: Tensor) -> dict[str, Tensor]:
        return {"snn": mean_readout(self.outputs(images))}

    def backbones(self) -> dict[str, nn.Module]:
        return {"snn": self.net}
