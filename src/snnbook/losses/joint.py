"""The losses of Joint A-SNN over the exits of an ANN and an SNN (Guo et al. 2023, Eqs. 7-10).

Every function takes lists with one ``[B, classes]`` (or ``[B, C]``) tensor an exit, first exit first.
Empty lists, lists of different lengths, and tensors or labels that do not fit each other raise a UserError.
"""

import torch.nn.functional as F
from torch import Tensor

from snnbook.checks import check_number
from snnbook.errors import UserError
from snnbook.losses.distillation import kl_divergence
from snnbook.losses.shapes import as_labels, check_exits
from snnbook.precision import at_least_single


def cross_entropy(exits: list[Tensor], labels: Tensor) -> Tensor:
    """Cross-entropy summed over the exits of one network: half of Eq. 7; labels as :func:`sdt`'s."""
    labels = as_labels(labels, check_exits("B classes", exits=exits), exits[0])
    return sum(F.cross_entropy(at_least_single(logits), labels) for logits in exits)


def kld_loss(ann: list[Tensor], snn: list[Tensor], detach: bool = True) -> Tensor:
    """Divergence of the SNN's predictions from the detached ANN's, summed over exits (Eq. 8)."""
    check_exits("B classes", ann=ann, snn=snn)
    return sum(kl_divergence(a, s, detach=detach) for a, s in zip(ann, snn, strict=True))


def norm_loss(ann: list[Tensor], snn: list[Tensor], detach: bool = True) -> Tensor:
    """Squared distance of the SNN's outputs from the detached ANN's, summed over exits (Eq. 9).

    The paper writes a Frobenius norm without a reduction.  Summed over a batch it would drown the other terms,
    so this is the mean over batch and entries, as in the paper's first public code.
    """
    check_exits("B C", ann=ann, snn=snn)
    return sum(_squared(s, a.detach() if detach else a) for a, s in zip(ann, snn, strict=True))


def _squared(found: Tensor, wanted: Tensor, reduction: str = "mean") -> Tensor:
    return F.mse_loss(at_least_single(found), at_least_single(wanted), reduction=reduction)


def be_your_own_teacher(
    ann: tuple[list[Tensor], list[Tensor]],
    snn: tuple[list[Tensor], list[Tensor]],
    labels: Tensor,
    alpha: float = 0.1,
    beta: float = 1e-6,
    temperature: float = 3.0,
) -> dict[str, Tensor]:
    """What the public code minimizes instead of Eq. 10; its form follows Zhang et al. (2019).

    The ANN's last exit teaches its earlier ones, each ANN exit teaches the SNN's, and SNN features are drawn to
    the ANN's by a squared distance *summed* over batch and channels, hence the small beta.

    Args:
        ann, snn: ``(logits, features)`` of the exits.
        labels: ``[B]``.
        alpha: share of the soft targets; the labels get ``1 - alpha``.
        beta: weight of the feature distance.
        temperature: of the soft targets.

    Returns:
        The weighted terms ``ce``, ``self``, ``kld`` and ``norm``.

    Raises:
        UserError: also for exits that are no pairs of lists, an ``alpha`` outside [0, 1], a negative ``beta``, or
            a temperature that is not above 0.
    """
    for name, exits in (("ann", ann), ("snn", snn)):
        if not isinstance(exits, list | tuple) or len(exits) != 2:
            raise UserError(
                f"{name} is no pair; expected (logits, features), a list with a tensor an exit each"
            )
    (a, a_features), (s, s_features) = ann, snn
    batch = check_exits("B classes", ann=a, snn=s)["B"]
    if check_exits("B C", **{"ann's features": a_features, "snn's features": s_features})["B"] != batch:
        raise UserError(f"the features have another batch than the logits' {batch}; expected one batch")
    check_number("alpha", alpha, 0, 1, meaning="the share of the soft targets")
    check_number("beta", beta, 0)
    distance = sum(_squared(y, x.detach(), "sum") for x, y in zip(a_features, s_features, strict=True))
    return {
        "ce": (1 - alpha) * (cross_entropy(a, labels) + cross_entropy(s, labels)),
        "self": alpha
        * sum((kl_divergence(a[-1], early, temperature) for early in a[:-1]), start=a[-1].new_zeros(())),
        "kld": alpha * sum(kl_divergence(x, y, temperature) for x, y in zip(a, s, strict=True)),
        "norm": beta * distance,
    }
