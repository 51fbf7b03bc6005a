"""Temporal efficient training (Deng et al. 2022): a loss at every time step."""

from dataclasses import dataclass

from torch import Tensor, nn

from snnbook.backbones import NetworkConfig
from snnbook.checks import check_config, check_fields
from snnbook.errors import UserError
from snnbook.losses.temporal import check_lambda, every_moment, mean_readout, mse_regularizer
from snnbook.trainers.network import given_or_built, threshold


@dataclass(frozen=True)
class TETConfig:
    """``lam``: share of the regularizer, in [0, 1]; ``phi``: what it draws outputs to.

    ``phi`` is the threshold of the network's neurons by default, as in the paper (Sec. 4.2).
    """

    lam: float = 0.05
    phi: float | None = None

    def __post_init__(self) -> None:
        check_fields(self, "method")
        check_lambda(self.lam)
        if self.phi is not None and not self.lam:
            raise UserError(
                f"method.phi is {self.phi:g} and method.lam 0, which leaves out the regularizer that phi is of; "
                "set a lam or leave phi out"
            )


class TET(nn.Module):
    """An SNN whose readout is asked for the label at every time step; prediction is the usual mean.

    Args:
        config: its settings.
        network: settings of a network; or one of your own, a :class:`snnbook.folding.SpikingNetwork`, to which
            ``num_classes`` and ``in_channels`` do not matter.

    Raises:
        UserError: another method's settings, neither kind of network, or a regularizer without ``phi`` on neurons
            that have no one threshold.
    """

    Config = TETConfig

    def __init__(
        self,
        config: TETConfig,
        network: NetworkConfig | nn.Module,
        num_classes: int | None = None,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        check_config(config, self.Config)
        self.config = config
        self.network = given_or_built(network, num_classes, in_channels)
        follows = config.lam and config.phi is None
        self.phi = threshold(self.network) if follows else config.phi

    def forward(self, images: Tensor, labels: Tensor, lengths: Tensor | None = None) -> dict[str, Tensor]:
        outputs, lam = self.network(images), self.config.lam
        terms = {"tet": (1 - lam) * every_moment(outputs, labels, lengths)}
        if lam:
            terms["mse"] = lam * mse_regularizer(outputs, self.phi, lengths)
        return terms

    def predict(self, images: Tensor, lengths: Tensor | None = None) -> dict[str, Tensor]:
        return {"snn": mean_readout(self.network(images), lengths)}

    def backbones(self) -> dict[str, nn.Module]:
        return {"snn": self.network.backbone}
