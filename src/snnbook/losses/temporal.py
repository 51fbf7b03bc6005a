"""Losses on the readout of every time step, ``O`` of shape ``[T, B, classes]``."""

import torch.nn.functional as F
from torch import Tensor

from snnbook.errors import UserError


def sdt(outputs: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of the mean readout (Guo et al. 2023, Eq. 3; "standard direct training" in Deng et al. 2022).

    Args:
        outputs: ``[T, B, classes]``.
        labels: ``[B]``, class numbers.

    Raises:
        UserError: outputs without a time axis.
    """
    _check_time(outputs)
    return F.cross_entropy(outputs.mean(0), labels)


def every_moment(outputs: Tensor, labels: Tensor) -> Tensor:
    """Mean over time of each step's own cross-entropy (Deng et al. 2022): never below :func:`sdt` (Lemma 4.1).

    Arguments and errors as :func:`sdt`.
    """
    _check_time(outputs)
    return F.cross_entropy(outputs.flatten(0, 1), labels.repeat(len(outputs)))


def mse_regularizer(outputs: Tensor, phi: float = 1.0) -> Tensor:
    """Mean squared distance of all outputs from ``phi``, by default the threshold (Deng et al. 2022).

    Every class is drawn to the same constant, the true one too.
    """
    return (outputs - phi).square().mean()


def tet(outputs: Tensor, labels: Tensor, lam: float = 0.05, phi: float = 1.0) -> Tensor:
    """``(1 - lam) * every_moment + lam * mse_regularizer``, the loss of temporal efficient training.

    Args:
        outputs: ``[T, B, classes]``.
        labels: ``[B]``.
        lam: share of the regularizer, in [0, 1]; the paper has 0.05 for CIFAR and 0.001 for event data.
        phi: what the regularizer draws outputs to.

    Raises:
        UserError: outputs without a time axis, or ``lam`` outside [0, 1].
    """
    check_lambda(lam)
    return (1 - lam) * every_moment(outputs, labels) + lam * mse_regularizer(outputs, phi)


# The losses other methods can give the labels, by the name their settings have for them.
LABEL_LOSSES = {"sdt": sdt, "tet": tet}


def check_lambda(lam: float) -> None:
    """Raise a UserError unless ``lam`` is in [0, 1]."""
    if not 0 <= lam <= 1:
        raise UserError(f"lam is {lam}; expected a number in [0, 1], the share of the regularizer")


def _check_time(outputs: Tensor) -> None:
    if outputs.dim() != 3:
        raise UserError(
            f"outputs have shape {list(outputs.shape)}; expected [T, B, classes]; unsqueeze(0) for one time step"
        )
