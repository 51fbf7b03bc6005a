"""Direct training: one network, cross-entropy of its mean readout."""

from dataclasses import dataclass

from torch import Tensor, nn

from snnbook.backbones import NetworkConfig, build_ann, build_snn
from snnbook.errors import UserError
from snnbook.folding import still
from snnbook.losses import sdt


@dataclass(frozen=True)
class DirectConfig:
    """``train``: which network, ``"snn"`` or ``"ann"``."""

    train: str = "snn"

    def __post_init__(self):
        if self.train not in ("snn", "ann"):
            raise UserError(f"method.train is {self.train!r}; expected 'snn' or 'ann'")


class Direct(nn.Module):
    """An SNN (or its ANN twin) trained alone: the baseline of every table."""

    Config = DirectConfig

    def __init__(self, config: DirectConfig, network: NetworkConfig, num_classes: int, in_channels: int = 3):
        super().__init__()
        self.kind = config.train
        build = build_snn if config.train == "snn" else build_ann
        self.network = build(network, num_classes, in_channels)

    def forward(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        return {"ce": sdt(self.outputs(images), labels)}

    def outputs(self, images: Tensor) -> Tensor:
        """``[T, B, classes]``; an ANN has one time step."""
        return self.network(images) if self.kind == "snn" else self.network(still(images)).unsqueeze(0)

    def predict(self, images: Tensor) -> dict[str, Tensor]:
        return {self.kind: self.outputs(images).mean(0)}

    def backbones(self) -> dict[str, nn.Module]:
        return {self.kind: self.network.backbone if self.kind == "snn" else self.network}
