"""Checks of chapter 5: the loss at every moment."""

import torch
import torch.nn.functional as F
from torch import Tensor

from snnbook import losses
from snnbook.course.comparing import Wrong, call, function, kind, same, tensor


def _toy(T: int = 4, B: int = 6) -> tuple[Tensor, Tensor]:
    return 2 * torch.randn(T, B, 10, dtype=torch.float64), torch.randint(10, (B,))


def the_wrong_repetition(answer):
    def interleaved(outputs, labels):
        return F.cross_entropy(outputs.flatten(0, 1), labels.repeat_interleave(len(outputs)))

    function(
        answer,
        losses.every_moment,
        [_toy(), _toy(3, 9)],
        wrong={
            "an image's label stands beside T images; repeat the labels as a block, once a step": interleaved,
            "that is the loss of the mean readout, SDT": losses.sdt,
            "a mean over the moments, not their sum": lambda outputs, labels: (
                len(outputs) * losses.every_moment(outputs, labels)
            ),
            "that has the regularizer in it": losses.tet,
        },
    )


def where_is_phi(answer):
    for old, new in ((0.0, 1.0), (1.0, 0.3)):
        outputs, labels = _toy()
        found = tensor(call(answer, outputs, old, new), "what your function returns")
        if found.shape != outputs.shape:
            raise Wrong(f"your function returned {kind(found)}; expected {kind(outputs)}")
        right = losses.tet(outputs, labels, phi=old)
        near = [
            (losses.tet(outputs, labels, phi=new), "those outputs are the old ones"),
            (losses.tet(outputs - (new - old), labels, phi=new), "moved the wrong way"),
            (losses.tet(outputs + new, labels, phi=new), "the old phi is not always zero"),
        ]
        same(
            losses.tet(found, labels, phi=new),
            right,
            within=1e-6,
            near=near,
            what="the loss of what you return",
        )


def the_loss_in_between(answer):
    def of_label(outputs, labels):
        return outputs.softmax(-1)[:, range(len(labels)), labels]

    function(
        answer,
        lambda outputs, labels: of_label(outputs, labels) / of_label(outputs, labels).sum(0),
        [_toy(), _toy(3, 9)],
        wrong={
            "the logarithm divides by the sum over moments": of_label,
            "that is TET's weight": lambda outputs, labels: torch.full(outputs.shape[:2], 1 / len(outputs)),
            "the sum runs over moments, the first axis": lambda outputs, labels: (
                of_label(outputs, labels) / of_label(outputs, labels).sum(1, keepdim=True)
            ),
            "weights of the moments sum to 1": lambda outputs, labels: (
                of_label(outputs, labels) / of_label(outputs, labels).mean(0)
            ),
        },
    )


CHECKS = {"5.1": the_wrong_repetition, "5.2": where_is_phi, "5.3": the_loss_in_between}
