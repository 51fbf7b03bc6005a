"""Knowledge distillation: one network's soft predictions as another's target (Hinton et al. 2015)."""

import torch.nn.functional as F
from torch import Tensor

from snnbook.checks import check_number
from snnbook.losses.shapes import check_axes
from snnbook.precision import at_least_single


def kl_divergence(teacher: Tensor, student: Tensor, temperature: float = 1.0, detach: bool = True) -> Tensor:
    """``temperature**2 * KL(softmax(teacher) || softmax(student))``, mean over the batch.

    Args:
        teacher: logits ``[B, classes]``.
        student: logits ``[B, classes]``.
        temperature: divides both logits; the factor keeps gradients of one size.
        detach: let no gradient flow into the teacher (Guo et al. 2023, Eq. 8).

    Raises:
        UserError: logits that are no ``[B, classes]``, or of different shapes; a temperature that is not above 0.
    """
    check_axes(("teacher", teacher, "B classes"), ("student", student, "B classes"))
    check_number("temperature", temperature, 0, above=True)
    # A CPU's autocast leaves a softmax in half precision, whose rounding is as large as small differences.
    teacher, student = at_least_single(teacher), at_least_single(student)
    target = F.log_softmax((teacher.detach() if detach else teacher) / temperature, dim=-1)
    prediction = F.log_softmax(student / temperature, dim=-1)
    return temperature**2 * F.kl_div(prediction, target, reduction="batchmean", log_target=True)
