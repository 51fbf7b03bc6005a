"""Knowledge distillation into an SNN from an ANN trained before (Guo et al. 2023, Table 4, second row)."""

from dataclasses import dataclass

from torch import Tensor

from snnbook.trainers.student_and_teacher import StudentAndTeacher, StudentAndTeacherConfig


@dataclass(frozen=True)
class DistillationConfig(StudentAndTeacherConfig):
    """No settings of its own."""


class Distillation(StudentAndTeacher):
    """Cross-entropy with the labels plus the divergence from a frozen teacher."""

    Config = DistillationConfig

    def forward(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        logits = self.teach(images)[0] if self.config.kld else None
        return self.label_terms(self.student(images), logits, labels)
