"""SASTC (AAAI 2025): each student layer, at each time step, chooses the teacher layers it learns from."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from snnbook.backbones import Backbone, NetworkConfig
from snnbook.checks import check_fields
from snnbook.errors import UserError
from snnbook.losses.sastc import calibration
from snnbook.trainers.calibration import (
    CANDIDATES,
    ConstantAttention,
    LayerAttention,
    Matching,
    check_attention,
    check_batch,
)
from snnbook.trainers.student_and_teacher import StudentAndTeacher, StudentAndTeacherConfig

PRESETS = {
    # What the paper says; where it says nothing (beta, BatchNorm, pooling), what its public code does.
    "paper": dict(
        candidates="all",
        temperature=1.0,
        beta=100.0,
        projection="sastc",
        batchnorm="step",
        student_pooling="max",
    ),
    # The public code's defaults; its one script has beta 800.
    "official": dict(
        candidates="inner",
        temperature=4.0,
        beta=100.0,
        projection="sastc",
        batchnorm="step",
        student_pooling="max",
    ),
    # The method for two ANNs it comes from (Chen et al. 2021), CIFAR-100; it knows no time, hence "merged".
    "semckd": dict(
        candidates="inner",
        temperature=4.0,
        beta=400.0,
        projection="semckd",
        batchnorm="merged",
        student_pooling="average",
    ),
}


@dataclass(frozen=True)
class SASTCConfig(StudentAndTeacherConfig):
    """Settings of the calibration; what is None comes from the preset.

    Attributes:
        preset: ``"paper"``, ``"official"`` (public code) or ``"semckd"``.
        batch_size: images in every training batch (of each process), at least 8: the recipe's ``batch_size``.
            Take 32 or more: similarities of spikes are positive, so a hidden unit of a query fires for every
            image or for none, and a small batch has so few that all of them may be silent.
        candidates: layers that take part, ``"all"`` or ``"inner"`` (all but the stem's).
        beta: weight of the calibration (Eq. 8).  With beta 0 nothing is calibrated: plain distillation, for any
            batch size.
        projection: ``"sastc"`` (3x3 and 1x1 convolution) or ``"semckd"`` (1x1, 3x3, 1x1).
        batchnorm: statistics of the projections ``"step"`` by step, or ``"merged"`` over time steps.
        student_pooling: ``"max"`` or ``"average"``, where a student's map is larger than a teacher's.
        embedding: length of a query, at least 2; None for a quarter of the batch.
        recompute: less memory for more time; see :class:`snnbook.trainers.calibration.Matching`.
        label_loss: ``"sdt"`` (the paper's) or ``"tet"``, the label asked for at every time step, a combination
            that no paper has.
        constant_attention: instead of learning attention, always attend to this teacher layer, counted from 1
            among those that take part, as much as the softmax allows; see
            :class:`snnbook.trainers.calibration.ConstantAttention`.
    """

    preset: str = "paper"
    batch_size: int = 64
    candidates: str | None = None
    beta: float | None = None
    temperature: float | None = None
    projection: str | None = None
    batchnorm: str | None = None
    student_pooling: str | None = None
    embedding: int | None = None
    recompute: bool = False
    label_loss: str = "sdt"
    constant_attention: int | None = None

    def __post_init__(self):
        check_fields(self, "method", choices={"preset": PRESETS}, at_least={"constant_attention": 1})
        for name, value in {**PRESETS[self.preset], "embedding": self.batch_size // 4}.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        super().__post_init__()
        if self.constant_attention is not None and not self.beta:
            raise UserError(
                f"method.constant_attention is {self.constant_attention} and method.beta is 0, so nothing is "
                "calibrated; leave one of them out"
            )
        check_attention(self.batch_size, self.embedding)
        if self.label_loss != "sdt" and not self.ce:
            raise UserError(
                f"method.label_loss is {self.label_loss!r} and method.ce is 0, so no label is asked for; "
                "leave one of them out"
            )


class SASTC(StudentAndTeacher):
    """Cross-entropy, divergence from the teacher's predictions, and calibrated distances between features.

    Attributes:
        attention: of the last training batch, mean over its images, ``[T, S, K]``, detached; None before the
            first.
    """

    Config = SASTCConfig

    def __init__(
        self,
        config: SASTCConfig,
        network: NetworkConfig,
        num_classes: int,
        in_channels: int,
        teacher: Path | Backbone,
    ):
        super().__init__(config, network, num_classes, in_channels, teacher)
        self.attention: Tensor | None = None
        # Buffers, since a compiled step may keep nothing elsewhere; of the running epoch, so no part of a state.
        self.register_buffer("attention_sum", torch.zeros(0), persistent=False)
        self.register_buffer("batches", torch.zeros(()), persistent=False)
        if config.beta:
            self.layers = CANDIDATES[config.candidates]
            channels = [c[self.layers] for c in self.channels(in_channels)]
            layers = [len(c) for c in channels]
            # Drawn in any case, so that a seed's projections are the same with a constant in its place.
            self.attend = LayerAttention(config.batch_size, *layers, config.embedding)
            if config.constant_attention is not None:
                self.attend = ConstantAttention(config.constant_attention, layers[1])
            self.match = Matching(
                *channels, config.projection, config.batchnorm, config.student_pooling, config.recompute
            )

    def check_last_batch(self, images: int) -> None:
        """Refuse a last batch of so many images, of each process, that the attention is not sized for."""
        if isinstance(getattr(self, "attend", None), LayerAttention):
            check_batch(images, self.config.batch_size)

    def begin_epoch(self, epoch: int) -> None:
        self.attention_sum.zero_()
        self.batches.zero_()

    def notes(self) -> dict[str, list]:
        """The epoch's mean attention, ``[T, S, K]``, rounded; nothing where nothing is calibrated."""
        if not self.batches:
            return {}
        mean = self.attention_sum / self.batches
        return {"attention": [[[round(x, 4) for x in row] for row in step] for step in mean.tolist()]}

    def _count(self, attention: Tensor) -> None:
        """Count a batch's attention ``[T, S, K]``; other time steps or another device begin a new count."""
        kept = self.attention_sum
        if (kept.shape, kept.dtype, kept.device) != (attention.shape, attention.dtype, attention.device):
            self.attention_sum = torch.zeros_like(attention)
            self.batches = attention.new_zeros(())
        self.attention_sum += attention
        self.batches += 1  # a tensor: a number would be another graph at each step

    def forward(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        outputs, student = self.study(images)
        if not (self.config.kld or self.config.beta):  # a baseline, with a teacher to be compared with
            return self.label_terms(outputs, None, labels)
        logits, teacher = self.teach(images)
        terms = self.label_terms(outputs, logits, labels)
        if self.config.beta:
            student, teacher = student[self.layers], teacher[self.layers]
            attention = self.attend(student, teacher)  # Eqs. 3-5
            if self.training:
                self.attention = attention.detach().mean(1)
                self._count(self.attention)
            terms["sastc"] = self.config.beta * calibration(attention, self.match(student, teacher))
        return terms
