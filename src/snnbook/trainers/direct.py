"""Direct training: one network, cross-entropy of its mean readout."""

from dataclasses import dataclass

from torch import Tensor, nn

from snnbook.backbones import NetworkConfig
from snnbook.checks import check_config, check_fields
from snnbook.folding import still
from snnbook.losses import mean_readout, sdt
from snnbook.trainers.network import given_or_built


@dataclass(frozen=True)
class DirectConfig:
    """``train``: which network, ``"snn"`` or ``"ann"``."""

    train: str = "snn"

    def __post_init__(self) -> None:
        check_fields(self, "method", choices={"train": ("snn", "ann")})


class Direct(nn.Module):
    """An SNN (or its ANN twin) trained alone: the baseline of every table.

    Args:
        config: its settings.
        network: settings of a network; or one of your own, a :class:`snnbook.folding.SpikingNetwork` (for an ANN,
            any module that maps images to logits), to which ``num_classes`` and ``in_channels`` do not matter.

    Raises:
        UserError: another method's settings, or neither kind of network.
    """

    Config = DirectConfig

    def __init__(
        self,
        config: DirectConfig,
        network: NetworkConfig | nn.Module,
        num_classes: int | None = None,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        check_config(config, self.Config)
        self.config = config
        self.kind = config.train
        self.network = given_or_built(network, num_classes, in_channels, self.kind)

    def forward(self, images: Tensor, labels: Tensor, lengths: Tensor | None = None) -> dict[str, Tensor]:
        return {"ce": sdt(self.outputs(images, lengths), labels, self._of_outputs(lengths))}

    def outputs(self, images: Tensor, lengths: Tensor | None = None) -> Tensor:
        """``[T, B, classes]``; an ANN has one time step."""
        if self.kind == "snn":
            return self.network(images)
        mean = still(images) if lengths is None else images.sum(0) / lengths[:, None, None, None]
        return self.network(mean).unsqueeze(0)

    def predict(self, images: Tensor, lengths: Tensor | None = None) -> dict[str, Tensor]:
        return {self.kind: mean_readout(self.outputs(images, lengths), self._of_outputs(lengths))}

    def _of_outputs(self, lengths: Tensor | None) -> Tensor | None:
        return lengths if self.kind == "snn" else None

    def backbones(self) -> dict[str, nn.Module]:
        return {self.kind: self.network.backbone if self.kind == "snn" else self.network}
