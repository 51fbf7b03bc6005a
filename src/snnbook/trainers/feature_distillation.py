"""Distillation of features between fixed layers: what SASTC's attention is measured against."""

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from snnbook.backbones import Backbone, NetworkConfig
from snnbook.errors import UserError
from snnbook.trainers.calibration import CANDIDATES, Matching
from snnbook.trainers.student_and_teacher import StudentAndTeacher, StudentAndTeacherConfig


@dataclass(frozen=True)
class FeatureDistillationConfig(StudentAndTeacherConfig):
    """Which layers, and how they are compared.

    A pair of layers gives one entry of the paper's study of negative regularization (Fig. 2); hints after
    FitNets (Romero et al. 2015) are a pair in the middle with ``projection: hint`` and ``kld: 0``, here in
    one stage of training instead of two.

    Attributes:
        student_layer, teacher_layer: positions among a network's ``features``, 0 being the stem's (the paper
            counts from 1); both None for all pairs at once, each with equal weight.
        candidates: with all pairs, layers that take part: ``"all"`` or ``"inner"`` (all but the stem's).
        beta: weight of the feature distance.
        projection: ``"sastc"``, ``"semckd"`` or ``"hint"`` (a single 3x3 convolution).
        batchnorm, student_pooling: see :class:`snnbook.trainers.calibration.Matching`.
    """

    student_layer: int | None = None
    teacher_layer: int | None = None
    candidates: str = "all"
    beta: float = 100.0
    projection: str = "sastc"
    batchnorm: str = "step"
    student_pooling: str = "max"

    def __post_init__(self):
        super().__post_init__()
        if (self.student_layer is None) != (self.teacher_layer is None):
            given = "student_layer" if self.teacher_layer is None else "teacher_layer"
            raise UserError(
                f"method.{given} stands alone; give both layers of a pair, or neither for all pairs"
            )
        if self.student_layer is not None and self.candidates != "all":
            raise UserError(
                f"method.candidates is {self.candidates!r} and the pair of layers is given; leave one of them out"
            )
        if self.projection == "hint" and self.batchnorm != "step":
            raise UserError(
                f"method.batchnorm is {self.batchnorm!r} and method.projection 'hint', which has no BatchNorm; "
                "leave one of them out"
            )


class FeatureDistillation(StudentAndTeacher):
    """Cross-entropy, divergence from the teacher's predictions, and the mean distance of the pairs' features.

    The same pairs count at all time steps.

    Raises:
        UserError: a layer that a network does not have.
    """

    Config = FeatureDistillationConfig

    def __init__(
        self,
        config: FeatureDistillationConfig,
        network: NetworkConfig,
        num_classes: int,
        in_channels: int,
        teacher: Path | Backbone,
    ):
        super().__init__(config, network, num_classes, in_channels, teacher)
        student, teacher = self.channels(in_channels)
        self.student_layers = self._select("student", student)
        self.teacher_layers = self._select("teacher", teacher)
        self.match = Matching(
            student[self.student_layers],
            teacher[self.teacher_layers],
            config.projection,
            config.batchnorm,
            config.student_pooling,
        )

    def _select(self, whose: str, layers: list) -> slice:
        layer = getattr(self.config, f"{whose}_layer")
        if layer is None:
            return CANDIDATES[self.config.candidates]
        if not 0 <= layer < len(layers):
            raise UserError(
                f"method.{whose}_layer is {layer}, but the {whose} has layers 0 to {len(layers) - 1}; "
                "choose one of these (0 is the stem's)"
            )
        return slice(layer, layer + 1)

    def forward(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        outputs, student = self.study(images)
        logits, teacher = self.teach(images)
        distances = self.match(student[self.student_layers], teacher[self.teacher_layers])
        terms = self.label_terms(outputs, logits, labels)
        return terms | {"features": self.config.beta * distances.mean()}
