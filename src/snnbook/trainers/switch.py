"""Standard direct training that turns into TET halfway (Deng et al. 2022, Figure 3)."""

from dataclasses import dataclass

from torch import Tensor, nn

from snnbook.backbones import NetworkConfig
from snnbook.checks import check_fields
from snnbook.losses import every_moment, sdt
from snnbook.trainers.tet import TET, TETConfig


@dataclass(frozen=True)
class SwitchConfig(TETConfig):
    """As :class:`TETConfig`; ``at``: epochs of standard training before the first with TET's loss."""

    at: int = 200

    def __post_init__(self) -> None:
        super().__post_init__()
        check_fields(self, "method", at_least={"at": 0})


class Switch(TET):
    """One network, one optimizer, two losses one after the other; both are followed on the test set."""

    Config = SwitchConfig

    config: SwitchConfig

    def __init__(
        self,
        config: SwitchConfig,
        network: NetworkConfig | nn.Module,
        num_classes: int | None = None,
        in_channels: int = 3,
    ) -> None:
        super().__init__(config, network, num_classes, in_channels)
        self.switched = config.at == 0  # a truth value: an epoch's number would be another graph each time

    def begin_epoch(self, epoch: int) -> None:
        self.switched = epoch >= self.config.at

    def forward(self, images: Tensor, labels: Tensor, lengths: Tensor | None = None) -> dict[str, Tensor]:
        if self.switched:
            return super().forward(images, labels, lengths)
        # A term of each name in every epoch, so that curves keep one length.
        terms = {"tet": sdt(self.network(images), labels, lengths)}
        return terms | ({"mse": terms["tet"].new_zeros(())} if self.config.lam else {})

    def test_losses(self, images: Tensor, labels: Tensor, lengths: Tensor | None = None) -> dict[str, Tensor]:
        outputs = self.network(images)
        return {"sdt": sdt(outputs, labels, lengths), "tet": every_moment(outputs, labels, lengths)}
