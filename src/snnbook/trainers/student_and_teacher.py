"""A spiking student and a trained, frozen ANN of any architecture that teaches it."""

from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from snnbook import files
from snnbook.backbones import Backbone, NetworkConfig, build_ann, build_snn
from snnbook.checks import check_config, check_fields, shown
from snnbook.errors import UserError
from snnbook.folding import still
from snnbook.losses import LABEL_LOSSES, kl_divergence, mean_readout
from snnbook.trainers.calibration import CANDIDATES, POOLINGS, PROJECTIONS
from snnbook.trainers.loop.weights import load_weights, read
from snnbook.trainers.network import label_loss

ANN = ("name", "width", "options")  # of a network's settings, those that an ANN has, too
CHOICES = {
    "candidates": tuple(CANDIDATES),
    "projection": tuple(PROJECTIONS),
    "batchnorm": ("step", "merged"),
    "student_pooling": tuple(POOLINGS),
    "label_loss": LABEL_LOSSES,
}


@dataclass(frozen=True)
class StudentAndTeacherConfig:
    """What all that learn from a teacher can set.

    Attributes:
        teacher: its network, ``{name: ..., width: ...}``; empty for the student's, as an ANN.
        ce, kld: weights of the cross-entropy with the labels and of the divergence from the teacher.
        temperature: of the divergence.

    Raises:
        UserError: a setting of another type, out of range, or of no known name; nothing to learn.
    """

    teacher: dict = field(default_factory=dict)
    ce: float = 1.0
    kld: float = 1.0
    temperature: float = 1.0

    def __post_init__(self):
        known = {name: values for name, values in CHOICES.items() if hasattr(self, name)}
        weights = [name for name in ("ce", "kld", "beta") if hasattr(self, name)]
        at_least = dict.fromkeys(weights, 0)
        check_fields(self, "method", choices=known, at_least=at_least, above={"temperature": 0})
        if not any(getattr(self, name) for name in weights):
            names = ", ".join(f"method.{name}" for name in weights)
            raise UserError(f"{names} are all 0; expected one above 0, or there is nothing to learn")
        if self.teacher:
            teacher_network(self.teacher, NetworkConfig())


def teacher_network(settings: dict, student: NetworkConfig) -> NetworkConfig:
    """The teacher's network: what ``method.teacher`` says, or the student's if it says nothing.

    Raises:
        UserError: no name, an unknown one, or a key that an ANN's network does not have.
    """
    if not settings:
        return student
    for key in settings:
        if key not in ANN:
            raise UserError(f"unknown key {shown(key)} in method.teacher; known: {', '.join(ANN)}")
    if "name" not in settings:
        raise UserError("method.teacher has no name; expected for instance {name: resnet18, width: 64}")
    try:
        return NetworkConfig(**settings)
    except UserError as error:
        raise UserError(f"method.teacher: {error}") from None


def load_teacher(network: NetworkConfig, num_classes: int, in_channels: int, path: Path) -> Backbone:
    """The ANN of ``network`` with the weights a ``direct`` run left at ``path``, frozen.

    Raises:
        UserError: the file is missing or damaged, knows other classes, was never trained, or does not fit.
    """
    teacher = build_ann(network, num_classes, in_channels).requires_grad_(False)
    if files.place(path, "weights").exists():
        # Parameters come in a network's order, so the last bias is the classifier's, one number a class.
        classes = next((len(v) for k, v in reversed(read(path).items()) if k.endswith(".bias")), num_classes)
        if classes != num_classes:
            raise UserError(
                f"the teacher at {path} knows {classes} classes and the student has {num_classes}; "
                "train the teacher on the student's data"
            )
    load_weights(teacher, path, prefix="network.")
    norms = [m for m in teacher.modules() if isinstance(m, nn.BatchNorm2d)]
    if norms and not any(m.running_mean.any() for m in norms):
        raise UserError(
            f"the teacher at {path} was never trained, its BatchNorms have seen nothing; train that run first"
        )
    return teacher.eval()


def _check_teacher(teacher: Backbone, num_classes: int | None, in_channels: int) -> None:
    """Refuse a teacher of other images or classes; None where nobody asks for its predictions."""
    stem, head = (
        [m for m in getattr(teacher, part, nn.Identity()).modules() if isinstance(m, kind)]
        for part, kind in (("stem", nn.Conv2d), ("head", nn.Linear))
    )
    for what, found, wanted in (
        ("channels of images", stem[0].in_channels if stem else None, in_channels),
        ("classes", head[-1].out_features if head else None, num_classes),
    ):
        if found and wanted is not None and found != wanted:
            raise UserError(
                f"the teacher has {found} {what} and the student {wanted}; "
                "expected a teacher of the same data; give one that was trained on them"
            )


class StudentAndTeacher(nn.Module):
    """What distillation methods share: both networks, their features and logits, and the two usual losses.

    Event frames ``[T, B, C, H, W]`` reach the teacher as their mean over time, which the paper leaves open.

    Args:
        config: a :class:`StudentAndTeacherConfig`.
        network: the student's.
        num_classes, in_channels: of the data.
        teacher: weights of a run of method ``direct`` with ``train: ann``; or the network itself, trained; it is
            brought to the student's device and precision.

    Raises:
        UserError: another method's settings; see :func:`load_teacher`; a teacher that is neither, or of other
            channels or classes.
    """

    Config: type
    needs = ("teacher",)

    @staticmethod
    def check_taught(config: StudentAndTeacherConfig, network: NetworkConfig, run: str, taught: Any) -> None:
        """Refuse a run that leaves no teacher for these settings, before it is trained.

        Args:
            config, network: the student's.
            run, taught: name and settings of the run whose weights are the teacher's.

        Raises:
            UserError: it trains no ANN, or another network than ``config.teacher``.
        """
        if taught.name != "direct" or taught.method.train != "ann":
            raise UserError(
                f"the teacher is {run}, of method {taught.name}, which leaves no ANN alone; expected a run of "
                "method direct with train: ann under 'needs'"
            )
        both = teacher_network(config.teacher, network), taught.network
        wanted, found = ({name: getattr(one, name) for name in ANN} for one in both)
        if wanted != found:
            raise UserError(
                f"the teacher is {run}, whose network is {shown(found)}, and method.teacher says {shown(wanted)}; "
                "expected the same in both"
            )

    @staticmethod
    def stand_in(config: StudentAndTeacherConfig, network: NetworkConfig, *sizes: int) -> Backbone:
        """A teacher that has learned nothing, to try what a run asks for before its own is trained."""
        return build_ann(teacher_network(config.teacher, network), *sizes)

    def __init__(
        self,
        config: StudentAndTeacherConfig,
        network: NetworkConfig,
        num_classes: int,
        in_channels: int,
        teacher: Path | Backbone,
    ):
        super().__init__()
        check_config(config, self.Config)
        check_config(network, NetworkConfig)
        self.config = config
        self.student = build_snn(network, num_classes, in_channels)
        self.label_loss = label_loss(getattr(config, "label_loss", "sdt"), self.student)
        if not isinstance(teacher, Backbone | str | PathLike):
            raise UserError(
                f"the teacher is {shown(type(teacher).__name__)}; expected a path of weights, or a network of "
                "snnbook.backbones"
            )
        if isinstance(teacher, Backbone):
            _check_teacher(teacher, num_classes if config.kld else None, in_channels)
            if not any(weight.is_meta for weight in teacher.parameters()):
                teacher.to(next(self.student.parameters()))
        else:
            wanted = teacher_network(config.teacher, network)
            teacher = load_teacher(wanted, num_classes, in_channels, teacher)
        self.teacher = teacher.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "StudentAndTeacher":
        super().train(mode)
        self.teacher.eval()  # a teacher's running statistics are part of what it knows
        return self

    def study(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The student's readout ``[T, B, classes]`` and features ``[T, B, C, H, W]``, in one pass."""
        network = self.student.backbone

        def study(x):
            features = network.features(x)
            return network.head(network.pool(features[-1])), features

        return self.student.run(study, images)

    @torch.no_grad()
    def teach(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The teacher's logits ``[B, classes]`` and features ``[B, C, H, W]``."""
        features = self.teacher.features(still(images))
        return self.teacher.head(self.teacher.pool(features[-1])), features

    def label_terms(self, outputs: Tensor, teacher: Tensor | None, labels: Tensor) -> dict[str, Tensor]:
        """Cross-entropy with the labels and divergence from the teacher, of the mean readout, weighted.

        A method whose ``label_loss`` is ``"tet"`` asks for the label at every time step instead.
        """
        config, terms = self.config, {}
        if config.ce:
            terms["ce"] = config.ce * self.label_loss(outputs, labels)
        if config.kld:
            terms["kld"] = config.kld * kl_divergence(teacher, mean_readout(outputs), config.temperature)
        return terms

    def channels(self, in_channels: int) -> tuple[list[int], list[int]]:
        """Channels of the student's and the teacher's layers, in the order of their features."""
        image = torch.zeros(1, in_channels, 32, 32)
        self.eval()  # so that the blank image leaves no trace in BatchNorm
        with torch.no_grad():
            student, teacher = self.student.features(image), self.teacher.features(image)
        self.train()
        return [x.shape[2] for x in student], [x.shape[1] for x in teacher]

    def predict(self, images: Tensor) -> dict[str, Tensor]:
        return {"snn": mean_readout(self.student(images))}

    def backbones(self) -> dict[str, nn.Module]:
        return {"snn": self.student.backbone}
