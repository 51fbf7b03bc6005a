"""Losses on the readout of every time step, ``O`` of shape ``[T, B, classes]``."""

import torch.nn.functional as F
from torch import Tensor

from snnbook.checks import check_number
from snnbook.losses.shapes import as_labels, check_axes


def sdt(outputs: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of the mean readout (Guo et al. 2023, Eq. 3; "standard direct training" in Deng et al. 2022).

    Args:
        outputs: ``[T, B, classes]``.
        labels: ``[B]``, class numbers; or ``[B, classes]``, probabilities.

    Raises:
        UserError: outputs without a time axis, or labels that do not fit them.
    """
    labels = _labels(outputs, labels)
    return F.cross_entropy(outputs.mean(0), labels)


def every_moment(outputs: Tensor, labels: Tensor) -> Tensor:
    """Mean over time of each step's own cross-entropy (Deng et al. 2022): never below :func:`sdt` (Lemma 4.1).

    Arguments and errors as :func:`sdt`.
    """
    labels = _labels(outputs, labels)
    return F.cross_entropy(outputs.flatten(0, 1), labels.repeat(len(outputs), *[1] * (labels.dim() - 1)))


def mse_regularizer(outputs: Tensor, phi: float = 1.0) -> Tensor:
    """Mean squared distance of all outputs from ``phi``, by default the threshold (Deng et al. 2022).

    Every class is drawn to the same constant, the true one too.

    Args:
        outputs: ``[T, B, classes]``.
        phi: what they are drawn to.

    Raises:
        UserError: outputs without a time axis, or a ``phi`` that is not finite.
    """
    check_axes(("outputs", outputs, "T B classes"))
    check_number("phi", phi)
    return (outputs - phi).square().mean()


def tet(outputs: Tensor, labels: Tensor, lam: float = 0.05, phi: float = 1.0) -> Tensor:
    """``(1 - lam) * every_moment + lam * mse_regularizer``, the loss of temporal efficient training.

    Args:
        outputs: ``[T, B, classes]``.
        labels: as :func:`sdt`'s.
        lam: share of the regularizer, in [0, 1]; the paper has 0.05 for CIFAR and 0.001 for event data.
        phi: what the regularizer draws outputs to.

    Raises:
        UserError: as its two parts, or ``lam`` outside [0, 1].
    """
    check_lambda(lam)
    return (1 - lam) * every_moment(outputs, labels) + lam * mse_regularizer(outputs, phi)


# The losses other methods can give the labels, by the name their settings have for them.
LABEL_LOSSES = {"sdt": sdt, "tet": tet}


def check_lambda(lam: float) -> None:
    """Raise a UserError unless ``lam`` is in [0, 1]."""
    check_number("lam", lam, 0, 1, meaning="the share of the regularizer")


def _labels(outputs: Tensor, labels: Tensor) -> Tensor:
    return as_labels(labels, check_axes(("outputs", outputs, "T B classes")))
