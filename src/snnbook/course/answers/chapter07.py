"""Checks of chapter 7: learning from an ANN."""

import torch
import torch.nn.functional as F
from torch import Tensor

from snnbook import losses
from snnbook.course.comparing import function


def _pairs() -> list[tuple[Tensor, Tensor]]:
    return [tuple(2 * torch.randn(2, *shape, dtype=torch.float64)) for shape in ((6, 10), (3, 4))]


def raw_logits(answer):
    def slope(s, p):
        s = s.clone().requires_grad_()
        return torch.autograd.grad(F.kl_div(s, p, reduction="batchmean"), s)[0]

    function(
        answer,
        slope,
        [(s, a.softmax(1)) for a, s in _pairs()],
        wrong={
            "that is the gradient with a log_softmax; here the logits are raw": lambda s, p: (
                (s.softmax(1) - p) / len(s)
            ),
            "batchmean divides by the number of images": lambda s, p: -p,
            "batchmean divides by the number of images, not of all entries": lambda s, p: -p / p.numel(),
        },
    )


def the_teachers_side(answer):
    def slope(a, s):
        a = a.clone().requires_grad_()
        return torch.autograd.grad(losses.kl_divergence(a, s, detach=False), a)[0]

    function(
        answer,
        slope,
        _pairs(),
        wrong={
            "that is the gradient of the student; asked is the teacher's": lambda a, s: (
                (s.softmax(1) - a.softmax(1)) / len(a)
            ),
            "a softmax's derivative has a second part: the sum over classes is missing": lambda a, s: (
                a.softmax(1) * (a.log_softmax(1) - s.log_softmax(1)) / len(a)
            ),
            "the mean over images is missing": lambda a, s: len(a) * slope(a, s),
        },
    )


def a_teacher_stopped_early(answer):
    def off_label(logits, labels):
        return 1 - logits.softmax(1)[range(len(labels)), labels].mean()

    def wrongly(logits, labels):
        return (logits.argmax(1) != labels).double().mean()

    function(
        answer,
        off_label,
        [(a, torch.arange(len(a)) % a.shape[1]) for a, _ in _pairs()],
        wrong={
            "that is the share on the label": lambda logits, labels: 1 - off_label(logits, labels),
            "that is how often the teacher is wrong; asked is what its probabilities leave for others": wrongly,
        },
    )


CHECKS = {"7.1": raw_logits, "7.2": the_teachers_side, "7.3": a_teacher_stopped_early}
