"""Losses on the readout of every time step, ``O`` of shape ``[T, B, classes]``.

Recordings of different lengths, padded at the end, come with their ``lengths``, whole numbers ``[B]`` from 1 to T:
of each recording its own steps alone are averaged, and all recordings count alike.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from snnbook.checks import check_number, shown
from snnbook.errors import UserError
from snnbook.losses.shapes import as_labels, check_axes, check_device, readable
from snnbook.precision import at_least_single


def mean_readout(outputs: Tensor, lengths: Tensor | None = None) -> Tensor:
    """The mean over time, of each recording over its own steps: what is predicted, ``[B, classes]``.

    It is in single precision at least: rounded to half, many classes would tie.

    Args:
        outputs: ``[T, B, classes]``.
        lengths: steps of each recording; None for all.

    Raises:
        UserError: outputs without a time axis, or lengths that do not fit them.
    """
    check_axes(("outputs", outputs, "T B classes"))
    if lengths is None:
        return at_least_single(outputs).mean(0)
    return _own_steps(outputs, lengths)


def sdt(outputs: Tensor, labels: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Cross-entropy of the mean readout (Guo et al. 2023, Eq. 3; "standard direct training" of Deng et al. 2022,
    Eq. 7).

    Args:
        outputs: ``[T, B, classes]``.
        labels: ``[B]``, class numbers; or ``[B, classes]``, probabilities.
        lengths: steps of each recording; None for all.

    Raises:
        UserError: outputs without a time axis, or labels or lengths that do not fit them.
    """
    labels = _labels(outputs, labels)
    return F.cross_entropy(mean_readout(outputs, lengths), labels)


def every_moment(outputs: Tensor, labels: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Mean over time of each step's own cross-entropy (Deng et al. 2022, Eq. 9); by Lemma 4.1 never below
    :func:`sdt`.

    Arguments and errors as :func:`sdt`.
    """
    labels = _labels(outputs, labels)
    repeated = labels.repeat(len(outputs), *[1] * (labels.dim() - 1))
    logits = at_least_single(outputs).flatten(0, 1)
    if lengths is None:
        return F.cross_entropy(logits, repeated)
    losses = F.cross_entropy(logits, repeated, reduction="none")
    return _own_steps(losses.unflatten(0, outputs.shape[:2])[..., None], lengths).mean()


def mse_regularizer(outputs: Tensor, phi: float = 1.0, lengths: Tensor | None = None) -> Tensor:
    """Mean squared distance of all outputs from ``phi``, by default the threshold (Deng et al. 2022, Eq. 12).

    Every class is drawn to the same constant, the true one too.

    Args:
        outputs: ``[T, B, classes]``.
        phi: what they are drawn to.
        lengths: steps of each recording; None for all.

    Raises:
        UserError: outputs without a time axis, lengths that do not fit them, or a ``phi`` that is not finite.
    """
    check_axes(("outputs", outputs, "T B classes"))
    check_number("phi", phi)
    distances = (at_least_single(outputs) - phi).square()
    return distances.mean() if lengths is None else _own_steps(distances, lengths).mean()


def tet(
    outputs: Tensor, labels: Tensor, lam: float = 0.05, phi: float = 1.0, lengths: Tensor | None = None
) -> Tensor:
    """``(1 - lam) * every_moment + lam * mse_regularizer``, the loss of temporal efficient training (Deng
    et al. 2022, Eq. 13).

    Args:
        outputs: ``[T, B, classes]``.
        labels: as :func:`sdt`'s.
        lam: share of the regularizer, in [0, 1]; the paper has 0.05 for CIFAR and 0.001 for event data.
        phi: what the regularizer draws outputs to.
        lengths: steps of each recording; None for all.

    Raises:
        UserError: as its two parts, or ``lam`` outside [0, 1].
    """
    check_lambda(lam)
    moments = every_moment(outputs, labels, lengths)
    return (1 - lam) * moments + lam * mse_regularizer(outputs, phi, lengths)


# The losses other methods can give the labels, by the name their settings have for them.
LABEL_LOSSES = {"sdt": sdt, "tet": tet}


def check_lambda(lam: float) -> None:
    """Raise a UserError unless ``lam`` is in [0, 1]."""
    check_number("lam", lam, 0, 1, meaning="the share of the regularizer")


def _own_steps(values: Tensor, lengths: Tensor) -> Tensor:
    """The mean of ``values`` ``[T, B, ...]`` over each recording's own steps, ``[B, ...]``, in single at least."""
    sizes = check_axes(("outputs", values, "T B classes"))
    steps, batch = sizes["T"], sizes["B"]
    whole = isinstance(lengths, Tensor) and not (lengths.is_floating_point() or lengths.is_complex())
    if not whole or lengths.dtype == torch.bool or lengths.shape != (batch,):
        what = (
            f"{lengths.dtype} of shape {list(lengths.shape)}"
            if isinstance(lengths, Tensor)
            else shown(lengths)
        )
        raise UserError(f"lengths are {what}; expected {batch} whole numbers from 1 to {steps}")
    check_device("lengths are", lengths, "outputs", values)
    if readable(lengths):
        low, high = (int(x) for x in torch.aminmax(lengths))
        if low < 1 or high > steps:
            raise UserError(
                f"lengths reach from {low} to {high}; expected 1 to {steps}, the steps of the outputs"
            )
    over = torch.arange(steps, device=values.device)[:, None, None] >= lengths[:, None]
    return at_least_single(values).masked_fill(over, 0).sum(0) / lengths[:, None]


def _labels(outputs: Tensor, labels: Tensor) -> Tensor:
    return as_labels(labels, check_axes(("outputs", outputs, "T B classes")), outputs)
