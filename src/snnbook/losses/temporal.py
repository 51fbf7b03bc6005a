"""Losses on the readout of every time step, ``O`` of shape ``[T, B, classes]``."""

import torch.nn.functional as F
from torch import Tensor

from snnbook.errors import UserError


def sdt(outputs: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of the mean readout (Guo et al. 2023, Eq. 3; "standard direct training" in TET, Eq. 4).

    Args:
        outputs: ``[T, B, classes]``.
        labels: ``[B]``, class numbers.

    Raises:
        UserError: outputs without a time axis.
    """
    if outputs.dim() != 3:
        raise UserError(
            f"outputs have shape {list(outputs.shape)}; expected [T, B, classes]; unsqueeze(0) for one time step"
        )
    return F.cross_entropy(outputs.mean(0), labels)
