"""Loss functions: pure, one file a paper."""

from snnbook.losses.distillation import kl_divergence
from snnbook.losses.joint import be_your_own_teacher, cross_entropy, kld_loss, norm_loss
from snnbook.losses.temporal import sdt

__all__ = ["be_your_own_teacher", "cross_entropy", "kl_divergence", "kld_loss", "norm_loss", "sdt"]
