"""Wrong labels on purpose: the data of noisy-label learning."""

import numpy as np
import torch
from torch import Tensor

from snnbook.checks import MOST_SEED, whole
from snnbook.errors import UserError


def symmetric_noise(labels: Tensor, classes: int, share: float, seed: int) -> Tensor:
    """``labels`` with an exact share of them replaced by another class, each other class equally likely.

    Which images, and which classes, depends on the labels and ``seed`` alone, and a larger share keeps the wrong
    labels of a smaller one.  (SASTC, Table 7, leaves open whether the true class may be drawn again; here it may
    not, so that the share is what it says.)

    Args:
        labels: ``[N]``.
        classes: their number.
        share: in [0, 1).
        seed: a whole number from 0 to 2**32 - 1.

    Raises:
        UserError: a share or a seed out of range, or a single class.
    """
    whole(seed, "seed", most=MOST_SEED)
    if not 0 <= share < 1:
        raise UserError(f"label_noise is {share}; expected a share of at least 0 and below 1")
    if share and classes < 2:
        raise UserError("label_noise needs two classes or more; set it to 0")
    draw = np.random.RandomState(seed)  # its stream is frozen by promise
    order = draw.permutation(len(labels))
    shift = draw.randint(1, max(classes, 2), size=len(labels))
    wrong = torch.from_numpy(order[: round(share * len(labels))])
    noisy = labels.clone()
    noisy[wrong] = (labels[wrong] + torch.from_numpy(shift)[wrong]) % classes
    return noisy
