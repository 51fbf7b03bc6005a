"""Knowledge distillation into an SNN from an ANN trained before (Guo et al. 2023, Table 4, second row)."""

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from snnbook.backbones import NetworkConfig, build_ann, build_snn
from snnbook.folding import still
from snnbook.losses import kl_divergence, sdt
from snnbook.trainers.loop.weights import load_weights


@dataclass(frozen=True)
class DistillationConfig:
    """``weight`` of the divergence from the teacher, and its ``temperature``."""

    weight: float = 1.0
    temperature: float = 1.0


class Distillation(nn.Module):
    """Cross-entropy with the labels plus the divergence from a frozen teacher.

    The teacher is the ANN of the same network, read from the run the experiment's row ``needs``.
    """

    Config = DistillationConfig
    needs = ("teacher",)

    def __init__(
        self,
        config: DistillationConfig,
        network: NetworkConfig,
        num_classes: int,
        in_channels: int,
        teacher: Path,
    ):
        super().__init__()
        self.config = config
        self.student = build_snn(network, num_classes, in_channels)
        self.teacher = build_ann(network, num_classes, in_channels).requires_grad_(False)
        load_weights(self.teacher, teacher, prefix="network.")

    def train(self, mode: bool = True) -> "Distillation":
        super().train(mode)
        self.teacher.eval()  # a teacher's running statistics are part of what it knows
        return self

    def forward(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        outputs = self.student(images)
        kl = kl_divergence(self.teacher(still(images)), outputs.mean(0), self.config.temperature)
        return {"ce": sdt(outputs, labels), "kld": self.config.weight * kl}

    def predict(self, images: Tensor) -> dict[str, Tensor]:
        return {"snn": self.student(images).mean(0)}

    def backbones(self) -> dict[str, nn.Module]:
        return {"snn": self.student.backbone}
