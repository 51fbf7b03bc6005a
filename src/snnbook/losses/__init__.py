"""Loss functions: pure, one file a paper."""

from snnbook.losses.distillation import kl_divergence
from snnbook.losses.joint import be_your_own_teacher, cross_entropy, kld_loss, norm_loss
from snnbook.losses.sastc import attention_weights, calibration, distance, similarity
from snnbook.losses.temporal import LABEL_LOSSES, every_moment, mean_readout, mse_regularizer, sdt, tet

__all__ = [
    "LABEL_LOSSES",
    "attention_weights",
    "be_your_own_teacher",
    "calibration",
    "cross_entropy",
    "distance",
    "every_moment",
    "kl_divergence",
    "kld_loss",
    "mean_readout",
    "mse_regularizer",
    "norm_loss",
    "sdt",
    "similarity",
    "tet",
]
