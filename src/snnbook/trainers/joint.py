"""Joint A-SNN (Guo et al. 2023): an ANN and an SNN trained together, Algorithm 1.

Both see every batch.  Labels teach all exits of both; the ANN, detached, teaches the SNN at each exit; and the
two share the singular vectors of their convolutions.
"""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields
from functools import partial

import torch
from torch import Tensor, nn

from snnbook import neurons
from snnbook.backbones import MultiExit, NetworkConfig, build_backbone
from snnbook.backbones.batchnorm import by_step
from snnbook.checks import check_config, check_fields
from snnbook.errors import UserError
from snnbook.factorized import SharedFactors
from snnbook.folding import SpikingNetwork, still
from snnbook.losses import LABEL_LOSSES, be_your_own_teacher, cross_entropy, kld_loss, norm_loss
from snnbook.precision import at_least_single
from snnbook.trainers.network import label_loss

Exits = tuple[list[Tensor], list[Tensor]]


@dataclass(frozen=True)
class JointConfig:
    """Which parts of the method are on; the defaults are the paper's (Sec. 5.1).

    Attributes:
        mode: ``"paper"`` (Eq. 10) or ``"official"`` (what the public code minimizes instead).
        exits: ``"linear"``, ``"bottleneck"`` (public code) or ``"last"`` (no exits before the classifier).
        kld: lambda 1, weight of the divergence; paper mode.
        norm: lambda 2, weight of the distance between outputs; paper mode.
        detach: let the SNN's lessons send no gradient into the ANN, as in the paper; paper mode.
        factorize: ``"thin"``, ``"full"`` or ``"none"``.
        factorize_stem: whether the first convolution is factorized; if not, it is shared whole.
        readout: ``"mean"`` over time (Eq. 3) or ``"sum"`` (public code).
        share_bias: one bias for both networks' classifiers (public code).
        label_loss: of the SNN's exits, ``"sdt"`` (the paper's) or ``"tet"``, the label asked for at every time
            step (with TET's regularizer: lambda 0.05, the SNN's threshold), a combination that no paper has; paper
            mode.
    """

    mode: str = "paper"
    exits: str = "linear"
    kld: float = 1.0
    norm: float = 0.3
    detach: bool = True
    factorize: str = "thin"
    factorize_stem: bool = True
    readout: str = "mean"
    share_bias: bool = False
    label_loss: str = "sdt"

    def __post_init__(self):
        choices = {
            "mode": ("paper", "official"),
            "exits": ("linear", "bottleneck", "last"),
            "factorize": ("thin", "full", "none"),
            "readout": ("mean", "sum"),
            "label_loss": LABEL_LOSSES,
        }
        check_fields(self, "method", choices=choices, at_least={"kld": 0, "norm": 0})
        if not (self.detach or self.kld or self.norm):
            raise UserError(
                "method.detach is false and method.kld and method.norm are 0, so the SNN has no lessons "
                "of the ANN; leave it out"
            )
        if self.factorize == "none" and not self.factorize_stem:
            raise UserError(
                "method.factorize_stem is false and method.factorize is 'none', so nothing is shared, the stem "
                "neither; leave it out"
            )
        if self.mode == "official":
            defaults = {item.name: item.default for item in fields(self)}
            ours = ("kld", "norm", "detach", "label_loss")
            if given := [f"method.{name}" for name in ours if getattr(self, name) != defaults[name]]:
                raise UserError(
                    f"{' and '.join(given)} are for mode 'paper', the public code's loss is fixed; leave them out"
                )


class JointASNN(nn.Module):
    """The whole method in one module: both networks, their exits, and the factors they share.

    Raises:
        UserError: another method's settings, or a network that is not given by its settings.
    """

    Config = JointConfig

    def __init__(self, config: JointConfig, network: NetworkConfig, num_classes: int, in_channels: int = 3):
        super().__init__()
        check_config(config, self.Config)
        check_config(network, NetworkConfig)
        self.config = config
        self.summed = ("norm",) if config.mode == "official" else ()
        spiking = partial(neurons.preset, network.neuron, **network.neuron_options)

        def multi_exit(activation):
            backbone = build_backbone(
                network.name, num_classes, in_channels, activation, network.width, **network.options
            )
            made = MultiExit(backbone, config.exits, num_classes, activation)
            return by_step(made) if network.options.get("batchnorm") == "step" else made

        self.ann = multi_exit(nn.ReLU)
        if config.mode == "official":
            for head in self.ann.heads:
                nn.init.kaiming_normal_(head.weight, mode="fan_out", nonlinearity="relu")
        self.snn = SpikingNetwork(multi_exit(spiking), network.time_steps)
        # Both start from the same weights; only learned neurons have parameters of their own.
        self.snn.backbone.load_state_dict(self.ann.state_dict(), strict=False)
        if config.share_bias:
            for ann, snn in zip(self.ann.heads, self.snn.backbone.heads, strict=True):
                snn.bias = ann.bias
        self.factors = None
        if config.factorize != "none":
            full = config.factorize == "full"
            self.factors = SharedFactors(self.ann, self.snn.backbone, full, config.factorize_stem)
        self.label_loss = label_loss(config.label_loss, self.snn)

    def forward(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        with self.composed():
            ann, outputs = self.ann(still(images)), self.snn_outputs(images)
        snn = self.integrated(outputs)
        if self.config.mode == "official":
            return be_your_own_teacher(ann, snn, labels)
        if self.config.label_loss == "sdt":
            snn_loss = cross_entropy(snn[0], labels)  # of the readout, be it a mean or a sum
        else:
            snn_loss = sum(self.label_loss(x, labels) for x in outputs[0])
        terms = {"ce": cross_entropy(ann[0], labels) + snn_loss}  # Eq. 7
        if self.config.kld:
            terms["kld"] = self.config.kld * kld_loss(ann[0], snn[0], self.config.detach)  # Eq. 8
        if self.config.norm:
            terms["norm"] = self.config.norm * norm_loss(ann[0], snn[0], self.config.detach)  # Eq. 9
        return terms

    def composed(self) -> AbstractContextManager[None]:
        """A context in which both networks read weights composed once; without factors there is nothing to do."""
        return nullcontext() if self.factors is None else self.factors.composed()

    def snn_outputs(self, images: Tensor) -> Exits:
        """Logits and features of the SNN's exits at each time step, ``[T, B, ...]`` each."""
        return self.snn.run(self.snn.backbone, images)

    def integrated(self, outputs: Exits) -> Exits:
        """The readout over time, ``[B, ...]`` each (Eq. 3)."""
        integrate = torch.mean if self.config.readout == "mean" else torch.sum
        return tuple([integrate(at_least_single(x), dim=0) for x in part] for part in outputs)

    def snn_exits(self, images: Tensor) -> Exits:
        """Logits and features of the SNN's exits, integrated over time."""
        return self.integrated(self.snn_outputs(images))

    def predict(self, images: Tensor) -> dict[str, Tensor]:
        with self.composed():
            return {"snn": self.snn_exits(images)[0][-1], "ann": self.ann(still(images))[0][-1]}

    def backbones(self) -> dict[str, nn.Module]:
        return {"snn": self.snn.backbone.backbone, "ann": self.ann.backbone}
