"""Checks of chapter 10: the joint framework."""

import torch

from snnbook import losses
from snnbook.course.comparing import Wrong, call, function, kind, number, numbers, same, tensor
from snnbook.factorized import Factors


def count_the_numbers(answer):
    weight = torch.zeros(128, 64, 3, 3)
    thin, full = (
        sum(p.numel() for p in Factors(torch.randn_like(weight), full=full).parameters())
        for full in (False, True)
    )
    spectrum = 9 * 64
    numbers(
        answer,
        {"separate": 2 * weight.numel(), "thin": thin, "full": full},
        within=1e-6,
        near={
            "separate": [(weight.numel(), "that is one weight; there are two networks")],
            "thin": [
                (thin - spectrum, "thin has two spectra"),
                (thin - 2 * spectrum, "the spectra are missing in thin"),
                (thin / 9, "a kernel is decomposed at each of its positions"),
            ],
            "full": [
                (full - spectrum, "full has two spectra"),
                (full - 2 * spectrum, "the spectra are missing in full"),
                (full / 9, "a kernel is decomposed at each of its positions"),
            ],
        },
    )


def taught_by_its_student(answer):
    a, s = ([torch.randn(6, 10, requires_grad=True) for _ in range(3)] for _ in "as")

    def slopes(loss):
        found = torch.autograd.grad(
            loss, [*a, *s], allow_unused=True, materialize_grads=True, retain_graph=True
        )
        return torch.stack(found)

    expected = losses.kld_loss(a, s, detach=False)
    found = call(answer, list(a), list(s))
    if not isinstance(found, torch.Tensor) or found.numel() != 1:
        raise Wrong(f"your function returned {kind(found)}; expected a tensor of one number")
    number(
        found,
        expected.item(),
        within=1e-4,
        near=[
            (expected / len(a), "exits are added up, not averaged"),
            (expected / 10, "the mean is over images: batchmean"),
            (losses.kld_loss(s, a), "teacher and student are swapped"),
        ],
    )
    if not found.requires_grad or not slopes(found.reshape(()))[: len(a)].any():
        raise Wrong("no gradient reaches the ANN; is something still detached?")
    same(tensor(slopes(found.reshape(()))), slopes(expected), within=1e-3, what="its gradient")


def how_far_they_parted(answer):
    def apart(a, s):
        return (a - s).norm(dim=1) / a.norm(dim=1)

    cases = [tuple(torch.rand(2, 9, r, dtype=torch.float64)) for r in (4, 16)]
    function(
        answer,
        apart,
        cases,
        wrong={
            "in units of the ANN's length, please": lambda a, s: (a - s).norm(dim=1),
            "that is in units of the SNN's length": lambda a, s: (a - s).norm(dim=1) / s.norm(dim=1),
            "that is the difference of the lengths; asked is the length of the difference": lambda a, s: (
                (a.norm(dim=1) - s.norm(dim=1)) / a.norm(dim=1)
            ),
            "that is the square": lambda a, s: apart(a, s) ** 2,
        },
    )


CHECKS = {"10.1": count_the_numbers, "10.2": taught_by_its_student, "10.3": how_far_they_parted}
